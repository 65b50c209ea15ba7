"""Exceptions raised for chapters and pages of the book."""

from groove_utils.errors import DetailedError

__all__ = ["BookError", "ChapterError"]


class BookError(DetailedError):
    """Error raised for invalid values, figures or pages; the message says how to fix it."""


class ChapterError(BookError):
    """Error raised if a chapter fails; the message names the chapter, the cell and the error."""
