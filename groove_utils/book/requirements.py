"""Fit a chapter to a study: leave out what the study cannot answer, and say so once.

A cell tagged ``needs-listeners`` is run only for a study that has listeners; likewise ``audio``,
``stems``, ``embeddings``, ``stem-embeddings``, ``descriptors``, ``styles`` (more than one),
``simulation`` (known truth), and ``table-NAME`` for an earlier chapter's table.
``needs-audio-or-embeddings`` is enough with either. A tag on the first cell speaks for the whole
chapter.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import nbformat

from groove_utils.study import Study

__all__ = ["WHAT_IS_MISSING", "fit_to_study", "study_has"]

WHAT_IS_MISSING = {
    "audio": "sound files: `tracks.csv` names none in its column `audio`",
    "stems": "stems: there is no `stems/<track_id>/` folder for every track",
    "listeners": "single listeners: `ratings.csv` has no column `listener_id`, only song means",
    "embeddings": "embeddings: there is no folder `embeddings/`",
    "stem-embeddings": "embeddings of stems: there is no folder `embeddings/<model>/<stem>/`",
    "descriptors": "precomputed descriptors: there is no `descriptors.csv`",
    "styles": "second style: every row of `tracks.csv` has the same one",
    "simulation": "known truth: its ratings come from people, not from a simulation",
}
TAG = "needs-"


def study_has(study: Study, has_table: Callable[[str], bool]) -> Callable[[str], bool]:
    """A function that tells whether a need is met, for :func:`fit_to_study`."""

    def met(need: str) -> bool:
        if need.startswith("table-"):
            return has_table(need.removeprefix("table-"))
        if need == "simulation":
            return study.simulated and study.has("truth")
        return study.has(need)

    return met


def fit_to_study(
    notebook: nbformat.NotebookNode, met: Callable[[str], bool]
) -> nbformat.NotebookNode:
    """Drop the cells whose needs are not met; a box stands where the first of them stood.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        A chapter; it is not changed.
    met : callable
        Need → whether the study meets it.

    Returns
    -------
    nbformat.NotebookNode
    """
    fitted = nbformat.from_dict({**notebook, "cells": []})
    cells = list(notebook.cells)
    if cells and (lacking := _lacking(cells[0], met)):
        fitted.cells = [cells[0], _box(lacking, [], whole=True)]
        return fitted
    dropped: dict[str, list[str]] = {}
    boxes: dict[str, int] = {}
    for cell in cells:
        lacking = _lacking(cell, met)
        if lacking is None:
            fitted.cells.append(cell)
            continue
        if lacking not in boxes:
            boxes[lacking] = len(fitted.cells)
            fitted.cells.append(None)  # its box, once all its headings are known
        dropped.setdefault(lacking, []).extend(_headings(cell))
    for lacking, position in boxes.items():
        fitted.cells[position] = _box(lacking, dropped[lacking], whole=False)
    return fitted


def _lacking(cell: nbformat.NotebookNode, met: Callable[[str], bool]) -> str | None:
    for tag in cell.metadata.get("tags", []):
        if tag.startswith(TAG):
            need = tag.removeprefix(TAG)
            for one in need.split("-or-"):
                if one not in WHAT_IS_MISSING and not one.startswith("table-"):
                    known = ", ".join([*WHAT_IS_MISSING, "table-NAME"])
                    raise ValueError(f"A cell is tagged {tag}; expected {TAG} with {known}.")
            if not any(met(one) for one in need.split("-or-")):
                return need
    return None


def _headings(cell: nbformat.NotebookNode) -> list[str]:
    if cell.cell_type != "markdown":
        return []
    return re.findall(r"^#+ +(.+?) *$", cell.source, flags=re.MULTILINE)


def _box(need: str, headings: list[str], *, whole: bool) -> nbformat.NotebookNode:
    missing = ", and no ".join(_missing(one) for one in need.split("-or-"))
    part = "This chapter was" if whole else "A part of this chapter was"
    lines = [
        "````{admonition} Not run for this study",
        ":class: warning not-run",
        f"{part} left out, because the study has no {missing}.",
    ]
    if headings:
        lines += ["", "Left out: " + "; ".join(f"«{heading}»" for heading in headings) + "."]
    lines += ["", "The page [How to run and adapt](adapt.md) says what a study folder may hold."]
    cell = nbformat.v4.new_markdown_cell("\n".join([*lines, "````"]))
    cell["id"] = f"not-run-{re.sub('[^a-z0-9]+', '-', need)}"[:64]
    return cell


def _missing(need: str) -> str:
    if need.startswith("table-"):
        return f"table `{need.removeprefix('table-')}`, which an earlier chapter could not make"
    return WHAT_IS_MISSING[need]
