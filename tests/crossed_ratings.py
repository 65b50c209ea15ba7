"""Ratings of songs by listeners, drawn from a known mixed model, for tests and benchmarks."""

import warnings

import numpy as np
import pandas as pd

from groove_utils.mixed import LmmWarning, fit_lmm
from groove_utils.mixed.power import crossed_design

STYLES = np.array(["funk", "pop", "rock"])


def simulate_ratings(
    n_listeners=60,
    n_songs=60,
    songs_per_listener=None,
    *,
    intercept=4.0,
    effect=0.5,
    style_effects=(0.0, 0.0, 0.0),
    sd_listener=0.7,
    sd_song=0.5,
    sd_slope=0.0,
    correlation=0.0,
    sd_residual=1.0,
    seed=0,
) -> pd.DataFrame:
    """Draw ratings: columns listener_id, track_id, style, x (a song covariate), rating.

    `effect` and `sd_slope` are the mean and the spread over listeners of the slope on x;
    `correlation` is that of intercepts and slopes.
    """
    rng = np.random.default_rng(seed)
    listener, song = crossed_design(n_listeners, n_songs, songs_per_listener, rng)
    style = np.arange(n_songs) % 3
    x = rng.standard_normal(n_songs)
    a = rng.standard_normal(n_listeners)
    b = correlation * a + np.sqrt(1 - correlation**2) * rng.standard_normal(n_listeners)
    rating = (
        intercept
        + effect * x[song]
        + np.asarray(style_effects)[style[song]]
        + sd_listener * a[listener]
        + sd_slope * b[listener] * x[song]
        + sd_song * rng.standard_normal(n_songs)[song]
        + sd_residual * rng.standard_normal(len(song))
    )
    return pd.DataFrame(
        {
            "listener_id": [f"L{i:04d}" for i in listener],
            "track_id": [f"S{i:04d}" for i in song],
            "style": STYLES[style[song]],
            "x": x[song],
            "rating": rating,
        }
    )


def quiet_fit(formula, data, **options):
    """Fit without the warnings of singular fits, which some draws have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        return fit_lmm(formula, data, **options)
