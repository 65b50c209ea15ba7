"""Editions of the book, one per catalogued study, and the website that contains them.

Each page of the site links to the same page in the other editions. Unlike the theme's version
switcher, the links are plain HTML, so they also work without JavaScript and in local files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import jinja2

from groove_utils.book.errors import BookError
from groove_utils.book.incremental import make_results, make_study
from groove_utils.book.settings import read_settings
from groove_utils.files import write_if_changed
from groove_utils.study.catalogue import dataset_names, get_dataset

__all__ = ["Edition", "build_editions", "read_site_address", "write_site"]


@dataclass(frozen=True)
class Edition:
    """An edition of the book, built for one study.

    Parameters
    ----------
    name, title : str
        The study's name in the catalogue, and its title.
    simulated : bool
        True if the study's ratings are simulated.
    html : pathlib.Path or None
        Folder with the pages, or None if the edition could not be built because its data are
        missing.
    fetched : bool
        False if the data could not be fetched. In that case, the edition has no pages, or only
        pages from an earlier build.
    values : dict
        Reported values, as in ``values.json``.
    """

    name: str
    title: str
    simulated: bool
    html: Path | None = None
    fetched: bool = True
    values: dict[str, dict] = field(default_factory=dict)

    def reported(self, name: str) -> bool:
        """Return True if a chapter reported a value with this name."""
        return name in self.values

    def value(self, name: str) -> str:
        """Return a reported value as text."""
        return self.values[name]["text"]

    def full(self, name: str) -> str:
        """Return a reported value with its interval and sample size, as text."""
        return self.values[name]["full"]


def build_editions(
    root: Path, chapters: list[str], environment: Mapping[str, str] = os.environ
) -> list[Edition]:
    """Build the book for every catalogued study whose data are available.

    Parameters
    ----------
    root : pathlib.Path
        Root folder of the repository.
    chapters : list of str
        Names of all chapters, as in ``chapters.mk``.
    environment : mapping of str to str
        Environment variables. PARAMS selects the parameter file; STUDY is ignored.

    Returns
    -------
    list of Edition
        One edition per catalogued study, including studies whose data are missing. Studies with
        real listeners come before simulated studies.

    Raises
    ------
    BookError
        If the demo study cannot be generated, a chapter fails, or an edition's pages
        cannot be built.
    """
    datasets = [get_dataset(name) for name in dataset_names()]
    datasets.sort(key=lambda dataset: dataset.meta["simulated"])
    editions = []
    for dataset in datasets:
        settings = read_settings(root, {**environment, "STUDY": dataset.name})
        html = settings.build / "html"
        print(f"== Edition {dataset.name}", flush=True)
        fetched = make_study(settings, chapters) == 0
        if not fetched and not dataset.remotes:
            _raise_failed(dataset.name, "the study could not be generated")
        if fetched and make_results(settings, chapters):
            _raise_failed(dataset.name, "a chapter failed, or its pages could not be built")
        built = (html / "index.html").is_file()
        if not fetched:
            how = "an earlier build is used" if built else "the site is built without this edition"
            print(f"{dataset.name}: the data could not be fetched or read; {how}.", flush=True)
        values = settings.build / "values.json"
        editions.append(
            Edition(
                dataset.name,
                dataset.meta["title"],
                dataset.meta["simulated"],
                html if built else None,
                fetched,
                json.loads(values.read_text(encoding="utf-8")) if built else {},
            )
        )
    return editions


def _raise_failed(name: str, what: str) -> None:
    raise BookError(
        f"Edition {name}: {what}; see the messages above. Fix the problem, and run `make site` "
        "again. The existing site was not changed.",
        kind="edition_failed",
        value=name,
    )


def read_site_address(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of the published site from the environment variable SITE_URL.

    Returns
    -------
    str or None
        The address without a final slash, or None if the variable is not set.

    Raises
    ------
    BookError
        If SITE_URL is not a web address.

    Examples
    --------
    >>> read_site_address({"SITE_URL": "https://example.org/groove/"})
    'https://example.org/groove'
    """
    address = environment.get("SITE_URL", "").rstrip("/")
    if address and not re.fullmatch(r"https?://[^\s\"'<>?#]+", address):
        raise BookError(
            f"SITE_URL={address}: expected an address such as https://example.org/groove.",
            kind="invalid_address",
            column="SITE_URL",
            value=address,
        )
    return address or None


