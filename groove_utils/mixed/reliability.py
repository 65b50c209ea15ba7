"""Reliability of ratings: intraclass correlations, split halves and the effect of adding raters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq, minimize

from groove_utils.mixed.crossed import fit_crossed, mean_squares, rating_matrix, rating_table
from groove_utils.mixed.errors import LmmError, check_range
from groove_utils.stats.threads import one_thread

__all__ = ["icc", "rater_curve", "spearman_brown", "split_half"]


@one_thread
def icc(ratings, *, level=0.95) -> pd.DataFrame:
    """Compute two-way intraclass correlations of ratings: consistency (C) and agreement (A).

    If every listener rated every track, the design is balanced. The estimates are then computed by
    analysis of variance, with the exact or Satterthwaite intervals of McGraw & Wong (1996), and
    negative estimates are not set to 0. Otherwise, the estimates are computed from REML variance
    components, with profile-likelihood intervals.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Table in long format, with the columns ``track_id, listener_id, rating``, or a matrix of
        listeners × tracks.
    level : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        One row per ``type``: ``C,1`` and ``A,1`` for the ratings of a single listener, ``C,k`` and
        ``A,k`` for the mean rating of ``k`` listeners. In an incomplete design, k is the harmonic
        mean of the numbers of listeners per song. The other columns are ``estimate, low, high, k,
        n_tracks, n_listeners, balanced``.

    References
    ----------
    Shrout & Fleiss (1979); McGraw & Wong (1996), tables 4, 6 and 7.
    """
    table = rating_table(ratings)
    matrix = rating_matrix(table)
    balanced = not np.isnan(matrix).any()
    k = len(matrix[0]) if balanced else stats.hmean(np.isfinite(matrix).sum(axis=1))
    single = _icc_anova(matrix, level) if balanced else _icc_reml(table, level)
    rows = [
        (f"{kind},{label}", *(spearman_brown(value, times) for value in values), float(times))
        for label, times in (("1", 1), ("k", k))
        for kind, values in zip("CA", single)
    ]
    frame = pd.DataFrame(rows, columns=["type", "estimate", "low", "high", "k"])
    frame["n_tracks"], frame["n_listeners"] = matrix.shape
    frame["balanced"] = balanced
    return frame


def _icc_anova(matrix, level):
    """Compute ICC(C,1) and ICC(A,1) from mean squares, each as (estimate, low, high)."""
    n, k = matrix.shape
    msr, msc, mse = mean_squares(matrix)
    if msr + (k - 1) * mse <= 0:
        raise LmmError(
            "all ratings are the same: there is no variance to partition",
            kind="constant_response", column="rating", value=matrix.mean(),
        )  # fmt: skip
    upper = 1 - (1 - level) / 2
    c1 = (msr - mse) / (msr + (k - 1) * mse)
    a1 = (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n)
    if mse <= 1e-12 * msr:
        return (c1, c1, c1), (a1, np.nan, np.nan)
    f = msr / mse
    df1, df2 = n - 1, (n - 1) * (k - 1)
    low_f, high_f = f / stats.f.ppf(upper, df1, df2), f * stats.f.ppf(upper, df2, df1)
    # Satterthwaite degrees of freedom for absolute agreement
    a, b = k * a1 / (n * (1 - a1)), 1 + k * a1 * (n - 1) / (n * (1 - a1))
    df = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / df2)
    low_q, high_q = stats.f.ppf(upper, df1, df), stats.f.ppf(upper, df, df1)
    rest = k * msc + (k * n - k - n) * mse
    a_low = n * (msr - low_q * mse) / (low_q * rest + n * msr)
    a_high = n * (high_q * msr - mse) / (rest + n * high_q * msr)
    consistency = c1, (low_f - 1) / (low_f + k - 1), (high_f - 1) / (high_f + k - 1)
    return consistency, (a1, a_low, a_high)


def _icc_reml(table, level):
    """Compute ICC(C,1) and ICC(A,1) from the REML deviance, each as (estimate, low, high)."""
    deviance, theta = fit_crossed(table)
    bounds, cut = [(0.0, max(30.0, 30 * theta[1]))], deviance(theta) + stats.chi2.ppf(level, 1)

    def profiled(song):
        """Minimise the deviance over the listeners' θ; `song` computes the songs' θ from it."""
        goal = lambda t: deviance((song(t[0]), t[0]))  # noqa: E731
        return float(minimize(goal, [theta[1]], method="L-BFGS-B", bounds=bounds).fun)

    def consistency(value):
        return profiled(lambda rater: np.sqrt(value / (1 - value)))

    def agreement(value):
        return profiled(lambda rater: np.sqrt(value * (rater**2 + 1) / (1 - value)))

    song, rater = theta**2
    c1, a1 = song / (song + 1), song / (song + rater + 1)
    return [
        (best, *_profile_interval(best, profile, cut))
        for best, profile in ((c1, consistency), (a1, agreement))
    ]


def _profile_interval(best, profile, cut):
    """Find the bounds in [0, 1] between which a statistic's profiled deviance is below `cut`."""
    ends = []
    for end, edge in ((0.0, 1e-9), (1.0, 1 - 1e-9)):
        if (end == 0 and best <= edge) or profile(edge) <= cut:
            ends.append(end)
            continue
        inside = min(max(best, 1e-9), 1 - 1e-9)
        ends.append(brentq(lambda value: profile(value) - cut, edge, inside, xtol=1e-7))
    return ends


