"""Generated songs with true stems, and simulated listeners with known effects.

`make_demo` writes the book's default study, for which the truth is known, so that every method can
be tested; `make_genre_corpus` renders songs in eight styles for the chapters on genre.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clipping": ["effects_as_rated"],
        "composition": ["compose"],
        "demo": ["make_demo"],
        "genre_corpus": ["GENRES", "GENRE_TREE", "make_genre_corpus", "render_genre_song"],
        "listener_effects": [
            "EFFECT_NAMES",
            "Effects",
            "SimulationError",
            "default_effects",
            "song_covariates",
        ],
        "features": ["score_features"],
        "listeners": ["Simulated", "draw_design", "simulate_listeners"],
        "questionnaire": ["QUESTIONS", "describe_score", "groove_score"],
        "rendering": ["render"],
    },
)
