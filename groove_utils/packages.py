"""Packages that the project requires, and their installed versions."""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from pathlib import Path

from groove_utils.paths import project_root

__all__ = ["imported_packages", "installed_versions", "normalise_name", "required_packages"]

REQUIREMENTS = ("requirements.txt", "requirements-nodeps.txt")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
FOLDER = re.compile(r"(.+)-([^-]+)\.(?:dist|egg)-info")


def required_packages(root: Path | None = None) -> list[str]:
    """List the packages named in the requirements files of a source checkout.

    Parameters
    ----------
    root : pathlib.Path, optional
        Root folder of the checkout; by default, the checkout that contains this package.
    """
    files = [(root or project_root()) / name for name in REQUIREMENTS]
    lines = [
        line for file in files if file.is_file() for line in file.read_text("utf-8").splitlines()
    ]
    matches = (NAME.match(line.split("#")[0].strip()) for line in lines)
    return [match.group() for match in matches if match]


def installed_versions() -> dict[str, str]:
    """Return the versions of all installed packages, keyed by normalised package name.

    The versions are read from folder names, which takes about a millisecond in total;
    :mod:`importlib.metadata` would take about a millisecond per package.
    """
    versions: dict[str, str] = {}
    for folder in filter(os.path.isdir, sys.path):
        for name in os.listdir(folder):
            if match := FOLDER.fullmatch(name):
                versions.setdefault(normalise_name(match[1]), match[2])
    return versions


def imported_packages() -> list[str]:
    """List the required packages that the current process has imported."""
    imported = {name.partition(".")[0] for name in sys.modules}
    return [name for name in required_packages() if imported & _top_level_modules(name)]


def normalise_name(name: str) -> str:
    """Convert a package name to its normalised form: lower case, with hyphens as separators.

    Examples
    --------
    >>> normalise_name("Scikit_learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _top_level_modules(package: str) -> set[str]:
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return set()
    if declared := distribution.read_text("top_level.txt"):
        return set(declared.split())
    return {file.parts[0].removesuffix(".py") for file in distribution.files or ()}
