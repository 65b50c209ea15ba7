"""Processing of the HTML from jupyter-book: what is removed, added, and left unchanged."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from groove_utils.book import html
from groove_utils.book.html import finish_page, finish_pages
from groove_utils.book.icons import read_icons
from groove_utils.book.kept_files import KeptFiles

SCRIPT = (
    'var a={"sun":[512,512,[9],"f185","M0 0outline"]};'
    'var b={"sun":[512,512,[9],"f185","M1 1solid"],moon:[384,512,[],"f186","M2 2"]};'
)
PAGE = """<html><head><title>A page</title><meta name="viewport"/><meta name="viewport"/>
<script src="_static/scripts/fontawesome.js"></script><script src="searchindex.js"></script>
<script>const THEBE_JS_URL = "x"</script><script>let a = 1 < 2;</script></head>
<body><i class="fa-solid fa-sun extra"></i><i class="fa-solid fa-unknown"></i>
<article><section><h1>Title</h1><p>First <b>words</b>.</p>
<figure><img src="plot.png" style="width: 500px;" alt="a"/></figure>
<figure><a href="_images/b.webp"><img src="_images/b.webp" alt="b"/></a></figure>
<a href="glossary.html#term-mel">mel</a></section></article></body></html>"""


@pytest.fixture
def book(tmp_path):
    scripts = tmp_path / "_static" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "fontawesome.js").write_text(SCRIPT)
    Image.new("RGB", (1000, 300)).save(tmp_path / "plot.png")
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "search.html").write_text(PAGE)
    (tmp_path / "glossary.html").write_text(
        '<dl class="glossary"><dt id="term-mel">mel</dt><dd><p>A scale. More.</p></dd></dl>'
    )
    for folder in ("_images", "figures"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (90, 30)).save(tmp_path / "_images/b.webp")
    Image.new("RGB", (90, 30), "navy").save(tmp_path / "figures/b.dark.webp")
    finish_pages(tmp_path, tmp_path / "figures", KeptFiles(tmp_path / "kept"))
    return tmp_path


def soup_of(file):
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def test_scripts_that_nothing_uses_are_dropped(book):
    text = (book / "index.html").read_text()
    assert "fontawesome.js" not in text
    assert "THEBE" not in text
    assert "searchindex.js" not in text
    assert "let a = 1 < 2;" in text
    assert not (book / "_static/scripts/fontawesome.js").exists()
    assert "searchindex.js" in (book / "search.html").read_text()


def test_icons_are_drawn_inline_from_the_solid_set(book):
    soup = soup_of(book / "index.html")
    drawing = soup.find("svg")
    assert drawing.path["d"] == "M1 1solid"
    assert drawing["aria-hidden"] == "true"
    assert "extra" in drawing["class"]
    assert soup.find("i", class_="fa-unknown") is not None


def test_head_describes_the_page_once(book):
    soup = soup_of(book / "index.html")
    assert len(soup.find_all("meta", attrs={"name": "viewport"})) == 1
    assert soup.find("meta", attrs={"name": "description"})["content"] == "First words."


def test_images_have_sizes_and_wait(book):
    image = soup_of(book / "index.html").find("img")
    assert (image["width"], image["height"], image["loading"]) == ("500", "150", "lazy")
    assert "wide" in image.find_parent("figure")["class"]


def test_a_figure_has_a_twin_for_dark_pages(book):
    light, dark = soup_of(book / "index.html").select("figure a > img")
    assert (light["src"], light["class"]) == ("_images/b.webp", ["only-light"])
    assert (dark["src"], dark["class"]) == ("_images/b.dark.webp", ["only-dark"])
    assert dark["alt"] == light["alt"]
    assert (dark["width"], dark["loading"]) == ("90", "lazy")
    assert (book / dark["src"]).is_file()


def test_links_to_the_glossary_show_its_first_sentence(book):
    (link,) = soup_of(book / "index.html").select("a[title]")
    assert link["title"] == "A scale."


def test_a_long_description_ends_at_a_word(tmp_path):
    text = f"<html><head></head><article><section><p>{'word ' * 60}</p></section></article></html>"
    content = BeautifulSoup(finish_page(text, tmp_path / "a.html", {}, {}), "html.parser").meta
    assert len(content["content"]) <= 160
    assert content["content"].endswith("word…")


def test_only_icons_that_the_script_defines_are_read(book, tmp_path):
    (tmp_path / "icons.js").write_text(SCRIPT)
    icons = read_icons(tmp_path / "icons.js", ["moon", "nothing"])
    assert icons == {"moon": ("384", "512", "M2 2")}


def test_a_page_is_finished_again_only_if_its_text_or_images_have_changed(tmp_path, monkeypatch):
    finished = []

    def finish(text, page, *_):
        finished.append(page.name)
        return text.upper()

    monkeypatch.setattr(html, "finish_page", finish)

    def run(**pages):
        finished.clear()
        for name, text in pages.items():
            (tmp_path / f"{name}.html").write_text(text)
        kept = KeptFiles(tmp_path / "kept")
        finish_pages(tmp_path, tmp_path / "figures", kept)
        kept.remove_unused()
        return finished

    plot = tmp_path / "plot.png"
    Image.new("RGB", (10, 10)).save(plot)
    pages = {"a": '<img src="plot.png">', "b": "b"}
    assert run(**pages) == ["a.html", "b.html"]
    assert run(**pages) == []
    assert (tmp_path / "b.html").read_text() == "B"
    assert run(**pages | {"b": "c"}) == ["b.html"]
    Image.new("RGB", (20, 10)).save(plot)
    assert run(**pages | {"b": "c"}) == ["a.html"]
    assert len(list((tmp_path / "kept").iterdir())) == 2
