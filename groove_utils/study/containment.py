"""Check that a study's files are regular files inside the study folder and not too large."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from groove_utils.study.problems import Problem, problem

__all__ = ["LARGEST_TABLE", "check_file", "check_folder", "find_file"]

LARGEST_TABLE = 256 << 20  # bytes; enough for about ten million ratings


def find_file(folder: Path, file: str) -> Path:
    """Return the path of a study's file, even if accents in its name are encoded differently on
    disk.

    macOS stores accents in file names as separate characters (Unicode normalisation form NFD). If
    the file does not exist, ``folder / file`` is returned.

    Examples
    --------
    >>> find_file(Path("study"), "audio/song.wav").as_posix()
    'study/audio/song.wav'
    """
    for form in ("NFC", "NFD"):
        path = folder / unicodedata.normalize(form, file)
        if path.exists():
            return path
    return folder / file


def check_file(
    folder: Path, file: str, row: int | None = None, column: str | None = None,
    *, source: str | None = None, largest: int | None = LARGEST_TABLE,
) -> list[Problem]:  # fmt: skip
    """Check that a study's file is safe to open.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder.
    file : str
        Path of the file as written in the study, relative to the study folder.
    row, column : optional
        Row and column that contain the path.
    source : str, optional
        File to which a problem is attributed, such as the table that contains the path; by default,
        `file` itself.
    largest : int, optional
        Maximum size in bytes; None for no limit.

    Returns
    -------
    list of Problem
        At most one problem, with one of these kinds: ``outside_folder`` for a path that leads
        outside the study folder, directly or through symbolic links; ``not_a_file`` for a pipe, a
        device or a folder; ``too_large`` for a file larger than `largest`; ``invalid_path`` for a
        path that cannot be resolved. A missing file is not reported.
    """
    place = (source or file, row, column)
    try:
        path = find_file(folder, file)
        if Path(file).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
            return [problem("outside_folder", *place, value=file)]
        if path.exists() and not path.is_file():
            return [problem("not_a_file", *place, value=file)]
        size = path.stat().st_size if path.is_file() else 0
    except (OSError, ValueError, RuntimeError) as error:
        # such as a NUL character, a name that is too long, or a loop of symbolic links
        return [problem("invalid_path", *place, value=file, error=error)]
    if largest is not None and size > largest:
        details = {"value": size / 2**20, "limit": largest / 2**20}
        return [problem("too_large", *place, **details)]
    return []


def check_folder(folder: Path, place: str) -> list[Problem]:
    """Check that a folder in a study does not lead outside the study folder through a link."""
    if (folder / place).resolve().is_relative_to(folder.resolve()):
        return []
    return [problem("outside_folder", place, value=place)]
