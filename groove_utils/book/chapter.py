"""State of the open chapter: its study, its tables, and the values that it has reported."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

import pandas as pd

from groove_utils.book.errors import BookError
from groove_utils.files import atomic_path, write_if_changed
from groove_utils.manifest import package_files
from groove_utils.packages import imported_packages
from groove_utils.paths import build_folder
from groove_utils.study import Study, load_study

__all__ = [
    "Chapter", "current_chapter", "finish_chapter", "has_table", "in_book", "open_chapter",
    "study_tables",
]  # fmt: skip

DECLARED = "GROOVE_TABLES"  # environment variable: tables the chapter may read and write, as JSON
NOTHING_RUN = {
    "values": {}, "names": [], "files": [], "packages": [], "tables_written": [],
    "peak_memory_mib": 0,
}  # fmt: skip
"""Record of a chapter that was skipped entirely. A record contains the chapter's reported values;
the names of its values, figures and tables; the files of ``groove_utils`` and of the study that it
used; the packages that it imported; the tables that it wrote; and its peak memory use in MiB."""

NOT_ALLOWED = b"The study does not allow this table.\n"
"""Content of a table file if the table cannot be computed for the study."""

_current: Chapter | None = None


class Chapter:
    """A chapter that is being run, as created by :func:`open_chapter`.

    Attributes
    ----------
    name : str
        Name of the chapter's file in ``analysis/``, without the suffix.
    study : Study
        The loaded study.
    build : pathlib.Path
        The study's build folder.
    in_book : bool
        True if Make is running the chapter for the book; False in Jupyter.
    reported : dict
        Reported values and texts, by name.
    tables_written : set of str
        Names of the tables saved so far.
    names : set of str
        Names of values, and labels of figures and tables, that are already in use.
    """

    def __init__(self, name: str, study: Study, build: Path, in_book: bool):
        self.name = name
        self.study = study
        self.build = build
        self.in_book = in_book
        self._declared: dict[str, list[str]] = json.loads(os.environ.get(DECLARED, "{}"))
        self.reported: dict[str, dict] = {}
        self.tables_written: set[str] = set()
        self.names: set[str] = set()

    def __repr__(self) -> str:
        return f"<Chapter {self.name} on {self.study!r}>"

    def save_table(self, frame: pd.DataFrame, name: str) -> None:
        """Save a tidy table for later chapters, unless an identical file already exists.

        Parameters
        ----------
        frame : pandas.DataFrame
            Table to save; its index is also saved.
        name : str
            Name of the table. ``analysis/chapters.mk`` must list it among the tables that this
            chapter writes.

        Raises
        ------
        BookError
            If ``analysis/chapters.mk`` does not list the table.
        """
        self._check_declared("writes", name)
        self.tables_written.add(name)
        write_if_changed(self._table_path(name), frame.to_parquet(write_page_checksum=True))

    def load_table(self, name: str) -> pd.DataFrame:
        """Read a table that an earlier chapter wrote.

        Raises
        ------
        BookError
            If the chapter that writes the table has not been run, the file is damaged, or
            ``analysis/chapters.mk`` does not list the table among those that this chapter reads.
        """
        self._check_declared("reads", name)
        path = self._table_path(name)
        if not self.has_table(name):
            raise BookError(
                f"No table {name!r} in {path.parent}. Run the chapter that writes it first; "
                f"`make chapter CH={self.name}` runs everything that this chapter needs.",
                kind="missing_table",
                path=path,
            )
        try:
            return pd.read_parquet(path, page_checksum_verification=True)
        except (OSError, ValueError) as error:
            raise BookError(
                f"The table {path} is damaged ({error}); expected a Parquet file written by the "
                f"book. Run `make chapter CH={self.name}` to recreate it.",
                kind="damaged_table",
                path=path,
            ) from error

    def find_table(self, name: str) -> pd.DataFrame | None:
        """Read a table that an earlier chapter wrote, or return None if there is no such table."""
        return self.load_table(name) if self.has_table(name) else None

    def has_table(self, name: str) -> bool:
        """Return True if an earlier chapter wrote the table."""
        return has_table(self.build / "tables", name)

    def _check_declared(self, verb: str, name: str) -> None:
        """Raise a BookError if ``<chapter>.<verb>`` in ``chapters.mk`` does not list the table."""
        if name not in self._declared.get(verb, [name]):
            raise BookError(
                f"{self.name} {verb} the table {name!r}, which analysis/chapters.mk does not list. "
                f"Add it to `{self.name}.{verb}`.",
                kind="undeclared_table",
                value=name,
            )

    def _table_path(self, name: str) -> Path:
        return self.build / "tables" / f"{name}.parquet"


def open_chapter(name: str, study: str | os.PathLike = "demo") -> Chapter:
    """Open a chapter: load its study and set the plotting theme.

    Parameters
    ----------
    name : str
        Name of the chapter's file in ``analysis/``, without the suffix.
    study : str or path-like
        Name or folder of the study; see :func:`groove_utils.study.load_study`.

    Returns
    -------
    Chapter
    """
    global _current
    from groove_utils.figures.theme import use_theme  # slow: imports seaborn

    use_theme()
    in_book = "GROOVE_BUILD" in os.environ
    # in a build, Make has already validated the study and its audio
    loaded = load_study(study, validate=not in_book)
    label = Path(study).resolve().name if Path(study).is_dir() else str(study)
    _current = Chapter(name, loaded, build_folder(label), in_book)
    return _current


def current_chapter() -> Chapter | None:
    """Return the most recently opened chapter, or None if no chapter has been opened."""
    return _current


def in_book() -> bool:
    """Return True if Make is running the open chapter for the book, and False in Jupyter."""
    return _current is not None and _current.in_book


def has_table(folder: Path, name: str) -> bool:
    """Return True if a table exists and is not the placeholder :data:`NOT_ALLOWED`."""
    path = folder / f"{name}.parquet"
    return path.is_file() and path.read_bytes() != NOT_ALLOWED


def study_tables(study: Study) -> list[Path]:
    """List the paths of a study's ``study.yml`` and CSV tables."""
    return [path for path in sorted(study.path.iterdir()) if path.suffix in {".yml", ".csv"}]


def finish_chapter(path: str) -> None:
    """Write the reported values and dependencies of the open chapter to a file.

    At the end of the chapter, the runner adds a cell that calls this function.

    Parameters
    ----------
    path : str
        JSON file to write, with the keys of :data:`NOTHING_RUN`.
    """
    chapter = current_chapter()
    peak = sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes on macOS, KiB elsewhere
    files = [*package_files(), *(sorted(chapter.study.files_read) if chapter else ())]
    record = {
        "values": chapter.reported if chapter else {},
        "names": sorted(chapter.names if chapter else ()),
        "files": [os.path.abspath(file) for file in files],
        "packages": imported_packages(),
        "tables_written": sorted(chapter.tables_written if chapter else ()),
        "peak_memory_mib": round(peak / unit),
    }
    with atomic_path(path) as part:
        part.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
