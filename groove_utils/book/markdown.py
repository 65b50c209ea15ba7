"""Conversion of text and tables to Markdown, for pages and cell outputs."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Collection

import numpy as np
import pandas as pd

from groove_utils.stats.wording import format_p

__all__ = ["MystText", "escape_text", "markdown_table"]

# Characters with a special meaning in MyST or HTML, followed by those that are special only at the
# beginning of a line: headings, lists, quotations, fences, options, comments, labels, indented code
MARKUP = re.compile(r"""[\\`*_{}\[\]<>&$|!#~^@"']|^[+\-=:%(]|^\d+[.)](?= |$)""")

# headings of columns whose names are abbreviations
HEADINGS = {"se": "SE", "sd": "SD", "r2": "R²", "rho": "ρ"}


class MystText(str):
    """String of MyST markup, which :func:`escape_text` leaves unchanged."""


def escape_text(text: object) -> str:
    r"""Escape text from a study, so that it is not interpreted as MyST or HTML markup.

    Parameters
    ----------
    text : object
        Any object that can be converted to a string. Line breaks and other white space become
        single spaces.

    Returns
    -------
    str
        The escaped text. It can be used in MyST paragraphs, headings, tables and captions, in the
        text of HTML elements, and in the values of HTML attributes, but not in code.

    Examples
    --------
    >>> escape_text("{download}`x` <b>")
    '&#123;download&#125;&#96;x&#96; &#60;b&#62;'
    >>> escape_text("0.50 (95% CI 0.10 to 0.90, n = 8)")
    '0.50 (95% CI 0.10 to 0.90, n = 8)'
    """
    if isinstance(text, MystText):
        return text
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return MARKUP.sub(_entities, line)


def _entities(match: re.Match) -> str:
    return "".join(c if c.isdigit() else f"&#{ord(c)};" for c in match.group())


def markdown_table(
    frame: pd.DataFrame,
    fmt: str = "{:.2f}",
    *,
    code: Collection[str] = (),
    myst: Collection[str] = (),
) -> MystText:
    r"""Format a DataFrame as a Markdown table, without its index.

    Parameters
    ----------
    frame : DataFrame
        The table; its column names become headings.
    fmt : str
        Format string for floating-point numbers. P-values (columns named ``p`` or ``p_…``) always
        have three decimals. Text is escaped; see :func:`escape_text`.
    code : collection of str
        Columns to format as code, such as hashes.
    myst : collection of str
        Columns that contain MyST markup, such as references, and are therefore not escaped.

    Examples
    --------
    >>> print(markdown_table(pd.DataFrame({"song": ["a|b", None], "p_holm": [0.0001, 0.5]})))
    | song | p (Holm) |
    |:---|---:|
    | a&#124;b | < .001 |
    | – | .500 |
    """
    writers = [_p_value if re.match(r"p(_|$)", str(name)) else fmt.format for name in frame]
    sides = ["---:" if pd.api.types.is_numeric_dtype(frame[name]) else ":---" for name in frame]
    texts = [_code if name in code else str if name in myst else escape_text for name in frame]
    names = [escape_text(_heading(str(name))) for name in frame]
    rows = [map(_cell, row, writers, texts) for row in frame.itertuples(index=False)]
    lines = ["| " + " | ".join(cells) + " |" for cells in [names, *rows]]
    return MystText("\n".join([lines[0], f"|{'|'.join(sides)}|", *lines[1:]]))


def _heading(column: str) -> str:
    """Return the heading for a column, such as “p (Holm)” for ``p_holm``."""
    if column in HEADINGS:
        return HEADINGS[column]
    if kind := re.fullmatch(r"(.+)_(ms|hz|db)|(p)_(.+)", column):
        what, unit = kind[1] or kind[3], kind[2] or kind[4]
        unit = {"hz": "Hz", "db": "dB", "holm": "Holm"}.get(unit, unit)
        return f"{what} ({unit})".replace("_", " ")
    return column.replace("_", " ")


def _p_value(p: float) -> str:
    return format_p(p).removeprefix("= ")


def _cell(value: object, write: Callable[[float], str], text: Callable[[str], str]) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, numbers.Real):
        written = write(value)  # the minus sign of −0.00 is removed below
        return (written if re.search("[1-9a-z]", written) else written.lstrip("-")).replace(
            "-", "−"
        )
    return text(str(value))


def _code(text: str) -> str:
    """Format text as code, replacing characters that would end the code or the table cell."""
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', '¦')}`"
