"""Tables in Markdown, for pages and cell outputs."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable

import pandas as pd

from groove_utils.stats.wording import format_p

__all__ = ["markdown_table"]


def markdown_table(frame: pd.DataFrame, fmt: str = "{:.2f}") -> str:
    r"""Write a table without its index in Markdown.

    Parameters
    ----------
    frame : DataFrame
    fmt : str
        Format of floating-point numbers. Columns named ``p`` or ``p_…`` hold p-values, and are
        written with three decimals.

    Examples
    --------
    >>> print(markdown_table(pd.DataFrame({"song": ["a|b", None], "p_all": [0.0001, 0.5]})))
    | song | p all |
    |:---|---:|
    | a\|b | < .001 |
    | – | .500 |
    """
    writers = [_p_value if re.match(r"p(_|$)", str(name)) else fmt.format for name in frame]
    sides = ["---:" if pd.api.types.is_numeric_dtype(frame[name]) else ":---" for name in frame]
    rows = [[str(name).replace("_", " ") for name in frame], *frame.itertuples(index=False)]
    lines = ["| " + " | ".join(map(_cell, row, writers)) + " |" for row in rows]
    return "\n".join([lines[0], f"|{'|'.join(sides)}|", *lines[1:]])


def _p_value(p: float) -> str:
    return format_p(p).removeprefix("= ")


def _cell(value: object, write: Callable[[float], str]) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return write(value).replace("-", "−")
    return str(value).replace("|", "\\|").replace("\n", " ")
