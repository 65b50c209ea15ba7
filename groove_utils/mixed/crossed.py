"""Estimate variance components of ratings with crossed songs and listeners."""

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
    """Check ratings, and convert them to a table with integer codes for songs and raters.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Table in long format, with the columns ``track_id, listener_id, rating``, or a matrix of
        listeners × tracks.

    Returns
    -------
    DataFrame
        One row per rating, with the columns ``song, rater`` (integer codes) and ``rating``. Missing
        ratings are dropped.

    Raises
    ------
    LmmError
        If listener ids are missing, there is more than one query, a listener rated a song more
        than once, there are fewer than 3 songs or 2 listeners, or a rating is infinite.
    """
    if isinstance(ratings, pd.DataFrame) and "rating" in ratings:
        if "listener_id" not in ratings or ratings["listener_id"].isna().all():
            raise LmmError(
                "the ratings have no listener_id, so the agreement between listeners cannot be "
                "estimated; provide one row per listener and song",
                kind="missing_column", column="listener_id",
            )  # fmt: skip
        if "query" in ratings and ratings["query"].nunique() > 1:
            raise LmmError(
                f"the ratings contain more than one query ({sorted(ratings['query'].unique())}); "
                "pass one query at a time, or use noise_ceiling, which accepts more than one",
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
    # sorted, so that random halves of listeners do not depend on the order of rows
    rater, raters = pd.factorize(frame["listener_id"], sort=True)
    rating = frame["rating"].to_numpy(dtype=np.float64)
    if len(songs) < 3 or len(raters) < 2:
        raise LmmError(
            f"there are ratings of {len(songs)} songs by {len(raters)} listeners; at least 3 songs "
            "and 2 listeners are needed to estimate reliability",
            kind="too_few", value=(len(songs), len(raters)),
        )  # fmt: skip
    if not np.isfinite(rating).all():
        raise LmmError(
            "some ratings are infinite; correct or remove them", kind="not_finite", column="rating"
        )
    return pd.DataFrame({"song": song, "rater": rater, "rating": rating})


def rating_matrix(table: pd.DataFrame) -> np.ndarray:
    """Convert the output of `rating_table` to a songs × raters matrix; missing ratings are NaN."""
    matrix = np.full((table["song"].max() + 1, table["rater"].max() + 1), np.nan)
    matrix[table["song"], table["rater"]] = table["rating"]
    return matrix


def mean_squares(matrix: np.ndarray) -> tuple[float, float, float]:
    """Compute mean squares for songs, raters and residuals from a complete matrix of ratings."""
    n, k = matrix.shape
    grand = matrix.mean()
    between = k * ((matrix.mean(axis=1) - grand) ** 2).sum()
    raters = n * ((matrix.mean(axis=0) - grand) ** 2).sum()
    residual = ((matrix - grand) ** 2).sum() - between - raters
    return between / (n - 1), raters / (k - 1), residual / ((n - 1) * (k - 1))


def fit_crossed(table: pd.DataFrame) -> tuple[CrossedDeviance, np.ndarray]:
    """Fit the model ``rating = mean + song effect + listener effect + residual`` by REML.

    Parameters
    ----------
    table : DataFrame
        Output of `rating_table`.

    Returns
    -------
    deviance : CrossedDeviance
        Deviance of the model as a function of θ.
    theta : ndarray, shape (2,)
        Optimal θ: the standard deviations of the song effects and of the listener effects, each
        divided by the residual standard deviation.

    Raises
    ------
    LmmError
        If all ratings are the same, there are too few ratings, or the residuals are all 0.
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
            "separated from the residual; collect more than one rating per listener",
            kind="one_row_per_level", column="listener",
        )  # fmt: skip
    if len(table) <= songs + raters - 1:
        raise LmmError(
            f"{len(table)} ratings of {songs} songs by {raters} listeners are too few to separate "
            "song effects, listener effects and residuals",
            kind="too_few", value=len(table),
        )  # fmt: skip
    deviance = CrossedDeviance(table["rating"].to_numpy(), np.ones((len(table), 1)), terms)
    theta = minimise(deviance)
    if deviance.solve(theta).sigma < 1e-5 * table["rating"].std():
        raise LmmError(
            "each rating is exactly the sum of a song effect and a listener effect, so there is no "
            "residual variance; check that the ratings are not copies of one listener's ratings",
            kind="exact_fit", column="rating",
        )  # fmt: skip
    return deviance, theta


@one_thread
def rating_variances(ratings) -> pd.Series:
    """Estimate the variance components of ratings with crossed songs and listeners.

    If every listener rated every song, the components are estimated by analysis of variance, as in
    `icc`, and negative estimates are set to 0. Otherwise, they are estimated by REML.

    Parameters
    ----------
    ratings : DataFrame or array-like
        Table in long format, with the columns ``track_id, listener_id, rating``, or a matrix of
        listeners × tracks, with NaN for missing ratings.

    Returns
    -------
    Series
        The variances ``song``, ``listener`` and ``residual``, in squared units of the ratings.

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
    """Estimate variance components and ICC(C,1) from the rows to which a mixed model is fitted.

    Parameters
    ----------
    rows : DataFrame
        One row per rating, with the columns ``listener, track, rating``.

    Returns
    -------
    Series
        The output of `rating_variances`, with the additional entry ``ICC(C,1)``: the song variance
        divided by the sum of the song and residual variances.
    """
    names = {"track": "track_id", "listener": "listener_id"}
    variances = rating_variances(rows.rename(columns=names)[[*names.values(), "rating"]])
    variances["ICC(C,1)"] = variances["song"] / (variances["song"] + variances["residual"])
    return variances
