"""Downloadable notebooks of chapters, with values, figures and an installation cell.

The book's own notebooks refer to figures and sounds in separate files, and insert values with MyST
roles; neither works if a single notebook is opened in Jupyter or Colab. In a downloaded notebook,
figures are embedded, values are part of the text, and audio players appear when their cells are
run.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from PIL import Image

from groove_utils.book.jupyter_markdown import SOLUTION_MARK, glue_texts, plain_markdown
from groove_utils.book.kept_files import KeptFiles
from groove_utils.book.markdown import escape_text
from groove_utils.files import hash_file, write_if_changed

__all__ = ["download_notebook", "install_cell", "write_downloads"]

FOLDER = "_sources"  # in the pages' folder; the theme's download button links to it
FIGURE = re.compile(r"~{3,}\{figure\} (\S+)\n((?::[^\n]*\n)*)\n(.*?)\n~{3,}", re.S)
FILE_LINK = re.compile(r"\{download\}`[^`]*`\.?|<a href=[^>]*>(.*?)</a>")
UNKNOWN_ADDRESS = "  # write the address of the book's repository here, as for git clone"
INSTALL = """\
# Outside the book's own environment, such as in Colab, this cell installs what the notebook needs.
# This takes a few minutes. If you are asked to restart the session, do so, and continue below.
import importlib.util
import os
import subprocess
import sys

REPOSITORY = {url}{comment}
if importlib.util.find_spec("groove_utils") is None:
    if not REPOSITORY:
        raise RuntimeError("In this cell, set REPOSITORY to the address of the book's repository.")
    install = [sys.executable, "-m", "pip", "install", "-q"]
    commands = [
        [*install, "-r", "book/requirements.txt"],
        [*install, "--no-deps", "-r", "book/requirements-nodeps.txt"],
        [*install, "--no-deps", "-e", "book"],
        ["make", "-s", "-C", "book", "tables", "CH={chapter}", f"PY={{sys.executable}}"],
    ]
    if not os.path.isdir("book"):
        clone = ["git", "clone", "-q", "--depth", "1"{branch}]
        commands.insert(0, [*clone, REPOSITORY, "book"])
    for command in commands:
        subprocess.run(command, check=True)
    sys.path.insert(0, "book")
