"""Convert spreadsheet cells to numbers and names."""

from __future__ import annotations

import datetime
import re
import unicodedata
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from groove_utils.audio.suffixes import AUDIO_SUFFIXES
from groove_utils.study.tables import MISSING
from groove_utils.study.text import plain_text

__all__ = ["SOUND_SUFFIX", "clean_answers", "listener_name", "to_numbers", "track_name"]

SUFFIX = rf"\.({'|'.join(s[1:] for s in AUDIO_SUFFIXES)})"
SOUND_SUFFIX = re.compile(rf"{SUFFIX}(?![^\W_])", re.IGNORECASE)  # also inside "song.mp3_liking"
LAST_SUFFIX = re.compile(rf"{SUFFIX}\Z", re.IGNORECASE)
LABELLED = re.compile(r"(-?\d+)(?:\s+[-–—]\s+|\s*[=:(]\s*)[^\W\d].*")  # such as "7 - very much"
DECIMAL_COMMA = re.compile(r"-?(\d+),(\d+)")
PERCENT = re.compile(r"(?<=\d)\s*%$")


def clean_answers(cells: pd.Series, queries: pd.Series | None = None) -> pd.Series:
    """Replace missing-value markers with NaN, and strip labels and percent signs from ratings.

    Decimal commas become points, ``7 - very much`` becomes ``7``, and ``40%`` becomes ``40``.
    Percent signs are kept if any number for the same query has none, as in 0.3. Typographic minus
    signs, and digits in other scripts, become ASCII characters.

    Parameters
    ----------
    cells : Series
        Cells that contain ratings.
    queries : Series, optional
        Query that each cell belongs to; by default, all cells belong to the same query.

    Returns
    -------
    Series
        The cleaned cells. Numbers may still be stored as text; other text is unchanged.
    """
    texts = cells.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    words = {*map(str.casefold, MISSING), "", "-", "–", "."}
    texts = texts.mask(texts.map(lambda cell: isinstance(cell, str) and cell.casefold() in words))
    texts = _strip_percent_signs(texts, queries)
    commas = [DECIMAL_COMMA.fullmatch(text) for text in texts if isinstance(text, str)]
    # "1,500" may mean 1500, unless another cell, such as "1,5", shows that commas are decimal
    decimals = any(match and (len(match[2]) != 3 or match[1] == "0") for match in commas)

    def number(cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        if not cell.isascii():
            digits = [unicodedata.decimal(letter, letter) for letter in cell]
            cell = "".join(map(str, digits)).replace("\u2212", "-")
        labelled = LABELLED.fullmatch(cell)
        text = labelled[1] if labelled else cell
        return text.replace(",", ".") if decimals and DECIMAL_COMMA.fullmatch(text) else text

    return texts.map(number)


def _strip_percent_signs(texts: pd.Series, queries: pd.Series | None) -> pd.Series:
    """Strip percent signs from the cells of each query in which every number has one."""
    signs = texts.map(lambda cell: isinstance(cell, str) and bool(PERCENT.search(cell)))
    if not signs.any():
        return texts
    numbers = texts.map(lambda cell: not isinstance(cell, str) or bool(re.search(r"\d", cell)))
    groups = np.zeros(len(texts)) if queries is None else queries.to_numpy()
    mixed = (texts.notna() & numbers & ~signs).groupby(groups).transform("any").eq(True)
    cells = [PERCENT.sub("", cell) if ok else cell for cell, ok in zip(texts, signs & ~mixed)]
    return pd.Series(cells, texts.index, dtype=object)


def to_numbers(cells: pd.Series) -> pd.Series:
    """Convert cells to numbers; cells that are not numeric, such as TRUE or dates, become NaN."""
    cells = cells.astype(object)
    other = [isinstance(cell, bool | datetime.date | datetime.time) for cell in cells]
    return pd.to_numeric(cells.mask(np.array(other, dtype=bool)), errors="coerce")


def listener_name(cell: object) -> str:
    """Convert a cell to a listener's name; drop the ``.0`` of integers stored as floats."""
    return re.sub(r"(?<=\d)\.0+$", "", plain_text(cell))


def track_name(cell: object) -> str:
    """Extract a track's name from a cell that may contain a path or a file name."""
    text = plain_text(cell)
    if LAST_SUFFIX.search(text):
        text = LAST_SUFFIX.sub("", PurePosixPath(text.replace("\\", "/")).name)
    return plain_text(text)
