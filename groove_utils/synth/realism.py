"""Simulated ratings beside real ones: do spreads, shares and correlations agree?

The appendix «The demo study and its truth» shows the table.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["simulation_table", "variance_components"]

ORDINARY = "16 real songs of ordinary spread × 50 listeners"
HISTOGRAM = "155 songs, read off histograms"

# quantity, question(s), real value from … to, key in references.bib, what it is from
REAL = [
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
LABELS = {
    "song_mean": "mean of song means",
    "song_sd": "SD of song means",
    "icc": "ICC(C,1): song / (song + residual)",
    "listener_share": "listeners' share of variance",
    "residual_share": "residual's share of variance",
    "reliability_30": "reliability of a song's mean over 30 raters",
    "song_r": "correlation of song means",
    "residual_r": "correlation of residuals (listener × song)",
}


def variance_components(ratings: pd.DataFrame, query: str) -> dict[str, float]:
    """Variances of songs, listeners and residual in a crossed design, by moments.

    Henderson's third method: sums of squares of each factor given the other, from two-way least
    squares, set equal to their expectations. It wants neither balance nor normal distributions.
    Chapter 01 fits the same model with its own tools; this is the quick look.

    Parameters
    ----------
    ratings : DataFrame
        Long: ``track_id, query, rating, listener_id``, each listener and song at most once.
    query : str

    Returns
    -------
    dict
        ``song, listener, residual``; the first two may come out below 0 by chance.

    Raises
    ------
    ValueError
        If there is no such question, or there are too few ratings for the songs and listeners.
    """
    rows = ratings[ratings["query"] == query]
    if rows.empty:
        known = ", ".join(map(str, ratings["query"].unique()))
        raise ValueError(f"no ratings of {query!r}; this study has {known}.")
    song, listener, y = _codes(rows)
    degrees = len(y) - len(song[0]) - len(listener[0]) + 1
    if degrees < 1:
        raise ValueError(
            f"{len(y)} ratings of {len(song[0])} songs by {len(listener[0])} listeners leave "
            "nothing to estimate a residual from. Give a denser design."
        )
    residual = _residuals(y, song, listener)
    ms = float(residual @ residual) / degrees
    parts = {}
    for name, own, other in (("song", song, listener), ("listener", listener, song)):
        without = _residuals(y, other)  # the other factor alone
        explained = float(without @ without - residual @ residual)
        # the trace of Z' M Z: how much of this factor's dummies the other one leaves
        crossed = np.zeros((len(own[0]), len(other[0])))
        np.add.at(crossed, (own[1], other[1]), 1.0)
        trace = len(y) - float((crossed**2 / crossed.sum(axis=0)).sum())
        parts[name] = (explained - ms * (len(own[0]) - 1)) / trace
    return {**parts, "residual": ms}


def simulation_table(ratings: pd.DataFrame) -> pd.DataFrame:
    """Figures of simulated ratings beside those of real listeners.

    Parameters
    ----------
    ratings : DataFrame
        Long: ``track_id, query, rating, listener_id``, with ``dance, listen, party, groove``.

    Returns
    -------
    DataFrame
        ``quantity`` (in words), ``question``, ``simulated``, ``real_low, real_high`` (equal where
        there is one value), ``source`` (key in ``references.bib``; empty where the figure was
        computed from public per-listener data), ``basis`` (what it was computed from).

    Raises
    ------
    ValueError
        If a question is missing or listeners are not given.
    """
    if "listener_id" not in ratings or ratings["listener_id"].isna().any():
        raise ValueError("the table compares listeners, but listener_id is missing or empty.")
    means = ratings.pivot_table(index="track_id", columns="query", values="rating")
    parts = {query: variance_components(ratings, query) for query in ("dance", "listen", "party")}

    def simulated(quantity, questions):
        first = questions[0]
        if quantity == "song_mean":
            return means[first].mean()
        if quantity == "song_sd":
            return means[first].std()
        if quantity == "song_r":
            return means[first].corr(means[questions[1]])
        if quantity == "residual_r":
            return _residual_correlation(ratings, *questions)
        v = parts[first]
        if quantity == "icc":
            return v["song"] / (v["song"] + v["residual"])
        if quantity == "reliability_30":
            return v["song"] / (v["song"] + v["residual"] / 30)
        return v[quantity.removesuffix("_share")] / sum(v.values())

    return pd.DataFrame(
        {
            "quantity": LABELS[quantity],
            "question": "–".join(questions),
            "simulated": float(simulated(quantity, questions)),
            "real_low": low,
            "real_high": high,
            "source": source,
            "basis": basis,
        }
        for quantity, questions, low, high, source, basis in REAL
    )


def _codes(rows):
    song = np.unique(rows["track_id"].to_numpy(str), return_inverse=True)
    listener = np.unique(rows["listener_id"].to_numpy(str), return_inverse=True)
    return song, listener, rows["rating"].to_numpy(float)


def _residuals(y, *factors):
    """Least-squares residuals given one or two factors."""
    levels, first = factors[0]
    counts = np.bincount(first)
    y = y - (np.bincount(first, y) / counts)[first]
    if len(factors) == 1:
        return y
    other_levels, second = factors[1]
    crossed = np.zeros((len(levels), len(other_levels)))
    np.add.at(crossed, (first, second), 1.0)
    dummies = np.eye(len(other_levels))[second] - (crossed / counts[:, None])[first]
    return y - dummies @ np.linalg.lstsq(dummies.T @ dummies, dummies.T @ y, rcond=1e-10)[0]


def _residual_correlation(ratings, first, second):
    wide = ratings.pivot_table(index=["track_id", "listener_id"], columns="query", values="rating")
    wide = wide[[first, second]].dropna().reset_index()
    residuals = []
    for query in (first, second):
        rows = wide[["track_id", "listener_id"]].assign(rating=wide[query])
        song, listener, y = _codes(rows)
        residuals.append(_residuals(y, song, listener))
    return np.corrcoef(residuals)[0, 1]
