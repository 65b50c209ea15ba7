"""Slopes of several questions about the same songs, and the differences between them.

Chapter 09-mixed-models uses them.
"""

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
    """Estimate the slope on one predictor for each question, in a model of its own.

    Parameters
    ----------
    rows : DataFrame
        One row per answer: ``question, rating``, and the columns of the formula.
    fixed, random : str
        Fixed and random part of the formula, such as ``predicted + style`` and
        ``(1 | listener) + (1 | track)``.
    term : str
        Predictor whose slope is returned.

    Returns
    -------
    DataFrame
        Columns question, estimate, se, df, t, p, low, high, p_holm (over questions), n (answers).
    """
    return _tidy(rows.groupby("question", sort=False), ["question"], fixed, random, term)


def compare_questions(
    rows: pd.DataFrame, fixed: str, random: str, term: str = "predicted"
) -> pd.DataFrame:
    """Estimate the difference between the slopes of each pair of questions.

    The model is fitted to the differences between a listener's answers to the two questions about
    the same song. Its slope is the difference of the slopes, and what a listener's or a song's
    answers to both questions have in common cancels.

    Parameters
    ----------
    rows, fixed, random, term
        As in :func:`slopes_by_question`, with ``listener, track``; one answer of a listener to a
        question about a song. Other columns have to be the same for all questions.

    Returns
    -------
    DataFrame
        Columns first, second, estimate (first − second), se, df, t, p, low, high, p_holm (over
        pairs), n (differences). Pairs that no listener answered about the same song are left out;
        a pair whose model cannot be fitted has missing numbers.
    """
    check_columns(["question", "listener", "track", "rating"], rows, "compare_questions")
    answers = {
        question: part.set_index(["listener", "track"])
        for question, part in rows.groupby("question", sort=False)
    }
    pairs = []
    for first, second in combinations(answers, 2):
        difference = answers[first]["rating"].sub(answers[second]["rating"]).dropna()
        if len(difference):
            part = answers[first].loc[difference.index].assign(rating=difference)
            pairs.append((first, second, part.reset_index()))
    return _tidy(pairs, ["first", "second"], fixed, random, term)


def _tidy(parts, keys: list[str], fixed: str, random: str, term: str) -> pd.DataFrame:
    """Fit each part, the last entry of a tuple, and tabulate its slope by the other entries."""
    table = []
    for *labels, part in parts:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LmmWarning)  # what questions share may cancel
                row = fit_lmm(f"rating ~ {fixed} + {random}", part).effect(term)
        except LmmError:
            if len(keys) == 1:
                raise
            row = dict.fromkeys(_NUMBERS, np.nan)
        table.append(dict(zip(keys, labels)) | dict(row) | {"n": len(part)})
    table = pd.DataFrame(table, columns=[*keys, *_NUMBERS, "n"])
    table.insert(len(table.columns) - 1, "p_holm", holm(table["p"]))
    return table
