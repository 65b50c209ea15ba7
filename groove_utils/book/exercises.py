"""Sphinx extension that removes the duplicate HTML ids of exercises and solutions.

The extension sphinx-exercise assigns the same id to the contents of all exercises, but ids must be
unique within a page.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["setup"]

REPEATED = {"exercise-content", "solution-content"}


def _drop_repeated_ids(app: Sphinx, doctree: nodes.document, page: str) -> None:
    for section in doctree.findall(nodes.section):
        section["ids"] = [name for name in section["ids"] if name not in REPEATED]


def setup(app: Sphinx) -> dict[str, bool]:
    """Load sphinx-exercise, and register a function that removes its duplicate ids."""
    app.setup_extension("sphinx_exercise")
    app.connect("doctree-resolved", _drop_repeated_ids, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
