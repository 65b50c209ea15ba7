"""Summary tables of probe scores, for the chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from groove_utils.book.errors import BookError
from groove_utils.book.verdicts import pick_shape
from groove_utils.stats.wording import format_number

if TYPE_CHECKING:
    from groove_utils.probe.result import ProbeResult

__all__ = [
    "by_setting",
    "ceiling_bands",
    "control_table",
    "mark_test_only",
    "plus_minus_table",
    "rated_targets",
    "row_of",
    "score_table",
    "settings_table",
    "shape_table",
    "text_table",
]

NO_BREAK = "\N{NO-BREAK SPACE}"


def rated_targets(study, wanted: Sequence[str]) -> list[str]:
    """Select questions for which every song has ratings.

    Parameters
    ----------
    study : Study
        Study that contains the ratings.
    wanted : sequence of str
        Names of the questions to choose from.

    Returns
    -------
    list of str
        The questions in `wanted` for which every song has ratings or, if there are none, the first
        four such questions of the study.
    """
    rated = [query for query in study.queries if study.song_means(query).notna().all()]
    return [query for query in wanted if query in rated] or rated[:4]


def score_table(
    results: Mapping[str, ProbeResult], *, score="r2", n_boot=2000, seed=0
) -> pd.DataFrame:
    """Tabulate one score for several probes, with bootstrap intervals.

    Parameters
    ----------
    results : mapping of str to ProbeResult
        Model name → result of the model's probe.
    score : str
        Name of the score, such as ``"r2"``.
    n_boot : int
        Number of bootstrap samples.
    seed : int
        Random seed for the bootstrap.

    Returns
    -------
    DataFrame
        Concatenated outputs of :func:`groove_utils.probe.bootstrap_scores`. The additional column
        ``model`` contains the keys of `results`.
    """
    # imported here, since chapters without probes do not need it
    from groove_utils.probe.intervals import bootstrap_scores

    tables = [
        bootstrap_scores(result, scores=[score], n_boot=n_boot, seed=seed).assign(model=name)
        for name, result in results.items()
    ]
    return pd.concat(tables, ignore_index=True)


def mark_test_only(scores: pd.DataFrame, row: str = "model") -> pd.DataFrame:
    """Mark intervals that were computed by resampling only the test songs.

    No interval is marked if all intervals were computed in this way.

    Parameters
    ----------
    scores : DataFrame
        Output of :func:`score_table`. The column ``refit`` is True if the training songs were also
        resampled.
    row : str
        Column with the names to which the mark is appended.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["ridge", "trees"], "refit": [True, False]})
    >>> mark_test_only(scores)["model"].tolist()
    ['ridge', 'trees (test songs only)']
    """
    narrow = ~scores["refit"].astype(bool)
    if narrow.all():
        return scores
    return scores.assign(**{row: scores[row].mask(narrow, scores[row] + " (test songs only)")})


def shape_table(tests: Mapping[str, pd.DataFrame], fmt: str = ".2f") -> pd.DataFrame:
    """Tabulate the slopes from several two-lines tests, and the shape that each test indicates.

    Parameters
    ----------
    tests : mapping of str to DataFrame
        Names of the covariates held constant → output of :func:`groove_utils.probe.two_lines`.
    fmt : str
        Format specification for the slopes.

    Returns
    -------
    DataFrame
        Index ``held constant``. Columns: ``below`` and ``above``, the slopes below and above the
        break point with their 95% intervals, as text; ``songs above`` and ``artists above``, the
        numbers of songs and artists above the break point; and ``shape``.
    """
    rows = {}
    for name, lines in tests.items():
        slopes = {
            side: "{} ({} to {})".format(
                *(format_number(lines.loc[side, end], fmt) for end in ("estimate", "low", "high"))
            )
            for side in ("below", "above")
        }
        counts = lines.loc["above", ["n_songs", "n_artists"]].astype(int)
        rows[name] = {
            **slopes,
            "songs above": counts["n_songs"],
            "artists above": counts["n_artists"],
            "shape": pick_shape(lines, "inverted U", "U", "unclear"),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("held constant")


def ceiling_bands(
    ceilings: pd.DataFrame | None, targets: Sequence[str] | None = None
) -> pd.DataFrame | None:
    """Select the noise ceilings of song means for :func:`groove_utils.figures.plot_scores`.

    Parameters
    ----------
    ceilings : DataFrame or None
        Output of :func:`groove_utils.mixed.noise_ceiling`, or None if the listeners are unknown.
    targets : sequence of str, optional
        Questions to keep. By default, all questions are kept.

    Returns
    -------
    DataFrame or None
        The selected rows, with the questions in the column ``target``, or None if `ceilings` is
        None.
    """
    if ceilings is None:
        return None
    bands = ceilings[ceilings["method"] == "song means"].rename(columns={"query": "target"})
    return bands if targets is None else bands[bands["target"].isin(targets)]


def text_table(
    results: Mapping[str, ProbeResult], value="fold_r2", spread="fold_r2_sd"
) -> pd.DataFrame:
    """Tabulate probe scores and their spread as text, such as ``0.31 ± 0.02``.

    Parameters
    ----------
    results : mapping of str to ProbeResult
        Name of a probe → its result.
    value, spread : str
        Columns of :meth:`groove_utils.probe.ProbeResult.scores` to write before and after ±.
        Numbers of 100 or more have no decimals.

    Returns
    -------
    DataFrame
        One row per probe and one column per target; the cells contain text.
    """
    rows = pd.concat(
        [result.scores().assign(features=name) for name, result in results.items()],
        ignore_index=True,
    )
    return plus_minus_table(rows, "features", "target", value, spread)


def plus_minus_table(
    rows: pd.DataFrame, index: str, columns: str, value: str, spread: str
) -> pd.DataFrame:
    """Combine two columns of a long table as text, such as ``0.31 ± 0.02``, and pivot the result.

    Parameters
    ----------
    rows : DataFrame
        The long table.
    index, columns : str
        Columns whose values become the rows and the columns of the result, in order of appearance.
    value, spread : str
        Columns with the numbers before and after ±. Numbers of 100 or more have no decimals.

    Examples
    --------
    >>> rows = pd.DataFrame({"stem": ["drums"], "target": ["dance"], "r2": [0.31], "sd": [0.02]})
    >>> plus_minus_table(rows, "stem", "target", "r2", "sd").loc["drums", "dance"].split()
    ['0.31', '±', '0.02']
    """

    def short(number):
        return format_number(number, ",.0f" if abs(number) >= 100 else ".2f")

    pairs = zip(rows[value], rows[spread])
    text = [f"{short(a)}{NO_BREAK}±{NO_BREAK}{short(b)}" for a, b in pairs]
    square = rows.assign(text=text).pivot(index=index, columns=columns, values="text")
    square = square.reindex(index=rows[index].unique(), columns=rows[columns].unique())
    return square.rename_axis(columns=None)


def settings_table(
    settings: Mapping[str, Mapping[str, ProbeResult]], score: str = "r2"
) -> pd.DataFrame:
    """Tabulate one score for probes that were run with different settings.

    Parameters
    ----------
    settings : mapping of str to (mapping of str to ProbeResult)
        Setting → model name → result.
    score : str
        Column of :meth:`groove_utils.probe.ProbeResult.scores`.

    Returns
    -------
    DataFrame
        Columns ``target``, ``estimate``, ``setting`` and ``model``.
    """
    tables = [
        result.scores()[["target"]].assign(
            estimate=result.scores()[score], setting=setting, model=model
        )
        for setting, results in settings.items()
        for model, result in results.items()
    ]
    return pd.concat(tables, ignore_index=True)


def by_setting(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Pivot the scores of one target into a table of models (rows) by settings (columns).

    Parameters
    ----------
    table : DataFrame
        Output of :func:`settings_table`.
    target : str
        The target to keep.
    """
    rows = table[table["target"] == target]
    square = rows.pivot(index="model", columns="setting", values="estimate")
    return square.reindex(columns=dict.fromkeys(rows["setting"]))


