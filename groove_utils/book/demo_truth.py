"""Tables of the demo study's true effects on ratings, derived from the simulation's constants."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.book.markdown import MystText, markdown_table
from groove_utils.stats.wording import format_number, join_words
from groove_utils.synth import listener_effects
from groove_utils.synth.listener_effects import EFFECT_NAMES, REFERENCE, Effects, default_effects
from groove_utils.synth.questionnaire import CONTROLS, RATED, fixed_effects, groove_score

__all__ = ["demo_truth", "random_effects", "true_effects"]

UNITS = {"density_z": " notes per second", "low_z": " dB"}  # other predictors have no unit


def demo_truth() -> dict[str, MystText | str]:
    """Return tables and texts about the true effects in the demo study, as Markdown.

    Returns
    -------
    dict of str to str
        ``effects`` and ``random``: tables of the fixed effects and of the random effects; ``best``:
        the syncopation at which groove is highest; ``styles``: the effect of each style on the
        control question “style only”; ``untouched``: the control questions that are not affected by
        any of the causes.
    """
    effects = default_effects()
    slope, bend = true_effects(effects).loc[["syncopation_z", "syncopation_z2"], "groove"]
    _, centre, unit = REFERENCE["syncopation_z"]
    best = (centre - unit * slope / (2 * bend)) ** 2  # the predictor is √syncopation
    shown = [query for query in ("groove", *RATED) if query not in CONTROLS]
    causes = true_effects(effects).rename_axis("cause")
    units = pd.Series({term: _describe_unit(term) for term in causes.index}, name="one unit")
    causes = pd.concat([units, _formatted(causes[shown], "+.2f", "+.1f")], axis=1)
    spread = _formatted(random_effects(effects), ".2f", "g")
    means = effects.style_mean["style_only"]
    untouched = [q for q in CONTROLS if (effects.fixed.drop("intercept")[q] == 0).all()]
    return {
        "effects": _table(causes, "cause"),
        "random": _table(spread.rename(columns=_in_words, index=EFFECT_NAMES).T, "question"),
        "best": format_number(best, ".0f"),
        "styles": join_words(f"{format_number(m, '+.0f')} ({style})" for style, m in means.items()),
        "untouched": join_words(f"“{_in_words(query)}”" for query in untouched),
    }


def true_effects(effects: Effects) -> pd.DataFrame:
    """Tabulate the fixed effects on the groove score and on each question.

    Parameters
    ----------
    effects : Effects
        Effects of the simulation.

    Returns
    -------
    DataFrame
        Index ``term``. Columns: ``groove``, in units of the groove score, and one column per
        question, in points on its rating scale.

    Examples
    --------
    >>> true_effects(default_effects()).loc["low_z", ["dance", "placebo"]].tolist()
    [2.2, 0.0]
    """
    table = effects.table()
    return pd.DataFrame({query: fixed_effects(table, query) for query in ("groove", *RATED)})


def random_effects(effects: Effects) -> pd.DataFrame:
    """Tabulate the standard deviations of the random effects on ratings.

    Parameters
    ----------
    effects : Effects
        Effects of the simulation.

    Returns
    -------
    DataFrame
        One row per random effect, with the same columns and units as in :func:`true_effects`. The
        values for the groove score, which averages four questions, take into account that the
        random effects on these questions are correlated.
    """
    weights = _groove_weights()
    rows = {}
    for part in effects.sd.index:
        sd = effects.sd.loc[part].to_numpy()
        if part in effects.common.index:
            loadings = effects.common.loc[part].to_numpy()
            correlation = np.outer(loadings, loadings)
            np.fill_diagonal(correlation, 1)
        else:  # all questions share the same random draws
            correlation = np.ones((sd.size, sd.size))
        variance = (weights * sd) @ correlation @ (weights * sd)
        rows[part] = [np.sqrt(variance), *np.abs(sd)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["groove", *RATED])


def _groove_weights() -> np.ndarray:
    """Return the weight of each question in the groove score."""
    ratings = pd.DataFrame(np.vstack([np.zeros(len(RATED)), np.eye(len(RATED))]), columns=RATED)
    scores = groove_score(ratings).to_numpy()
    return scores[1:] - scores[0]


def _formatted(table: pd.DataFrame, score_format: str, question_format: str) -> pd.DataFrame:
    """Format effects on the groove score and on the questions, using a separate format for each."""
    formats = {query: score_format if query == "groove" else question_format for query in table}
    return table.apply(lambda column: [format_number(v, formats[column.name]) for v in column])


def _table(frame: pd.DataFrame, title: str) -> MystText:
    return markdown_table(frame.rename(index=EFFECT_NAMES).rename_axis(title).reset_index())


def _in_words(query: str) -> str:
    return query.replace("_", " ")


def _describe_unit(term: str) -> str:
    """Describe in words what one unit of a predictor means."""
    first, _, product = term.partition(":")
    if product:
        return f"{_describe_unit(first)} × one unit"
    if term in ("dance_inclination_z", "musicianship_z"):
        return "one SD over listeners"
    if term == "syncopation_z2":
        return "the square of u, the standardised square root of syncopation"
    if term == "tempo_off2":
        best = listener_effects.TEMPO_OPTIMUM
        slow, fast = (best * np.exp(k * listener_effects.TEMPO_UNIT) for k in (-1, 1))
        return f"at {slow:.0f} or {fast:.0f} beats per minute; the best tempo is {best:g}"
    if term == "microtiming_x":
        return f"{listener_effects.MICROTIMING_UNIT:g} ms"
    _, centre, unit = REFERENCE[term]
    what = " in the square root" if term == "syncopation_z" else UNITS.get(term, "")
    return f"{unit:g}{what}, centred on {format_number(centre, 'g')}"
