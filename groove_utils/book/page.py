"""Conversion of an executed chapter to a published page and a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat

from groove_utils.book.exercise_notebooks import CHECK, link_exercises
from groove_utils.book.markdown import escape_text
from groove_utils.book.parameters import fill_parameters
from groove_utils.study import Study

__all__ = ["FINISH", "published_page", "slow_cells", "take_stderr"]

FINISH = "finish-chapter"  # tag of the cell that the runner adds
WITHOUT_STUDY = "without-study"  # tag on the title cell of chapters without the study's data
SIMULATED = """```{admonition} Simulated listeners
:class: important simulated
The bands and the ratings on this page are simulated, with known effects. The numbers show how well\
 the methods recover these effects, not how people perceive groove. See {doc}`the demo study and\
 its known effects <demo-study>`.
```"""


def take_stderr(notebook: nbformat.NotebookNode) -> str:
    """Remove progress bars and warnings (stderr) from a notebook's outputs, and return the text."""
    log = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        noise = [o for o in outputs if o.output_type == "stream" and o.name == "stderr"]
        log += [output.text for output in noise]
        if noise:
            cell.outputs = [output for output in outputs if output not in noise]
    return "".join(log)


def slow_cells(notebook: nbformat.NotebookNode) -> str:
    """List the cells that took a second or more, as text; return an empty string if none did."""
    lines = []
    for number, cell in enumerate(notebook.cells):
        seconds = cell.metadata.get("papermill", {}).get("duration") or 0
        if seconds >= 1:
            first = cell.source.strip().split("\n")[0]
            lines.append(f"{seconds:8.1f} s  cell {number}: {first}\n")
    return "".join(["\nCells that took a second or more:\n", *lines]) if lines else ""


def published_page(
    notebook: nbformat.NotebookNode,
    parameters: Mapping[str, object],
    study: Study,
    files: Iterable[str] = (),
    chapter: str | None = None,
) -> nbformat.NotebookNode:
    """Create the page of an executed chapter.

    The parameters cell shows the values used in the run. Cells added by the runner and cells that
    check answers to exercises are dropped. Unless the title cell is tagged ``without-study``, a box
    is added if the study is simulated, and another if all ratings on a question are equal.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The executed chapter; it is modified.
    parameters : mapping of str to object
        Parameters of the run.
    study : Study
        The study on which the chapter was run.
    files : iterable of str
        Files used by the chapter. The box about equal ratings is added only if these files include
        ``ratings.csv``.
    chapter : str, optional
        Name of the chapter. If given, the page of a chapter with exercises links to its exercise
        notebook.

    Returns
    -------
    nbformat.NotebookNode
        The page.
    """
    cells = []
    has_exercises = any("```{exercise}" in cell.source for cell in notebook.cells)
    shows_study = WITHOUT_STUDY not in notebook.cells[0].metadata.get("tags", [])
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if {FINISH, "injected-parameters", CHECK}.intersection(tags):
            continue
        if "parameters" in tags:
            cell.source = fill_parameters(cell.source, {**parameters, "study": _label(study)})
        if cell.cell_type == "markdown" and chapter and has_exercises:
            cell.source = link_exercises(cell.source, chapter)
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        cells.append(cell)
    boxes = {"simulated": SIMULATED if study.simulated else ""}
    if any(Path(file).name == "ratings.csv" for file in files):
        boxes["constant-questions"] = _constant_questions(study)
    for name, text in boxes.items():
        if text and shows_study:
            cells.insert(1, nbformat.v4.new_markdown_cell(text, id=name))
    notebook.cells = cells
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    return notebook


def _constant_questions(study: Study) -> str:
    """Return a box about questions for which all ratings are equal, or "" if there are none."""
    if not study.constant_queries:
        return ""
    clauses = [
        f"all ratings of “{escape_text(query)}” are {rating:g}"
        for query, rating in study.constant_queries.items()
    ]
    return (
        "```{admonition} Questions that are left out\n:class: warning not-run\n"
        f"Ratings that do not vary cannot be predicted: {', and '.join(clauses)}.\n```"
    )


def _label(study: Study) -> str:
    """Return the name of the study's folder, without its path on this machine."""
    path = study.path.resolve()
    return path.parent.name if path.name == "study" else path.name