def spearman_brown(reliability, times):
    """Use the Spearman–Brown formula to predict reliability with `times` times as many raters."""
    return times * reliability / (1 + (times - 1) * reliability)


@one_thread
def split_half(ratings, *, n_splits=500, n_boot=1000, level=0.95, seed=0) -> pd.Series:
    """Estimate the split-half reliability of song means with the Spearman–Brown correction.

    Listeners (not individual ratings) are divided at random into two halves, and the song means of
    the two halves are correlated. The correlation is averaged over all splits before it is
    corrected for the full number of listeners, because an average of corrected correlations would
    be dominated by a few extreme splits if ratings are unreliable. The interval is computed by
    resampling songs.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Table in long format, with the columns ``track_id, listener_id, rating``, or a matrix of
        listeners × tracks. In each split, songs without ratings in one of the halves are dropped.
    n_splits, n_boot : int
        Number of random splits, and number of bootstrap samples.
    level : float
        Coverage of the interval.
    seed : int
        Random seed.

    Returns
    -------
    Series
        ``estimate, low, high`` (reliability of means over all listeners, and its interval),
        ``half`` (mean uncorrected correlation between halves) and ``n_splits``.

    Raises
    ------
    LmmError
        If there are too few songs with ratings in both halves (``kind="too_sparse"``).
    """
    matrix = rating_matrix(rating_table(ratings))
    n, k = matrix.shape
    rng = np.random.default_rng(seed)
    first = np.zeros((n_splits, k))
    first[:, : k // 2] = 1
    first = rng.permuted(first, axis=1).T
    rated, values = np.isfinite(matrix).astype(float), np.nan_to_num(matrix)
    with np.errstate(divide="ignore", invalid="ignore"):
        a = values @ first / (rated @ first)
        b = values @ (1 - first) / (rated @ (1 - first))
    both = np.isfinite(a) & np.isfinite(b)
    if (both.sum(axis=0) < 3).any():
        raise LmmError(
            "in some splits, fewer than 3 songs were rated by both halves of the listeners; the "
            "ratings are too sparse for split halves, so use icc",
            kind="too_sparse",
        )
    a, b = np.where(both, a, 0.0), np.where(both, b, 0.0)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=n_boot).astype(float)
    half = _weighted_r(np.ones((1, n)), a, b, both)
    estimate = spearman_brown(np.nanmean(half), 2)
    spread = spearman_brown(np.nanmean(_weighted_r(draws, a, b, both), axis=1), 2)
    low, high = np.nanquantile(spread, [(1 - level) / 2, (1 + level) / 2])
    values = {"estimate": estimate, "low": low, "high": high}
    return pd.Series(values | {"half": np.nanmean(half), "n_splits": n_splits})


