"""Depfiles: the files that a result was made with, as a Makefile fragment (``gcc -MD -MP``).

Make runs a chapter or makes a study again when a file in its depfile has changed. The list is only
as exact as imports are lazy.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

from groove_utils.paths import project_root

__all__ = ["depfile", "package_files", "watch_files"]

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
# a closing parenthesis at the end would make the name a member of an archive
UNSAFE_IN_MAKE = re.compile(r"[^\w./ ,()'+-]|\)$")


_opened: set[str] = set()


def watch_files() -> None:
    """Record from now on which files of this package the process opens, such as its data files."""

    def note(event: str, arguments: tuple) -> None:
        if event == "open" and str(arguments[0]).startswith(PACKAGE):
            _opened.add(str(arguments[0]))

    sys.addaudithook(note)


def package_files() -> list[str]:
    """List the files of this package that the process has imported, or opened while watched."""
    modules = list(sys.modules.values())
    files = _opened | {getattr(module, "__file__", None) or "" for module in modules}
    return sorted(f for f in files if f.startswith(PACKAGE) and not f.endswith(".pyc"))


def depfile(
    target: str | os.PathLike,
    files: Iterable[str | os.PathLike],
    cover: str | os.PathLike | None = None,
) -> str:
    r"""Write the dependencies of a target as a Makefile fragment.

    Parameters
    ----------
    target : path-like
    files : iterable of path-like
        Files that the target depends on. A file that is deleted later is no error, but a reason
        to make the target again.
    cover : path-like, optional
        File that stands for those whose names a Makefile cannot hold.

    Returns
    -------
    str
        Paths are relative to the project's folder.

    Examples
    --------
    >>> print(depfile("page", ["a b.wav", "50%.wav"], cover="stamp"))
    page: \
      a\ b.wav \
      stamp \
    <BLANKLINE>
    a\ b.wav:
    stamp:
    <BLANKLINE>
    """
    root = project_root()
    target, *names = (os.path.relpath(file, root) for file in [target, *files])
    safe = [name for name in names if not UNSAFE_IN_MAKE.search(name)]
    if cover and len(safe) < len(names):
        safe.append(os.path.relpath(cover, root))
    escaped = [_escape(name) for name in dict.fromkeys(safe)]
    lines = [f"{_escape(target)}: \\", *(f"  {name} \\" for name in escaped)]
    # a rule without recipe each, so that Make does not ask how a deleted file is made
    return "\n".join([*lines, "", *(f"{name}:" for name in escaped), ""])


def _escape(path: str) -> str:
    return path.replace("$", "$$").replace("#", "\\#").replace(" ", "\\ ")
