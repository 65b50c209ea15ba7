"""Verdict words, chosen from intervals and never from estimates alone."""

from __future__ import annotations

__all__ = ["pick_verdict"]


def pick_verdict(row, positive: str, negative: str, unclear: str) -> str:
    """Pick a verdict from the sign of an interval.

    Parameters
    ----------
    row : Series or mapping
        With ``low`` and ``high``.
    positive, negative, unclear : str
        Verdicts for an interval above 0, below 0, and one that holds 0.

    Examples
    --------
    >>> pick_verdict({"low": 0.1, "high": 0.3}, "better", "worse", "not clearly different")
    'better'
    """
    return positive if row["low"] > 0 else negative if row["high"] < 0 else unclear
