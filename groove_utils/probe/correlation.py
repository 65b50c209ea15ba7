"""Correlations of single features with ratings, with artists as the sampling unit.

Songs by one artist share a drummer, a room and a producer, so ninety songs by twenty-four artists
carry less information than ninety independent observations. Confidence intervals are therefore
based on a bootstrap over whole artists. The bootstrap gives the standard error of r, which is
converted to the scale of Fisher's z by the delta method.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.probe.songs import ProbeError, as_songs
from groove_utils.stats.bootstrap import FEWEST_CLUSTERS, cluster_codes, cluster_weights
from groove_utils.stats.multiple_testing import holm
from groove_utils.stats.validation import StatsError, label_codes

__all__ = ["correlate", "error_table", "fisher_interval"]

FEWEST_SONGS = 5
R_LIMIT = 1 - 1e-9  # Fisher's z of a perfect correlation would be infinite


def _z(r):
    return np.arctanh(np.clip(r, -R_LIMIT, R_LIMIT))


def fisher_interval(r, n) -> tuple[np.ndarray, np.ndarray]:
    """Compute 95% confidence intervals for Pearson correlations using Fisher's z transformation.

    Parameters
    ----------
    r : array-like of float
        Correlations.
    n : array-like of int
        Number of independent observations for each r; at least 4, since the standard error of z is
        1/√(n − 3).

    Returns
    -------
    low, high : ndarray of float64
        Lower and upper bounds of the intervals.

    Examples
    --------
    >>> low, high = fisher_interval([0.5], [80])
    >>> low.round(2), high.round(2)
    (array([0.31]), array([0.65]))
    """
    r, n = np.asarray(r, dtype=np.float64), np.asarray(n)
    if (n < 4).any():
        raise ProbeError(f"n is {n.min()}; Fisher's interval needs at least 4 observations",
                         kind="too_few", column="n", value=int(n.min()))  # fmt: skip
    margin = stats.norm.isf(0.025) / np.sqrt(n - 3)
    return np.tanh(_z(r) - margin), np.tanh(_z(r) + margin)


def correlate(X: pd.DataFrame, y, artists=None, styles=None, *, n_boot=2000, seed=0):
    """Correlate each feature with each target, with 95% bootstrap intervals over artists.

    Parameters
    ----------
    X : DataFrame, shape (n, d)
        Features of n songs. For each feature, songs with NaN or infinite values are ignored.
    y : Series or DataFrame, shape (n,) or (n, m)
        Targets, such as mean ratings.
    artists : array-like of shape (n,), optional
        Artist of each song; by default, each song counts as its own artist.
    styles : array-like of shape (n,), optional
        Style of each song. If given, correlations are computed *within* styles: both variables are
        centred on their style means.
    n_boot, seed : int
        Number of bootstrap samples of artists, and random seed.

    Returns
    -------
    DataFrame
        One row per target and feature: ``target, feature, estimate`` (Pearson's r), ``low, high``
        (95% interval), ``se`` (standard error of Fisher's z), ``p, p_holm`` (p with Holm's
        correction over all features for the same target), ``n_songs, n_artists``. If a feature is
        constant or has values for fewer than 5 songs or 3 artists, its statistics are NaN.

    Notes
    -----
    The standard error of r is the root-mean-square difference between r in bootstrap samples of
    artists and r in the data, multiplied by √(g / (g − k)) for g artists and k styles. Dividing
    this standard error by 1 − r² gives the standard error of z (delta method). The interval is z ±
    t · SE with g − k degrees of freedom, transformed back to r; p is computed from the same t
    distribution. In 600 simulations of 24 artists with four songs each, the interval contained the
    true value in 93–95% of cases, compared with 91–94% for percentile intervals and 88–93% for BCa
    intervals. The standard deviation of z over bootstrap samples is not used, because it may be
    infinite: if all songs but one lie on a straight line, z is infinite in every sample without
    that song's artist.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(40, 2)), columns=["tempo", "level"])
    >>> table = correlate(X, 2 * X["tempo"] + rng.normal(size=40), n_boot=200)
    >>> table.loc[table["p_holm"] < 0.05, "feature"].tolist()
    ['tempo']
    """
    songs = as_songs(y, artists, styles)
    if len(X) != len(songs):
        raise StatsError(f"features have {len(X)} rows, but there are {len(songs)} songs",
                         kind="shape", column="X", value=len(X))  # fmt: skip
    cluster_codes(songs.artists)  # raises an error if there are too few artists
    strata = label_codes(songs.styles)
    rows = []
    for j, target in enumerate(songs.targets):
        for name in X.columns:
            x = X[name].to_numpy(dtype=np.float64)
            finite = np.isfinite(x)
            artist = songs.artists[finite]
            row = _correlation(x[finite], songs.ratings[finite, j], artist, strata[finite],
                               n_boot, seed)  # fmt: skip
            rows.append((target, name, *row, int(finite.sum()), len(set(artist))))
    columns = ["target", "feature", "estimate", "low", "high", "se", "p", "n_songs", "n_artists"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(7, "p_holm", table.groupby("target")["p"].transform(holm))
    return table


def error_table(estimates: pd.DataFrame, *, n_boot=2000, seed=0) -> pd.DataFrame:
    """Measure the agreement between estimates and true values, for each quantity.

    Parameters
    ----------
    estimates : DataFrame
        One row per song and quantity: ``quantity, artist, style, truth, estimate``; rows without
        an estimate (NaN) are dropped.
    n_boot, seed
        See :func:`correlate`.

    Returns
    -------
    DataFrame
        One row per quantity: ``quantity``; ``r``, the correlation between estimate and truth, with
        ``low`` and ``high`` (95% interval over artists); ``bias`` (mean error) and ``error`` (root
        mean square error), both in standard deviations of the truth; ``worst style``, the style
        with the largest error, and ``there``, the error in that style; ``n``, the number of songs.
    """
    rows = []
    for name, part in estimates.dropna(subset=["estimate"]).groupby("quantity", sort=False):
        table = correlate(part[["truth"]], part["estimate"], part["artist"],
                          n_boot=n_boot, seed=seed)  # fmt: skip
        error = (part["estimate"] - part["truth"]) / part["truth"].std()
        by_style = (error**2).groupby(part["style"]).mean().pow(0.5)
        rows.append(
            {
                "quantity": name,
                "r": table["estimate"][0],
                "low": table["low"][0],
                "high": table["high"][0],
                "bias": error.mean(),
                "error": (error**2).mean() ** 0.5,
                "worst style": by_style.idxmax(),
                "there": by_style.max(),
                "n": len(part),
            }
        )
    return pd.DataFrame(rows)


def _correlation(x, y, artists, strata, n_boot, seed):
    """Correlate x and y within strata; return r, its bounds, the standard error of z, and p."""
    count = len(set(artists))
    unknown = (np.nan,) * 5
    if len(x) < FEWEST_SONGS or count < FEWEST_CLUSTERS:
        return unknown
    dummies = (strata[:, None] == np.unique(strata)).astype(np.float64)
    freedom = count - dummies.shape[1]
    (estimate,) = _weighted_r(x, y, dummies, np.ones((1, len(x))))
    if freedom < 1 or not np.isfinite(estimate):
        return unknown
    draws = _weighted_r(x, y, dummies, cluster_weights(artists, n_boot, seed))
    z, slope = _z(estimate), max(1 - estimate**2, 1 - R_LIMIT**2)
    deviation = draws[np.isfinite(draws)] - estimate
    se = float(np.sqrt((deviation**2).mean() * count / freedom)) / slope
    margin = stats.t.isf(0.025, freedom) * se
    p = 2 * stats.t.sf(abs(z) / se, freedom) if se > 0 else 0.0
    return estimate, np.tanh(z - margin), np.tanh(z + margin), se, p


def _weighted_r(x, y, dummies, weights):
    """Compute the Pearson correlation within strata, for each row of song weights."""
    x, y = x - x.mean(), y - y.mean()  # keeps differences of squares accurate
    size = weights @ dummies

    def moment(a, b):
        with np.errstate(divide="ignore", invalid="ignore"):
            means = (weights @ (dummies * a[:, None])) * (weights @ (dummies * b[:, None])) / size
        return weights @ (a * b) - np.where(size > 0, means, 0.0).sum(axis=1)

    xx, yy, xy = moment(x, x), moment(y, y), moment(x, y)
    varying = (xx > 1e-12 * (x**2).sum()) & (yy > 1e-12 * (y**2).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        r = xy / np.sqrt(xx * yy)
    return np.where(varying, np.clip(r, -1, 1), np.nan)
