"""Estimate and compare slopes for ratings of the same songs on different questions."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pandas as pd

from groove_utils.mixed.errors import LmmError, LmmWarning, check_columns
from groove_utils.mixed.fit import fit_lmm
from groove_utils.stats import holm

__all__ = ["compare_questions", "slopes_by_question"]

_NUMBERS = ["estimate", "se", "df", "t", "p", "low", "high"]


def slopes_by_question(
    rows: pd.DataFrame, fixed: str, random: str, term: str = "predicted"
) -> pd.DataFrame:
    """Estimate the slope of the rating on one predictor, with a separate model for each question.

    Parameters
    ----------
    rows : DataFrame
        One row per rating, with the columns ``question, rating`` and the variables of the formula.
    fixed, random : str
        Fixed and random parts of the formula, such as ``predicted + style`` and
        ``(1 | listener) + (1 | track)``.
    term : str
        Name of the coefficient to return.

    Returns
    -------
    DataFrame
        One row per question, with the columns ``question, estimate, se, df, t, p, low, high``,
        ``p_holm`` (corrected for the number of questions) and ``n`` (number of ratings).
    """
    return _slope_table(rows.groupby("question", sort=False), ["question"], fixed, random, term)


def compare_questions(
    rows: pd.DataFrame, fixed: str, random: str, term: str = "predicted"
) -> pd.DataFrame:
    """Estimate the difference in slope for each pair of questions.

    For each pair, the mixed model is fitted to the differences between a listener's ratings of the
    same song on the two questions. The slope of this model estimates the difference between the
    slopes. Listener and song effects that are the same for both questions cancel out.

    Parameters
    ----------
    rows : DataFrame
        As in :func:`slopes_by_question`, with the additional columns ``listener, track``, and with
        at most one rating per listener, track and question. The other variables must
        have the same values for all questions.
    fixed, random, term
        As in :func:`slopes_by_question`.

    Returns
    -------
    DataFrame
        One row per pair, with the columns ``first, second``, ``estimate`` (first minus second),
        ``se, df, t, p, low, high``, ``p_holm`` (corrected for the number of pairs) and ``n``
        (number of differences). A pair is omitted if no listener rated a song on both questions.
        The values for a pair are missing if its model cannot be fitted.
    """
    check_columns(["question", "listener", "track", "rating"], rows, "compare_questions")
    by_question = {
        question: part.set_index(["listener", "track"])
        for question, part in rows.groupby("question", sort=False)
    }
    pairs = []
    for first, second in combinations(by_question, 2):
        difference = by_question[first]["rating"].sub(by_question[second]["rating"]).dropna()
        if len(difference):
            part = by_question[first].loc[difference.index].assign(rating=difference)
            pairs.append((first, second, part.reset_index()))
    return _slope_table(pairs, ["first", "second"], fixed, random, term)


def _slope_table(parts, keys: list[str], fixed: str, random: str, term: str) -> pd.DataFrame:
    """Fit a mixed model to the rows in each tuple (label, …, rows), and tabulate the slopes."""
    table = []
    for *labels, part in parts:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LmmWarning)  # differences may have zero variances
                row = fit_lmm(f"rating ~ {fixed} + {random}", part).effect(term)
        except LmmError:
            if len(keys) == 1:
                raise
            row = dict.fromkeys(_NUMBERS, np.nan)
        table.append(dict(zip(keys, labels)) | dict(row) | {"n": len(part)})
    table = pd.DataFrame(table, columns=[*keys, *_NUMBERS, "n"])
    table.insert(len(table.columns) - 1, "p_holm", holm(table["p"]))
    return table
