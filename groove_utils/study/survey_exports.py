"""Prepare spreadsheets exported from survey or experiment software."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping

import pandas as pd

from groove_utils.study.cells import clean_answers, to_numbers, track_name
from groove_utils.study.headers import HEADERS, header_words, may_be_question, plain_header

__all__ = ["drop_other_trials", "drop_previews", "drop_second_headers", "expand_objects"]

# columns that contain the kind of each trial in exports from jsPsych, Gorilla and lab.js
TRIAL_KINDS = ("trial_type", "zone_type", "response_type", "sender_type")
IMPORT_ID = '{"ImportId"'  # beginning of the identifiers in exports from Qualtrics
MOST_HEADERS = 3  # maximum number of rows below the header that describe the columns
SHOWN = 60  # maximum number of characters to quote from a cell


def drop_second_headers(sheet: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, pd.Series]:
    """Drop additional header rows, such as a row with the wordings of the questions.

    Qualtrics adds a row of wordings and a row of identifiers (``{"ImportId":"QID1"}``); other
    software adds labels or units. Such rows are recognised because they contain only text, even in
    columns of numbers, and because none of their cells recurs in later rows.

    Parameters
    ----------
    sheet : DataFrame
        Cells below the first header row.
    notes : list of str
        List to which a message is appended if rows are dropped.

    Returns
    -------
    sheet : DataFrame
        The sheet without the dropped rows.
    wordings : Series
        The first dropped row; empty if no row was dropped.
    """
    marked = sheet.iloc[:MOST_HEADERS].map(lambda cell: str(cell).startswith(IMPORT_ID))
    rows = max((k + 1 for k, is_marked in enumerate(marked.any(axis=1)) if is_marked), default=0)
    while not rows or (rows < MOST_HEADERS and not marked.to_numpy().any()):
        if not _describes_columns(sheet.iloc[rows:]):
            break
        rows += 1
    if not rows:
        return sheet, pd.Series(dtype=object)
    lines = " and ".join(str(line) for line in sheet.index[:rows])
    first = next(iter(sheet.iloc[0].dropna()), "")
    shown = " ".join(str(first).split())[:SHOWN]
    notes.append(f"Dropped additional header row(s): {lines} (“{shown}” …).")
    return sheet.iloc[rows:], sheet.iloc[0]


def _describes_columns(sheet: pd.DataFrame) -> bool:
    """Return True if the first row contains column labels instead of answers."""
    if len(sheet) < 3:
        return False
    first, rest = sheet.iloc[0].dropna(), sheet.iloc[1:]
    if len(first) < 2 or to_numbers(clean_answers(first)).notna().any():
        return False
    unlabelled = (clean_answers(cells) for _, cells in rest.drop(columns=first.index).items())
    if any(to_numbers(cells).notna().any() for cells in unlabelled):
        return False
    numeric = 0
    repeated = False  # is there a column of recurring names, such as listeners?
    for name, cell in first.items():
        cells = clean_answers(rest[name]).dropna()
        numeric += len(cells) > 0 and to_numbers(cells).notna().mean() > 0.5
        if (cells.astype(str) == str(cell)).any():
            return False
        repeated |= bool(cells.duplicated().mean() > 0.5) and to_numbers(cells).isna().all()
    unanswered = clean_answers(first).isna().any()
    words = first.astype(str).str.count(r"\S+").mean()
    unlike_answers = first.is_unique or words >= 3
    return not unanswered and unlike_answers and (numeric > 1 or (numeric == 1 and repeated))


def drop_previews(sheet: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Drop previews and test responses from a Qualtrics export.

    Messages about dropped rows and about unfinished responses are appended to `notes`.
    """
    words = {header_words(name): name for name in sheet}
    if not {"status", "finished", "response_id"} <= set(words):
        return sheet
    status = sheet[words["status"]].astype(str).str.casefold()
    previews = status.isin(["survey preview", "survey test", "1", "2"])
    if previews.any():
        notes.append(f"Dropped {previews.sum():,} row(s) with previews (column Status).")
    sheet = sheet[~previews]
    unfinished = sheet[words["finished"]].astype(str).str.casefold().isin(["false", "0"])
    if unfinished.any():
        notes.append(f"Kept {unfinished.sum():,} unfinished row(s) (column Finished).")
    return sheet


