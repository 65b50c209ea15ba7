"""Variance components of ratings with crossed songs and listeners."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.mixed.design import random_intercept
from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.errors import LmmError
from groove_utils.mixed.search import minimise
from groove_utils.stats.threads import one_thread

__all__ = [
    "crossed_variances",
    "fit_crossed",
    "mean_squares",
    "rating_matrix",
    "rating_table",
    "rating_variances",
]


def rating_table(ratings) -> pd.DataFrame:
    """Return ratings as rows of integer ``song`` and ``rater`` codes and ``rating``.

    Raises
    ------
    LmmError
        If there are no listeners, several queries, a song rated twice by the same listener, fewer
        than 3 songs or 2 listeners, or infinite ratings.
    """
    if isinstance(ratings, pd.DataFrame) and "rating" in ratings:
        if "listener_id" not in ratings or ratings["listener_id"].isna().all():
            raise LmmError(
                "the ratings have no listener_id: song means alone do not show how much listeners "
                "agree; give one row per listener and song",
                kind="missing_column", column="listener_id",
            )  # fmt: skip
        if "query" in ratings and ratings["query"].nunique() > 1:
            raise LmmError(
                f"the ratings contain several queries ({sorted(ratings['query'].unique())}); pass "
                "one at a time, or use noise_ceiling, which accepts several",
                kind="several_queries", column="query",
            )  # fmt: skip
        frame = ratings[["track_id", "listener_id", "rating"]].dropna()
    else:
        matrix = ratings if isinstance(ratings, pd.DataFrame) else pd.DataFrame(ratings)
        matrix = matrix.rename_axis(index="listener_id", columns="track_id")
        frame = matrix.T.melt(ignore_index=False, value_name="rating").dropna().reset_index()
    twice = frame.duplicated(["track_id", "listener_id"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise LmmError(
            f"listener {row['listener_id']!r} rated track {row['track_id']!r} more than once "
            f"({twice.sum()} such rows); average repeated ratings first",
            kind="duplicate_rating", column="track_id", value=row["track_id"],
        )  # fmt: skip
    song, songs = pd.factorize(frame["track_id"])
    # sorted, since random halves of listeners must not depend on the order of rows
    rater, raters = pd.factorize(frame["listener_id"], sort=True)
    rating = frame["rating"].to_numpy(dtype=np.float64)
    if len(songs) < 3 or len(raters) < 2:
        raise LmmError(
            f"{len(songs)} songs and {len(raters)} listeners: reliability needs at least 3 songs "
            "and 2 listeners",
            kind="too_few", value=(len(songs), len(raters)),
        )  # fmt: skip
    if not np.isfinite(rating).all():
        raise LmmError("ratings hold infinite values", kind="not_finite", column="rating")
    return pd.DataFrame({"song": song, "rater": rater, "rating": rating})


def rating_matrix(table: pd.DataFrame) -> np.ndarray:
    """Return a `rating_table` as a matrix of songs × raters, with NaN where not rated."""
    matrix = np.full((table["song"].max() + 1, table["rater"].max() + 1), np.nan)
    matrix[table["song"], table["rater"]] = table["rating"]
    return matrix


def mean_squares(matrix: np.ndarray) -> tuple[float, float, float]:
    """Return the mean squares of songs, of raters and of the residual in a complete design."""
    n, k = matrix.shape
    grand = matrix.mean()
    between = k * ((matrix.mean(axis=1) - grand) ** 2).sum()
    raters = n * ((matrix.mean(axis=0) - grand) ** 2).sum()
    residual = ((matrix - grand) ** 2).sum() - between - raters
    return between / (n - 1), raters / (k - 1), residual / ((n - 1) * (k - 1))


def fit_crossed(table: pd.DataFrame) -> tuple[CrossedDeviance, np.ndarray]:
    """Fit rating = mean + song + listener + residual by REML; return deviance and optimal θ.

    θ contains the standard deviations of songs and of listeners relative to that of the residual.
    """
    if table["rating"].std() == 0:
        raise LmmError(
            "all ratings are the same: there is no variance to partition",
            kind="constant_response", column="rating", value=table["rating"].iloc[0],
        )  # fmt: skip
    terms = [random_intercept(name, table[name].to_numpy()) for name in ("song", "rater")]
    songs, raters = (len(term.levels) for term in terms)
    if len(table) == raters:
        raise LmmError(
            f"each of the {raters} listeners rated only one song: listener effects cannot be "
            "separated from the residual; collect several ratings per listener",
            kind="one_row_per_level", column="listener",
        )  # fmt: skip
    if len(table) <= songs + raters - 1:
        raise LmmError(
            f"{len(table)} ratings of {songs} songs by {raters} listeners: too few to separate "
            "songs, listeners and residual",
            kind="too_few", value=len(table),
        )  # fmt: skip
    deviance = CrossedDeviance(table["rating"].to_numpy(), np.ones((len(table), 1)), terms)
    theta = minimise(deviance)
    if deviance.solve(theta).sigma < 1e-5 * table["rating"].std():
        raise LmmError(
            "ratings are the sum of a song effect and a listener effect without residual; check "
            "that they are not copies of one listener's ratings",
            kind="exact_fit", column="rating",
        )  # fmt: skip
    return deviance, theta


@one_thread
def rating_variances(ratings) -> pd.Series:
    """Estimate the variance components of crossed songs and listeners: by REML, if incomplete.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Long format, with ``track_id, listener_id, rating``, or a matrix of listeners × tracks (NaN
        where not rated). In a complete design, the estimates are those of the analysis of
        variance, as in `icc`, and at least 0.

    Returns
    -------
    Series
        ``song``, ``listener``, ``residual``: variances in squared rating units.

    Examples
    --------
    >>> ratings = [[1, 5, 4, 6, 9], [2, 6, 6, 7, 9], [3, 5, 6, 8, 11]]  # listeners × songs
    >>> rating_variances(ratings).round(2).to_dict()
    {'song': 7.67, 'listener': 0.57, 'residual': 0.43}
    """
    table = rating_table(ratings)
    deviance, theta = fit_crossed(table)
    residual = deviance.solve(theta).sigma ** 2
    song, listener = theta**2 * residual
    matrix = rating_matrix(table)
    if np.isfinite(matrix).all():
        n, k = matrix.shape
        msr, msc, residual = mean_squares(matrix)
        song, listener = max(0.0, (msr - residual) / k), max(0.0, (msc - residual) / n)
    return pd.Series({"song": song, "listener": listener, "residual": residual})


def crossed_variances(rows: pd.DataFrame) -> pd.Series:
    """Estimate variance components of a mixed model's rows, and single listeners' agreement.

    Parameters
    ----------
    rows : DataFrame
        One row per rating: ``listener, track, rating``.

    Returns
    -------
    Series
        The values of `rating_variances`, and ``ICC(C,1)``, the songs' share of the variance when
        differences between listeners' average ratings are ignored.
    """
    names = {"track": "track_id", "listener": "listener_id"}
    variances = rating_variances(rows.rename(columns=names)[[*names.values(), "rating"]])
    variances["ICC(C,1)"] = variances["song"] / (variances["song"] + variances["residual"])
    return variances
