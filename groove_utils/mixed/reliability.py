"""How well song means can be predicted at all: reliability of ratings (chapters 01 and 06).

A song mean over k raters is part song, part chance of who rated. The share that is song, the
reliability, is what a perfect account of the songs would reach as R² against those means: no
honest model exceeds it, save by luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq, minimize
from threadpoolctl import threadpool_limits

from groove_utils.probe.validation import ProbeError

__all__ = [
    "icc",
    "noise_ceiling",
    "normalise_by_ceiling",
    "rater_curve",
    "rating_variances",
    "split_half",
]

# the matrices are small: threads inside a product wait for one another more than they work (a
# hundred times slower on two busy cores)
_ONE_THREAD = threadpool_limits.wrap(limits=1, user_api="blas")


def _long(ratings) -> pd.DataFrame:
    """Ratings as rows of whole-number ``song`` and ``rater`` codes and ``rating``."""
    if isinstance(ratings, pd.DataFrame) and "rating" in ratings:
        if "listener_id" not in ratings or ratings["listener_id"].isna().all():
            raise ProbeError(
                "the ratings have no listener_id: from song means alone no noise ceiling can be "
                "told; give one row a listener and song"
            )
        if "query" in ratings and ratings["query"].nunique() > 1:
            raise ProbeError(
                f"the ratings hold several queries ({sorted(ratings['query'].unique())}); give one "
                "at a time, or use noise_ceiling, which goes over them"
            )
        frame = ratings[["track_id", "listener_id", "rating"]].dropna()
    else:
        matrix = ratings if isinstance(ratings, pd.DataFrame) else pd.DataFrame(ratings)
        values = matrix.to_numpy(dtype=np.float64)
        rater, song = np.nonzero(np.isfinite(values))
        frame = pd.DataFrame(
            {
                "track_id": matrix.columns.to_numpy()[song],
                "listener_id": matrix.index.to_numpy()[rater],
                "rating": values[rater, song],
            }
        )
    twice = frame.duplicated(["track_id", "listener_id"])
    if twice.any():
        one = frame[twice].iloc[0]
        raise ProbeError(
            f"listener {one['listener_id']!r} rated track {one['track_id']!r} more than once "
            f"({twice.sum()} such rows); average repeated ratings first"
        )
    long = pd.DataFrame(
        {
            "song": pd.factorize(frame["track_id"])[0],
            "rater": pd.factorize(frame["listener_id"])[0],
            "rating": frame["rating"].to_numpy(dtype=np.float64),
        }
    )
    if len(long) == 0 or long["song"].nunique() < 3 or long["rater"].nunique() < 2:
        raise ProbeError(
            f"{long['song'].nunique()} songs and {long['rater'].nunique()} listeners: reliability "
            "needs at least 3 songs and 2 listeners"
        )
    if not np.isfinite(long["rating"]).all():
        raise ProbeError("ratings hold infinite values")
    return long


def _matrix(long: pd.DataFrame) -> np.ndarray:
    """Songs × raters, NaN where not rated."""
    matrix = np.full((long["song"].max() + 1, long["rater"].max() + 1), np.nan)
    matrix[long["song"], long["rater"]] = long["rating"]
    return matrix


# --- variance components ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Crossed:
    """Profiled REML deviance of rating = mean + song + rater + residual, for one table.

    `theta` are the SDs of songs and raters relative to the residual SD. Bates et al. (2015),
    eqs 17–24 and 41–42, without fixed effects but the mean.
    """

    song: np.ndarray
    rater: np.ndarray
    rating: np.ndarray

    def __post_init__(self):
        songs, raters = self.song.max() + 1, self.rater.max() + 1
        cross = np.zeros((songs + raters, songs + raters))
        np.add.at(cross, (self.song, songs + self.rater), 1.0)
        cross += cross.T
        counts = np.concatenate([np.bincount(self.song), np.bincount(self.rater)])
        np.fill_diagonal(cross, counts)
        y = self.rating - self.rating.mean()
        sums = [np.bincount(self.song, weights=y), np.bincount(self.rater, weights=y)]
        object.__setattr__(self, "cross", cross)
        object.__setattr__(self, "sums", np.column_stack([counts, np.concatenate(sums)]))
        object.__setattr__(self, "square", float(y @ y))
        object.__setattr__(self, "sizes", (songs, raters))

    def deviance(self, theta) -> float:
        return self._profile(theta)[0]

    def residual_variance(self, theta) -> float:
        return self._profile(theta)[1]

    def _profile(self, theta):
        n = len(self.rating)
        scale = np.repeat(np.abs(theta), self.sizes)
        factor = cho_factor(
            self.cross * scale[:, None] * scale + np.eye(len(scale)), lower=True, check_finite=False
        )
        right = self.sums * scale[:, None]
        solved = cho_solve(factor, right, check_finite=False)
        # ones' V⁻¹ ones, ones' V⁻¹ y, y' V⁻¹ y, in units of the residual variance
        one = n - right[:, 0] @ solved[:, 0]
        mixed = 0.0 - right[:, 0] @ solved[:, 1]
        left = max(self.square - right[:, 1] @ solved[:, 1] - mixed**2 / one, 1e-300)
        logdet = 2 * np.log(np.diag(factor[0])).sum()
        variance = left / (n - 1)
        return logdet + np.log(one) + (n - 1) * (1 + np.log(2 * np.pi * variance)), variance

    def fit(self):
        best = None
        for start in ((1.0, 0.5), (0.2, 0.2)):
            found = minimize(
                self.deviance,
                start,
                method="L-BFGS-B",
                bounds=[(0.0, 1e3)] * 2,
                options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500},
            )
            found = minimize(
                lambda t: self.deviance(np.abs(t)),
                found.x,
                method="Nelder-Mead",
                options={"xatol": 1e-7, "fatol": 1e-9},
            )
            if best is None or found.fun < best.fun:
                best = found
        return np.abs(best.x), best.fun


@_ONE_THREAD
def rating_variances(ratings) -> pd.Series:
    """Variance components of crossed songs and listeners by REML.

    Parameters
    ----------
    ratings : DataFrame
        Long, with ``track_id, listener_id, rating``, or a matrix of listeners × tracks (NaN where
        not rated). Incomplete designs are allowed.

    Returns
    -------
    Series
        ``song``, ``listener``, ``residual``: variances in squared rating units.
    """
    long = _long(ratings)
    model = _crossed(long)
    theta, _ = model.fit()
    residual = model.residual_variance(theta)
    return pd.Series(
        {
            "song": theta[0] ** 2 * residual,
            "listener": theta[1] ** 2 * residual,
            "residual": residual,
        }
    )


def _crossed(long) -> _Crossed:
    if long["rating"].std() == 0:
        raise ProbeError("all ratings are the same: there is no variance to share out")
    if len(long) <= long["song"].nunique() + long["rater"].nunique() - 1:
        raise ProbeError(
            f"{len(long)} ratings of {long['song'].nunique()} songs by {long['rater'].nunique()} "
            "listeners: too few to tell songs, listeners and residual apart"
        )
    return _Crossed(*(long[name].to_numpy() for name in ("song", "rater", "rating")))


def _profile_interval(model, best, deviance, level, of_theta):
    """Range of `of_theta`-constrained fits within the χ² cut of the least deviance.

    `of_theta(value)` gives the least deviance over thetas whose statistic is `value` in 0…1.
    """
    cut = deviance + stats.chi2.ppf(level, 1)
    ends = []
    for end in (0.0, 1.0):
        edge = 1e-9 if end == 0 else 1 - 1e-9
        if (end == 0 and best <= edge) or of_theta(edge) <= cut:
            ends.append(end)
            continue
        inside = min(max(best, 1e-9), 1 - 1e-9)
        ends.append(brentq(lambda v: of_theta(v) - cut, edge, inside, xtol=1e-7))
    return tuple(ends)


# --- intraclass correlations --------------------------------------------------------------------


@_ONE_THREAD
def icc(ratings, *, level=0.95) -> pd.DataFrame:
    """Two-way intraclass correlations, of consistency and of agreement.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Long, or a matrix of listeners × tracks. Where every listener rated every track the
        estimates are those of analysis of variance with the exact or Satterthwaite intervals of
        McGraw & Wong (1996); otherwise they come from REML variance components with
        profile-likelihood intervals.
    level : float

    Returns
    -------
    DataFrame
        One row a ``type``: ``C,1``, ``A,1`` (a single listener), ``C,k``, ``A,k`` (the mean over
        ``k`` listeners; in incomplete designs the harmonic mean of listeners a song), with
        ``estimate, low, high, k, n_tracks, n_listeners, balanced``. Negative estimates of a
        balanced design are left as they are.

    References
    ----------
    Shrout & Fleiss (1979); McGraw & Wong (1996), tables 4, 6 and 7.
    """
    long = _long(ratings)
    matrix = _matrix(long)
    balanced = not np.isnan(matrix).any()
    k = len(matrix[0]) if balanced else stats.hmean(np.isfinite(matrix).sum(axis=1))
    rows = _icc_anova(matrix, level) if balanced else _icc_reml(long, k, level)
    frame = pd.DataFrame(rows, columns=["type", "estimate", "low", "high"])
    frame["k"] = [1.0, 1.0, float(k), float(k)]
    frame["n_tracks"], frame["n_listeners"] = matrix.shape
    frame["balanced"] = balanced
    return frame


def _icc_anova(matrix, level):
    n, k = matrix.shape
    grand = matrix.mean()
    between = k * ((matrix.mean(axis=1) - grand) ** 2).sum()
    raters = n * ((matrix.mean(axis=0) - grand) ** 2).sum()
    residual = ((matrix - grand) ** 2).sum() - between - raters
    msr, msc = between / (n - 1), raters / (k - 1)
    mse = residual / ((n - 1) * (k - 1))
    if msr + (k - 1) * mse <= 0:
        raise ProbeError("all ratings are the same: there is no variance to share out")
    upper = 1 - (1 - level) / 2
    c1 = (msr - mse) / (msr + (k - 1) * mse)
    ck = (msr - mse) / msr if msr > 0 else np.nan
    a1 = (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n)
    ak = (msr - mse) / (msr + (msc - mse) / n)
    if mse <= 1e-12 * msr:
        return [
            ("C,1", c1, c1, c1),
            ("A,1", a1, np.nan, np.nan),
            ("C,k", ck, ck, ck),
            ("A,k", ak, np.nan, np.nan),
        ]
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
    return [
        ("C,1", c1, (low_f - 1) / (low_f + k - 1), (high_f - 1) / (high_f + k - 1)),
        ("A,1", a1, a_low, a_high),
        ("C,k", ck, 1 - 1 / low_f, 1 - 1 / high_f),
        ("A,k", ak, *(spearman_brown(value, k) for value in (a_low, a_high))),
    ]


def _icc_reml(long, k, level):
    model = _crossed(long)
    theta, deviance = model.fit()
    best = theta**2
    c1, a1 = best[0] / (best[0] + 1), best[0] / (best.sum() + 1)

    def consistency(value):
        song = np.sqrt(value / (1 - value))
        top = max(3.0, 3 * theta[1])
        return _least(lambda rater: model.deviance((song, rater)), theta[1], top)

    def agreement(value):
        top = max(3.0, 3 * theta[1])

        def at(rater):
            return model.deviance((np.sqrt(value * (rater**2 + 1) / (1 - value)), rater))

        return _least(at, theta[1], top)

    c_ends = _profile_interval(model, c1, deviance, level, consistency)
    a_ends = _profile_interval(model, a1, deviance, level, agreement)
    return [
        ("C,1", c1, *c_ends),
        ("A,1", a1, *a_ends),
        ("C,k", *(spearman_brown(value, k) for value in (c1, *c_ends))),
        ("A,k", *(spearman_brown(value, k) for value in (a1, *a_ends))),
    ]


def _least(function, start, top):
    found = minimize(lambda x: function(x[0]), [start], method="L-BFGS-B", bounds=[(0.0, 10 * top)])
    return float(found.fun)


def spearman_brown(reliability, times):
    """Reliability of a measure made `times` as long."""
    return times * reliability / (1 + (times - 1) * reliability)


# --- split halves -------------------------------------------------------------------------------


@_ONE_THREAD
def split_half(ratings, *, n_splits=500, n_boot=1000, level=0.95, seed=0) -> pd.Series:
    """Split-half reliability of song means with the Spearman–Brown correction.

    Listeners (not single ratings) are dealt into two halves at random and song means correlated
    between halves; the mean correlation over splits is stepped up to all listeners. (The mean of
    stepped-up values would be ruled by the few worst splits of unreliable ratings.) The interval
    comes from drawing songs with replacement.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Long, or a matrix of listeners × tracks. A song that one half did not rate is left out of
        that split.
    n_splits, n_boot : int
    level : float
    seed : int

    Returns
    -------
    Series
        ``estimate, low, high`` of the reliability of means over all listeners, ``half`` (mean
        correlation of halves, uncorrected), ``n_splits``.
    """
    matrix = _matrix(_long(ratings))
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
        raise ProbeError(
            "in some splits fewer than 3 songs are rated by both halves of the listeners; the "
            "design is too sparse for split halves, use icc"
        )
    a, b = np.where(both, a, 0.0), np.where(both, b, 0.0)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=n_boot).astype(float)
    half = _weighted_r(np.ones((1, n)), a, b, both)
    estimate = spearman_brown(np.nanmean(half), 2)
    spread = spearman_brown(np.nanmean(_weighted_r(draws, a, b, both), axis=1), 2)
    low, high = np.nanquantile(spread, [(1 - level) / 2, (1 + level) / 2])
    return pd.Series(
        {
            "estimate": estimate,
            "low": low,
            "high": high,
            "half": np.nanmean(half),
            "n_splits": n_splits,
        }
    )


def _weighted_r(weights, a, b, both):
    """Pearson's r of columns of `a` and `b` under song weights: (n_draws, n_columns)."""
    both = both.astype(float)
    total = weights @ both
    centre = a.sum() / both.sum()
    a, b = (a - centre) * both, (b - centre) * both
    ma, mb = weights @ a / total, weights @ b / total
    cov = weights @ (a * b) / total - ma * mb
    va, vb = weights @ a**2 / total - ma**2, weights @ b**2 / total - mb**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((va > 0) & (vb > 0), cov / np.sqrt(va * vb), np.nan)


