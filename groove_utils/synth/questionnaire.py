"""Questions that simulated listeners answer, and the groove score derived from their ratings."""

from __future__ import annotations

from types import MappingProxyType

import pandas as pd

from groove_utils.stats.wording import join_words

__all__ = ["CONTROLS", "QUESTIONS", "RATED", "SCALE", "describe_score", "fixed_effects",
           "groove_score", "question_table"]  # fmt: skip

QUESTIONS = MappingProxyType(
    {
        "groove": "Derived groove score (from dance, listen, party and rhythm)",
        "dance": "I would like to dance to this music",
        "listen": "I like to listen to this music",
        "beat": "The beat of this music is easy to recognize",
        "party": "This music is great for a party",
        "rhythm": "This music has an interesting rhythm",
        "disturbing": "Something in this music is disturbing",
        "placebo": "This music reminds me of somebody I know",
        "style_only": "Music of this kind is often played on the radio",
    }
)
# control questions, and the only thing that their ratings depend on, apart from random effects
CONTROLS = MappingProxyType({"placebo": "none", "style_only": "style"})
RATED = tuple(query for query in QUESTIONS if query != "groove")
SCALE = (1, 100)
_FACETS = ["dance", "listen", "party", "rhythm"]  # questions averaged in the groove score
_CENTRE, _UNIT = 53, 24


def groove_score(ratings: pd.DataFrame) -> pd.Series:
    """Compute the groove score, ``((dance + listen + party + rhythm) / 4 − 53) / 24``.

    Songs' mean scores range from about −1 to 1, as in Marmoret et al. (2026). Individual listeners'
    scores range from about −2 to 2.
    """
    return (ratings[_FACETS].mean(axis=1) - _CENTRE) / _UNIT


def describe_score(study, query: str) -> str:
    """Describe how the groove score of a simulated study is computed from other ratings.

    Parameters
    ----------
    study : groove_utils.study.Study
        Study from which the rating scales are taken.
    query : str
        Name of the query, such as ``groove``.

    Returns
    -------
    str
        Two sentences, or an empty string for queries other than ``groove`` and for studies without
        a ``truth`` folder.
    """
    if query != "groove" or not study.has("truth"):
        return ""
    parts = study.truth("questions").query("in_groove")["question"].tolist()
    (first, last), (low, high) = study.scales[parts[0]], study.scales[query]
    unit = (last - first) / (high - low)
    names = join_words(f"“{part}”" for part in parts)
    return (
        f"To compute the score, the ratings on {names} are averaged, {first - low * unit:.0f} is "
        f"subtracted, and the result is divided by {unit:.0f}. One point of “groove” "
        f"corresponds to {unit:.0f} rating points."
    )


def question_table() -> pd.DataFrame:
    """Tabulate the role of each question, and what its ratings depend on.

    Returns
    -------
    DataFrame
        One row per question, with the columns ``question``; ``role``, which is ``score`` (computed
        from other ratings), ``rating`` or ``control``; ``cause``, which is ``acoustic`` (ratings
        depend on acoustic features), ``style`` (ratings differ between styles, but not
        systematically within them) or ``none``; and ``in_groove``, which is True if the question is
        part of the groove score.

    Examples
    --------
    >>> question_table().set_index("question").loc["placebo", ["role", "cause"]].tolist()
    ['control', 'none']
    """
    rows = []
    for question in QUESTIONS:
        role = "control" if question in CONTROLS else "rating" if question in RATED else "score"
        cause = CONTROLS.get(question, "acoustic")
        rows.append((question, role, cause, question in _FACETS))
    return pd.DataFrame(rows, columns=["question", "role", "cause", "in_groove"])


def fixed_effects(effects: pd.DataFrame, question: str) -> pd.Series:
    """Return the known fixed effects on the ratings of a question, or on the groove score.

    Parameters
    ----------
    effects : DataFrame
        Columns ``component, term, question, value``, as in ``truth/effects_as_rated.csv``.
    question : str
        Name of the question, or ``groove``.

    Returns
    -------
    Series
        Effects without the intercept, indexed by ``term``, in points on the scale of the ratings
        or of the score.

    Examples
    --------
    >>> rows = [("fixed", "low_z", question, 12.0) for question in ("dance", "listen", "party")]
    >>> table = pd.DataFrame(
    ...     [*rows, ("fixed", "low_z", "rhythm", 36.0)],
    ...     columns=["component", "term", "question", "value"],
    ... )
    >>> float(fixed_effects(table, "groove")["low_z"])  # mean 18, in units of 24 points
    0.75
    """
    derived = question == "groove"
    rows = effects[effects["question"].isin(_FACETS if derived else [question])]
    rows = rows[(rows["component"] == "fixed") & (rows["term"] != "intercept")]
    values = rows.groupby("term", sort=False)["value"].mean()
    return values / _UNIT if derived else values
