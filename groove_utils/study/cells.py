"""Numbers and names in the cells of spreadsheets."""

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

SOUND_SUFFIX = re.compile(rf"\.({'|'.join(s[1:] for s in AUDIO_SUFFIXES)})\b", re.IGNORECASE)
LABELLED = re.compile(r"(-?\d+)(?:\s+[-–—]\s+|\s*[=:(]\s*)[^\W\d].*")  # 7 - very much
DECIMAL_COMMA = re.compile(r"-?(\d+),(\d+)")


def clean_answers(cells: pd.Series) -> pd.Series:
    """Blank the spellings of missing numbers, and strip labels and percent signs from others.

    Decimal commas become points, ``7 - very much`` becomes ``7``, and ``40%`` becomes ``40``.
    Minus signs and the digits of other scripts become those of ASCII.
    """
    texts = cells.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    words = {*map(str.casefold, MISSING), "", "-", "–", "."}
    texts = texts.mask(texts.map(lambda cell: isinstance(cell, str) and cell.casefold() in words))
    commas = [DECIMAL_COMMA.fullmatch(text) for text in texts if isinstance(text, str)]
    # "1,500" may be one and a half thousand, unless another cell of the column is like "1,5"
    decimals = any(match and (len(match[2]) != 3 or match[1] == "0") for match in commas)

    def number(cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        if not cell.isascii():
            digits = [unicodedata.decimal(letter, letter) for letter in cell]
            cell = "".join(map(str, digits)).replace("\u2212", "-")
        labelled = LABELLED.fullmatch(cell)
        text = labelled[1] if labelled else re.sub(r"(?<=\d)\s*%$", "", cell)
        return text.replace(",", ".") if decimals and DECIMAL_COMMA.fullmatch(text) else text

    return texts.map(number)


def to_numbers(cells: pd.Series) -> pd.Series:
    """Convert cells to numbers, and all others, such as TRUE or dates, to NaN."""
    cells = cells.astype(object)
    other = [isinstance(cell, bool | datetime.date | datetime.time) for cell in cells]
    return pd.to_numeric(cells.mask(np.array(other, dtype=bool)), errors="coerce")


def listener_name(cell: object) -> str:
    """Return a listener's name; numbers lose the ``.0`` that they gain in a column with gaps."""
    return re.sub(r"(?<=\d)\.0+$", "", plain_text(cell))


def track_name(cell: object) -> str:
    """Return a track's name from a cell that may contain a path or a file name."""
    text = plain_text(cell)
    suffix = SOUND_SUFFIX.search(text)
    if suffix and suffix.end() == len(text):
        text = PurePosixPath(text.replace("\\", "/")).name
        text = text[: SOUND_SUFFIX.search(text).start()]
    return plain_text(text)