def _weighted_r(weights, a, b, both):
    """Compute weighted correlations of the columns of `a` and `b`, shape (n_draws, n_columns)."""
    both = both.astype(float)
    total = weights @ both
    centre = a.sum() / both.sum()
    a, b = (a - centre) * both, (b - centre) * both
    ma, mb = weights @ a / total, weights @ b / total
    cov = weights @ (a * b) / total - ma * mb
    va, vb = weights @ a**2 / total - ma**2, weights @ b**2 / total - mb**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((va > 0) & (vb > 0), cov / np.sqrt(va * vb), np.nan)


@one_thread
def rater_curve(
    ratings, n_raters: Sequence[int] | None = None, *, n_draws=200, level=0.95, seed=0
) -> pd.DataFrame:
    """Compute how the reliability of song means depends on the number of raters, for two designs.

    If the same k raters rate all songs, differences between their average ratings shift all songs
    equally. The reliability then follows from ICC(C,1) by the Spearman–Brown formula. If a
    different group of k raters rates each song, these differences add noise, and ICC(A,1) is used
    instead.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Ratings on one query, in a format that :func:`icc` accepts.
    n_raters : sequence of int, optional
        Values of k, the number of raters; by default, 1, 2, 5, 10, 20, 30, 50 and 100.
    n_draws : int
        Number of times that two disjoint panels of k raters are drawn at random for each song.
    level : float
        Coverage of the intervals.
    seed : int
        Random seed.

    Returns
    -------
    DataFrame
        One row per design and k. Columns ``raters`` (``the same`` or ``different``), ``k``,
        ``reliability, low, high``, ``observed`` and ``observed_sd`` (mean and SD, over draws, of
        the correlation between the song means of two panels). The last two are missing for ``the
        same``, and also if fewer than 3 songs, or fewer than half of the songs, have at least 2k
        raters.
    """
    single = icc(ratings, level=level).set_index("type")
    matrix = rating_matrix(rating_table(ratings))
    rated, values = np.isfinite(matrix), np.nan_to_num(matrix)
    rng = np.random.default_rng(seed)
    rows = []
    for k in (1, 2, 5, 10, 20, 30, 50, 100) if n_raters is None else n_raters:
        check_range("n_raters", k, k >= 1 and int(k) == k, "whole numbers of 1 or more")
        mean = sd = np.nan
        enough = rated.sum(axis=1) >= 2 * k
        if enough.sum() >= max(3, len(matrix) / 2):
            r = [_panels_r(values[enough], rated[enough], int(k), rng) for _ in range(n_draws)]
            mean, sd = np.nanmean(r), np.nanstd(r)
        for raters, kind, panels in (
            ("the same", "C,1", (np.nan, np.nan)),
            ("different", "A,1", (mean, sd)),
        ):
            icc_row = single.loc[kind, ["estimate", "low", "high"]].astype(float)
            rows.append((raters, int(k), *(spearman_brown(value, k) for value in icc_row), *panels))
    columns = ["raters", "k", "reliability", "low", "high", "observed", "observed_sd"]
    return pd.DataFrame(rows, columns=columns).sort_values("raters", kind="stable")


def _panels_r(values, rated, k, rng):
    """Draw two panels of k raters for each song, and correlate the song means of the panels."""
    order = np.where(rated, rng.random(rated.shape), 2.0).argsort(axis=1)  # actual raters first
    drawn = np.take_along_axis(values, order, axis=1)
    means = [drawn[:, start : start + k].mean(axis=1) for start in (0, k)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.corrcoef(*means)[0, 1]
