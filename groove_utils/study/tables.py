"""Read and write the tables in a study folder."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import yaml

from groove_utils.files import write_if_changed
from groove_utils.study.problems import StudyError, problem
from groove_utils.study.text import plain_text

__all__ = [
    "MISSING", "RATING_COLUMNS", "as_numbers", "drop_missing_ratings", "query_scales", "read_csv",
    "read_table", "unread_columns", "write_study",
]  # fmt: skip

IDENTIFIERS = ("track_id", "listener_id", "query", "title", "artist", "style", "audio")
RATING_COLUMNS = ("track_id", "query", "rating", "listener_id")
# columns reserved for each table: other tables may not have them, because the tables are joined
OWN_COLUMNS = {
    "tracks.csv": {"track_id", "title", "artist", "style", "audio"},
    "listeners.csv": {"listener_id"},
    "ratings.csv": {*RATING_COLUMNS},
}
# Spellings of a missing number. In text columns, they are ordinary text: an artist may be called
# None, and NA is the country code of Namibia.
MISSING = ("NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None")


def read_csv(path: Path, **options: object) -> pd.DataFrame:
    """Read a table, and drop its empty rows; only empty cells are treated as missing.

    Names and identifiers are normalised; see :func:`groove_utils.study.text.plain_text`. Artefacts
    of spreadsheet programs are tolerated: empty rows at the end, a comma at the end of each row,
    semicolons or tabs instead of commas, and a first line such as ``sep=;``.

    Parameters
    ----------
    path : pathlib.Path
        CSV file.
    **options
        Keyword arguments for :func:`pandas.read_csv`.

    Raises
    ------
    StudyError
        If two columns have the same name, a non-empty column has no name, or rows are longer than
        the header.
    """
    separator, names, skipped = _read_header(path)
    repeated = dict.fromkeys(name for name in names if name and names.count(name) > 1)
    problems = [problem("duplicate_column", path.name, skipped + 1, name) for name in repeated]
    StudyError.raise_any(path.parent, problems)
    options |= {"sep": separator, "skiprows": skipped, "keep_default_na": False, "na_values": [""]}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, encoding="utf-8-sig", index_col=False, **options)
    except pd.errors.ParserWarning as error:
        raise StudyError(path.parent, [problem("long_rows", path.name)]) from error
    frame.index += skipped
    frame.columns = [plain_text(name) for name in frame.columns]
    unnamed = [name for name in frame if re.fullmatch(r"Unnamed: \d+", name)]
    filled = [name for name in unnamed if frame[name].notna().any()]
    problems = [
        problem("unnamed_column", path.name, skipped + 1, value=frame[name].dropna().iloc[0])
        for name in filled
    ]
    StudyError.raise_any(path.parent, problems)
    frame = frame.drop(columns=unnamed)
    for name in frame.columns.intersection(IDENTIFIERS[:-1]):
        texts = frame[name].map(plain_text, na_action="ignore")
        frame[name] = texts.astype(frame[name].dtype)  # even if all cells are empty
    return frame.dropna(how="all")


def _read_header(path: Path) -> tuple[str, list[str], int]:
    """Return a table's separator, its column names, and the number of lines above them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = [file.readline(1 << 16), file.readline(1 << 16)]
    sep_line = re.fullmatch(r"sep=(.)\s*", lines[0])
    header = lines[1 if sep_line else 0]
    guess = "," if "," in header else next((mark for mark in ";\t" if mark in header), ",")
    separator = sep_line.group(1) if sep_line else guess
    names = next(csv.reader([header], delimiter=separator), [])
    return separator, [plain_text(name) for name in names], int(bool(sep_line))


def read_table(folder: Path, file: str) -> pd.DataFrame:
    """Read one of a study's tables, with identifiers as text and numeric columns as numbers.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder.
    file : str
        Path of the table in the study folder, such as ``tracks.csv``.

    Returns
    -------
    pandas.DataFrame
    """
    frame = read_csv(folder / file, dtype=dict.fromkeys(IDENTIFIERS, str)).reset_index(drop=True)
    others = [name for name in frame if name not in IDENTIFIERS]
    return frame.assign(**{name: as_numbers(frame[name]) for name in others})


def unread_columns(file: str, columns: Iterable[str]) -> list[str]:
    """Return the table columns that no analysis reads.

    In ``ratings.csv``, these are all columns except track_id, query, rating and listener_id. In
    ``tracks.csv`` and ``listeners.csv``, these are columns whose names are reserved for another
    table.

    Examples
    --------
    >>> unread_columns("listeners.csv", ["listener_id", "age", "style"])
    ['style']
    """
    expected = OWN_COLUMNS[file]
    if file == "ratings.csv":
        return [name for name in columns if name not in expected]
    others = set().union(*OWN_COLUMNS.values()) - expected
    return [name for name in columns if name in others]


def as_numbers(column: pd.Series) -> pd.Series:
    """Convert a column to numbers if all of its cells are numeric or missing.

    A column that contains other cells, or no numbers at all, is returned unchanged.
    """
    if pd.api.types.is_numeric_dtype(column):
        return column
    present = column.mask(column.isin(MISSING))
    numbers = pd.to_numeric(present, errors="coerce")
    numeric = numbers.notna().any() and (numbers.notna() == present.notna()).all()
    return numbers if numeric else column


def query_scales(meta: dict) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest possible rating for each query.

    In ``study.yml``, a query is given either by its wording alone or by a mapping with a
    ``wording`` and, optionally, a ``scale``. Queries without their own scale use the study's scale.

    Parameters
    ----------
    meta : dict
        Content of ``study.yml``.

    Examples
    --------
    >>> query_scales({"scale": [1, 7], "queries": {"dance": "I would like to dance"}})
    {'dance': (1.0, 7.0)}
    """
    scales = {}
    for query, entry in meta["queries"].items():
        scale = entry.get("scale") if isinstance(entry, dict) else None
        low, high = scale or meta["scale"]
        scales[query] = (float(low), float(high))
    return scales


def drop_missing_ratings(folder: Path) -> int:
    """Delete rows without a rating from ``ratings.csv``, and return the number of deleted rows."""
    table = read_csv(folder / "ratings.csv", dtype=str)
    answered = table["rating"].mask(table["rating"].isin(MISSING)).notna()
    if not answered.all():
        write_if_changed(folder / "ratings.csv", table[answered].to_csv(index=False))
    return int((~answered).sum())


class _Dumper(yaml.SafeDumper):
    """YAML dumper that writes repeated objects in full instead of using aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def write_study(folder: Path, meta: dict, **tables: pd.DataFrame) -> Path:
    """Write a study's tables and its ``study.yml``; unchanged files are not rewritten.

    The file ``study.yml`` is written last, so a folder that contains it is complete.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder.
    meta : dict
        Content of ``study.yml``.
    **tables : DataFrame
        Tables to write; the keywords are the file names without ``.csv``.
    """
    for name, table in tables.items():
        write_if_changed(folder / f"{name}.csv", table.to_csv(index=False))
    text = yaml.dump(meta, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    write_if_changed(folder / "study.yml", text)
    return folder