# --- the ceiling --------------------------------------------------------------------------------


@_ONE_THREAD
def noise_ceiling(ratings, *, n_splits=500, n_boot=1000, level=0.95, seed=0) -> pd.DataFrame:
    """Reliability of song means: the R² that a perfect model would reach.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Long, with ``track_id, listener_id, rating`` and perhaps ``query`` (each query is then
        taken by itself), or a matrix of listeners × tracks.
    n_splits, n_boot, level, seed
        As in :func:`split_half`.

    Returns
    -------
    DataFrame
        One row a query and ``method``: ``song means`` (from variance components, with the raters
        that each song really had: the one to hold an R² against), ``split-half``, ``ICC(C,1)``,
        ``ICC(A,1)``, ``ICC(C,k)``, ``ICC(A,k)``; columns ``query, method, estimate, low, high, k,
        n_tracks, n_listeners``.

    Raises
    ------
    ProbeError
        There are no listeners, so no ceiling can be told.

    Notes
    -----
    With variances S of songs, L of listeners and E of the residual, the plain means of songs have
    noise covariance N = L·AAᵀ + E·diag(1/k), where A averages over each song's listeners. What
    shifts all songs alike costs no R², so the expected noise variance over songs is v =
    tr(MN)/(n − 1) with M the centring matrix, and the ceiling is S/(S + v). Where all listeners
    rated all songs this is ICC(C,k). Its interval is that of S relative to E, with L/E as
    estimated.
    """
    if isinstance(ratings, pd.DataFrame) and "query" in ratings and "rating" in ratings:
        parts = [
            noise_ceiling(
                part.drop(columns="query"),
                n_splits=n_splits,
                n_boot=n_boot,
                level=level,
                seed=seed,
            ).assign(query=query)
            for query, part in ratings.groupby("query", sort=False)
        ]
        return pd.concat(parts, ignore_index=True)
    long = _long(ratings)
    single = icc(ratings, level=level)
    noise = _relative_noise(long)
    c1 = single.set_index("type").loc["C,1", ["estimate", "low", "high"]].astype(float)
    ratio = np.clip(c1, 0, 1 - 1e-12)
    ratio = ratio / (1 - ratio)
    means = ratio / (ratio + noise)
    halves = split_half(ratings, n_splits=n_splits, n_boot=n_boot, level=level, seed=seed)
    k = float(single["k"].iloc[-1])
    head = pd.DataFrame(
        [
            ("song means", *means, k),
            ("split-half", halves["estimate"], halves["low"], halves["high"], k),
        ],
        columns=["method", "estimate", "low", "high", "k"],
    )
    tail = single.assign(method="ICC(" + single["type"] + ")")
    frame = pd.concat([head, tail[list(head)]], ignore_index=True)
    frame.insert(0, "query", "rating")
    frame["n_tracks"] = long["song"].nunique()
    frame["n_listeners"] = long["rater"].nunique()
    return frame


