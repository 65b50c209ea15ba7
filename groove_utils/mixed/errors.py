"""Error and warning of the mixed models and of the reliability of ratings, and common checks."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from groove_utils.errors import DetailedError

__all__ = ["LmmError", "LmmWarning", "check_columns", "check_known", "check_range"]


class LmmError(DetailedError):
    """Report a model, table or setting that cannot be used; the message says how to fix it."""


class LmmWarning(UserWarning):
    """Warn of a property of a fitted model that affects how it is read."""


def check_known(value, known: Collection, what: str) -> None:
    """Raise, with kind ``unknown`` and column `what`, unless a value is one of those known."""
    if value not in known:
        names = ", ".join(map(str, known)) or "none"
        message = f"{value!r} is not a known {what}. Known ones: {names}."
        raise LmmError(message, kind="unknown", column=what, value=value)


def check_columns(names: Collection[str], table: pd.DataFrame, what: str) -> None:
    """Raise, with kind ``missing_column``, unless a table has all columns that `what` needs."""
    for name in names:
        if name not in table.columns:
            columns = ", ".join(map(str, table.columns))
            message = f"{what} needs column '{name}', which the table lacks. It has: {columns}."
            raise LmmError(message, kind="missing_column", column=name)


def check_range(name: str, value, inside: bool, expected: str) -> None:
    """Raise, with kind ``out_of_range``, unless a parameter is inside its range."""
    if not inside:
        message = f"{name} is {value!r}; expected {expected}."
        raise LmmError(message, kind="out_of_range", column=name, value=value)
