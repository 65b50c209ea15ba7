"""Exceptions that store details as attributes, so that callers need not parse messages."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping

__all__ = ["DetailedError", "ErrorDetails", "describe_os_error", "list_problems"]

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}


class ErrorDetails(Exception):
    """Mixin class that stores the details of an error as attributes of the exception.

    Parameters
    ----------
    message : str
        Error message: what was found and where, what was expected, and how to fix the problem.
    kind : str
        Short identifier for the kind of error, such as ``"missing_file"`` or ``"not_finite"``.
    path : path-like, optional
        File in which the error was found.
    row : int, optional
        Line number in the file; the header is line 1.
    column : str, optional
        Column, parameter or field with the invalid value.
    value : object, optional
        The invalid value.
    """

    def __init__(
        self,
        message: str = "",
        *,
        kind: str = "",
        path: str | os.PathLike | None = None,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
    ):
        super().__init__(message)
        self.kind, self.path, self.row = kind, path, row
        self.column, self.value = column, value


class DetailedError(ErrorDetails, ValueError):
    """Base class for this package's errors about invalid data and settings.

    Examples
    --------
    >>> error = DetailedError(
    ...     "alpha is -1; expected a number above 0", kind="out_of_range", column="alpha", value=-1
    ... )
    >>> error.kind, error.column, error.value
    ('out_of_range', 'alpha', -1)
    """


def list_problems(problems: Mapping[str, str], what: str) -> str:
    """Format problems with tracks as text: a heading, followed by one line per track.

    Parameters
    ----------
    problems : mapping of str to str
        Description of each track's problem, keyed by track ID.
    what : str
        Text that follows the number of tracks in the heading.

    Examples
    --------
    >>> print(list_problems({"song1": "the file is empty."}, "cannot be embedded"))
    1 track cannot be embedded:
      song1: the file is empty.
    """
    count = "1 track" if len(problems) == 1 else f"{len(problems)} tracks"
    lines = [f"  {track}: {text}" for track, text in problems.items()]
    return "\n".join([f"{count} {what}:", *lines])


def describe_os_error(error: OSError, place: str | os.PathLike | None = None) -> str:
    """Describe a file-system error and, for common errors, suggest a fix.

    Parameters
    ----------
    error : OSError
        Error to describe.
    place : path-like, optional
        File or folder to name in the description if `error` does not name one.

    Examples
    --------
    >>> describe_os_error(OSError(28, "No space left on device", "values.json"))
    'values.json: No space left on device. Free some space on the disk and try again.'
    """
    if error.strerror is None:
        return str(error)
    path = error.filename or place
    where = f"{os.path.relpath(path)}: " if path else ""
    remedy = ""
    if error.errno in DISK_FULL:
        remedy = " Free some space on the disk and try again."
    elif error.errno in NOT_WRITABLE:
        remedy = " Change the permissions, or use a folder that you can read and write."
    return f"{where}{error.strerror}.{remedy}"
