"""Post-processing of jupyter-book's HTML: smaller files, page descriptions and accessibility."""

from __future__ import annotations

import copy
import json
import re
import shutil
from functools import partial
from pathlib import Path

from bs4 import BeautifulSoup
from PIL import Image

from groove_utils.book.icons import draw_icon, read_icons
from groove_utils.book.kept_files import KeptFiles
from groove_utils.book.page_media import dark_twin
from groove_utils.files import atomic_path, hash_file, write_if_changed

__all__ = ["finish_page", "finish_pages"]

LONGEST_DESCRIPTION = 160  # characters; search engines show no more
WIDE = 420  # pixels: wider figures scroll on a phone
# scripts and styles that no page needs, since icons are inline and no code runs in the browser
UNUSED = re.compile(r"fontawesome\.js|sphinx-thebe|\.js\.map")
SEARCH_ONLY = re.compile(r"searchtools\.js|language_data\.js|searchindex\.js")


def finish_pages(folder: Path, figures: Path, kept: KeptFiles) -> None:
    """Edit every page of a built book in place, and delete unused files.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with ``index.html`` and ``_static/``.
    figures : pathlib.Path
        Folder of the chapters' figures, from which the versions for the dark theme are copied.
    kept : KeptFiles
        Cache of finished pages from earlier builds.
    """
    for image in sorted((folder / "_images").glob("*.webp")):
        twin = dark_twin(image)
        if (drawn := figures / twin.name).is_file():
            with atomic_path(twin) as part:
                shutil.copyfile(drawn, part)
    pages = {page: page.read_text(encoding="utf-8") for page in sorted(folder.glob("*.html"))}
    classes = " ".join(re.findall(r'<i class="([^"]*)"', "".join(pages.values()))).split()
    names = sorted({name.removeprefix("fa-") for name in classes})
    script = folder / "_static/scripts/fontawesome.js"
    shapes = read_icons(script, names) if script.is_file() else {}
    icons = {name: draw_icon(name, shape) for name, shape in shapes.items()}
    terms = _definitions(pages.get(folder / "glossary.html", ""))
    shared = json.dumps([icons, terms])
    for page, text in pages.items():
        sources = [page.name, text, shared, *_image_hashes(text, folder)]
        finished = kept.get(sources, partial(finish_page, text, page, icons, terms))
        write_if_changed(page, finished.read_bytes())
    for file in folder.glob("_static/**/*"):
        if UNUSED.search(file.name):
            file.unlink()


def _image_hashes(text: str, folder: Path) -> list[str]:
    """Return the hashes of a page's images and of their dark versions."""
    images = [folder / name for name in re.findall(r'src="([^":]+\.(?:png|webp))"', text)]
    files = [file for image in images for file in (image, dark_twin(image))]
    return [hash_file(file) for file in files if file.is_file()]


def finish_page(text: str, page: Path, icons: dict[str, str], terms: dict[str, str]) -> str:
    """Remove unused scripts from a page's HTML, and add features that the theme lacks.

    The added features are a description for search engines, inline icons, figures for the dark
    theme, image sizes, keyboard scrolling of wide elements, and definitions of glossary terms.

    Parameters
    ----------
    text : str
        HTML as written by jupyter-book.
    page : pathlib.Path
        File of the page; the paths of images are relative to its folder.
    icons : dict of str to str
        Name of an icon → its SVG.
    terms : dict of str to str
        Anchor of a glossary term → its definition, shown as a tooltip on links to the term.

    Returns
    -------
    str
        The edited HTML.
    """
    soup = BeautifulSoup(text, "html.parser")
    _trim_head(soup, is_search=page.name == "search.html")
    _describe(soup)
    _draw_icons(soup, icons)
    _add_dark_figures(soup, page.parent)
    _size_images(soup, page.parent)
    _mark_scrolling(soup)
    _name_controls(soup)
    for link in soup.select('a[href^="glossary.html#term-"]'):
        if definition := terms.get(link["href"].partition("#")[2]):
            link["title"] = definition
    return str(soup)


