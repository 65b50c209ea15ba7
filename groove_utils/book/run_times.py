"""Durations of the chapters' last runs, as text for the pages.

The module is also a Sphinx extension that defines the role ``{run-time}`06-probing```.
"""

from __future__ import annotations

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

__all__ = ["format_duration", "read_run_times", "setup"]


def read_run_times(build: Path, chapters: list[str]) -> dict[str, str]:
    """Return the duration of each chapter's last run, as text.

    Parameters
    ----------
    build : pathlib.Path
        The study's build folder, with ``runs/<chapter>.json``.
    chapters : list of str
        Names of the chapters.

    Returns
    -------
    dict of str to str
        Name of a chapter → duration, such as ``"4 minutes"``. Chapters that have not been run are
        omitted.
    """
    files = {chapter: build / "runs" / f"{chapter}.json" for chapter in chapters}
    return {
        chapter: format_duration(json.loads(file.read_text(encoding="utf-8"))["seconds"])
        for chapter, file in files.items()
        if file.is_file()
    }


def format_duration(seconds: float) -> str:
    """Format a duration as text: in minutes if it is at least two minutes, otherwise in seconds.

    Examples
    --------
    >>> format_duration(64.6), format_duration(0.4), format_duration(250)
    ('65 seconds', '1 second', '4 minutes')
    """
    if seconds >= 120:
        return f"{round(seconds / 60)} minutes"
    number = max(round(seconds), 1)
    return f"{number} second" + "s" * (number != 1)


class RunTimeRole(SphinxRole):
    """Sphinx role that inserts the duration of a chapter's last run."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the duration as a text node; make the page depend on the file that contains it."""
        build = Path(self.env.srcdir).parent
        self.env.note_dependency(str(build / "runs" / f"{self.text}.json"))
        return [
            nodes.Text(read_run_times(build, [self.text]).get(self.text, "an unknown time"))
        ], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role ``run-time``."""
    app.add_role("run-time", RunTimeRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
