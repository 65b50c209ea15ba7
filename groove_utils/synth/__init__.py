"""The demo study: generated songs with true stems, and simulated listeners with known effects.

`make_demo` writes the book's default study. Chapters 01, 05, 06 and 08 read what it writes, and
hold their methods against its truth; chapters 04 and 08 use the exact syncopation of its scores.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "demo": ["make_demo"],
        "listeners": [
            "GROOVE_FORMULA",
            "QUESTIONS",
            "Effects",
            "Simulated",
            "default_effects",
            "draw_design",
            "effects_as_rated",
            "expected_ratings",
            "groove_score",
            "simulate_listeners",
            "song_covariates",
        ],
    },
)
