"""The demo study: generated songs with true stems, and simulated listeners with known effects.

`make_demo` writes the book's default study. Chapters 01, 05, 06 and 08 read what it writes, and
hold their methods against its truth; chapters 04 and 08 use the exact syncopation of its scores.
"""

from groove_utils.synth.demo import make_demo
from groove_utils.synth.listeners import (
    GROOVE_FORMULA,
    QUESTIONS,
    Effects,
    Simulated,
    default_effects,
    draw_design,
    effects_as_rated,
    expected_ratings,
    groove_score,
    simulate_listeners,
    song_covariates,
)
from groove_utils.synth.realism import simulation_table, variance_components
from groove_utils.synth.syncopation import lhl_syncopation, metrical_weights, witek_syncopation

__all__ = [
    "GROOVE_FORMULA",
    "QUESTIONS",
    "Effects",
    "Simulated",
    "default_effects",
    "draw_design",
    "effects_as_rated",
    "expected_ratings",
    "groove_score",
    "lhl_syncopation",
    "make_demo",
    "metrical_weights",
    "simulate_listeners",
    "simulation_table",
    "song_covariates",
    "variance_components",
    "witek_syncopation",
]
