"""Chapters that cannot be computed for a study, and links to the page that lists them.

The module is also a Sphinx extension: if a chapter has no page of its own, links to the chapter,
such as ``{doc}`06-probing```, lead to the page ``unanswered``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

from groove_utils.book.markdown import MystText
from groove_utils.book.study_requirements import LEFT_OUT

__all__ = ["PAGE", "UnansweredChapter", "find_unanswered", "setup"]

PAGE = "unanswered"


@dataclass(frozen=True)
class UnansweredChapter:
    """A chapter that cannot be computed because the study lacks the required data.

    Parameters
    ----------
    name : str
        Name of the chapter's file.
    title : str
        Title of the chapter.
    reason : MystText
        Sentence that states which data the study lacks.
    """

    name: str
    title: str
    reason: MystText


def find_unanswered(sources: Path, chapters: Iterable[str]) -> list[UnansweredChapter]:
    """Find the executed chapters that consist only of a title and a box about missing data.

    Parameters
    ----------
    sources : pathlib.Path
        Folder of the executed chapters.
    chapters : iterable of str
        Names of the chapters.

    See Also
    --------
    groove_utils.book.study_requirements.fit_to_study : Creates the box.
    """
    unanswered = []
    for chapter in chapters:
        cells = nbformat.read(sources / f"{chapter}.ipynb", as_version=4).cells
        for box in cells:
            if LEFT_OUT in box.metadata.get("tags", []):
                title = re.search(r"^# +(.+?) *$", cells[0].source, flags=re.MULTILINE)
                reason = MystText(box.source.split("\n")[2])
                name = title[1] if title else chapter
                unanswered.append(UnansweredChapter(chapter, name, reason))
    return unanswered


def _link_to_page(
    app: Sphinx, environment: BuildEnvironment, node: nodes.Element, content: nodes.Element
) -> nodes.Element | None:
    """If a chapter has no page of its own, link to the page that lists unanswered chapters."""
    chapter = node.get("reftarget", "").lstrip("/")
    title = app.config.unanswered_chapters.get(chapter)
    if node.get("reftype") != "doc" or title is None:
        return None
    text = content if node.get("refexplicit") else nodes.inline(title, title)
    return make_refnode(app.builder, node["refdoc"], PAGE, f"unanswered-{chapter}", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the link resolver, and the setting ``unanswered_chapters`` (name → title)."""
    app.add_config_value("unanswered_chapters", {}, "env")
    app.connect("missing-reference", _link_to_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
