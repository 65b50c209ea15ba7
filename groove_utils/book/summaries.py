"""From scores to what a page says: tables, words and the numbers behind them (chapters 01, 06)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from groove_utils.probe.intervals import bootstrap_scores
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.validation import ProbeError

__all__ = [
    "answers_table",
    "as_reported",
    "by_setting",
    "ceiling_bands",
    "control_table",
    "count_words",
    "name_list",
    "rated_targets",
    "row_of",
    "score_table",
    "settings_table",
    "side_of_zero",
    "text_table",
]


def rated_targets(study, wanted: Sequence[str]) -> list[str]:
    """Questions of a study that every song was rated on.

    Parameters
    ----------
    study : Study
    wanted : sequence of str
        Those to use where the study has them.

    Returns
    -------
    list of str
        If the study has none of `wanted`, its own first four.
    """
    whole = [query for query in study.queries if study.song_means(query).notna().all()]
    return [query for query in wanted if query in whole] or whole[:4]


def score_table(
    results: Mapping[str, ProbeResult], *, score="r2", n_boot=2000, seed=0
) -> pd.DataFrame:
    """One score of several probes with its intervals.

    Parameters
    ----------
    results : mapping of name → ProbeResult
    score : str
        As in :func:`groove_utils.probe.bootstrap_scores`.
    n_boot, seed : int

    Returns
    -------
    DataFrame
        The rows of :func:`groove_utils.probe.bootstrap_scores`, with a column ``model``.
    """
    ends = {"n_boot": n_boot, "seed": seed}
    tables = [
        bootstrap_scores(result, scores=[score], **ends).assign(model=name)
        for name, result in results.items()
    ]
    return pd.concat(tables, ignore_index=True)


def ceiling_bands(
    ceilings: pd.DataFrame | None, targets: Sequence[str] | None = None
) -> pd.DataFrame | None:
    """The noise ceiling of song means, for :func:`groove_utils.figures.plot_scores` to shade.

    Parameters
    ----------
    ceilings : DataFrame or None
        From :func:`groove_utils.mixed.noise_ceiling`; None where listeners are not known.
    targets : sequence of str, optional
        Questions to keep; by default all.

    Returns
    -------
    DataFrame or None
        Its rows for song means, with ``query`` called ``target``.
    """
    if ceilings is None:
        return None
    bands = ceilings[ceilings["method"] == "song means"].rename(columns={"query": "target"})
    return bands if targets is None else bands[bands["target"].isin(targets)]


def text_table(
    results: Mapping[str, ProbeResult], value="fold_r2", spread="fold_r2_sd"
) -> pd.DataFrame:
    """Scores as a paper prints them, one row a probe and one column a target.

    Parameters
    ----------
    results : mapping of name → ProbeResult
    value, spread : str
        Columns of :meth:`ProbeResult.scores`.

    Returns
    -------
    DataFrame of str
        Such as ``0.31 ± 0.02``; indexed by ``features``. Numbers of 100 and more have no decimals.
    """
    rows = {}
    for name, result in results.items():
        scores = result.scores().set_index("target")
        rows[name] = {
            target: f"{_short(row[value])} ± {_short(row[spread])}"
            for target, row in scores.iterrows()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("features")


def _short(value: float) -> str:
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def settings_table(settings: Mapping[str, Mapping[str, ProbeResult]]) -> pd.DataFrame:
    """Scores of the same probes under several settings, for a plot of them side by side.

    Parameters
    ----------
    settings : mapping of setting → mapping of model → ProbeResult

    Returns
    -------
    DataFrame
        One row a setting, model and target: ``setting, model, target, r2, fold_r2``.
    """
    parts = [
        result.scores()[["target", "r2", "fold_r2"]].assign(setting=setting, model=model)
        for setting, results in settings.items()
        for model, result in results.items()
    ]
    return pd.concat(parts, ignore_index=True)


def by_setting(table: pd.DataFrame, target: str, value: str = "r2") -> pd.DataFrame:
    """Scores on one question, models × settings, from a table of :func:`settings_table`."""
    own = table[table["target"] == target]
    square = own.pivot(index="model", columns="setting", values=value)
    return square.reindex(columns=dict.fromkeys(own["setting"]))


def row_of(table: pd.DataFrame, **values: str) -> pd.Series:
    """The one row of a table in which each named column has the named value.

    Raises
    ------
    ProbeError
        If there is none, or more than one.
    """
    found = table
    for column, value in values.items():
        found = found[found[column] == value]
    if len(found) != 1:
        raise ProbeError(
            f"{len(found)} rows with {values}, expected one; columns are {list(table.columns)}"
        )
    return found.iloc[0]


def control_table(controls: Mapping[str, pd.DataFrame], control: str, setting: str) -> pd.DataFrame:
    """One control of :func:`random_projection_control`, averaged over draws.

    Parameters
    ----------
    controls : mapping of model → DataFrame
        What :func:`groove_utils.probe.random_projection_control` gave for each.
    control : {"projection", "noise"}
    setting : str
        How the rows are called.

    Returns
    -------
    DataFrame
        Columns ``setting, model, target, r2``, as from :func:`settings_table`.
    """
    parts = [
        table[table["control"] == control]
        .groupby("target", sort=False, as_index=False)["r2"]
        .mean()
        .assign(setting=setting, model=model)
        for model, table in controls.items()
    ]
    return pd.concat(parts, ignore_index=True)


def as_reported(row, n=None, *, value="estimate") -> dict:
    """What :func:`groove_utils.book.report_value` is told about a row of a table of scores.

    Parameters
    ----------
    row : Series
        With `value`, ``low`` and ``high``.
    n : int, optional
        How many units the number rests on.
    value : str
        Column of the estimate.

    Returns
    -------
    dict
        ``value``, and ``ci`` and ``n`` where there are any.
    """
    found = {"value": float(row[value])}
    if np.isfinite([row["low"], row["high"]]).all():
        found["ci"] = (float(row["low"]), float(row["high"]))
    return found if n is None else found | {"n": int(n)}


def side_of_zero(row, above: str, below: str, unclear: str) -> str:
    """The word that an interval allows.

    Parameters
    ----------
    row : Series
        With ``low`` and ``high``.
    above, below, unclear : str
        What to say when the interval lies above 0, below 0, or on both sides.

    Returns
    -------
    str
    """
    return above if row["low"] > 0 else below if row["high"] < 0 else unclear


def name_list(names: Sequence[str], empty: str = "none") -> str:
    """Names as prose: ``a``, ``a and b``, ``a, b and c``; `empty` where there is none."""
    names = [str(name) for name in names]
    if len(names) < 2:
        return names[0] if names else empty
    return f"{', '.join(names[:-1])} and {names[-1]}"


def count_words(count: float) -> str:
    """A number of songs as a reader says it: rounded to two digits.

    Examples
    --------
    >>> count_words(1234), count_words(float("inf"))
    ('1200', 'more than any study holds')
    """
    if not np.isfinite(count) or count >= 1e6:
        return "more than any study holds"
    return f"{float(f'{count:.2g}'):.0f}"


def answers_table(answers: Mapping[str, str]) -> pd.DataFrame:
    """What was objected, and what was answered, with proper minus signs.

    Parameters
    ----------
    answers : mapping of objection → answer

    Returns
    -------
    DataFrame of str
        Column ``answer``, indexed by ``objection``.
    """
    rows = [(name, re.sub(r"(?<![\w−-])-(?=\d)", "−", text)) for name, text in answers.items()]
    return pd.DataFrame(rows, columns=["objection", "answer"]).set_index("objection")