def expand_objects(sheet: pd.DataFrame, notes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Expand JSON answers from jsPsych, such as ``{"Q0": 5, "Q1": 3}``, into one column per key.

    Parameters
    ----------
    sheet : DataFrame
        Sheet to expand.
    notes : list of str
        List to which a message about each expanded column is appended.

    Returns
    -------
    sheet : DataFrame
        The sheet with the new columns. Cells without a JSON object remain in the original column.
    questions : list of str
        Names of the new columns that contain numbers, and of the original column if its remaining
        cells contain numbers.
    """
    named = [
        name
        for name in sheet
        if {header_words(name).rstrip("s"), plain_header(name).rstrip("s")} & {*HEADERS["rating"]}
    ]
    questions: list[str] = []
    for name in named:
        objects = sheet[name].map(_read_object, na_action="ignore")
        parsed = objects.map(lambda value: isinstance(value, Mapping)).astype(bool)
        if not parsed.any():
            continue
        columns = dict.fromkeys(key for row in objects[parsed] for key in row)
        names = {key: f"{name} {key}" if key in sheet else key for key in columns}
        table = pd.DataFrame(
            {names[key]: [row.get(key) for row in objects[parsed]]
             for key in columns if may_be_question(key)},
            index=sheet.index[parsed], dtype=object,
        )  # fmt: skip
        new = [key for key in table if to_numbers(clean_answers(table[key])).notna().any()]
        if not new:
            continue
        others = sheet[name].mask(parsed)
        if to_numbers(clean_answers(others)).notna().any():
            questions.append(name)
        questions += new
        sheet = sheet.assign(**{name: others}).join(table)
        notes.append(f"The JSON in column {name} was split into columns: {', '.join(table)}.")
    return sheet, questions


def _read_object(cell: object) -> Mapping | None:
    """Read a cell's JSON object as a flat mapping; return None if the cell contains no object."""
    text = str(cell).strip()
    if not text.startswith("{"):
        return None
    for parse in (json.loads, ast.literal_eval):  # pandas writes objects as Python literals
        try:
            return _flatten(parse(text))
        except (ValueError, SyntaxError, RecursionError, MemoryError, AttributeError):
            continue
    return None


def _flatten(answers: Mapping, prefix: str = "") -> dict[str, object]:
    flat = {}
    for key, value in answers.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key} ")
        else:
            flat[f"{prefix}{key}"] = "" if value is None else value
    return flat


def drop_other_trials(
    sheet: pd.DataFrame, track_ids: list[str], notes: list[str], questions: list[str]
) -> tuple[pd.DataFrame, str | None]:
    """Drop trials that are not ratings, such as instructions, from the log of an experiment.

    A kind of trial is kept if at least one trial of that kind has a numeric response and a known
    track. If no tracks are known, any stimulus that is not HTML counts as a track.

    Parameters
    ----------
    sheet : DataFrame
        Log with one row per trial.
    track_ids : list of str
        Names of the tracks; empty if unknown.
    notes : list of str
        List to which a message is appended if trials are dropped.
    questions : list of str
        Columns of ratings, as returned by :func:`expand_objects`.

    Returns
    -------
    sheet : DataFrame
        The remaining trials.
    rating : str or None
        Column of ratings; None if it is unknown, or if the sheet is not an experiment's log.
    """
    words = {header_words(name): name for name in reversed(sheet.columns)}
    kinds, rating, track = (
        next((words[header] for header in accepted if header in words), None)
        for accepted in (TRIAL_KINDS, HEADERS["rating"], HEADERS["track_id"])
    )
    if kinds is None or not (rating or questions):
        return sheet, None
    columns = [*([rating] if rating else []), *questions]
    rated = pd.DataFrame({name: to_numbers(clean_answers(sheet[name])) for name in columns})
    rated = rated.notna().any(axis=1)
    if track_ids:
        folded = {name.casefold() for name in track_ids}
        rated &= sheet.map(lambda cell: track_name(cell).casefold() in folded).any(axis=1)
    elif track:
        rated &= sheet[track].notna() & ~sheet[track].astype(str).str.match(r"\s*<")
    others = sheet[kinds].notna() & ~rated.groupby(sheet[kinds]).transform("any").eq(True)
    if not rated.any() or not others.any():
        return sheet, rating if rated.any() else None
    counts = sheet.loc[others, kinds].value_counts(sort=False)
    listed = ", ".join(f"{kind} ({count:,})" for kind, count in counts.items())
    notes.append(f"Dropped trials that are not ratings of tracks (column {kinds}): {listed}.")
    return sheet[~others], rating
