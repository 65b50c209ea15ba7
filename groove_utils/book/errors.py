"""Errors of chapters and pages."""

from groove_utils.errors import DetailedError

__all__ = ["BookError", "ChapterError"]


class BookError(DetailedError):
    """Something reported, shown or built does not fit the book; the message says how to fix it."""


class ChapterError(BookError):
    """A chapter that failed; the message names the chapter, the cell and the error."""