def write_site(
    source: Path, site: Path, editions: Sequence[Edition], address: str | None = None
) -> Path:
    """Write a site with a front page, one folder per edition, and links between editions.

    Parameters
    ----------
    source : pathlib.Path
        The folder ``site/``, with the template of the front page and its style sheet.
    site : pathlib.Path
        Output folder. An existing folder is replaced only after the new site has been written.
    editions : sequence of Edition
        The editions; at least one must have pages. Editions without pages appear only on the front
        page.
    address : str, optional
        Address at which the site will be published. If given, each page has a canonical link.

    Returns
    -------
    pathlib.Path
        Path of the front page, ``index.html``.
    """
    part, old = (site.with_name(f".{site.name}.{what}") for what in ("part", "old"))
    for folder in (part, old):
        shutil.rmtree(folder, ignore_errors=True)
    built = [edition for edition in editions if edition.html]
    pages = {edition.name: _list_pages(edition) for edition in built}
    for edition in built:
        # hard links instead of copies are safe, since these files are never modified in place
        shutil.copytree(
            edition.html,
            part / edition.name,
            ignore=lambda _, names: [name for name in names if name.endswith(".html")],
            copy_function=os.link,
        )
        for page in pages[edition.name]:
            text = (edition.html / page).read_text(encoding="utf-8")
            links = _switcher(edition, built, page, pages)
            canonical = f"{address}/{edition.name}/{page}" if address else None
            target = part / edition.name / page
            write_if_changed(target, _insert(text, links, canonical, depth=page.count("/") + 1))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((source / "index.html").read_text(encoding="utf-8"))
    front = template.render(editions=editions, address=address)
    write_if_changed(part / "index.html", front)
    shutil.copyfile(source / "editions.css", part / "editions.css")
    (part / ".nojekyll").touch()
    if site.exists():
        site.replace(old)
    part.replace(site)
    shutil.rmtree(old, ignore_errors=True)
    return site / "index.html"


def _list_pages(edition: Edition) -> set[str]:
    return {page.relative_to(edition.html).as_posix() for page in edition.html.rglob("*.html")}


def _switcher(
    edition: Edition, editions: Iterable[Edition], page: str, pages: Mapping[str, set[str]]
) -> str:
    """Return HTML links to `page` in each edition, or to the front page if it has no such page."""
    up = "../" * (page.count("/") + 1)
    items = [f'<li><a href="{up}index.html">All editions</a></li>']
    for other in editions:
        place = page if page in pages[other.name] else "index.html"
        current = ' aria-current="true"' if other is edition else ""
        link = f'<a href="{up}{other.name}/{place}"{current}>{escape(other.title)}</a>'
        items.append(f"<li>{link}</li>")
    return (
        '<nav class="editions" aria-label="Editions"><details><summary>Editions</summary>'
        f"<ul>{''.join(items)}</ul></details></nav>"
    )


def _insert(text: str, links: str, canonical: str | None, depth: int) -> str:
    """Insert the links to the editions, and a link to the canonical address, into a page."""
    head = f'<link href="{"../" * depth}editions.css" rel="stylesheet"/>'
    if canonical:
        head += f'<link href="{escape(canonical)}" rel="canonical"/>'
    text = text.replace("</head>", f"{head}</head>", 1)
    header = '<div class="header-article-items__end">'
    if header in text:
        return text.replace(header, header + links, 1)
    return re.sub(r"<body[^>]*>", lambda body: body[0] + links, text, count=1)
