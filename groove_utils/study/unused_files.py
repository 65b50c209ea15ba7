"""Describe unused files and columns in a study folder."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from groove_utils.audio.suffixes import AUDIO_SUFFIXES
from groove_utils.study.stem_names import STEMS
from groove_utils.study.tables import unread_columns
from groove_utils.study.text import plain_text

__all__ = ["describe_unused"]

READ = (
    "study.yml", "tracks.csv", "listeners.csv", "ratings.csv", "descriptors.csv", "found.csv",
    "audio", "stems", "embeddings", "truth",
)  # fmt: skip
SHOWN = 5  # maximum number of names in a message


def describe_unused(folder: Path, tables: Mapping[str, pd.DataFrame | None]) -> Iterator[str]:
    """Describe the files and columns in a study folder that no analysis reads.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder.
    tables : mapping of str to DataFrame
        Tables by file name: ``tracks.csv``, ``ratings.csv`` and, if it exists, ``listeners.csv``.
        The value is None for a table that cannot be read.

    Yields
    ------
    str
        Message about unread columns, a misspelt file or folder, sound files that ``tracks.csv``
        does not list, files directly in ``stems/``, or unknown stems.
    """
    for file, table in tables.items():
        if table is not None and (names := unread_columns(file, table.columns)):
            reason = "only identifiers, queries and ratings are read"
            if file != "ratings.csv":
                reason = "this name is reserved for another table; rename the column to use it"
            yield f"{file}: not read: {_list(names)} ({reason})."
    for path in sorted(folder.glob("[!.]*")):
        guess = difflib.get_close_matches(path.name.casefold(), READ, 1, 0.8)
        if guess and path.name not in READ:
            yield f"{path.name}: not read. If it should be read, rename it to {guess[0]}."
    yield from _unlisted_audio(folder, tables.get("tracks.csv"))
    files = [path.name for path in sorted((folder / "stems").glob("[!.]*")) if not path.is_dir()]
    if files:
        yield f"stems: not read: {_list(files)}; only folders named after a track are read."
    stems = (path for path in (folder / "stems").glob("[!.]*/[!.]*") if path.stem not in STEMS)
    for name, count in sorted(Counter(path.name for path in stems).items()):
        yield f"stems: not read: {name} ({count} files); only {', '.join(STEMS)} are read."


def _unlisted_audio(folder: Path, tracks: pd.DataFrame | None) -> Iterator[str]:
    """Describe sound files in ``audio/`` that ``tracks.csv`` does not list."""
    if tracks is None or "audio" not in tracks or not (folder / "audio").is_dir():
        return
    listed = set(tracks["audio"].dropna().map(plain_text))
    files = (path for path in sorted((folder / "audio").rglob("[!.]*")) if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files if _is_sound(path)]
    if others := [name for name in names if plain_text(name) not in listed]:
        yield f"audio: not read, because tracks.csv does not list them: {_list(others)}."


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES


def _list(names: list[str]) -> str:
    more = f" … ({len(names)} in all)" if len(names) > SHOWN else ""
    text = ", ".join(names[:SHOWN]) + more
    return text.encode("utf-8", "backslashreplace").decode()  # file names may not be UTF-8
