"""Read and write the tables of a study folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import yaml

from groove_utils.files import write_if_changed

__all__ = ["MISSING", "query_scales", "read_csv", "read_table", "write_study"]

IDENTIFIERS = ("track_id", "listener_id", "query", "title", "artist", "style", "audio")
# Spellings of a missing number. In a column of texts they are ordinary texts: an artist may be
# called None, and NA is a country.
MISSING = ("NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None")


def read_csv(path: Path, **options: object) -> pd.DataFrame:
    """Read a table in which only an empty cell is missing, without its empty rows.

    Empty rows at the end, and a comma after the last cell of each row, are left by spreadsheets.
    """
    frame = pd.read_csv(
        path,
        encoding="utf-8-sig",
        index_col=False,
        keep_default_na=False,
        na_values=[""],
        **options,
    )
    return frame.dropna(how="all")


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
    frame = read_csv(folder / file, dtype=dict.fromkeys(IDENTIFIERS, str)).reset_index(drop=True)
    others = [name for name in frame if name not in IDENTIFIERS]
    return frame.assign(**{name: _as_numbers(frame[name]) for name in others})


def _as_numbers(column: pd.Series) -> pd.Series:
    """Convert a column of numbers with some missing; return any other column as it is."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    present = column.mask(column.isin(MISSING))
    numbers = pd.to_numeric(present, errors="coerce")
    numeric = numbers.notna().any() and (numbers.notna() == present.notna()).all()
    return numbers if numeric else column


def query_scales(meta: dict) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest possible rating of each query.

    A query in ``study.yml`` is either its wording, and then has the study's scale, or a mapping
    with ``wording`` and a ``scale`` of its own.

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


def write_study(folder: Path, meta: dict, **tables: pd.DataFrame) -> Path:
    """Write a study's tables and its ``study.yml``; leave files alone that would not change.

    ``study.yml`` is written last, so a folder that has one is complete.
    """
    for name, table in tables.items():
        write_if_changed(folder / f"{name}.csv", table.to_csv(index=False))
    text = yaml.safe_dump(meta, sort_keys=False, allow_unicode=True)
    write_if_changed(folder / "study.yml", text)
    return folder
