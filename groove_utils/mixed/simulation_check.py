"""Compare simulated ratings with published statistics and public data from real listeners."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from groove_utils.mixed.crossed import rating_table, rating_variances
from groove_utils.mixed.errors import LmmError

__all__ = ["simulation_table"]

ORDINARY = "50 listeners × 16 real songs with an ordinary range of groove"
HISTOGRAM = "155 songs, read from histograms"

# quantity, questions, lowest and highest real value, key in references.bib, basis of the value
_REAL = [
    ("song_mean", ("dance",), 49.0, 49.0, "marmoret2026", HISTOGRAM),
    ("song_mean", ("listen",), 56.0, 56.0, "marmoret2026", HISTOGRAM),
    ("song_mean", ("party",), 52.0, 52.0, "marmoret2026", HISTOGRAM),
    ("song_mean", ("groove",), 0.0, 0.0, "marmoret2026", HISTOGRAM),
    ("song_sd", ("dance",), 13.6, 13.6, "marmoret2026", HISTOGRAM),
    ("song_sd", ("listen",), 11.3, 11.3, "marmoret2026", HISTOGRAM),
    ("song_sd", ("party",), 14.6, 14.6, "marmoret2026", HISTOGRAM),
    ("song_sd", ("groove",), 0.43, 0.43, "marmoret2026", HISTOGRAM),
    ("icc", ("dance",), 0.18, 0.18, "", f"{ORDINARY}; urge to move"),
    ("icc", ("listen",), 0.17, 0.17, "", f"{ORDINARY}; pleasure"),
    ("listener_share", ("dance",), 0.15, 0.15, "", ORDINARY),
    ("residual_share", ("dance",), 0.70, 0.70, "", ORDINARY),
    ("reliability_30", ("dance",), 0.84, 0.88, "", f"{ORDINARY}, for 30 raters"),
    ("song_r", ("dance", "listen"), 0.79, 0.79, "oconnell2022", "20 songs; groove–liking"),
    ("song_r", ("dance", "listen"), 0.87, 0.87, "", f"{ORDINARY}; urge to move–pleasure"),
    ("residual_r", ("dance", "listen"), 0.52, 0.52, "oconnell2022", "groove–liking"),
]
_LABELS = {
    "song_mean": "mean of song means",
    "song_sd": "SD of song means",
    "icc": "ICC(C,1): song / (song + residual)",
    "listener_share": "listeners' share of variance",
    "residual_share": "residual's share of variance",
    "reliability_30": "reliability of a song's mean over 30 raters",
    "song_r": "correlation of song means",
    "residual_r": "correlation of residuals (listener × song)",
}


def simulation_table(ratings: pd.DataFrame) -> pd.DataFrame:
    """Compare statistics of simulated ratings with those of ratings by real listeners.

    Parameters
    ----------
    ratings : DataFrame
        Table in long format, with the columns ``track_id, query, rating, listener_id``, for the
        queries ``dance, listen, party, groove``.

    Returns
    -------
    DataFrame
        One row per statistic. Columns ``quantity`` (description), ``question``, ``simulated``,
        ``real_low, real_high`` (range of values from real listeners; equal if there is only one
        value), ``source`` (key in ``references.bib``; empty if the value was computed from public
        per-listener ratings) and ``basis`` (data from which the real value was obtained).

    Raises
    ------
    LmmError
        If listener ids are missing, or if there are too few ratings.
    """
    if "listener_id" not in ratings or ratings["listener_id"].isna().any():
        raise LmmError(
            "ratings by individual listeners are needed, but listener_id is missing or empty.",
            kind="missing_column", column="listener_id",
        )  # fmt: skip
    means = ratings.pivot_table(index="track_id", columns="query", values="rating")
    shares = {}  # for each question, each component's share of the variance
    for query in ("dance", "listen"):
        variances = rating_variances(ratings[ratings["query"] == query])
        shares[query] = variances / variances.sum()

    def reliability(query, raters):
        share = shares[query]
        return share["song"] / (share["song"] + share["residual"] / raters)

    simulated = {
        "song_mean": lambda query: means[query].mean(),
        "song_sd": lambda query: means[query].std(),
        "icc": lambda query: reliability(query, 1),
        "listener_share": lambda query: shares[query]["listener"],
        "residual_share": lambda query: shares[query]["residual"],
        "reliability_30": lambda query: reliability(query, 30),
        "song_r": lambda first, second: means[first].corr(means[second]),
        "residual_r": lambda *queries: _residual_correlation(ratings, queries),
    }
    return pd.DataFrame(
        {
            "quantity": _LABELS[quantity],
            "question": "–".join(questions),
            "simulated": float(simulated[quantity](*questions)),
            "real_low": low,
            "real_high": high,
            "source": source,
            "basis": basis,
        }
        for quantity, questions, low, high, source, basis in _REAL
    )


def _residual_correlation(ratings: pd.DataFrame, queries) -> float:
    """Correlate the ratings on two questions after removing the effects of songs and listeners."""
    pairs = ["track_id", "listener_id"]
    wide = ratings.pivot_table(index=pairs, columns="query", values="rating")
    wide = wide[list(queries)].dropna().reset_index()
    residuals = []
    for query in queries:
        table = rating_table(wide[pairs].assign(rating=wide[query]))
        dummies = [
            sparse.csr_array((np.ones(len(table)), (np.arange(len(table)), table[name])))
            for name in ("song", "rater")
        ]
        design, y = sparse.hstack(dummies), table["rating"].to_numpy()
        y = y - y.mean()
        residuals.append(y - design @ sparse.linalg.lsqr(design, y, atol=1e-10, btol=1e-10)[0])
    return np.corrcoef(residuals)[0, 1]
