"""Exercise notebooks: chapters without the solutions to their exercises.

An exercise notebook is generated from the same source as the page of its chapter. A cell tagged
``solution`` is replaced with an empty cell for the reader's answer. The empty cell may be followed
by a cell tagged ``check``, which reports what is wrong with the answer without giving away the
solution.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat

from groove_utils.book.downloads import install_cell
from groove_utils.book.jupyter_markdown import SOLUTION_MARK, glue_texts, plain_markdown
from groove_utils.book.jupytext_sync import read_chapter
from groove_utils.files import atomic_path

__all__ = ["CHECK", "exercise_notebook", "link_exercises", "write_exercises"]

CHECK = "check"  # tag of a cell that checks the answer to an exercise
FOLDER = "exercises"  # in the pages' folder
HEADING = "## Exercises"
START = """This notebook is the chapter {chapter} without its solutions. Below each exercise, there
is an empty cell for your answer and, where an answer can be checked, a cell that checks it."""
CHECKED = """# run this cell to check your answer
try:
{asserts}
    print("Your answer passes the check.")
except (AssertionError, NameError, TypeError, ValueError, KeyError) as problem:
    print(f"Not yet: {{problem}}")
"""


def exercise_notebook(
    script: Path,
    values: Mapping[str, Mapping] | None = None,
    address: Mapping[str, str] | None = None,
) -> nbformat.NotebookNode:
    """Create the exercise notebook of a chapter.

    Parameters
    ----------
    script : pathlib.Path
        Script of the chapter, ``analysis/NN-slug.py``.
    values : mapping of str to mapping, optional
        Reported values, as returned by :func:`groove_utils.book.build.collect_values`, to insert
        into the prose. Missing values are replaced by an ellipsis.
    address : mapping of str to str, optional
        Address of the repository; see :func:`groove_utils.book.downloads.install_cell`.

    Returns
    -------
    nbformat.NotebookNode
        The exercise notebook, without outputs.
    """
    texts = glue_texts(script.stem, values or {})
    notebook = read_chapter(script)
    cells, inside = [], False
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            text, inside = _without_solutions(cell.source, inside)
            cell.source = plain_markdown(text, texts).strip()
            if not cell.source:
                continue
        elif "solution" in tags:
            cell.source = "# your answer"
        elif CHECK in tags:
            cell.source = CHECKED.format(asserts=textwrap.indent(cell.source, " " * 4)).strip()
        elif "hide-input" in tags:
            cell.metadata["jupyter"] = {"source_hidden": True}
        elif inside:
            continue
        cells.append(cell)
    start = nbformat.v4.new_markdown_cell(START.format(chapter=script.stem), id="exercise-notebook")
    notebook.cells = [install_cell(script.stem, address), start, *cells]
    del notebook.metadata["jupytext"]  # an exercise notebook is not paired with a script
    return notebook


def write_exercises(
    scripts: Iterable[Path],
    folder: Path,
    values: Mapping[str, Mapping] | None = None,
    address: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write an exercise notebook for each chapter that has exercises.

    Parameters
    ----------
    scripts : iterable of pathlib.Path
        Scripts of chapters; chapters without exercises are skipped.
    folder : pathlib.Path
        Folder of the pages; notebooks are written to its sub-folder ``exercises/``.
    values, address : mapping, optional
        See :func:`exercise_notebook`.

    Returns
    -------
    list of pathlib.Path
        Paths of the notebooks.
    """
    written = []
    for script in scripts:
        if "```{exercise}" not in script.read_text(encoding="utf-8"):
            continue
        path = folder / FOLDER / f"{script.stem}.ipynb"
        with atomic_path(path) as part:
            nbformat.write(exercise_notebook(script, values, address), part)
        written.append(path)
    for path in (folder / FOLDER).glob("*.ipynb"):
        if path not in written:  # its chapter was removed, or no longer has exercises
            path.unlink()
    return written


def link_exercises(text: str, chapter: str) -> str:
    """Insert a link to a chapter's exercise notebook below the heading “Exercises”.

    Parameters
    ----------
    text : str
        Markdown source. If it does not contain the heading, it is returned unchanged.
    chapter : str
        Name of the chapter.

    Examples
    --------
    >>> print(link_exercises("## Exercises", "12-tempo"))  # doctest: +ELLIPSIS
    ## Exercises
    <BLANKLINE>
    The <a href="exercises/12-tempo.ipynb" download>exercise notebook</a> contains ...
    """
    link = f'<a href="{FOLDER}/{chapter}.ipynb" download>exercise notebook</a>'
    sentence = (
        f"The {link} contains the exercises without their solutions, and checks your answers."
    )
    return re.sub(rf"^{HEADING}$", f"{HEADING}\n\n{sentence}", text, count=1, flags=re.MULTILINE)


def _without_solutions(text: str, inside: bool) -> tuple[str, bool]:
    """Remove solutions from a cell's text; also return True if the cell ends inside a solution.

    `inside` is True if the cell begins inside a solution.
    """
    kept, position = [], 0
    for mark in SOLUTION_MARK.finditer(text):
        if not inside:
            kept.append(text[position : mark.start()])
        inside, position = mark[1] == "start", mark.end()
    if not inside:
        kept.append(text[position:])
    return "".join(kept), inside
