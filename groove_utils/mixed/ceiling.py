"""Noise ceiling: the expected R² of a perfect model of song means.

The mean of k ratings of a song is the sum of the song's true value and noise. The reliability of
these means is the proportion of their variance that is due to the true values. It equals the
expected R² of a model that predicts the true values exactly, so a model can exceed it only by
chance.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.memoisation import memoised
from groove_utils.mixed.crossed import fit_crossed, rating_matrix, rating_table
from groove_utils.mixed.reliability import icc, split_half
from groove_utils.stats.threads import one_thread

__all__ = ["noise_ceiling", "normalise_by_ceiling"]


@memoised("mixed-models")
@one_thread
def noise_ceiling(ratings, *, n_splits=500, n_boot=1000, level=0.95, seed=0) -> pd.DataFrame:
    """Estimate the reliability of song means, which is the expected R² of a perfect model.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Table in long format, with the columns ``track_id, listener_id, rating`` and optionally
        ``query``, or a matrix of listeners × tracks. Each query (a question that listeners answer)
        is analysed separately.
    n_splits, n_boot, level, seed
        As in :func:`groove_utils.mixed.split_half`.

    Returns
    -------
    DataFrame
        One row per query and method, with the columns ``query, method, estimate, low, high, k,
        n_tracks, n_listeners``. The method ``song means`` gives the ceiling with which an R² should
        be compared; this ceiling is computed from the variance components, taking into account
        which listeners rated each song. The other methods are ``split-half``, ``ICC(C,1)``,
        ``ICC(A,1)``, ``ICC(C,k)`` and ``ICC(A,k)``.

    Raises
    ------
    LmmError
        If listener ids are missing, there are too few ratings, or all ratings are the same.

    Notes
    -----
    Let S, L and E be the variances of song effects, listener effects and residuals. The noise in
    the song means has the covariance N = L·AAᵀ + E·diag(1/k), where the matrix A averages over the
    listeners who rated each song, and the vector k contains the number of listeners who rated each
    song. Noise that is the same for all songs does not change R², so the expected noise variance
    over n songs is v = tr(MN)/(n − 1), where M is the centring matrix. The ceiling is S/(S + v). If
    all listeners rated all songs, the ceiling equals ICC(C,k). The interval for the ceiling is
    derived from the interval for S/E, with L/E fixed at its estimated value.
    """
    if isinstance(ratings, pd.DataFrame) and "query" in ratings and "rating" in ratings:
        options = {"n_splits": n_splits, "n_boot": n_boot, "level": level, "seed": seed}
        tables = [
            noise_ceiling(rows.drop(columns="query"), **options).assign(query=query)
            for query, rows in ratings.groupby("query", sort=False)
        ]
        return pd.concat(tables, ignore_index=True)
    table = rating_table(ratings)
    single = icc(ratings, level=level)
    noise = _relative_noise(table)
    c1 = single.set_index("type").loc["C,1", ["estimate", "low", "high"]].astype(float)
    ratio = np.clip(c1, 0, 1 - 1e-12)
    ratio = ratio / (1 - ratio)
    means = ratio / (ratio + noise)
    halves = split_half(ratings, n_splits=n_splits, n_boot=n_boot, level=level, seed=seed)
    k = float(single["k"].iloc[-1])
    rows = [("song means", *means, k), ("split-half", *halves[["estimate", "low", "high"]], k)]
    head = pd.DataFrame(rows, columns=["method", "estimate", "low", "high", "k"])
    tail = single.assign(method="ICC(" + single["type"] + ")")
    frame = pd.concat([head, tail[list(head)]], ignore_index=True)
    frame.insert(0, "query", "rating")
    frame["n_tracks"] = table["song"].nunique()
    frame["n_listeners"] = table["rater"].nunique()
    return frame


def _relative_noise(table) -> float:
    """Compute the expected noise variance of song means, divided by the residual variance."""
    matrix = np.isfinite(rating_matrix(table)).astype(float)
    n = len(matrix)
    average = matrix / matrix.sum(axis=1, keepdims=True)
    noise = (1 / matrix.sum(axis=1)).mean()  # tr(M diag(1/k))/(n − 1) is the mean of 1/k
    if np.ptp(average, axis=0).max() == 0:
        return noise
    centred = average - average.mean(axis=0)
    _, theta = fit_crossed(table)
    return noise + theta[1] ** 2 * (centred**2).sum() / (n - 1)


def normalise_by_ceiling(scores: pd.DataFrame, ceiling: pd.DataFrame) -> pd.DataFrame:
    """Divide the R² of each target by the noise ceiling of its ratings.

    Parameters
    ----------
    scores : DataFrame
        Table with the columns ``target`` and ``r2``, or the output of
        :func:`groove_utils.probe.bootstrap_scores`, of which only the rows with the score ``r2``
        are used.
    ceiling : DataFrame
        Output of :func:`noise_ceiling`; queries are matched to targets by name.

    Returns
    -------
    DataFrame
        The rows of `scores` that contain R², with the additional columns ``ceiling, ceiling_low,
        ceiling_high``, ``r2_normalised`` (R² divided by the ceiling) and ``r2_normalised_low,
        r2_normalised_high`` (R² divided by the bounds of the interval for the ceiling). A
        normalised value is missing if the ceiling or bound by which R² is divided is missing or not
        positive.
    """
    value = "r2" if "r2" in scores else "estimate"
    table = scores if value == "r2" else scores[scores["score"] == "r2"]
    limits = ceiling[ceiling["method"] == "song means"].set_index("query")
    limits = limits[["estimate", "low", "high"]].reindex(table["target"])
    out = table.copy()
    for name, column in (("", "estimate"), ("_low", "low"), ("_high", "high")):
        out[f"ceiling{name}"] = limits[column].to_numpy()
    positive = out[["ceiling", "ceiling_low", "ceiling_high"]].where(lambda v: v > 0)
    out["r2_normalised"] = out[value] / positive["ceiling"]
    ends = np.stack([out[value] / positive[f"ceiling_{end}"] for end in ("high", "low")])
    out["r2_normalised_low"], out["r2_normalised_high"] = np.sort(ends, axis=0)
    return out
