"""Intervals and comparisons by resampling artists, their part in training included (chapter 06).

A bootstrap that draws test songs again but keeps their predictions knows nothing of the other
half of chance: which songs the model was trained on. On simulated studies of 80–150 songs such
intervals covered the true R² in 65–85% of cases instead of 95% (``tests/bench/bench_probe.py``;
Bates, Hastie & Tibshirani 2024 find the same). Here each artist's influence on a score is worked
out with the artist missing from the test songs *and* from every training set, which for a ridge
probe has a closed form, and artists are drawn with those influences: the bootstrap to first order
(Efron 1982, chapter 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import ndtr, ndtri
from statsmodels.stats.multitest import multipletests

from groove_utils.probe.result import ProbeResult, check_paired, score_statistic
from groove_utils.probe.validation import ProbeError

__all__ = [
    "artist_influence",
    "artist_weights",
    "bootstrap_scores",
    "compare_models",
    "influence_interval",
    "interval",
]


def artist_weights(artists, n_draws: int, seed: int = 0) -> np.ndarray:
    """How often each song is counted when artists are drawn with replacement.

    Returns
    -------
    ndarray, shape (n_draws, n), dtype float64
        Songs of one artist have one weight.
    """
    artist, count = _artists(artists)
    rng = np.random.default_rng(seed)
    return _draw(count, n_draws, rng)[:, artist]


def _artists(artists):
    names, artist = np.unique(np.asarray(artists).astype(str), return_inverse=True)
    if len(names) < 3:
        raise ProbeError(f"{len(names)} artists: an interval over artists needs at least 3 of them")
    return artist, len(names)


def _draw(count, n_draws, rng):
    return rng.multinomial(count, np.full(count, 1 / count), size=n_draws).astype(np.float64)


# --- influence: artists missing from test and training songs --------------------------------------


def artist_influence(
    result: ProbeResult, statistic: Callable[[ProbeResult], Callable]
) -> tuple[np.ndarray, np.ndarray]:
    """A statistic and each artist's influence on it.

    Parameters
    ----------
    result : ProbeResult
        Where it has no ``without`` (probes without a closed form), predictions are taken as they
        are, and the influence is that of the test songs alone.
    statistic : callable
        ``statistic(result)`` gives a function of song weights (n_draws, n) → (n_draws, k).

    Returns
    -------
    estimate : ndarray, shape (k,)
    influence : ndarray, shape (n_artists, k)
        (g − 1) times the change when the artist, in sorted order, is left out, centred: the
        variance of the statistic is about ``(influence**2).sum(0) / (g * (g - 1))``.
    """
    artist, count = _artists(result.artists)
    estimate = statistic(result)(np.ones((1, len(artist))))[0]
    left = np.empty((count, len(estimate)))
    fixed = statistic(result) if result.without is None else None
    for number in range(count):
        weights = (artist != number)[None].astype(np.float64)
        if fixed is None:
            left[number] = statistic(replace(result, predicted=result.without[number]))(weights)[0]
        else:
            left[number] = fixed(weights)[0]
    with np.errstate(invalid="ignore"):
        influence = (count - 1) * (np.nanmean(left, axis=0) - left)
    return estimate, np.nan_to_num(influence)


def influence_interval(estimate, influence, *, n_boot=2000, level=0.95, seed=0):
    """Interval of a statistic from the influence of each artist.

    Artists are drawn with replacement and their influences summed; the quantiles of these draws,
    reflected about the estimate (the basic interval) and stretched from normal to Student's t
    with g − 1 degrees of freedom, are the interval.

    Parameters
    ----------
    estimate : ndarray, shape (k,)
    influence : ndarray, shape (n_artists, k)
    n_boot, level, seed
        Draws, coverage aimed at, seed.

    Returns
    -------
    low, high, se : ndarray, shape (k,)
    """
    check_level(level)
    spread = influence_draws(influence, n_boot, seed)
    g = len(influence)
    tail = (1 - level) / 2
    stretch = stats.t.isf(tail, g - 1) / stats.norm.isf(tail)
    below, above = np.quantile(spread, [tail, 1 - tail], axis=0) * stretch
    return estimate - above, estimate - below, _standard_error(influence)


def influence_draws(influence, n_boot: int, seed: int) -> np.ndarray:
    """First-order bootstrap draws about the estimate, (n_boot, k); same seed, same artists."""
    g = len(influence)
    counts = _draw(g, n_boot, np.random.default_rng(seed))
    return counts @ influence / np.sqrt(g * (g - 1))


def _standard_error(influence):
    g = len(influence)
    return np.sqrt((influence**2).sum(axis=0) / (g * (g - 1)))


def check_level(level) -> None:
    """Refuse a coverage outside 0…1."""
    if not 0 < level < 1:
        raise ProbeError(f"level is {level}; expected a coverage between 0 and 1, as 0.95")


# --- bootstrap with predictions as they are --------------------------------------------------


def interval(statistic, artists, *, n_boot=2000, level=0.95, method="bca", seed=0):
    """Bootstrap interval of a statistic of song weights, predictions being kept as they are.

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
    check_level(level)
    artist, count = _artists(artists)
    estimate = statistic(np.ones((1, len(artist))))[0]
    draws = statistic(artist_weights(artists, n_boot, seed))
    tail = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "percentile":
        probability = np.repeat(tail[:, None], draws.shape[1], axis=1)
    elif method == "bca":
        below = (draws < estimate).mean(axis=0) + (draws == estimate).mean(axis=0) / 2
        bias = ndtri(np.clip(below, 1 / (n_boot + 1), n_boot / (n_boot + 1)))
        left = statistic(1.0 - (artist == np.arange(count)[:, None]))
        skew = np.nan_to_num(np.nanmean(left, axis=0) - left)
        spread = (skew**2).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            speed = np.where(spread > 0, (skew**3).sum(axis=0) / (6 * spread**1.5), 0.0)
        z = bias + ndtri(tail)[:, None]
        probability = ndtr(bias + z / (1 - speed * z))
    else:
        raise ProbeError(f"no such method: {method!r}; use 'refit', 'bca' or 'percentile'")
    low, high = (
        np.array([_quantile(draws[:, j], row[j]) for j in range(draws.shape[1])])
        for row in probability
    )
    return estimate, low, high, np.nanstd(draws, axis=0, ddof=1)


