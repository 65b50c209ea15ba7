"""The whole book as one PDF, printed by Chromium from the built pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from bs4 import BeautifulSoup, Tag

from groove_utils.book.errors import BookError
from groove_utils.book.markdown import escape_text
from groove_utils.files import atomic_path

__all__ = ["find_chromium", "join_pages", "print_book"]

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# elements that only work in a browser: players, buttons, maps, folded code, dark figures
ON_SCREEN = "script, button, .players, .listening-map, details.hide, .only-dark, .headerlink"
PAGE = """<!DOCTYPE html>
<html lang="en" data-theme="light" class="printed-book">
<head><meta charset="utf-8"><title>{title}</title>{styles}</head>
<body>{articles}</body>
</html>
"""


def find_chromium() -> str | None:
    """Find Chromium through ``$CHROMIUM`` or PATH; return its path, or None if it is not found."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, CHROMIUM)), None)


def join_pages(html: Path) -> str:
    """Join the pages of a built book into one HTML document, in the order of the sidebar.

    Parameters
    ----------
    html : pathlib.Path
        Folder with ``index.html``, whose sidebar lists the pages.

    Returns
    -------
    str
        The document. Links between pages are replaced with links to anchors, and solutions to
        exercises are visible.
    """
    front = BeautifulSoup((html / "index.html").read_text(encoding="utf-8"), "html.parser")
    listed = [link["href"] for link in front.select("nav.bd-links a.internal[href]")]
    names = dict.fromkeys(["index.html", *(href for href in listed if (html / href).is_file())])
    articles = [_article(html / name) for name in names]
    contents = "".join(
        f'<li><a href="#{article["id"]}">{escape_text(article.h1.get_text())}</a></li>'
        for article in articles[1:]
        if article.h1
    )
    articles.insert(1, f'<nav class="contents"><h2>Contents</h2><ul>{contents}</ul></nav>')
    return PAGE.format(
        title=escape_text(front.title.get_text()) if front.title else "",
        styles="".join(map(str, front.select('link[rel="stylesheet"]'))),
        articles="\n".join(map(str, articles)),
    )


def print_book(html: Path, target: Path, work: Path) -> None:
    """Print a built book to a single PDF, with an outline of its headings.

    Parameters
    ----------
    html : pathlib.Path
        The built pages.
    target : pathlib.Path
        The PDF to write.
    work : pathlib.Path
        Temporary folder for the joined pages; it is emptied first and deleted afterwards.

    Raises
    ------
    BookError
        If Chromium is not found or fails.
    """
    chromium = find_chromium()
    if chromium is None:
        raise BookError(
            "Chromium was not found: expected one of "
            f"{', '.join(CHROMIUM)} in PATH, or its path in the variable CHROMIUM. On Debian, "
            "install the package chromium.",
            kind="no_chromium",
        )
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for folder in ("_static", "_images"):
        (work / folder).symlink_to((html / folder).resolve())
    page = work / "book.html"
    page.write_text(join_pages(html), encoding="utf-8")
    with atomic_path(target) as part:
        command = [chromium, "--headless", "--disable-gpu", f"--print-to-pdf={part.resolve()}"]
        command += ["--no-pdf-header-footer", "--generate-pdf-document-outline"]
        command += ["--no-sandbox"] * (os.geteuid() == 0)  # the sandbox does not work for root
        run = subprocess.run(
            [*command, page.resolve().as_uri()], capture_output=True, text=True, check=False
        )
        if run.returncode or not part.is_file():
            raise BookError(
                f"Chromium could not print the book (exit status {run.returncode}):\n"
                f"{run.stderr[-2000:]}",
                kind="chromium",
                path=target,
                value=run.returncode,
            )
    shutil.rmtree(work)


def _article(file: Path) -> Tag:
    """Return the ``<article>`` of a page, with unique anchors and without interactive elements."""
    soup = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
    article = soup.find("article")
    for element in article.select(ON_SCREEN):
        element.decompose()
    for link in article.select("a.download"):
        if str(link.next_sibling or "").startswith("."):  # the link is a sentence by itself
            link.next_sibling.replace_with(str(link.next_sibling)[1:])
        link.decompose()
    for image in article.select("img[loading]"):
        del image["loading"]  # lazy images load on scrolling, but a printed page is not scrolled
    for element in article.select("[id]"):
        element["id"] = f"{file.stem}--{element['id']}"
    for link in article.select("a[href]"):
        _rewrite_link(link, file)
    article["id"] = file.stem
    return article


def _rewrite_link(link: Tag, file: Path) -> None:
    """Replace a link to a page of the book with a link to an anchor in the joined document."""
    if re.match(r"[a-z]+:", link["href"]):
        return
    page, _, anchor = link["href"].partition("#")
    stem = Path(page).stem if page else file.stem
    if page and not page.endswith(".html"):
        del link["href"]  # a file to download
    else:
        link["href"] = f"#{stem}--{anchor}" if anchor else f"#{stem}"