def row_of(table: pd.DataFrame, **values: str) -> pd.Series:
    """Return the only row that has the given value in each named column.

    Parameters
    ----------
    table : DataFrame
        Table to search.
    **values : str
        Values that the row must have; the keywords are the names of the columns.

    Raises
    ------
    BookError
        If no row or more than one row matches.
    """
    rows = table
    for column, value in values.items():
        rows = rows[rows[column] == value]
    if len(rows) != 1:
        raise BookError(
            f"Found {len(rows)} rows with {values}; expected one. The table has the columns "
            f"{list(table.columns)}.",
            kind="not_one_row", value=len(rows),
        )  # fmt: skip
    return rows.iloc[0]


def control_table(
    controls: Mapping[str, pd.DataFrame], settings: Mapping[str, str]
) -> pd.DataFrame:
    """Tabulate the R² of control features (random projections or noise), averaged over draws.

    Parameters
    ----------
    controls : mapping of str to DataFrame
        Model name → output of :func:`groove_utils.probe.random_projection_control`.
    settings : mapping of {"projection", "noise"} to str
        Control to include → its name in the column ``setting``.

    Returns
    -------
    DataFrame
        Columns ``target``, ``estimate``, ``setting`` and ``model``.
    """
    tables = [
        table[table["control"] == control]
        .groupby("target", sort=False)["r2"]
        .mean()
        .reset_index(name="estimate")
        .assign(setting=setting, model=model)
        for control, setting in settings.items()
        for model, table in controls.items()
    ]
    return pd.concat(tables, ignore_index=True)
