"""Error and warning of the mixed models and of the reliability of ratings."""

from __future__ import annotations

from groove_utils.errors import DetailedError

__all__ = ["LmmError", "LmmWarning"]


class LmmError(DetailedError):
    """Report a model, table or setting that cannot be used; the message says how to fix it."""


class LmmWarning(UserWarning):
    """Warn of a property of a fitted model that affects how it is read."""
