"""Listing, adding and removing chapters of the book.

``analysis/chapters.mk`` lists the chapters in order; everything else, such as the table of
contents, is derived from this file.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from groove_utils.book.errors import BookError
from groove_utils.files import write_if_changed

__all__ = ["add_chapter", "declared_tables", "listed_chapters", "remove_chapter"]

LIST = re.compile(r"^CHAPTERS\s*:?=((?:[^\n]*\\\n)*[^\n]*)$", re.MULTILINE)


def listed_chapters(text: str) -> list[str]:
    r"""Return the names of the chapters that are listed in the text of ``chapters.mk``.

    Raises
    ------
    BookError
        If the text has no line ``CHAPTERS := …``.

    Examples
    --------
    >>> listed_chapters("CHAPTERS := 01-one \\\n  02-two\n")
    ['01-one', '02-two']
    """
    match = LIST.search(text)
    if match is None:
        raise BookError("chapters.mk: no line `CHAPTERS := …`; add one.", kind="no_chapters")
    return match[1].replace("\\\n", " ").split()


def declared_tables(text: str) -> dict[str, dict[str, list[str]]]:
    r"""Return the tables that each chapter reads and writes, according to ``chapters.mk``.

    Raises
    ------
    BookError
        If a listed chapter reads a table that no listed chapter writes.

    Examples
    --------
    >>> declared_tables("CHAPTERS := 01-one 02-two\n01-one.writes := a b\n02-two.reads := b\n")
    {'01-one': {'reads': [], 'writes': ['a', 'b']}, '02-two': {'reads': ['b'], 'writes': []}}
    """
    tables = {chapter: {"reads": [], "writes": []} for chapter in listed_chapters(text)}
    lines = re.sub(r"#.*", "", text.replace("\\\n", " "))
    for name, verb, value in re.findall(
        r"^(\S+)\.(reads|writes)[ \t]*:?=(.*)$", lines, re.MULTILINE
    ):
        if name in tables:
            tables[name][verb] = value.split()
    written = {table for chapter in tables.values() for table in chapter["writes"]}
    for name, chapter in tables.items():
        if unwritten := [table for table in chapter["reads"] if table not in written]:
            raise BookError(
                f"chapters.mk: {name} reads the table {unwritten[0]!r}, which no listed chapter "
                f"writes; expected one of {', '.join(sorted(written))}. Correct {name}.reads, or "
                "list the chapter that writes it.",
                kind="unwritten_table",
                column=name,
                value=unwritten[0],
            )
    return tables


def add_chapter(folder: Path, slug: str) -> Path:
    """Create a chapter from the template, and add its name to the list in ``chapters.mk``.

    The list remains sorted by chapter number.

    Parameters
    ----------
    folder : pathlib.Path
        The folder ``analysis/``.
    slug : str
        Name of the new chapter, such as ``12-tempo``.

    Returns
    -------
    pathlib.Path
        Path of the chapter's script.

    Raises
    ------
    BookError
        If the name is invalid, or the chapter already exists or is already listed.
    """
    # imported here, since this import is slow and no other function needs it
    from groove_utils.book.jupytext_sync import new_chapter

    file = folder / "chapters.mk"
    text = file.read_text(encoding="utf-8")
    chapters = listed_chapters(text)
    if slug in chapters:
        raise BookError(
            f"CH={slug}: chapters.mk already lists this chapter; choose another number or name.",
            kind="taken_name",
            path=file,
            value=slug,
        )
    script = new_chapter(folder, slug)
    before = [chapter for chapter in chapters if chapter < slug]
    line = LIST.search(text)[0]
    place = line.index(before[-1]) + len(before[-1]) if before else line.index("=") + 1
    listed = f"{line[:place]} {slug}{line[place:]}"
    write_if_changed(file, text.replace(line, listed, 1))
    return script


def remove_chapter(folder: Path, slug: str, kept: Path) -> Path:
    """Remove a chapter from the book, and move its script and notebook to another folder.

    The chapter's entries in ``chapters.mk`` and in the parameter files are also deleted.

    Parameters
    ----------
    folder : pathlib.Path
        The folder ``analysis/``.
    slug : str
        Name of the chapter, such as ``12-tempo``.
    kept : pathlib.Path
        Folder to which the chapter's script and notebook are moved, so that no work is lost.

    Returns
    -------
    pathlib.Path
        The folder `kept`.

    Raises
    ------
    BookError
        If ``chapters.mk`` does not list the chapter, or another chapter reads one of its tables.
    """
    file = folder / "chapters.mk"
    text = file.read_text(encoding="utf-8")
    chapters = listed_chapters(text)
    if slug not in chapters:
        raise BookError(
            f"CH={slug}: expected one of {', '.join(chapters)}.",
            kind="unknown_chapter",
            path=file,
            value=slug,
        )
    _check_unread(text, slug)
    line = LIST.search(text)[0]
    shortened = re.sub(rf"(?<=[\s=]){slug}(?!\S) ?", "", line).rstrip()
    text = text.replace(line, shortened, 1)
    text = re.sub(rf"^{slug}\.(reads|writes)\b.*\n", "", text, flags=re.MULTILINE)
    write_if_changed(file, text)
    for params in (folder / "params").glob("*.yml"):
        content = params.read_text(encoding="utf-8")
        block = rf"^  {slug}:[^\n]*\n(?: {{3,}}[^\n]*\n)*"
        write_if_changed(params, re.sub(block, "", content, flags=re.MULTILINE))
    kept.mkdir(parents=True, exist_ok=True)
    for source in (folder / f"{slug}.py", folder / f"{slug}.ipynb"):
        if source.exists():
            shutil.move(source, kept / source.name)
    return kept


def _check_unread(text: str, slug: str) -> None:
    """Raise a BookError if another chapter reads a table that the chapter `slug` writes."""
    tables = declared_tables(text)
    written = set(tables[slug]["writes"])
    for reader, chapter in tables.items():
        if shared := sorted(written.intersection(chapter["reads"])):
            raise BookError(
                f"{slug} cannot be removed, because {reader} reads its table {shared[0]!r}. Remove "
                f"{reader} first, or delete the table from {reader}.reads in chapters.mk.",
                kind="table_in_use",
                value=shared[0],
                column=reader,
            )
