"""Moderators of a slope: listener variables associated with a steeper or flatter slope.

Chapter 09-mixed-models uses them.
"""

from __future__ import annotations

import keyword

import numpy as np
import pandas as pd

from groove_utils.mixed.errors import check_columns
from groove_utils.mixed.fit import fit_lmm
from groove_utils.mixed.formula import variables
from groove_utils.stats import holm

__all__ = ["join_facts", "slopes_by_fact"]


def join_facts(
    rows: pd.DataFrame, listeners: pd.DataFrame, styles=()
) -> tuple[pd.DataFrame, list[str]]:
    """Add standardised numeric facts about listeners to their ratings.

    Parameters
    ----------
    rows : DataFrame
        One row per rating, with ``listener``, and with ``style`` if `styles` are given.
    listeners : DataFrame
        ``listener_id`` and facts. Columns ``taste_<style>``, one for each of several styles,
        become one fact, ``taste``: how much the listener likes the style of the song.
    styles : sequence of str

    Returns
    -------
    rows : DataFrame
        The rows with one more column per fact, in SD over listeners (``taste``: over ratings).
    facts : list of str
        Names of these columns. Facts are left out that are constant, missing for a listener, not
        named by an identifier, or determined by the facts before them, such as a year of birth by
        an age; so are those that are too many for the listeners.
    """
    numbers = listeners.set_index("listener_id").select_dtypes("number")
    taste = numbers.filter(regex="^taste_")
    facts = numbers.drop(columns=taste.columns)
    facts = ((facts - facts.mean()) / facts.std()).dropna(axis="columns")
    facts = facts[[name for name in facts if _is_variable(name) and name not in rows]]
    facts = facts[_independent(facts)]
    joined = rows.join(facts, on="listener")
    columns = [f"taste_{style}" for style in styles]
    if len(columns) > 1 and set(columns) <= set(taste):
        liking = taste[columns].rename(columns=lambda name: name.removeprefix("taste_"))
        liking = liking.melt(var_name="style", value_name="taste", ignore_index=False)
        liking = liking.set_index("style", append=True).rename_axis(["listener", "style"])
        joined = joined.join(liking, on=["listener", "style"])
        joined["taste"] = (joined["taste"] - joined["taste"].mean()) / joined["taste"].std()
    return joined, [*facts, *(["taste"] if "taste" in joined else [])]


def _is_variable(name: str) -> bool:
    """Return True if a name is valid in a formula; ``class`` and ``C`` have other meanings."""
    return name.isidentifier() and not keyword.iskeyword(name) and variables(name) == {name}


def _independent(facts: pd.DataFrame) -> list[str]:
    """Return the columns that are not linear combinations of the columns before them."""
    kept: list[str] = []
    for name in facts:
        rank = np.linalg.matrix_rank(facts[[*kept, name]].to_numpy())
        if rank > len(kept) and len(kept) < len(facts) - 2:
            kept.append(name)
    return kept


def slopes_by_fact(
    rows: pd.DataFrame, facts: list[str], predictor: str, random: str, response: str = "rating"
) -> pd.DataFrame:
    """Estimate how a slope changes with facts about the listener, with all facts in one model.

    Parameters
    ----------
    rows : DataFrame
    facts : list of str
        Numeric columns.
    predictor, response : str
        Columns that define the slope, of the response on the predictor.
    random : str
        Random terms, such as ``(1 + x | listener) + (1 | track)``.

    Returns
    -------
    DataFrame
        Columns fact (in words), estimate (change of the slope for one unit of the fact), se, df, t,
        p, low, high, p_holm (corrected for the number of facts). Empty if there are no facts.
    """
    columns = ["fact", "estimate", "se", "df", "t", "p", "low", "high", "p_holm"]
    if not facts:
        return pd.DataFrame(columns=columns)
    check_columns(facts, rows, "slopes_by_fact (join the facts first)")
    products = " + ".join(f"{predictor} * {name}" for name in facts)
    table = fit_lmm(f"{response} ~ {products} + {random}", rows).fixed_effects()
    changes = table[table["term"].str.contains(":")].reset_index(drop=True)
    changes["fact"] = [term.split(":")[-1].replace("_", " ") for term in changes["term"]]
    changes["p_holm"] = holm(changes["p"])
    return changes[columns]
