"""Parameters of chapters: split a parameter file, check it against a chapter, show its values."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import nbformat
import yaml

from groove_utils.book.errors import BookError
from groove_utils.files import write_if_changed

__all__ = ["check_parameters", "fill_parameters", "split_parameters"]


def split_parameters(params_file: Path, chapters: list[str], folder: Path) -> None:
    """Write each chapter's parameters to a file of its own, leaving unchanged files alone.

    A change of one chapter's parameters then runs only that chapter again.

    Parameters
    ----------
    params_file : pathlib.Path
        One of ``analysis/params/``: ``all`` holds the parameters of every chapter, ``chapters``
        those of single chapters, ``study`` the options of a catalogued study.
    chapters : list of str
        Names of all chapters.
    folder : pathlib.Path
        Where to write ``<chapter>.yml`` and ``study-<name>.yml``.

    Raises
    ------
    BookError
        If the file has parameters of an unknown chapter.
    """
    sections = yaml.safe_load(params_file.read_text(encoding="utf-8"))
    shared, single = sections.get("all") or {}, sections.get("chapters") or {}
    if unknown := sorted(set(single) - set(chapters)):
        raise BookError(
            f"{params_file}: parameters for {', '.join(unknown)}, expected names of chapters "
            f"({', '.join(chapters)}). Correct the name.",
            kind="unknown_chapter",
            path=params_file,
            value=unknown,
        )
    for chapter in chapters:
        values = {**shared, **(single.get(chapter) or {})}
        write_if_changed(folder / f"{chapter}.yml", yaml.safe_dump(values))
    for study, options in (sections.get("study") or {}).items():
        write_if_changed(folder / f"study-{study}.yml", yaml.safe_dump({"study": {study: options}}))


def check_parameters(
    notebook: nbformat.NotebookNode, parameters: Mapping[str, object], params_file: Path
) -> None:
    """Check that a chapter's parameters cell sets every given parameter.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        A chapter. One without a parameters cell is a chapter that was left out altogether.
    parameters : mapping of str to object
    params_file : pathlib.Path
        Where they come from, for the message.

    Raises
    ------
    BookError
        If a parameter is unknown, or the cell is not plain Python.
    """
    cell = next((c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])), None)
    if cell is None:
        return
    try:
        expected = {name for name, _ in _assignments(cell.source)}
    except SyntaxError as error:
        raise BookError(
            f"The chapter's parameters cell is not plain Python ({error}). Write one "
            "`name = value  # what it is` per line there.",
            kind="parameters_cell",
        ) from None
    if unknown := sorted(set(parameters) - expected):
        raise BookError(
            f"{params_file.name} sets {', '.join(unknown)}; the chapter's parameters cell has "
            f"{', '.join(sorted(expected))}. Correct the parameter file or the chapter.",
            kind="unknown_parameter",
            path=params_file,
            value=unknown,
        )


def fill_parameters(source: str, values: Mapping[str, object]) -> str:
    """Replace the values in the source of a parameters cell, keeping comments and layout.

    Examples
    --------
    >>> fill_parameters("seed = 0  # of all draws", {"seed": 7})
    'seed = 7  # of all draws'
    """
    lines = [line.encode() for line in source.split("\n")]  # the tree counts columns in bytes
    for name, old in reversed(_assignments(source)):
        if name in values:
            first, last = old.lineno - 1, old.end_lineno - 1
            before, after = lines[first][: old.col_offset], lines[last][old.end_col_offset :]
            lines[first : last + 1] = [before + repr(values[name]).encode() + after]
    return b"\n".join(lines).decode()


def _assignments(source: str) -> list[tuple[str, ast.expr]]:
    """Return each name that a parameters cell sets, with the expression of its value."""
    pairs = []
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pairs.append((name, value))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pairs.append((name, value))
    return pairs
