"""For whom does a prediction work? Facts about listeners as changes of a slope.

Chapter 08-mixed-models asks it of its by-listener slopes.
"""

from __future__ import annotations

import pandas as pd
from statsmodels.stats.multitest import multipletests

from groove_utils.mixed.formula import LmmError
from groove_utils.mixed.model import fit_lmm

__all__ = ["join_facts", "slopes_by_fact"]


def join_facts(
    rows: pd.DataFrame, listeners: pd.DataFrame, styles=()
) -> tuple[pd.DataFrame, list[str]]:
    """Put the numeric facts about listeners beside their answers, standardised.

    Parameters
    ----------
    rows : DataFrame
        One row an answer, with ``listener``, and ``style`` where `styles` are given.
    listeners : DataFrame
        ``listener_id`` and facts. Columns ``taste_<style>`` become one fact, ``taste``: how much
        this listener likes the style at hand, if there is one for each of several styles.
    styles : sequence of str

    Returns
    -------
    rows : DataFrame
        With a column more for each fact; facts in SD over listeners, ``taste`` over answers.
    facts : list of str
        Names of those columns that can stand in a formula. Facts that are missing for somebody,
        or the same for all, are left out.
    """
    people = listeners.set_index("listener_id").select_dtypes("number")
    taste = people.filter(regex="^taste_")
    facts = people.drop(columns=taste.columns)
    facts = ((facts - facts.mean()) / facts.std()).dropna(axis="columns")
    facts = facts[[name for name in facts if name.isidentifier() and name not in rows]]
    told = rows.join(facts, on="listener")
    columns = [f"taste_{style}" for style in styles]
    if len(columns) > 1 and set(columns) <= set(taste):
        liking = taste[columns].rename(columns=lambda name: name.removeprefix("taste_"))
        own = liking.melt(var_name="style", value_name="taste", ignore_index=False)
        own = own.set_index("style", append=True).rename_axis(["listener", "style"])
        told = told.join(own, on=["listener", "style"])
        told["taste"] = (told["taste"] - told["taste"].mean()) / told["taste"].std()
    return told, [*facts, *(["taste"] if "taste" in told else [])]


def slopes_by_fact(
    rows: pd.DataFrame, facts: list[str], predictor: str, random: str, response: str = "rating"
) -> pd.DataFrame:
    """How a slope changes with facts about the listener, all facts in one model.

    Parameters
    ----------
    rows : DataFrame
    facts : list of str
        Numeric columns.
    predictor, response : str
        Columns: the slope is of the response on the predictor.
    random : str
        Random terms, such as ``(1 + x | listener) + (1 | track)``.

    Returns
    -------
    DataFrame
        Columns fact (in words), estimate (change of the slope for one unit of the fact), se, df, t,
        p, low, high, p_holm (corrected for the number of facts); no rows without facts.
    """
    columns = ["fact", "estimate", "se", "df", "t", "p", "low", "high", "p_holm"]
    if not facts:
        return pd.DataFrame(columns=columns)
    unknown = [name for name in facts if name not in rows]
    if unknown:
        raise LmmError(f"'{unknown[0]}' is no column of the rows; join the facts first.")
    products = " + ".join(f"{predictor} * {name}" for name in facts)
    table = fit_lmm(f"{response} ~ {products} + {random}", rows).fixed_effects()
    changes = table[table["term"].str.contains(":")].reset_index(drop=True)
    changes["fact"] = [term.split(":")[-1].replace("_", " ") for term in changes["term"]]
    changes["p_holm"] = multipletests(changes["p"], method="holm")[1]
    return changes[columns]