def _definitions(glossary: str) -> dict[str, str]:
    """Map the anchor of each glossary term to the first sentence of its definition."""
    soup = BeautifulSoup(glossary, "html.parser")
    terms = {}
    for term in soup.select("dl.glossary dt[id]"):
        if definition := term.find_next_sibling("dd"):
            words = " ".join(definition.get_text(" ").split())
            terms[term["id"]] = re.split(r"(?<=[.;]) ", words)[0].rstrip(";")
    return terms


def _trim_head(soup: BeautifulSoup, *, is_search: bool) -> None:
    seen = set()
    for script in soup.find_all("script"):
        source, code = script.get("src", ""), (script.string or "").strip()
        repeated = (source, code) in seen or "THEBE_JS_URL" in code or "kernelName =" in code
        seen.add((source, code))
        unused = UNUSED.search(source) or script.get("type") == "text/x-thebe-config"
        if repeated or unused or (not is_search and SEARCH_ONLY.search(source)):
            script.decompose()
    for link in soup.find_all("link", href=UNUSED):
        link.decompose()
    for viewport in soup.find_all("meta", attrs={"name": "viewport"})[1:]:
        viewport.decompose()


def _describe(soup: BeautifulSoup) -> None:
    """Set a page's description for search engines to its first paragraph."""
    paragraph = soup.select_one("article section > p")
    title = soup.title.get_text() if soup.title else ""
    text = " ".join((paragraph.get_text() if paragraph else title).split())
    if len(text) > LONGEST_DESCRIPTION:
        text = text[:LONGEST_DESCRIPTION].rpartition(" ")[0].rstrip(",;:") + "…"
    if text and soup.head and not soup.head.find("meta", attrs={"name": "description"}):
        soup.head.append(soup.new_tag("meta", attrs={"name": "description", "content": text}))


def _draw_icons(soup: BeautifulSoup, icons: dict[str, str]) -> None:
    for place in soup.select("i.fas, i.fab, i.fa-solid, i.fa-brands"):
        name = next((c[3:] for c in place["class"] if c[3:] in icons), None)
        if name is None:
            continue
        drawing = BeautifulSoup(icons[name], "html.parser").svg
        kept = [c for c in place["class"] if c not in drawing["class"]]
        drawing["class"] = [*drawing["class"], *kept]
        place.replace_with(drawing)


def _add_dark_figures(soup: BeautifulSoup, folder: Path) -> None:
    """Insert the dark version of each figure; the theme shows one of the two versions."""
    for image in soup.select("article figure a > img[src]"):
        twin = dark_twin(Path(image["src"]))
        if (folder / twin).is_file():
            dark = copy.copy(image)
            dark["src"] = twin.as_posix()
            dark["class"] = [*image.get("class", []), "only-dark"]
            image["class"] = [*image.get("class", []), "only-light"]
            image.insert_after(dark)


def _size_images(soup: BeautifulSoup, folder: Path) -> None:
    """Set the width and height of each image, make images load lazily, and mark wide figures."""
    for image in soup.select("article img[src]"):
        file = folder / image["src"]
        image["loading"], image["decoding"] = "lazy", "async"
        if file.suffix not in {".png", ".webp"} or not file.is_file():
            continue
        with Image.open(file) as picture:
            width, height = picture.size
        if shown := re.search(r"width: ?(\d+)px", image.get("style", "")):
            width, height = int(shown[1]), round(height * int(shown[1]) / width)
        image["width"], image["height"] = str(width), str(height)
        figure = image.find_parent("figure")
        if figure is not None and width > WIDE and "only-dark" not in image.get("class", []):
            figure["class"] = [*figure.get("class", []), "wide"]


def _mark_scrolling(soup: BeautifulSoup) -> None:
    """Make potentially wide elements focusable, so that they can be scrolled with the keyboard."""
    for region in soup.select(".pst-scrollable-table-container, .highlight pre, div.math.equation"):
        region["tabindex"] = "0"


def _name_controls(soup: BeautifulSoup) -> None:
    """Ensure that the accessible name of each control contains its visible text."""
    for item in soup.select(".citation-list[role], .citation[role]"):  # not list items
        del item["role"]
    for control in soup.select("button.search-button-field, details > summary"):
        control.attrs.pop("aria-label", None)
