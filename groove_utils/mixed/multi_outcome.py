"""Several questions about the same songs: whose variance, and which slope?

Chapter 08-mixed-models compares the questions of a study with these. Rows are answers, with
``listener``, ``track``, ``rating`` and ``question``.
"""

from __future__ import annotations

import pandas as pd
from statsmodels.stats.multitest import multipletests

from groove_utils.mixed.compare import variance_partition
from groove_utils.mixed.model import fit_lmm

__all__ = ["compare_questions", "crossed_variances", "partition_by_question"]

_CROSSED = "(1 | listener) + (1 | track)"


def crossed_variances(rows: pd.DataFrame) -> pd.Series:
    """Variances of songs, listeners and residual, and the agreement of single listeners.

    Parameters
    ----------
    rows : DataFrame
        One row an answer: ``listener, track, rating``.

    Returns
    -------
    Series
        ``song, listener, residual`` (REML), and ``ICC(C,1)``, the songs' share once the listeners'
        levels are set aside.
    """
    parts = fit_lmm(f"rating ~ 1 + {_CROSSED}", rows).mean_variances()
    song, residual = parts["track"], parts["Residual"]
    return pd.Series(
        {
            "song": song,
            "listener": parts["listener"],
            "residual": residual,
            "ICC(C,1)": song / (song + residual),
        }
    )


def compare_questions(rows: pd.DataFrame, predictor: str = "predicted") -> pd.DataFrame:
    """The slope on one predictor for each question by itself, and for all in one model.

    In the one model listeners and songs have intercepts of their own, and departures from them for
    each question, so that the differences between questions can be tested.

    Parameters
    ----------
    rows : DataFrame
        ``listener, track, question, rating`` and the predictor.
    predictor : str

    Returns
    -------
    DataFrame
        Columns question, model (``each by itself``, and ``all in one model`` where there are
        several questions), estimate, se, df, t, p, low, high; then the same in both rows of a
        question: p_holm (of the slope by itself, over questions), explained (share of the songs'
        variance that the predictor takes away), against_mean and p_against_mean (the slope less
        the mean of all, in the one model, by Holm).
    """
    questions = list(dict.fromkeys(rows["question"]))
    apart, about = [], []
    for question in questions:
        own = rows[rows["question"] == question]
        fit = fit_lmm(f"rating ~ {predictor} + {_CROSSED}", own)
        without = fit_lmm(f"rating ~ 1 + {_CROSSED}", own).mean_variances()["track"]
        apart.append(fit.effect(predictor))
        about.append({"explained": 1 - fit.mean_variances()["track"] / without})
    apart = pd.DataFrame(apart).reset_index(drop=True)
    apart.insert(0, "model", "each by itself")
    apart.insert(0, "question", questions)
    about = pd.DataFrame(about, index=pd.Index(questions, name="question"))
    about.insert(0, "p_holm", multipletests(apart["p"], method="holm")[1])
    models = [apart]
    if len(questions) > 1:
        random = f"{_CROSSED} + (1 | listener:question) + (1 | track:question)"
        trends = fit_lmm(f"rating ~ question * {predictor} + {random}", rows)
        trends = trends.emtrends(predictor, "question")
        joint = trends.table.set_index("question").loc[questions].reset_index()
        models.append(joint.assign(model="all in one model"))
        against = trends.contrasts("mean", adjust="holm").set_index("contrast")
        against = against.loc[[f"{question} - mean" for question in questions]]
        about["against_mean"] = against["estimate"].to_numpy()
        about["p_against_mean"] = against["p_adjusted"].to_numpy()
    return pd.concat(models, ignore_index=True).join(about, on="question")


def partition_by_question(formula: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Shares of the variance that each part of a model holds, for each question.

    Parameters
    ----------
    formula : str
        As for :func:`~groove_utils.mixed.fit_lmm`, over rows of one question.
    rows : DataFrame
        With ``question``.

    Returns
    -------
    DataFrame
        Index ``question``; columns the parts of :func:`~groove_utils.mixed.variance_partition`.
        Rows add to one. Fixed terms of which one works against the others somewhere have no share
        of their own, and stand as one part, joined by «and».
    """
    shares, fixed = {}, []
    for question in dict.fromkeys(rows["question"]):
        parts = variance_partition(fit_lmm(formula, rows[rows["question"] == question]))
        shares[question] = parts.set_index("part")["share"]
        fixed = parts.loc[parts["kind"] == "fixed", "part"].tolist()
    table = pd.DataFrame(shares).T.rename_axis("question")
    if fixed and (table[fixed] < 0).any(axis=None):
        table.insert(0, " and ".join(fixed), table[fixed].sum(axis=1))
        table = table.drop(columns=fixed) if len(fixed) > 1 else table
    return table
