"""Synchronisation of the chapters' scripts (percent format) and notebooks (without outputs)."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext
import nbformat

from groove_utils.book.errors import BookError
from groove_utils.files import write_if_changed

__all__ = ["chapter_sources", "new_chapter", "read_chapter", "sync_pairs", "unsynced_pairs"]

CELL_TAGS = "tags,-all"


def chapter_sources(folder: Path) -> list[Path]:
    """List the chapters' scripts, ``NN-slug.py``, in book order."""
    return sorted(p for p in folder.glob("*.py") if re.match(r"\d\d-[a-z0-9-]+\.py$", p.name))


def read_chapter(script: Path) -> nbformat.NotebookNode:
    """Read a chapter's script as a notebook with stable cell ids and a generic Python kernel."""
    notebook = jupytext.read(script, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03d}"
    notebook.metadata = nbformat.from_dict(
        {
            "jupytext": {"formats": "ipynb,py:percent", "cell_metadata_filter": CELL_TAGS},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


def sync_pairs(folder: Path) -> list[Path]:
    """Synchronise each chapter's script and notebook; the newer of the two files takes precedence.

    Parameters
    ----------
    folder : pathlib.Path
        The folder ``analysis/``.

    Returns
    -------
    list of pathlib.Path
        The files that were written.
    """
    written = []
    for script in chapter_sources(folder):
        pair = script.with_suffix(".ipynb")
        if pair.exists() and pair.stat().st_mtime > script.stat().st_mtime:
            text = _script_text(nbformat.read(pair, as_version=4))
            if text != _script_text(read_chapter(script)):
                write_if_changed(script, text)
                written.append(script)
        if write_if_changed(pair, _notebook_text(script)):
            written.append(pair)
    return written


def unsynced_pairs(folder: Path) -> list[str]:
    """List the scripts and notebooks that differ or have no counterpart, one line per pair."""
    lines = []
    for script in chapter_sources(folder):
        pair = script.with_suffix(".ipynb")
        if not pair.exists():
            lines.append(f"{pair.name} is missing")
        elif pair.read_text(encoding="utf-8") != _notebook_text(script):
            lines.append(f"{script.name} and {pair.name} differ (or the notebook has outputs)")
    for pair in sorted(folder.glob("*.ipynb")):
        if not pair.with_suffix(".py").exists():
            lines.append(f"{pair.name} has no script of the same name")
    return lines


def new_chapter(folder: Path, slug: str) -> Path:
    """Create a chapter's script and notebook from the template.

    Parameters
    ----------
    folder : pathlib.Path
        The folder ``analysis/``.
    slug : str
        Name of the chapter, such as ``12-tempo``.

    Returns
    -------
    pathlib.Path
        Path of the script.

    Raises
    ------
    BookError
        If the name is invalid, or the chapter's script already exists.
    """
    if not re.fullmatch(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*", slug):
        raise BookError(
            f"{slug!r}: expected a name of the form NN-short-name, such as 12-tempo.",
            kind="invalid_name",
            value=slug,
        )
    script = folder / f"{slug}.py"
    if script.exists():
        raise BookError(
            f"{script} already exists; choose another number or name.",
            kind="taken_name",
            path=script,
        )
    template = Path(__file__).with_name("template.py.txt").read_text(encoding="utf-8")
    # labels of figures and exercises contain the slug, since they must be unique in the book
    text = template.replace("NN-SLUG", slug).replace("SLUG", slug[3:])
    write_if_changed(script, text)
    write_if_changed(script.with_suffix(".ipynb"), _notebook_text(script))
    return script


def _notebook_text(script: Path) -> str:
    return nbformat.writes(read_chapter(script), indent=1) + "\n"


def _script_text(notebook: nbformat.NotebookNode) -> str:
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    notebook.metadata = nbformat.from_dict(
        {"jupytext": {"cell_metadata_filter": CELL_TAGS, "notebook_metadata_filter": "-all"}}
    )
    return jupytext.writes(notebook, fmt="py:percent")
