"""Formatting of numbers and lists for prose, tables and figures."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["format_count", "format_number", "format_p", "join_words", "typeset_minus"]


def join_words(words: Iterable[object], empty: str = "none") -> str:
    """Join words with commas and a final "and"; return `empty` if there are none.

    Examples
    --------
    >>> join_words(["a", "b", "c"]), join_words(["a", "b"]), join_words([])
    ('a, b and c', 'a and b', 'none')
    """
    words = [str(word) for word in words]
    if len(words) < 2:
        return words[0] if words else empty
    return f"{', '.join(words[:-1])} and {words[-1]}"


def format_number(value: float, fmt: str = ".2f") -> str:
    """Format a number with a typographic minus sign; a number that rounds to zero has no sign.

    Examples
    --------
    >>> format_number(-0.456), format_number(-0.001), format_number(12345, ",.0f")
    ('−0.46', '0.00', '12,345')
    >>> format_number(0.4, "+.0f")
    '0'
    """
    text = f"{value:{fmt}}"
    if not re.search("[1-9a-z]", text):  # "nan" and "inf" are not zero
        text = text.lstrip("+-")
    return text.replace("-", "−")


def format_count(count: float, limit: float = 1e6) -> str:
    """Format a count to two significant digits, or return a phrase if it is `limit` or more.

    Examples
    --------
    >>> format_count(1234), format_count(float("inf"))
    ('1200', 'more than any study could include')
    """
    if not count < limit:
        return "more than any study could include"
    return f"{float(f'{count:.2g}'):.0f}"


def format_p(p: float, *, leading_zero: bool = False) -> str:
    """Format a p-value to three decimals, preceded by ``=`` or ``<``; the leading zero is optional.

    Examples
    --------
    >>> format_p(0.0312), format_p(1 / 1001), format_p(0.0002), format_p(0.0312, leading_zero=True)
    ('= .031', '= .001', '< .001', '= 0.031')
    """
    text = "< 0.001" if p < 0.0005 else f"= {p:.3f}"
    return text if leading_zero else text.replace("0.", ".")


def typeset_minus(text: str) -> str:
    """Replace hyphens used as minus signs with typographic minus signs (U+2212).

    Hyphens inside words and names are kept.

    Examples
    --------
    >>> typeset_minus("R² of mert-v1-95m: -0.20 (-0.31 to 1e-05)")
    'R² of mert-v1-95m: −0.20 (−0.31 to 1e−05)'
    """
    return re.sub(r"(?<![\w−-])-(?=[\d.]|inf)|(?<=\de)-(?=\d)", "−", text)
