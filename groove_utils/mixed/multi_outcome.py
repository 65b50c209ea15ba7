"""Slopes for several questions about the same songs, in separate models and in a joint model.

Chapter 09-mixed-models uses it.
"""

from __future__ import annotations

import pandas as pd

from groove_utils.mixed.fit import fit_lmm
from groove_utils.stats import holm

__all__ = ["compare_questions"]

_CROSSED = "(1 | listener) + (1 | track)"


def compare_questions(rows: pd.DataFrame, predictor: str = "predicted") -> pd.DataFrame:
    """Estimate the slope on a predictor for each question, in separate models and in a joint model.

    In the joint model, listeners and songs have intercepts and question-specific deviations from
    them, so that differences between questions can be tested.

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
        question: p_holm (of the separate slope, over questions), explained (share of the songs'
        variance that the predictor removes), and n_apart (number of other questions from which its
        slope differs in the joint model, at the 5% level with Holm's correction over all pairs).
    """
    questions = list(dict.fromkeys(rows["question"]))
    separate, about = [], []
    for question in questions:
        subset = rows[rows["question"] == question]
        fit = fit_lmm(f"rating ~ {predictor} + {_CROSSED}", subset)
        without = fit_lmm(f"rating ~ 1 + {_CROSSED}", subset).mean_variances()["track"]
        separate.append(fit.effect(predictor))
        about.append({"explained": 1 - fit.mean_variances()["track"] / without})
    separate = pd.DataFrame(separate).reset_index(drop=True)
    separate.insert(0, "model", "each by itself")
    separate.insert(0, "question", questions)
    about = pd.DataFrame(about, index=pd.Index(questions, name="question"))
    about.insert(0, "p_holm", holm(separate["p"]))
    models = [separate]
    if len(questions) > 1:
        random = f"{_CROSSED} + (1 | listener:question) + (1 | track:question)"
        trends = fit_lmm(f"rating ~ question * {predictor} + {random}", rows)
        trends = trends.emtrends(predictor, "question")
        joint = trends.table.set_index("question").loc[questions].reset_index()
        models.append(joint.assign(model="all in one model"))
        pairs = trends.contrasts("pairwise", adjust="holm")
        pairs = pairs.loc[pairs["p_adjusted"] < 0.05, "contrast"].str.split(" - ", regex=False)
        apart = pairs.explode().value_counts()
        about["n_apart"] = apart.reindex(questions, fill_value=0).to_numpy()
    return pd.concat(models, ignore_index=True).join(about, on="question")