def _quantile(values, probability):
    values = values[np.isfinite(values)]
    return np.quantile(values, probability) if len(values) and probability >= 0 else np.nan


# --- tables --------------------------------------------------------------------------------


def result_interval(result, statistic, *, n_boot, level, method, seed):
    """Estimate, low, high, SE, and whether training was part of it, of a statistic of a result."""
    if method == "refit" and result.without is not None:
        estimate, influence = artist_influence(result, statistic)
        low, high, se = influence_interval(
            estimate, influence, n_boot=n_boot, level=level, seed=seed
        )
        return estimate, low, high, se, True
    method = "bca" if method == "refit" else method
    found = interval(
        statistic(result), result.artists, n_boot=n_boot, level=level, method=method, seed=seed
    )
    return *found, False


def bootstrap_scores(
    result: ProbeResult,
    *,
    scores=("r2", "spearman", "rmse"),
    n_boot=2000,
    level=0.95,
    method="refit",
    seed=0,
) -> pd.DataFrame:
    """Scores of a probe with intervals over artists.

    Parameters
    ----------
    result : ProbeResult
    scores : sequence of {"r2", "spearman", "rmse", "fold_r2", "r2_over_baseline"}
    n_boot : int
    level : float
    method : {"refit", "bca", "percentile"}
        ``refit`` lets drawn artists count in training and test; the others draw test songs only
        and give intervals that are too narrow. Results without a closed form (boosting, partial
        least squares, tables read from disk) fall back on ``bca``; the column `refit` says so.
    seed : int

    Returns
    -------
    DataFrame
        One row a target and score: ``target, score, estimate, low, high, se, refit, n_songs,
        n_artists``. Bounds are kept to what the score can be (R² ≤ 1, |ρ| ≤ 1, RMSE ≥ 0).

    Notes
    -----
    In ``refit`` the penalty, layer and scaling stay as chosen while an artist is left out.
    Coverage is measured in ``tests/bench/bench_probe.py``.
    """
    bounds = {"spearman": (-1.0, 1.0), "rmse": (0.0, np.inf)}
    rows = []
    for score in scores:
        estimate, low, high, se, refit = result_interval(
            result,
            lambda one, score=score: score_statistic(one, score),
            n_boot=n_boot,
            level=level,
            method=method,
            seed=seed,
        )
        ends = bounds.get(score, (-np.inf, 1.0))
        low, high = np.clip(low, *ends), np.clip(high, *ends)
        rows += [
            (target, score, estimate[j], low[j], high[j], se[j], refit)
            for j, target in enumerate(result.targets)
        ]
    columns = ["target", "score", "estimate", "low", "high", "se", "refit"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["n_songs"], frame["n_artists"] = len(result.ids), len(set(result.artists))
    return by_target(frame, result.targets)


def by_target(frame: pd.DataFrame, targets) -> pd.DataFrame:
    """Rows in the order of the targets, otherwise as they are."""
    order = {name: i for i, name in enumerate(targets)}
    return frame.sort_values(
        "target", key=lambda column: column.map(order), kind="stable", ignore_index=True
    )


def compare_models(
    results: Mapping[str, ProbeResult],
    *,
    score="r2",
    reference: str | None = None,
    n_boot=2000,
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
        high, se, p, p_holm, refit``. Holm's correction is over the pairs of one target. `refit`
        tells whether both models have a closed form, so that training counts in the interval.

    Notes
    -----
    An artist's influence on a difference is the difference of the influences on both models, so
    what makes an artist hard for both cancels. p is from Student's t with g − 1 degrees of freedom
    for g artists.
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
    found = {
        name: artist_influence(result, lambda one: score_statistic(one, score))
        for name, result in results.items()
    }
    targets = results[names[0]].targets
    rows = []
    for a, b in pairs:
        difference = found[a][0] - found[b][0]
        influence = found[a][1] - found[b][1]
        low, high, se = influence_interval(
            difference, influence, n_boot=n_boot, level=level, seed=seed
        )
        refit = results[a].without is not None and results[b].without is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(se > 0, np.abs(difference) / se, np.where(difference == 0, 0.0, np.inf))
        p = 2 * stats.t.sf(t, len(influence) - 1)
        rows += [
            (target, a, b, difference[j], low[j], high[j], se[j], p[j], refit)
            for j, target in enumerate(targets)
        ]
    columns = ["target", "first", "second", "difference", "low", "high", "se", "p", "refit"]
    frame = pd.DataFrame(rows, columns=columns)
    adjusted = frame.groupby("target")["p"].transform(
        lambda p: multipletests(p.to_numpy(), method="holm")[1]
    )
    frame.insert(list(frame).index("p") + 1, "p_holm", adjusted)
    return frame
