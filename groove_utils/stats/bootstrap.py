"""Bootstrap intervals computed by resampling whole clusters, such as all songs by an artist.

:func:`influence_interval` resamples the influence of each cluster on a statistic. This is a
first-order approximation of the bootstrap (Efron 1982, chapter 6). The influence of a cluster may
include its effect on the training of the model whose predictions are scored.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri

from groove_utils.stats.validation import StatsError, label_codes

__all__ = [
    "FEWEST_CLUSTERS",
    "Interval",
    "bca_interval",
    "cluster_codes",
    "cluster_weights",
    "influence_draws",
    "influence_interval",
    "jackknife_influence",
]

FEWEST_CLUSTERS = 3


class Interval(NamedTuple):
    """Confidence bounds, standard errors and p-values for k statistics, each of shape (k,).

    The p-values come from two-sided tests of each statistic against 0.
    """

    low: np.ndarray
    high: np.ndarray
    se: np.ndarray
    p: np.ndarray


def cluster_codes(clusters) -> tuple[np.ndarray, int]:
    """Return an integer code, 0 … g − 1, for each unit's cluster, and the number of clusters g.

    Raises
    ------
    StatsError
        If there are fewer than 3 clusters.
    """
    codes = label_codes(clusters)
    count = int(codes.max()) + 1
    if count < FEWEST_CLUSTERS:
        raise StatsError(f"the number of clusters is {count}; expected {FEWEST_CLUSTERS} or more",
                         kind="too_few", value=count)  # fmt: skip
    return codes, count


@functools.lru_cache(maxsize=4)  # intervals for one study often use the same draws
def _draw(count, n_draws, seed):
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=n_draws).astype(np.float64)
    draws.flags.writeable = False
    return draws


def cluster_weights(clusters, n_draws: int, seed: int = 0) -> np.ndarray:
    """Count how often each unit is drawn when clusters are sampled with replacement.

    Parameters
    ----------
    clusters : array-like of shape (n,)
        Cluster of each unit; at least 3 different labels.
    n_draws, seed : int
        Number of bootstrap samples, and random seed.

    Returns
    -------
    ndarray of float64, shape (n_draws, n)
        Number of times that each unit is drawn, which is the same for all units in a cluster.
    """
    codes, count = cluster_codes(clusters)
    return _draw(count, n_draws, seed)[:, codes]


def jackknife_influence(left_out: np.ndarray) -> np.ndarray:
    """Compute the influence of each cluster on a statistic from leave-one-cluster-out estimates.

    Parameters
    ----------
    left_out : ndarray, shape (g, ...)
        Values of the statistic with each of the g clusters left out in turn. If a value is NaN,
        the influence of that cluster is set to 0.

    Returns
    -------
    ndarray, shape (g, ...)
        ``(g - 1) * (np.nanmean(left_out, axis=0) - left_out)``. The variance of the statistic is
        approximately ``(influence**2).sum(axis=0) / (g * (g - 1))``.
    """
    finite = np.isfinite(left_out)
    values = np.where(finite, left_out, 0.0)
    mean = values.sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
    return np.where(finite, (len(left_out) - 1) * (mean - values), 0.0)


def influence_draws(influence: np.ndarray, n_boot: int, seed: int) -> np.ndarray:
    """Draw bootstrap deviations of k statistics from their estimates, shape (n_boot, k).

    Calls with the same number of clusters, `n_boot` and `seed` draw the same clusters.
    """
    g = len(influence)
    return _draw(g, n_boot, seed) @ influence / np.sqrt(g * (g - 1))


def influence_interval(estimate, influence, *, n_boot=2000, level=0.95, seed=0) -> Interval:
    """Compute confidence intervals for k statistics from the influence of each cluster.

    The intervals are basic bootstrap intervals, whose bounds are quantiles of the output of
    :func:`influence_draws`, reflected about the estimate. They are widened by the ratio of the
    quantiles of Student's t distribution with g − 1 degrees of freedom to those of the normal
    distribution.

    Parameters
    ----------
    estimate : float or ndarray, shape (k,)
        Values of the statistics in the complete data.
    influence : ndarray, shape (g, k)
        Output of :func:`jackknife_influence`.
    n_boot : int
        Number of bootstrap samples.
    level : float
        Nominal coverage, between 0 and 1.
    seed : int
        Random seed.

    Returns
    -------
    Interval
        Bounds, standard errors and p-values, each of shape (k,).

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> interval = influence_interval(x.mean(), (x - x.mean())[:, None])
    >>> bool(interval.low[0] < 9.5 < interval.high[0]), round(float(interval.se[0]), 3)
    (True, 1.323)
    """
    g, tail = len(influence), (1 - level) / 2
    stretch = stats.t.isf(tail, g - 1) / stats.norm.isf(tail)
    draws = influence_draws(influence, n_boot, seed)
    below, above = np.quantile(draws, [tail, 1 - tail], axis=0) * stretch
    se = np.sqrt((influence**2).sum(axis=0) / (g * (g - 1)))
    p = 2 * stats.t.sf(np.abs(estimate) / np.maximum(se, 1e-12), g - 1)
    return Interval(estimate - above, estimate - below, se, p)


def bca_interval(statistic, clusters, *, n_boot=2000, level=0.95, seed=0):
    """Compute bias-corrected and accelerated (BCa) bootstrap intervals (Efron 1987).

    Parameters
    ----------
    statistic : callable
        ``statistic(weights)`` takes weights of the units, shape (n_draws, n), and returns the
        values of k statistics, shape (n_draws, k).
    clusters : array-like of shape (n,)
        Cluster of each unit; at least 3 different labels.
    n_boot, level, seed
        See :func:`influence_interval`.

    Returns
    -------
    estimate, low, high, se : ndarray, shape (k,)
        Values of the statistics, interval bounds, and standard errors.
    """
    codes, count = cluster_codes(clusters)
    estimate = statistic(np.ones((1, len(codes))))[0]
    draws = statistic(_draw(count, n_boot, seed)[:, codes])
    below = (draws < estimate).mean(axis=0) + (draws == estimate).mean(axis=0) / 2
    bias = ndtri(np.clip(below, 1 / (n_boot + 1), n_boot / (n_boot + 1)))
    skew = jackknife_influence(statistic(1.0 - (codes == np.arange(count)[:, None])))
    spread = np.maximum((skew**2).sum(axis=0), 1e-150)  # avoids division by 0
    speed = (skew**3).sum(axis=0) / (6 * spread**1.5)
    z = bias + ndtri([[(1 - level) / 2], [(1 + level) / 2]])
    probability = ndtr(bias + z / (1 - speed * z))
    low, high = np.transpose([np.nanquantile(*pair) for pair in zip(draws.T, probability.T)])
    return estimate, low, high, np.nanstd(draws, axis=0, ddof=1)
