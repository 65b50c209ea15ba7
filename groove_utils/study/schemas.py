"""Schemas for checking a study's tables with pandera.

Tables are read as text, so that an error message can give the row of a cell that is not a number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from groove_utils.study.containment import check_file
from groove_utils.study.problems import Problem, StudyError, problem, reading
from groove_utils.study.tables import MISSING, read_csv
from groove_utils.study.text import is_file_name, is_label, is_line

__all__ = [
    "FILE_NAME", "FINITE", "NUMBER", "SCHEMAS", "check_frame", "check_table", "identifier",
]  # fmt: skip

KINDS = {
    "column_in_dataframe": "missing_column",
    "not_nullable": "empty_cell",
    "field_uniqueness": "duplicate",
}
NOT_BLANK = pa.Check(lambda column: column.str.strip() != "", error="blank", ignore_na=True)
NUMBER = pa.Check(
    lambda column: pd.to_numeric(column, errors="coerce").notna(), error="not_a_number"
)
FINITE = pa.Check(
    lambda column: np.isfinite(pd.to_numeric(column, errors="coerce")),
    error="not_a_number",
    ignore_na=True,
)
ONE_LINE = pa.Check(lambda column: column.map(is_line), error="not_one_line", ignore_na=True)
LABEL = pa.Check(lambda column: column.map(is_label), error="not_a_label", ignore_na=True)
FILE_NAME = pa.Check(
    lambda column: column.map(is_file_name), error="not_a_file_name", ignore_na=True
)


def identifier(*checks: pa.Check, **options: object) -> pa.Column:
    """Return a schema for a text column whose cells must not be empty.

    Parameters
    ----------
    *checks : pandera.Check
        Additional checks for the cells.
    **options
        Other keyword arguments for :class:`pandera.Column`.
    """
    return pa.Column(str, [NOT_BLANK, *checks], report_duplicates="exclude_first", **options)


SCHEMAS: dict[str, pa.DataFrameSchema] = {
    "tracks.csv": pa.DataFrameSchema(
        {
            "track_id": identifier(FILE_NAME, unique=True),
            "title": pa.Column(str, ONE_LINE, nullable=True),
            "artist": identifier(ONE_LINE),
            "style": identifier(LABEL),
            "audio": pa.Column(str, nullable=True, required=False),
        }
    ),
    "listeners.csv": pa.DataFrameSchema({"listener_id": identifier(ONE_LINE, unique=True)}),
    "ratings.csv": pa.DataFrameSchema(
        {
            "track_id": identifier(),
            "query": identifier(),
            "rating": pa.Column(str, NUMBER),
            "listener_id": identifier(ONE_LINE, required=False),
        }
    ),
}


def check_table(folder: Path, file: str) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Check one table in a study folder.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder.
    file : str
        Name of the table's file, a key of :data:`SCHEMAS`.

    Returns
    -------
    frame : pandas.DataFrame or None
        The table as text, without empty rows, or None if the file cannot be read. The first line
        below the header has the index 0.
    problems : list of Problem
        All problems found in the table.
    """
    if problems := check_file(folder, file):
        return None, problems
    schema = SCHEMAS[file]
    columns = ", ".join(name for name, column in schema.columns.items() if column.required)
    try:
        expected = f"UTF-8 text, comma-separated, with columns {columns}"
        with reading(folder, file, expected):
            # blank lines are kept at first, so that the index counts lines
            frame = read_csv(folder / file, dtype=str, skip_blank_lines=False)
    except StudyError as error:
        return None, error.problems
    if "rating" in frame:
        frame["rating"] = frame["rating"].mask(frame["rating"].isin(MISSING))
    problems = check_frame(frame, schema, file)
    empty = [each for each in problems if (each.kind, each.column) == ("empty_cell", "rating")]
    if empty:  # combined into one problem, because there may be thousands of rows
        details = {"count": len(empty), "folder": folder}
        first = problem("missing_ratings", file, empty[0].row, "rating", **details)
        problems = [first, *(each for each in problems if each not in empty)]
    return frame, problems


def check_frame(frame: pd.DataFrame, schema: pa.DataFrameSchema, file: str) -> list[Problem]:
    """Check a table against a schema, and convert pandera's failure cases to problems.

    Parameters
    ----------
    frame : pandas.DataFrame
        Table as text; the first line below the header has the index 0.
    schema : pandera.DataFrameSchema
        Schema to check against. The attribute ``error`` of each check must be a key of
        :data:`groove_utils.study.problems.MESSAGES`.
    file : str
        Name of the table's file, for error messages.

    Returns
    -------
    list of Problem
        All problems found in the table.
    """
    problems = []
    if frame.empty:
        problems.append(problem("empty_table", file, expected="rows below the header"))
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases.sort_values(["column", "check", "index"], kind="stable")
        columns = ", ".join(frame.columns)
        for case in cases.itertuples():
            kind, column, row = KINDS.get(case.check, case.check), case.column, case.index
            if kind == "missing_column":
                problems.append(problem(kind, file, column=case.failure_case, columns=columns))
            else:
                problems.append(problem(kind, file, row + 2, column, value=case.failure_case))
    return problems
