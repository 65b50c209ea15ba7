"""Read the cells of workbooks and delimited text files."""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import pandas as pd
from openpyxl import load_workbook

from groove_utils.study.containment import LARGEST_TABLE
from groove_utils.study.problems import StudyError, problem, reading
from groove_utils.study.text import plain_text

__all__ = ["read_worksheets"]

EMPTY = {"keep_default_na": False, "na_values": [""]}  # for pandas: only empty cells are missing
EXPECTED = "a workbook, or delimited UTF-8 text with a header"
BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
OLE = b"\xd0\xcf\x11\xe0"  # first bytes of Excel 97 workbooks and of password-protected ones
# first bytes of other files that contain tables
FORMATS = {
    b"PK": "an archive, or a workbook from a program other than Excel",
    b"$FL": "an SPSS data file",
    b"<stata": "a Stata data file",
    b"{": "JSON",
    b"[": "JSON",
    b"%PDF": "a PDF",
}


def read_worksheets(path: Path, worksheet: str | None = None) -> dict[str, pd.DataFrame]:
    """Read the cells of a spreadsheet without converting them.

    Parameters
    ----------
    path : pathlib.Path
        CSV file (any separator; UTF-8 or UTF-16) or XLSX file.
    worksheet : str, optional
        Name of the worksheet to read; by default, all worksheets that are not hidden.

    Returns
    -------
    dict of str to DataFrame
        Non-empty worksheets by name. Each contains the cells below its header, indexed by line
        number. The worksheet with the most filled cells comes first. A text file has one worksheet,
        whose name is empty.

    Raises
    ------
    StudyError
        If the file is not a spreadsheet, is empty, or has two columns with the same name.
    """
    with reading(path.parent, path.name, EXPECTED):
        if not path.is_file() and path.exists():
            kind = "folder_of_tables" if path.is_dir() else "not_a_file"
            raise StudyError(path.parent, [problem(kind, path.name, value=path.name)])
        with path.open("rb") as file:
            start = file.read(1024)
        if start.startswith(OLE):
            raise StudyError(path.parent, [problem("old_workbook", path.name)])
        archive = ZipFile(path) if is_zipfile(path) else None
        _check_size(path, archive)
        if archive and "xl/workbook.xml" in archive.namelist():
            sheets = _read_workbook(path, worksheet)
        elif path.suffix.lower() in {".xlsx", ".xlsm"}:
            raise ValueError("not an Excel workbook")
        else:
            sheets = {"": _read_text(path, start)}
        sheets = {name: _name_columns(path, sheet) for name, sheet in sheets.items() if len(sheet)}
    if not sheets:
        raise StudyError(path.parent, [problem("empty_table", path.name, expected="cells")])
    # the sort is stable: worksheets of the same size keep their order in the workbook
    return dict(sorted(sheets.items(), key=lambda item: -item[1].notna().to_numpy().sum()))


def _read_workbook(path: Path, worksheet: str | None) -> dict[str, pd.DataFrame]:
    sheets = {}
    with warnings.catch_warnings(), path.open("rb") as file:  # openpyxl rejects other suffixes
        warnings.simplefilter("ignore")  # for content that openpyxl ignores, such as pictures
        pages = {page.title: page for page in load_workbook(file).worksheets}
    if worksheet is not None and worksheet not in pages:
        details = {"value": worksheet, "worksheets": ", ".join(pages)}
        raise StudyError(path.parent, [problem("unknown_worksheet", path.name, **details)])
    visible = [name for name, page in pages.items() if page.sheet_state == "visible"]
    with path.open("rb") as file, pd.ExcelFile(file) as book:
        for name in visible if worksheet is None else [worksheet]:
            sheet = pd.read_excel(book, name, dtype=object, header=None, **EMPTY)
            if sheet.isna().to_numpy().any():
                _fill_merged(sheet, pages[name])
            sheets[name] = sheet
    return sheets


def _fill_merged(sheet: pd.DataFrame, page) -> None:
    """Copy the value of vertically merged cells into every row that they span."""
    for place in page.merged_cells.ranges:
        inside = place.max_row <= len(sheet) and place.max_col <= sheet.shape[1]
        if place.min_col == place.max_col and inside:
            rows, column = slice(place.min_row - 1, place.max_row), place.min_col - 1
            sheet.iloc[rows, column] = sheet.iloc[place.min_row - 1, column]


def _read_text(path: Path, start: bytes) -> pd.DataFrame:
    formats = [text for mark, text in FORMATS.items() if start.lstrip().startswith(mark)]
    zeros = [start[k::2].count(0) for k in (0, 1)]
    encoding = "utf-8-sig"
    if start.startswith(BYTE_ORDER_MARKS):
        encoding = "utf-16"
    elif max(zeros) > len(start) / 4 and not min(zeros):  # UTF-16 without a byte order mark
        encoding = "utf-16-be" if zeros[0] else "utf-16-le"
    elif b"\0" in start:
        formats = formats or ["a binary file"]
    if formats:
        raise StudyError(path.parent, [problem("no_spreadsheet", path.name, value=formats[0])])
    text = path.read_text(encoding=encoding)
    if re.match(r"\s*<(!doctype|html|table)", text, re.IGNORECASE):
        raise ValueError("a web page")
    sep_line = re.match(r"sep=(.)\s*\n", text)
    text = text[sep_line.end() :] if sep_line else text
    separator = sep_line.group(1) if sep_line else _separator(text)
    options = {"header": None, "skip_blank_lines": False, "engine": "python", **EMPTY}
    sheet = pd.read_csv(io.StringIO(text), sep=separator, dtype=object, **options)
    sheet.index += int(bool(sep_line))
    return sheet


def _name_columns(path: Path, sheet: pd.DataFrame) -> pd.DataFrame:
    """Use the first row, or the row below a title, as the header."""
    sheet.index += 1
    while len(sheet) > 1 and sheet.iloc[0].notna().sum() < 2 <= sheet.iloc[1].notna().sum():
        sheet = sheet.iloc[1:]
    names, header = sheet.iloc[0], sheet.index[0]
    sheet.columns = [
        f"column {k}" if pd.isna(name) else plain_text(name) for k, name in enumerate(names, 1)
    ]
    repeated = sheet.columns[sheet.columns.duplicated()].unique()
    problems = [problem("duplicate_column", path.name, header, name) for name in repeated]
    StudyError.raise_any(path.parent, problems)
    return sheet.iloc[1:].dropna(how="all")


def _check_size(path: Path, archive: ZipFile | None) -> None:
    size = path.stat().st_size
    if archive is not None:
        with archive:
            size = sum(member.file_size for member in archive.infolist())
    if size > LARGEST_TABLE:
        details = {"value": size / 2**20, "limit": LARGEST_TABLE / 2**20}
        raise StudyError(path.parent, [problem("too_large", path.name, **details)])


def _separator(text: str) -> str | None:
    """Find the separator that splits every line into the same number of columns.

    If more than one separator does so, return the one that gives the most columns; if none does,
    return None.
    """
    lines = text.splitlines()[:100]
    widths = {s: {len(row) for row in csv.reader(lines, delimiter=s) if row} for s in ",;\t|"}
    even = {max(width): s for s, width in widths.items() if len(width) == 1}
    return even[max(even)] if even and max(even) > 1 else None