def _relative_noise(long) -> float:
    """Expected noise variance of song means over songs, in units of the residual variance."""
    matrix = np.isfinite(_matrix(long)).astype(float)
    n = len(matrix)
    average = matrix / matrix.sum(axis=1, keepdims=True)
    own = (1 / matrix.sum(axis=1)).mean()  # tr(M diag(1/k))/(n − 1) is just its mean
    if np.ptp(average, axis=0).max() == 0:
        return own
    centred = average - average.mean(axis=0)
    theta, _ = _crossed(long).fit()
    return own + theta[1] ** 2 * (centred**2).sum() / (n - 1)


@_ONE_THREAD
def rater_curve(
    ratings, n_raters: Sequence[int] | None = None, *, n_draws=200, level=0.95, seed=0
) -> pd.DataFrame:
    """Reliability of song means against the number of raters.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Of one query, as in :func:`noise_ceiling`.
    n_raters : sequence of int, optional
        By default 1, 2, 5, 10, 20, 30, 50, 100.
    n_draws : int
        Random pairs of disjoint panels of k raters a song, among songs that have 2 k raters.
    level : float
    seed : int

    Returns
    -------
    DataFrame
        ``k``; ``reliability, low, high`` stepped up from ICC(C,1) by Spearman–Brown; ``observed``
        and ``observed_sd``, mean and SD of the correlation of song means between two panels
        (missing where less than half of the songs, or fewer than 3, have 2 k raters). Where
        songs were rated by different listeners, `observed` falls short of `reliability` by what
        the listeners' own levels add to the noise.
    """
    single = icc(ratings, level=level).set_index("type").loc["C,1"]
    matrix = _matrix(_long(ratings))
    rated, values = np.isfinite(matrix), np.nan_to_num(matrix)
    rng = np.random.default_rng(seed)
    rows = []
    for k in (1, 2, 5, 10, 20, 30, 50, 100) if n_raters is None else n_raters:
        if k < 1 or int(k) != k:
            raise ProbeError(f"n_raters holds {k}; expected whole numbers of 1 or more")
        steps = (spearman_brown(float(single[name]), k) for name in ("estimate", "low", "high"))
        seen = spread = np.nan
        able = rated.sum(axis=1) >= 2 * k
        if able.sum() >= max(3, len(matrix) / 2):
            r = [_panels_r(values[able], rated[able], int(k), rng) for _ in range(n_draws)]
            seen, spread = np.nanmean(r), np.nanstd(r)
        rows.append((int(k), *steps, seen, spread))
    columns = ["k", "reliability", "low", "high", "observed", "observed_sd"]
    return pd.DataFrame(rows, columns=columns)