"""


def install_cell(chapter: str, address: Mapping[str, str] | None) -> NotebookNode:
    """Create the cell that fetches and installs the book's package if it is missing.

    Parameters
    ----------
    chapter : str
        Name of the chapter. The cell also creates the tables that the chapter reads.
    address : mapping or None
        ``url`` and ``branch``, as returned by :func:`groove_utils.book.build.repository`. If None,
        the user must enter the address in the cell.

    Returns
    -------
    nbformat.NotebookNode

    Examples
    --------
    >>> cell = install_cell("06-probing", {"url": "https://example.org/a/b", "branch": "main"})
    >>> print(cell.source.splitlines()[7])
    REPOSITORY = "https://example.org/a/b"
    """
    address = address or {}
    source = INSTALL.format(
        chapter=chapter,
        url=json.dumps(address.get("url", "")),
        comment="" if address else UNKNOWN_ADDRESS,
        branch=f', "-b", {json.dumps(address["branch"])}' if address.get("branch") else "",
    )
    return nbformat.v4.new_code_cell(source.strip(), id="install")


def download_notebook(
    page: NotebookNode,
    chapter: str,
    sources: Path,
    values: Mapping[str, Mapping],
    address: Mapping[str, str] | None,
) -> NotebookNode:
    """Convert the page of an executed chapter to a downloadable notebook.

    Parameters
    ----------
    page : nbformat.NotebookNode
        Output of :func:`groove_utils.book.page.published_page`; it is modified.
    chapter : str
        Name of the chapter.
    sources : pathlib.Path
        Folder that contains the page and the sub-folder ``figures/``.
    values : mapping of str to mapping
        Reported values, as returned by :func:`groove_utils.book.build.collect_values`.
    address : mapping or None
        See :func:`install_cell`.

    Returns
    -------
    nbformat.NotebookNode
    """
    texts = glue_texts(chapter, values)
    cells = [install_cell(chapter, address)]
    for cell in page.cells:
        if cell.cell_type == "markdown":
            text = SOLUTION_MARK.sub(_solution_heading, cell.source)
            cell.source = plain_markdown(FILE_LINK.sub(r"\1", text), texts).strip()
            if not cell.source:
                continue
        else:
            converted = (_output(output, sources, texts) for output in cell.outputs)
            cell.outputs = [output for outputs in converted for output in outputs]
            if "hide-input" in cell.metadata.get("tags", []):
                cell.metadata["jupyter"] = {"source_hidden": True}
        cells.append(cell)
    page.cells = cells
    return page


def write_downloads(
    chapters: Iterable[str],
    sources: Path,
    html: Path,
    values: Mapping[str, Mapping],
    address: Mapping[str, str] | None,
    kept: KeptFiles,
) -> None:
    """Write the notebooks that the chapters' download buttons link to.

    Parameters
    ----------
    chapters : iterable of str
        Names of the chapters.
    sources : pathlib.Path
        Folder of the executed chapters.
    html : pathlib.Path
        Folder of the built pages.
    values, address : mapping
        See :func:`download_notebook`.
    kept : KeptFiles
        Cache of downloadable notebooks from earlier builds.
    """
    for chapter in chapters:
        text = (sources / f"{chapter}.ipynb").read_text(encoding="utf-8")

        def make(text: str = text, chapter: str = chapter) -> str:
            page = nbformat.reads(text, as_version=4)
            notebook = download_notebook(page, chapter, sources, values, address)
            return nbformat.writes(notebook) + "\n"

        shared = json.dumps([chapter, address, glue_texts(chapter, values)])
        figures = sorted((sources / "figures").glob(f"{chapter}-*.webp"))
        notebook = kept.get([text, shared, *map(hash_file, figures)], make)
        write_if_changed(html / FOLDER / f"{chapter}.ipynb", notebook.read_bytes())


def _solution_heading(mark: re.Match) -> str:
    return "**Solution**" if mark[1] == "start" else ""


def _output(output: NotebookNode, sources: Path, texts: Mapping[str, str]) -> list[NotebookNode]:
    """Convert one output of a page to a list of outputs for the downloaded notebook."""
    data = output.get("data", {})
    if any(kind.startswith("application/papermill.record") for kind in data):
        return []  # a reported value, which is inserted into the text
    html, text = data.get("text/html", ""), data.get("text/markdown", "")
    if 'class="listening-map"' in html:
        return []
    if '<div class="players' in html:
        sounds = BeautifulSoup(html, "html.parser").select("audio[aria-label]")
        labels = ", ".join(escape_text(sound["aria-label"]) for sound in sounds)
        return [_markdown(f"*Run this cell to hear: {labels}.*")]
    if figure := FIGURE.fullmatch(text.strip()):
        return _figure(sources / figure[1], figure[2], figure[3], texts)
    if text:
        return [_markdown(plain_markdown(text, texts).strip())]
    return [output]


def _figure(file: Path, options: str, caption: str, texts: Mapping[str, str]) -> list[NotebookNode]:
    """Return two outputs: a figure as an embedded PNG, and its caption."""
    alt = re.search(r"^:alt: *(.*)$", options, re.M)
    width = re.search(r"^:width: *(\d+)px", options, re.M)
    png = io.BytesIO()
    with Image.open(file) as picture:
        picture.convert("RGB").save(png, "PNG")
    data = {
        "image/png": base64.b64encode(png.getvalue()).decode(),
        "text/plain": alt[1].strip("'") if alt else file.stem,
    }
    metadata = {"image/png": {"width": int(width[1])}} if width else {}
    shown = plain_markdown(FILE_LINK.sub("", caption), texts).strip()
    return [
        nbformat.v4.new_output("display_data", data, metadata=metadata),
        _markdown(f"*{shown}*"),
    ]


def _markdown(text: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/markdown": text, "text/plain": text})
