"""Compile the pages that have changed since the last build, using jupyter-book.

Sphinx recompiles a page if the page's own file has changed, but it does not track everything that
the page takes from other pages, such as the titles in the sidebar. Therefore, if any such shared
content has changed, all pages are recompiled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from groove_utils.book.errors import BookError
from groove_utils.book.page_media import list_media
from groove_utils.files import hash_bytes, hash_file, write_if_changed
from groove_utils.packages import installed_versions

__all__ = ["compile_pages", "shared_parts"]

EXTENSIONS = re.compile(r"groove_utils\.book\.(\w+)")
# titles, labels and citations, which other pages use
SHARED = re.compile(
    r"^ *#+ .*|^\(.*\)=|^ *:(?:name|label):.*|\{cite[^`]*`[^`]*`|\{glossary\}", re.MULTILINE
)
SHARED_FILES = ("_config.yml", "_toc.yml", "glossary.md", "references.bib")


def compile_pages(sources: Path, work: Path, log: Path) -> Path:
    """Compile the pages of a book to HTML.

    Parameters
    ----------
    sources : pathlib.Path
        Folder with ``_config.yml``, ``_toc.yml`` and the pages.
    work : pathlib.Path
        Working folder for Sphinx's parsed pages and HTML; the folder is kept between builds.
    log : pathlib.Path
        File for the output of jupyter-book.

    Returns
    -------
    pathlib.Path
        Folder with the HTML. Do not edit its files, since the next build reuses them; edit copies
        instead.

    Raises
    ------
    BookError
        If jupyter-book fails or issues warnings. The next build then recompiles all pages, so that
        the warnings are shown again.
    """
    state, html = work / "shared.txt", work / "_build" / "html"
    shared = shared_parts(sources)
    if not state.is_file() or state.read_text(encoding="utf-8") != shared:
        shutil.rmtree(work, ignore_errors=True)
    state.unlink(missing_ok=True)
    _jupyter_book(sources, work, log)
    _remove_dropped_media(sources, html)
    write_if_changed(state, shared)
    return html


def shared_parts(sources: Path) -> str:
    """Hash the parts of a book's sources that can affect more than one page.

    Parameters
    ----------
    sources : pathlib.Path
        Folder with ``_config.yml``, ``_toc.yml`` and the pages.

    Returns
    -------
    str
        Hash of 64 hexadecimal digits. It changes only if titles, labels, citations, the glossary,
        styles, scripts, settings, installed packages, this package's Sphinx extensions, or the
        path of `sources` change.
    """
    # The path is included, so that a copy of a build is compiled from scratch. Its files may be
    # hard links to those of the original, and Sphinx modifies files in place.
    contents = [str(sources.resolve()), json.dumps(installed_versions(), sort_keys=True)]
    files = [sources / name for name in SHARED_FILES] + [*(sources / "_static").glob("*.*")]
    settings = sources / "_config.yml"
    extensions = EXTENSIONS.findall(settings.read_text("utf-8")) if settings.is_file() else []
    files += [Path(__file__).with_name(f"{name}.py") for name in extensions]
    contents += [hash_file(file) for file in sorted(files) if file.is_file()]
    for page in sorted([*sources.glob("*.md"), *sources.glob("*.ipynb")]):
        contents += [page.name, *SHARED.findall(_prose(page))]
    return hash_bytes(*contents)


def _prose(page: Path) -> str:
    """Return the Markdown of a page or, for a notebook, of its cells and their outputs."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    texts = []
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "markdown":
            texts.append(cell["source"])
        for output in cell.get("outputs", []):
            texts.append(output.get("data", {}).get("text/markdown", ""))
    return "\n".join("".join(lines) for lines in texts)


def _jupyter_book(sources: Path, work: Path, log: Path) -> None:
    # jupyter_book has no __main__ module; groove_utils.book.__main__ explains the first line
    start = "import sys; sys.modules['rfc3987_syntax'] = None\n"
    start += "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(sources)]
    command += ["--path-output", str(work), "-W", "-n", "--keep-going"]
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    output = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout + run.stderr)
    write_if_changed(log, output)
    if run.returncode:
        problems = [line for line in output.splitlines() if re.search("WARNING|ERROR", line)]
        shown = "\n".join(problems[-20:] or output.splitlines()[-25:])
        raise BookError(
            f"jupyter-book failed:\n{shown}\nFull log: {os.path.relpath(log)}",
            kind="jupyter_book",
            path=log,
        )


def _remove_dropped_media(sources: Path, html: Path) -> None:
    """Delete figures, sounds and tables from earlier builds that are no longer used."""
    kept = {file.name for file in [*list_media(sources), *(sources / "_static").glob("*")]}
    for place in ("_images/*", "_static/audio/*", "_downloads/*/*"):
        for file in html.glob(place):
            if file.name not in kept:
                file.unlink()
