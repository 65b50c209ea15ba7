"""Effects that a mixed model would estimate from rounded and clipped ratings.

Listeners cannot give ratings outside the scale of 1 to 100, so simulated ratings are clipped to it.
As a result, the estimates of a linear mixed model differ from the effects used in the simulation,
however many ratings there are. Chapter 09-mixed-models and the page "The demo study and its known
effects" therefore compare estimates with the effects computed here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from groove_utils.synth.listener_effects import (
    Effects,
    SimulationError,
    check_columns,
    default_effects,
    song_covariates,
)
from groove_utils.synth.listeners import Draw, draw_ratings, on_scale
from groove_utils.synth.questionnaire import RATED

__all__ = ["effects_as_rated"]


def effects_as_rated(
    songs: pd.DataFrame,
    effects: Effects | None = None,
    seed: int = 2026,
    *,
    n_listeners: int = 1000,
    n_songs: int = 384,
    n_draws: int = 6,
) -> pd.DataFrame:
    """Compute the effects that a mixed model would estimate from rounded and clipped ratings.

    The function simulates large studies in which every listener rates every song, and estimates the
    effects from each study twice, with and without rounding and clipping. The known effects are
    then adjusted by the difference between the two estimates (SDs by their ratio). Both estimates
    have nearly the same sampling error, which therefore cancels out.

    Parameters
    ----------
    songs : DataFrame
        See :func:`simulate_listeners`. The simulated studies reuse the songs' covariates, but draw
        new song intercepts.
    effects : Effects, optional
        Effects to simulate; by default, those returned by :func:`default_effects`.
    seed : int
        Random seed.
    n_listeners, n_songs : int
        Number of listeners (50 or more) and minimum number of songs (16 or more) in each simulated
        study. The whole set of songs is repeated until there are at least `n_songs`.
    n_draws : int
        Number of simulated studies to average over. With six studies, the error of each value is
        about 1%.

    Returns
    -------
    DataFrame
        Columns ``component`` (fixed, sd or style_mean), ``term, question, value``, as in
        :meth:`Effects.table`. If there is only one style, listeners' intercepts and style
        preferences cannot be separated, so the SDs ``listener`` and ``style_bias`` are multiplied
        by the same factor.

    Raises
    ------
    SimulationError
        If `songs` lacks a column or contains a value that is not finite, or if `n_listeners`,
        `n_songs` or `n_draws` is too small.
    """
    effects = default_effects() if effects is None else effects
    check_columns(songs, "style")
    if n_listeners < 50 or n_songs < 16 or n_draws < 1:
        raise SimulationError(
            f"{n_draws} draws of {n_listeners} listeners and {n_songs} songs are too few to "
            "estimate the effects; expected at least 1 draw of 50 listeners and 16 songs.",
            kind="too_few", value=(n_draws, n_listeners, n_songs),
        )  # fmt: skip
    copies = -(-n_songs // len(songs))
    covariates = np.tile(song_covariates(songs).to_numpy(), (copies, 1))
    styles, style_of = np.unique(songs["style"].to_numpy(str), return_inverse=True)
    style_of, style_means = np.tile(style_of, copies), effects.style_means(styles)
    design = np.tile(np.arange(len(covariates)), (n_listeners, 1))
    cells = (n_listeners, len(covariates), len(RATED))
    rng = np.random.default_rng([seed, 1])
    estimates = []
    for _ in range(n_draws):
        draw = draw_ratings(covariates, style_means, style_of, effects, design, rng)
        for ratings in (draw.ratings, on_scale(draw.ratings)):
            estimates.append(_estimate(ratings.reshape(cells), covariates, style_of, draw))
    drawn, rated = (
        [np.mean(values, axis=0) for values in zip(*estimates[first::2])] for first in (0, 1)
    )
    spread = effects.sd.to_numpy() != 0  # an SD of 0 remains 0
    ratio = np.divide(rated[1], drawn[1], out=np.ones_like(drawn[1]), where=spread)
    fixed = effects.fixed + rated[0] - drawn[0]
    style_mean = pd.DataFrame(
        style_means + rated[2] - drawn[2], pd.Index(styles, name="term"), effects.fixed.columns
    )
    sd = effects.sd * np.sqrt(ratio.clip(0))
    table = replace(effects, fixed=fixed, sd=sd, style_mean=style_mean).table()
    return table[table["component"].isin(["fixed", "sd", "style_mean"])].reset_index(drop=True)


def _estimate(
    y: np.ndarray, covariates: np.ndarray, style_of: np.ndarray, draw: Draw
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate fixed effects, variances and style means from a study without missing ratings.

    The estimates are in the same order as the rows of the tables in :class:`Effects`. They are
    obtained by least squares and the method of moments: song means are regressed on styles and song
    covariates, and each listener's deviations from the song means are regressed on style and
    syncopation. The intercept is the mean of the style coefficients.
    """
    musicianship, inclination = (x - x.mean() for x in (draw.musicianship, draw.inclination))
    n_listeners, n_songs, _ = y.shape
    styles = np.eye(style_of.max() + 1)[style_of]
    n_styles = styles.shape[1]
    means = y.mean(axis=0)
    X = np.column_stack([styles, covariates])
    of_songs = np.linalg.lstsq(X, means)[0]
    song = ((means - X @ of_songs) ** 2).sum(axis=0) / (n_songs - X.shape[1])
    intercept = of_songs[:n_styles].mean(axis=0)
    style_mean = of_songs[:n_styles] - intercept
    fixed = np.vstack([intercept, of_songs[n_styles:]])

    B = np.column_stack([styles, covariates[:, 0]])
    error = np.linalg.inv(B.T @ B)
    departures = y - means
    coefficients = np.einsum("bs,lsq->lbq", error @ B.T, departures)
    departures -= np.einsum("sb,lbq->lsq", B, coefficients)
    residual = (departures**2).sum(axis=(0, 1)) / ((n_listeners - 1) * (n_songs - B.shape[1]))

    level, slope = coefficients[:, :n_styles], coefficients[:, n_styles]
    inclined = inclination @ level.mean(axis=1) / (inclination @ inclination)
    level = level - inclination[:, None, None] * inclined
    musical = musicianship @ slope / (musicianship @ musicianship)
    slope = slope - np.outer(musicianship, musical)
    spread = (slope**2).sum(axis=0) / (n_listeners - 2) - residual * error[-1, -1]
    both = np.einsum("liq,ljq->ijq", level, level) / (n_listeners - 2)
    both -= error[:n_styles, :n_styles, None] * residual
    diagonal = np.einsum("iiq->q", both) / n_styles
    shared, bias = diagonal, diagonal
    if n_styles > 1:
        shared = (both.sum(axis=(0, 1)) / n_styles - diagonal) / (n_styles - 1)
        bias = diagonal - shared
    variances = [song - residual / n_listeners, shared, spread, bias, residual]
    return np.vstack([fixed, inclined, musical]), np.array(variances), style_mean
