"""The tables of a study and their contracts, as pandera schemas.

Tables are first read as text, so that a cell that is no number can be named with its row; the
schemas then coerce and check every cell, and :func:`read_table` reports all failures at once.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from groove_utils.study.problems import Problem

__all__ = ["SCHEMAS", "STEMS", "read_table", "table_problems"]

STEMS = ("drums", "bass", "other", "vocals")
MAX_ROWS_TOLD = 20  # of one kind of problem; the rest are counted
# What programs write for a number that is missing. In a column of texts these are texts: there is
# an artist named None, and "NA" is a country.
MISSING = ("NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None")
_ONLY_EMPTY = {"keep_default_na": False, "na_values": [""]}


def _is_number(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").notna()


def _check(function, expected: str, mend: str, **options) -> pa.Check:
    # pandera reports a check by its error; the description goes along with it
    return pa.Check(function, error=expected, description=mend, **options)


_NO_BLANK = _check(
    lambda column: column.str.strip() != "", "a text", "Fill the cell in.", ignore_na=True
)


def _id_column(unique: bool) -> pa.Column:
    return pa.Column(
        str, checks=_NO_BLANK, nullable=False, unique=unique, report_duplicates="exclude_first"
    )


SCHEMAS: dict[str, pa.DataFrameSchema] = {
    "tracks.csv": pa.DataFrameSchema(
        {
            "track_id": _id_column(unique=True),
            "title": pa.Column(str, nullable=True),
            "artist": _id_column(unique=False),
            "style": _id_column(unique=False),
            "audio": pa.Column(str, nullable=True, required=False),
        }
    ),
    "listeners.csv": pa.DataFrameSchema({"listener_id": _id_column(unique=True)}),
    "ratings.csv": pa.DataFrameSchema(
        {
            "track_id": _id_column(unique=False),
            "query": _id_column(unique=False),
            "rating": pa.Column(
                str,
                _check(
                    _is_number, "a number", "Correct the cell, or delete the row if unanswered."
                ),
                nullable=False,
            ),
            "listener_id": pa.Column(str, _NO_BLANK, nullable=False, required=False),
        }
    ),
}


def read_table(folder: Path, file: str) -> pd.DataFrame:
    """Read one of the study's tables; numbers stay numbers, identifiers stay text.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder.
    file : str
        ``tracks.csv``, ``listeners.csv``, ``ratings.csv`` or another table with a ``track_id``.

    Returns
    -------
    pandas.DataFrame
    """
    identifiers = {
        name: str
        for name in ("track_id", "listener_id", "query", "title", "artist", "style", "audio")
    }
    # spreadsheets leave empty rows at the end, and a comma behind the last cell of each row
    frame = pd.read_csv(folder / file, dtype=identifiers, index_col=False, **_ONLY_EMPTY)
    frame = frame.dropna(how="all", ignore_index=True)
    others = [name for name in frame if name not in identifiers]
    return frame.assign(**{name: _as_numbers(frame[name]) for name in others})


def _as_numbers(column: pd.Series) -> pd.Series:
    """A column of numbers in which some are missing; any other is left as it is."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    known = column.mask(column.isin(MISSING))
    numbers = pd.to_numeric(known, errors="coerce")
    whole = (numbers.notna() == known.notna()).all() and numbers.notna().any()
    return numbers if whole else column


def table_problems(folder: Path, file: str) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Hold one table to its schema.

    Returns
    -------
    frame : pandas.DataFrame or None
        The table as text, without empty rows; its index counts the lines below the header. None
        where it could not be read at all.
    problems : list of Problem
        All that is wrong in it, in order of rows.
    """
    schema = SCHEMAS[file]
    expected = ", ".join(name for name, column in schema.columns.items() if column.required)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                folder / file,
                dtype=str,
                encoding="utf-8-sig",
                index_col=False,
                skip_blank_lines=False,  # so that the index tells the line
                **_ONLY_EMPTY,
            ).dropna(how="all")
    except pd.errors.ParserWarning:
        return None, [
            Problem(
                file,
                "rows with more cells than the header",
                f"a table with columns {expected}, each with a name",
                "Name the last columns too, or put texts that hold commas in quotes.",
            )
        ]
    except FileNotFoundError:
        return None, [
            Problem(file, "no such file", f"a CSV table with columns {expected}", "Add the file.")
        ]
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        return None, [
            Problem(
                file,
                f"what is no readable table ({error})",
                f"comma-separated UTF-8 text with columns {expected}",
                "Save it as CSV again.",
            )
        ]
    if "rating" in frame:
        frame["rating"] = frame["rating"].mask(frame["rating"].isin(MISSING))
    problems = []
    if frame.empty:
        problems.append(Problem(file, "no rows below the header", "at least one row", "Fill it."))
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        problems += _translate(file, errors.failure_cases, list(frame.columns))
    return frame, problems


def _translate(file: str, cases: pd.DataFrame, columns: list[str]) -> list[Problem]:
    problems = []
    for (check, column), group in cases.groupby(["check", "column"], dropna=False, sort=False):
        if check == "column_in_dataframe":
            for name in group["failure_case"]:
                problems.append(
                    Problem(
                        file,
                        f"the columns {', '.join(columns)}",
                        f"a column {name} as well",
                        f"Add or rename the column {name}.",
                    )
                )
            continue
        group = group.sort_values("index")
        for _, case in group.head(MAX_ROWS_TOLD).iterrows():
            problems.append(_cell_problem(file, column, check, case))
        if len(group) > MAX_ROWS_TOLD:
            rest = len(group) - MAX_ROWS_TOLD
            problems.append(
                Problem(file, f"the same in {rest} more rows of {column}", "none", "See above.")
            )
    return problems


def _cell_problem(file: str, column: str, check: str, case: pd.Series) -> Problem:
    row = None if pd.isna(case["index"]) else int(case["index"]) + 2
    value = case["failure_case"]
    if check == "not_nullable":
        mend = "Fill the cell in, or delete the row."
        return Problem(file, f"an empty cell (or NaN) in {column}", "a value", mend, row)
    if check == "field_uniqueness":
        mend = "Give each its own, or delete the row that is there twice."
        return Problem(file, f"{column} {value!r} more than once", "it once", mend, row)
    texts = {c.error: c.description for s in SCHEMAS[file].columns.values() for c in s.checks}
    mend = texts.get(check, "Correct the cell.")
    return Problem(file, f"{value!r} in {column}", check, mend, row)
