"""Adaptation of chapters to a study: cells that need data it lacks are replaced with boxes.

A cell tagged ``needs-listeners`` is run only if the study has at least two listeners. The other
requirements are ``audio``, ``stems``, ``embeddings``, ``stem-embeddings``, ``descriptors``,
``styles`` (at least two), ``simulation`` (known effects), ``controls`` (control questions), and
``table-NAME`` for an earlier chapter's table. The tag ``needs-audio-or-embeddings`` requires audio
or embeddings. A tag on a cell that begins with a heading applies to the whole section, and a tag on
the first cell applies to the whole chapter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import nbformat

from groove_utils.book.chapter import has_table
from groove_utils.book.errors import BookError
from groove_utils.study import Study

__all__ = ["LEFT_OUT", "fit_to_study", "is_met"]

TAG = "needs-"
LEFT_OUT = "left-out-chapter"  # tag of a box that replaces a whole chapter except for its title
TABLE = "table-"
ABSENT = {
    "audio": "sound files: `tracks.csv` names none in its column `audio`",
    "stems": "stems: not every track has a folder `stems/<track_id>/`",
    "listeners": "second listener: `ratings.csv` has no column `listener_id`, or names only one "
    "listener",
    "embeddings": "precomputed embeddings: there is no folder `embeddings/<model>/` with vectors",
    "stem-embeddings": "precomputed embeddings of stems: there is no folder "
    "`embeddings/<model>/<stem>/`",
    "descriptors": "precomputed descriptors: there is no `descriptors.csv`",
    "styles": "second style: all rows of `tracks.csv` have the same style",
    "controls": "control questions: `study.yml` names none under `controls`",
    "simulation": "known ground truth: its ratings come from people, not from a simulation",
}
"""Requirement → what is missing if it is not met, phrased to follow “the study has no”."""


def is_met(requirement: str, study: Study, tables: Path) -> bool:
    """Return True if a study meets a requirement.

    Parameters
    ----------
    requirement : str
        A single requirement, such as ``audio``: a tag without the prefix ``needs-``, or one of the
        alternatives in such a tag.
    study : Study
        The study to check.
    tables : pathlib.Path
        Folder of the tables written by earlier chapters.
    """
    if requirement.startswith(TABLE):
        return has_table(tables, requirement.removeprefix(TABLE))
    if requirement == "simulation":
        return study.simulated and study.has("truth")
    if requirement == "controls":
        return bool(study.controls)
    return study.has(requirement)


def fit_to_study(
    notebook: nbformat.NotebookNode, met: Callable[[str], bool]
) -> nbformat.NotebookNode:
    """Remove cells whose requirements are not met, and add a box for each unmet requirement.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        A chapter; it is not modified.
    met : callable
        Function that takes a requirement and returns True if it is met; see :func:`is_met`.

    Returns
    -------
    nbformat.NotebookNode
        The adapted chapter.

    Raises
    ------
    BookError
        If a tag that begins with ``needs-`` names an unknown requirement.
    """
    fitted = nbformat.from_dict({**notebook, "cells": []})
    cells = list(notebook.cells)
    if cells and (unmet := _unmet(cells[0], met)):
        box = _box(unmet, [], "This chapter")
        box.metadata["tags"] = [LEFT_OUT]
        fitted.cells = [cells[0], box]
        return fitted
    headings: dict[str, list[str]] = {}
    positions: dict[str, int] = {}
    # skipped sections that enclose the current cell: heading level and unmet requirement
    sections: list[tuple[int, str]] = []
    for cell in cells:
        levels = [len(marks) for marks, _ in _headings(cell)]
        sections = [section for section in sections if not levels or section[0] < min(levels)]
        unmet_by_cell = _unmet(cell, met)  # also called in skipped sections, to validate tags
        unmet = sections[0][1] if sections else unmet_by_cell
        if unmet is None:
            fitted.cells.append(cell)
            continue
        if levels and cell.source.startswith("#"):
            sections.append((levels[0], unmet))
        if unmet not in positions:
            positions[unmet] = len(fitted.cells)
            fitted.cells.append(None)  # replaced by the box, once all headings are known
        headings.setdefault(unmet, []).extend(title for _, title in _headings(cell))
    for unmet, position in positions.items():
        fitted.cells[position] = _box(unmet, headings[unmet], "A part of this chapter")
    return fitted


def _unmet(cell: nbformat.NotebookNode, met: Callable[[str], bool]) -> str | None:
    """Return a cell's first unmet requirement, or None if all of its requirements are met."""
    for tag in cell.metadata.get("tags", []):
        if not tag.startswith(TAG):
            continue
        alternatives = tag.removeprefix(TAG).split("-or-")
        for requirement in alternatives:
            if requirement not in ABSENT and not requirement.startswith(TABLE):
                expected = ", ".join([*ABSENT, f"{TABLE}NAME"])
                raise BookError(
                    f"A cell is tagged {tag}; expected {TAG} with {expected}. Correct the tag.",
                    kind="unknown_tag",
                    value=tag,
                )
        if not any(map(met, alternatives)):
            return tag.removeprefix(TAG)
    return None


def _headings(cell: nbformat.NotebookNode) -> list[tuple[str, str]]:
    if cell.cell_type != "markdown":
        return []
    return re.findall(r"^(#+) +(.+?) *$", cell.source, flags=re.MULTILINE)


def _box(unmet: str, headings: list[str], part: str) -> nbformat.NotebookNode:
    lines = [
        "````{admonition} Not run for this study",
        ":class: warning not-run",
        f"{part} was left out, because the study has no "
        f"{', and no '.join(map(_absent, unmet.split('-or-')))}.",
    ]
    if headings:
        lines += ["", "Left out: " + "; ".join(f"“{heading}”" for heading in headings) + "."]
    lines += ["", "The page [How to run and adapt](adapt.md) describes study folders."]
    cell = nbformat.v4.new_markdown_cell("\n".join([*lines, "````"]))
    cell["id"] = f"not-run-{re.sub('[^a-z0-9]+', '-', unmet)}"[:64]
    return cell


def _absent(requirement: str) -> str:
    if requirement.startswith(TABLE):
        name = requirement.removeprefix(TABLE)
        return f"table `{name}`, which an earlier chapter could not compute"
    return ABSENT[requirement]
