"""Errors, warnings and common checks for mixed models and rating reliability."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from groove_utils.errors import DetailedError

__all__ = ["LmmError", "LmmWarning", "check_columns", "check_known", "check_range"]


class LmmError(DetailedError):
    """Error raised for an invalid model, table or setting; the message describes the remedy."""


class LmmWarning(UserWarning):
    """Warning about a property of a fitted model that affects its interpretation."""


def check_known(value, known: Collection, what: str) -> None:
    """Raise an error (``kind="unknown"``, ``column=what``) if `value` is not one of `known`."""
    if value not in known:
        names = ", ".join(map(str, known)) or "none"
        message = f"{value!r} is not a known {what}. Known values: {names}."
        raise LmmError(message, kind="unknown", column=what, value=value)


def check_columns(names: Collection[str], table: pd.DataFrame, what: str) -> None:
    """Raise an error (``kind="missing_column"``) if a table lacks one of the named columns."""
    for name in names:
        if name not in table.columns:
            columns = ", ".join(map(str, table.columns))
            message = f"{what} needs column '{name}', but the table has only: {columns}."
            raise LmmError(message, kind="missing_column", column=name)


def check_range(name: str, value, inside: bool, expected: str) -> None:
    """Raise an error (``kind="out_of_range"``) unless a value is in range (`inside` is True)."""
    if not inside:
        message = f"{name} is {value!r}; expected {expected}."
        raise LmmError(message, kind="out_of_range", column=name, value=value)