def _panels_r(values, rated, k, rng):
    """Correlation of song means between two panels of k raters, drawn in one order of listeners."""
    order = rng.permutation(values.shape[1])
    rank = np.cumsum(rated[:, order], axis=1)
    sides = [rated[:, order] & (rank > start) & (rank <= start + k) for start in (0, k)]
    means = [(values[:, order] * side).sum(axis=1) / k for side in sides]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.corrcoef(*means)[0, 1]


def normalise_by_ceiling(scores: pd.DataFrame, ceiling: pd.DataFrame) -> pd.DataFrame:
    """R² as a share of what was reachable.

    Parameters
    ----------
    scores : DataFrame
        With ``target`` and ``r2``, or the output of :func:`bootstrap_scores` with its ``score``.
    ceiling : DataFrame
        Output of :func:`noise_ceiling`; queries are matched with targets by name.

    Returns
    -------
    DataFrame
        `scores` with ``ceiling, ceiling_low, ceiling_high``, ``r2_normalised`` (R²/ceiling) and
        ``r2_normalised_low, r2_normalised_high`` (R² over the upper and the lower end of the
        ceiling); missing for targets without a ceiling.
    """
    value = "r2" if "r2" in scores else "estimate"
    table = scores if value == "r2" else scores[scores["score"] == "r2"]
    reach = ceiling[ceiling["method"] == "song means"].set_index("query")
    reach = reach[["estimate", "low", "high"]].reindex(table["target"])
    found = table.copy()
    for name, column in (("", "estimate"), ("_low", "low"), ("_high", "high")):
        found[f"ceiling{name}"] = reach[column].to_numpy()
    positive = found[["ceiling", "ceiling_low", "ceiling_high"]].where(lambda v: v > 0)
    found["r2_normalised"] = found[value] / positive["ceiling"]
    ends = np.stack(
        [found[value] / positive["ceiling_high"], found[value] / positive["ceiling_low"]]
    )
    found["r2_normalised_low"], found["r2_normalised_high"] = np.sort(ends, axis=0)
    return found
