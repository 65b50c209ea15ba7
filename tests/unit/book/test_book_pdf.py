"""All pages become one document, and links between pages become links within it."""

import pytest
from bs4 import BeautifulSoup
from expect import raises

from groove_utils.book import pdf
from groove_utils.book.errors import BookError

NAV = '<nav class="bd-links"><a class="internal" href="two.html">2</a></nav>'
FRONT = """<html><head><title>A book</title><link rel="stylesheet" href="_static/a.css"/></head>
<body>{nav}<article><section id="top"><h1>Front</h1><a href="two.html#top">there</a>
<a href="https://example.org/#a">out</a></section></article></body></html>"""
SECOND = """<html><body><article><section id="top"><h1>Second</h1><a href="#top">here</a>
<a href="index.html">front</a><a href="exercises/2.ipynb">exercises</a>
<p>Seen. <a class="download" href="_downloads/a.csv">Numbers</a>.</p>
<details class="hide above-input"><summary>Show</summary><pre>plot()</pre></details>
<details><summary>Solution</summary><p>Four.</p></details>
<img class="only-light" loading="lazy" src="_images/a.webp"/><img class="only-dark" src="b"/>
<div class="players"><audio></audio></div><button>Copy</button></section></article></body></html>"""


@pytest.fixture
def html(tmp_path):
    folder = tmp_path / "html"
    for name in ("_static", "_images"):
        (folder / name).mkdir(parents=True)
    (folder / "index.html").write_text(FRONT.format(nav=NAV))
    (folder / "two.html").write_text(SECOND)
    return folder


@pytest.fixture
def joined(html):
    return BeautifulSoup(pdf.join_pages(html), "html.parser")


def test_pages_come_in_the_order_of_the_contents(joined):
    assert [h.get_text() for h in joined.select("h1")] == ["Front", "Second"]
    assert joined.select_one(".contents a")["href"] == "#two"
    assert joined.select_one("head link")["href"] == "_static/a.css"


def test_titles_stay_texts(html):
    title = "&lt;script&gt;alert(1)&lt;/script&gt;"
    for file in html.glob("*.html"):
        text = file.read_text().replace("A book", title).replace("Second", title)
        file.write_text(text)
    joined = BeautifulSoup(pdf.join_pages(html), "html.parser")
    assert not joined.find("script")
    assert joined.title.get_text() == joined.select_one(".contents a").get_text()


def test_links_lead_to_places_in_the_document(joined):
    ids = [element["id"] for element in joined.select("[id]")]
    assert len(ids) == len(set(ids))
    links = [link.get("href") for link in joined.select("article a")]
    assert links == ["#two--top", "https://example.org/#a", "#two--top", "#index", None]
    assert {link[1:] for link in links if link and link.startswith("#")} <= set(ids)


def test_what_needs_a_browser_is_left_out(joined):
    assert joined.select("button, audio, .only-dark, details.hide") == []
    assert joined.select_one("img").get("loading") is None
    assert "Four." in joined.get_text()
    assert joined.select_one("p").get_text().strip() == "Seen."


def test_without_chromium_the_error_says_what_to_install(html, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "find_chromium", lambda: None)
    with raises(BookError, "no_chromium"):
        pdf.print_book(html, tmp_path / "book.pdf", tmp_path / "work")


def test_a_chromium_that_fails_leaves_no_file(html, tmp_path, monkeypatch):
    monkeypatch.setattr(pdf, "find_chromium", lambda: "false")
    with raises(BookError, "chromium", value=1):
        pdf.print_book(html, tmp_path / "book.pdf", tmp_path / "work")
    assert not (tmp_path / "book.pdf").exists()
