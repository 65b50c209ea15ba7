"""Exceptions raised for errors in the book's chapters and pages."""

from groove_utils.errors import DetailedError

__all__ = ["BookError", "ChapterError"]


class BookError(DetailedError):
    """Error raised for an invalid value, figure or page; the message explains how to fix it."""


class ChapterError(BookError):
    """Error raised if a chapter fails; its message identifies the chapter, cell and cause."""
