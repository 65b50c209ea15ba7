"""Folders of the project and of its generated files."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["build_folder", "cache_folder", "project_root"]


def project_root() -> Path:
    """Return the checkout that this package was installed from, or the current folder."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "analysis").is_dir() else Path.cwd()


def build_folder(study_name: str = "demo") -> Path:
    """Return the folder of a study's generated files: ``$GROOVE_BUILD``, or ``build/<study>``.

    The runner of :mod:`groove_utils.book` sets ``GROOVE_BUILD`` for the chapters it executes.
    """
    chosen = os.environ.get("GROOVE_BUILD")
    return Path(chosen) if chosen else project_root() / "build" / study_name


def cache_folder() -> Path:
    """Return the folder of cached results: ``$GROOVE_CACHE``, or ``build/cache``."""
    chosen = os.environ.get("GROOVE_CACHE")
    return Path(chosen) if chosen else project_root() / "build" / "cache"
