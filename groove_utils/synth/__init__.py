"""Generated songs with separate stems, and simulated listeners whose ratings have known causes.

`make_demo` generates the book's default study. Its ground truth is known, so every method can be
tested on it. `make_genre_corpus` renders songs in eight styles for the chapters on genre.
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
