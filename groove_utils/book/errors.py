"""Exceptions raised for chapters and pages of the book."""

from groove_utils.errors import DetailedError

__all__ = ["BookError", "ChapterError"]


class BookError(DetailedError):
    """Error raised for invalid values, figures or pages; the message explains how to fix it."""


class ChapterError(BookError):
    """Error raised if a chapter fails; its message states the chapter, the cell and the cause."""
