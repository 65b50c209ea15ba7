"""Moderators of a slope: listener variables associated with steeper or flatter slopes."""

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
    """Add standardised numeric listener variables (“facts”) to a table of ratings.

    If there is more than one style, and each has a column ``taste_<style>``, these columns are
    combined into one fact, ``taste``: how much the listener likes the style of the rated song.

    Parameters
    ----------
    rows : DataFrame
        One row per rating, with the column ``listener`` and, if `styles` are given, the column
        ``style``.
    listeners : DataFrame
        One row per listener, with the column ``listener_id`` and one column per fact.
    styles : sequence of str
        Styles of the songs.

    Returns
    -------
    rows : DataFrame
        `rows` with one additional column per fact, standardised over listeners (``taste`` is
        standardised over ratings).
    facts : list of str
        Names of the additional columns. A fact is excluded if it is constant, if it is missing for
        any listener, if it is a linear combination of earlier facts (such as year of birth after
        age), if its name cannot be used in a formula or is already used for a column of `rows`, or
        if there are too many facts for the number of listeners.
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
    """Return True if `name` can be used as a variable in a formula (``C``, for example, cannot)."""
    return name.isidentifier() and not keyword.iskeyword(name) and variables(name) == {name}


def _independent(facts: pd.DataFrame) -> list[str]:
    """Select at most n_rows − 2 columns, skipping linear combinations of earlier columns."""
    kept: list[str] = []
    for name in facts:
        rank = np.linalg.matrix_rank(facts[[*kept, name]].to_numpy())
        if rank > len(kept) and len(kept) < len(facts) - 2:
            kept.append(name)
    return kept


def slopes_by_fact(
    rows: pd.DataFrame, facts: list[str], predictor: str, random: str, response: str = "rating"
) -> pd.DataFrame:
    """Estimate how a slope depends on listener variables, using one mixed model for all of them.

    Parameters
    ----------
    rows : DataFrame
        One row per rating, for instance the output of :func:`join_facts`.
    facts : list of str
        Numeric columns of `rows` that contain listener variables.
    predictor : str
        Column of `rows` that contains the predictor whose slope is estimated.
    random : str
        Random terms, such as ``(1 + x | listener) + (1 | track)``.
    response : str
        Column of `rows` that contains the response.

    Returns
    -------
    DataFrame
        One row per fact. Columns ``fact`` (its name, with spaces instead of underscores),
        ``estimate`` (change in the slope per unit of the fact), ``se, df, t, p, low, high`` and
        ``p_holm`` (corrected for the number of facts). Empty if there are no facts.
    """
    columns = ["fact", "estimate", "se", "df", "t", "p", "low", "high", "p_holm"]
    if not facts:
        return pd.DataFrame(columns=columns)
    check_columns(facts, rows, "slopes_by_fact (call join_facts first)")
    products = " + ".join(f"{predictor} * {name}" for name in facts)
    table = fit_lmm(f"{response} ~ {products} + {random}", rows).fixed_effects()
    changes = table[table["term"].str.contains(":")].reset_index(drop=True)
    changes["fact"] = [term.split(":")[-1].replace("_", " ") for term in changes["term"]]
    changes["p_holm"] = holm(changes["p"])
    return changes[columns]
