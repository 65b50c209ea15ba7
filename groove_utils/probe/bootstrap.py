"""Intervals and comparisons by resampling artists (chapter 06)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from statsmodels.stats.multitest import multipletests

from groove_utils.probe.inputs import ProbeError
from groove_utils.probe.result import ProbeResult, check_paired, score_statistic

__all__ = ["artist_weights", "bootstrap_scores", "compare_models", "interval"]


def artist_weights(artists, n_draws: int, seed: int = 0) -> np.ndarray:
    """How often each song is counted when artists are drawn with replacement.

    Returns
    -------
    ndarray, shape (n_draws, n), dtype float64
        Songs of one artist have one weight.
    """
    names, artist = np.unique(np.asarray(artists).astype(str), return_inverse=True)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_draws)
    return counts[:, artist].astype(np.float64)


def _without_each(artists) -> np.ndarray:
    names, artist = np.unique(np.asarray(artists).astype(str), return_inverse=True)
    return 1.0 - (artist == np.arange(len(names))[:, None])


def interval(statistic, artists, *, n_boot=2000, level=0.95, method="bca", seed=0):
    """Bootstrap interval of a statistic of song weights, artists being drawn.

    Parameters
    ----------
    statistic : callable
        ``statistic(weights)`` takes (n_draws, n) and gives (n_draws, k).
    artists : array-like of shape (n,)
    n_boot : int
    level : float
        Coverage aimed at, in 0…1.
    method : {"bca", "percentile"}
        Bias-corrected and accelerated (Efron 1987), or plain percentiles.
    seed : int

    Returns
    -------
    estimate, low, high, se : ndarray, shape (k,)
    """
    if not 0 < level < 1:
        raise ProbeError(f"level is {level}; expected a coverage between 0 and 1, as 0.95")
    if len(set(np.asarray(artists).astype(str))) < 3:
        raise ProbeError("fewer than 3 artists: no interval can be had by resampling them")
    estimate = statistic(np.ones((1, len(artists))))[0]
    draws = statistic(artist_weights(artists, n_boot, seed))
    tail = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "percentile":
        probability = np.repeat(tail[:, None], draws.shape[1], axis=1)
    elif method == "bca":
        below = (draws < estimate).mean(axis=0) + (draws == estimate).mean(axis=0) / 2
        bias = ndtri(np.clip(below, 1 / (n_boot + 1), n_boot / (n_boot + 1)))
        left = statistic(_without_each(artists))
        skew = left.mean(axis=0) - left
        spread = (skew**2).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = np.where(spread > 0, (skew**3).sum(axis=0) / (6 * spread**1.5), 0.0)
        z = bias + ndtri(tail)[:, None]
        probability = ndtr(bias + z / (1 - speed * z))
    else:
        raise ProbeError(f"no such method: {method!r}; use 'bca' or 'percentile'")
    low, high = (
        np.array([_quantile(draws[:, j], row[j]) for j in range(draws.shape[1])])
        for row in probability
    )
    return estimate, low, high, np.nanstd(draws, axis=0, ddof=1)


def _quantile(values, probability):
    values = values[np.isfinite(values)]
    return np.quantile(values, probability) if len(values) and probability >= 0 else np.nan


def bootstrap_scores(
    result: ProbeResult,
    *,
    scores=("r2", "spearman", "rmse"),
    n_boot=2000,
    level=0.95,
    method="bca",
    seed=0,
) -> pd.DataFrame:
    """Scores of a probe with intervals over artists.

    Parameters
    ----------
    result : ProbeResult
    scores : sequence of {"r2", "spearman", "rmse", "fold_r2", "r2_over_baseline"}
    n_boot : int
    level : float
    method : {"bca", "percentile"}
    seed : int

    Returns
    -------
    DataFrame
        One row a target and score: ``target, score, estimate, low, high, se, n_songs, n_artists``.
    """
    rows = []
    for score in scores:
        found = interval(
            score_statistic(result, score),
            result.artists,
            n_boot=n_boot,
            level=level,
            method=method,
            seed=seed,
        )
        rows += [
            (target, score, *(float(part[j]) for part in found))
            for j, target in enumerate(result.targets)
        ]
    frame = pd.DataFrame(rows, columns=["target", "score", "estimate", "low", "high", "se"])
    frame["n_songs"], frame["n_artists"] = len(result.ids), len(set(result.artists))
    order = {name: i for i, name in enumerate(result.targets)}
    return frame.sort_values(
        "target", key=lambda column: column.map(order), kind="stable", ignore_index=True
    )


def compare_models(
    results: Mapping[str, ProbeResult],
    *,
    score="r2",
    reference: str | None = None,
    n_boot=4000,
    level=0.95,
    seed=0,
) -> pd.DataFrame:
    """Paired differences between models on the same songs and folds.

    Parameters
    ----------
    results : mapping of name → ProbeResult
    score : str
        As in :func:`bootstrap_scores`.
    reference : str, optional
        Compare all others with this one; by default all pairs.
    n_boot : int
    level : float
        Of each interval on its own.
    seed : int

    Returns
    -------
    DataFrame
        One row a target and pair: ``target, first, second, difference`` (first − second), ``low,
        high, se, p, p_holm``. Holm's correction is over the pairs of one target.

    Notes
    -----
    Artists are drawn, all their songs with them, and both models are scored on the same draw.
    p is twice the smaller share of draws, about the null, that lie beyond the observed difference:
    the draws are shifted to mean 0, as Hall & Wilson (1991) advise.
    """
    check_paired(results)
    names = list(results)
    if len(names) < 2:
        raise ProbeError("one model only; give two or more to compare")
    if reference is not None and reference not in names:
        raise ProbeError(f"no such model: {reference!r}; there are {names}")
    pairs = list(combinations(names, 2))
    if reference is not None:
        pairs = [(name, reference) for name in names if name != reference]
    first = results[names[0]]
    weights = artist_weights(first.artists, n_boot, seed)
    unit = np.ones((1, len(first.ids)))
    statistics = {name: score_statistic(result, score) for name, result in results.items()}
    draws = {name: statistic(weights) for name, statistic in statistics.items()}
    observed = {name: statistic(unit)[0] for name, statistic in statistics.items()}
    tail = (1 - level) / 2
    rows = []
    for a, b in pairs:
        spread, found = draws[a] - draws[b], observed[a] - observed[b]
        low, high = np.nanquantile(spread, [tail, 1 - tail], axis=0)
        null = spread - np.nanmean(spread, axis=0)
        beyond = (np.abs(null) >= np.abs(found)).sum(axis=0)
        p = (beyond + 1) / (n_boot + 1)
        rows += [
            (target, a, b, found[j], low[j], high[j], np.nanstd(spread[:, j], ddof=1), p[j])
            for j, target in enumerate(first.targets)
        ]
    columns = ["target", "first", "second", "difference", "low", "high", "se", "p"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["p_holm"] = frame.groupby("target")["p"].transform(
        lambda p: multipletests(p.to_numpy(), method="holm")[1]
    )
    return frame
