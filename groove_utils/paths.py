"""Paths of the project's folders, including those for generated files."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["build_folder", "cache_folder", "project_root", "safe_name"]

RESERVED = {
    "cache",
    "models",
    "numba",
    "exercises",
    "removed",
    "site",
}  # names of other folders in build/


def project_root() -> Path:
    """Return the root of this package's source checkout, or the current folder if there is none."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "analysis").is_dir() else Path.cwd()


def build_folder(study_name: str = "demo") -> Path:
    """Return the folder for a study's generated files: ``$GROOVE_BUILD`` or ``build/<study>``.

    The chapter runner in :mod:`groove_utils.book` sets ``GROOVE_BUILD`` for each chapter.
    """
    chosen = os.environ.get("GROOVE_BUILD")
    return Path(chosen) if chosen else project_root() / "build" / safe_name(study_name)


def safe_name(study_name: str) -> str:
    """Return a study's name with characters that are unsafe in Make or a shell replaced by hyphens.

    Names that the project uses for other folders, and names that consist only of dots, get the
    suffix ``-study``.

    Examples
    --------
    >>> safe_name('my "own" study'), safe_name("cache")
    ('my--own--study', 'cache-study')
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "-", study_name)
    return f"{name}-study" if name in RESERVED or not name.strip(".") else name


def cache_folder() -> Path:
    """Return the folder for cached results: ``$GROOVE_CACHE`` or ``build/cache``."""
    chosen = os.environ.get("GROOVE_CACHE")
    return Path(chosen) if chosen else project_root() / "build" / "cache"
