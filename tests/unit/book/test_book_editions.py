"""Editions are built if their data is available, and all links between them work."""

import json
import re

import pytest
from bs4 import BeautifulSoup
from expect import raises

from groove_utils.book import editions
from groove_utils.book.editions import Edition, build_editions, read_site_address, write_site
from groove_utils.book.errors import BookError
from groove_utils.paths import project_root

ROOT = project_root()
HEADER = '<html><head><title>{}</title></head><body><div class="header-article-items__end"></div>'
FOUND = {
    "06-probing.best_model": "msd-<b>",
    "06-probing.headline": "predict the ratings",
    "06-probing.best_r2": "0.50 (95% CI 0.36 to 0.65)",
    "06-probing.target": "groove",
}
AGREED = {
    "01-listeners-and-tracks.ceiling": "0.97",
    "01-listeners-and-tracks.query": "groove",
    "01-listeners-and-tracks.icc_single": "0.27",
    "01-listeners-and-tracks.raters_per_song": "30",
}


def values(texts):
    return {name: {"text": text, "full": text} for name, text in texts.items()}


def write_pages(folder, *names):
    (folder / "_static").mkdir(parents=True)
    (folder / "_static" / "groove.css").write_text("")
    for name in names:
        (folder / name).write_text(HEADER.format(name))
    return folder


@pytest.fixture
def three(tmp_path):
    """Three editions with stub pages: the demo, and two real studies, one of them without data."""
    real = write_pages(tmp_path / "real", "index.html", "06-probing.html")
    demo = write_pages(tmp_path / "demo", "index.html", "06-probing.html", "10-genre.html")
    return [
        Edition("real", "Real & rated", False, real, values=values(AGREED)),
        Edition("gone", "Not fetched", False, None, fetched=False),
        Edition("demo", "Demo", True, demo, values=values(FOUND)),
    ]


def read(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def test_every_page_links_to_the_same_page_of_other_editions(three, tmp_path):
    front = write_site(ROOT / "site", tmp_path / "site", three)
    links = [link["href"] for link in read(tmp_path / "site/real/06-probing.html").select("nav a")]
    assert links == ["../index.html", "../real/06-probing.html", "../demo/06-probing.html"]
    links = [link["href"] for link in read(tmp_path / "site/demo/10-genre.html").select("nav a")]
    assert links == ["../index.html", "../real/index.html", "../demo/10-genre.html"]
    for page in front.parent.rglob("*.html"):
        for link in read(page).select("a, link"):
            assert (page.parent / link["href"]).is_file(), (page, link)
        if page != front:
            current = read(page).select_one("a[aria-current]")
            assert (page.parent / current["href"]).resolve() == page.resolve()
    assert (front.parent / "demo" / "_static" / "groove.css").is_file()
    assert "</nav>" not in (three[0].html / "index.html").read_text()  # the edition is unchanged


def test_the_front_page_leads_with_people_and_names_what_is_missing(three, tmp_path):
    page = read(write_site(ROOT / "site", tmp_path / "site", three))
    real, gone, demo = page.select("section")
    assert [real["id"], gone["id"], demo["id"]] == ["real", "gone", "demo"]
    assert all(text in real.get_text() for text in ("Real & rated", "0.27", "0.97"))
    assert "imulated" not in real.get_text()
    assert gone.select(".missing")
    assert not gone.select("a")
    assert "STUDY=gone" in gone.get_text()
    assert "imulated" in demo.get_text()
    assert all(text in demo.get_text() for text in ("msd-<b>", "0.50 (95% CI 0.36 to 0.65)"))
    assert not page.select("[rel=canonical]")


def test_canonical_links_where_the_address_is_known(three, tmp_path):
    front = write_site(ROOT / "site", tmp_path / "site", three, "https://example.org/a")
    for page in front.parent.rglob("*.html"):
        (link,) = read(page).select("link[rel=canonical]")
        place = page.relative_to(front.parent).as_posix()
        assert link["href"] == f"https://example.org/a/{re.sub('^index.html$', '', place)}"


def test_a_site_is_replaced_as_a_whole(three, tmp_path):
    write_site(ROOT / "site", tmp_path / "site", three)
    write_site(ROOT / "site", tmp_path / "site", three[2:])
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == [
        ".nojekyll", "demo", "editions.css", "index.html",
    ]  # fmt: skip
    (tmp_path / "source").mkdir()
    with pytest.raises(OSError, match=r"index\.html"):
        write_site(tmp_path / "source", tmp_path / "site", three)
    assert len(list((tmp_path / "site").iterdir())) == 4


@pytest.mark.parametrize("address", ["example.org", "ftp://a", 'https://a/"onload="', "https:// a"])
def test_an_address_that_is_none(address):
    with raises(BookError, kind="invalid_address", column="SITE_URL", value=address):
        read_site_address({"SITE_URL": address})


def test_no_address():
    assert read_site_address({}) is None


@pytest.fixture
def stub_builds(monkeypatch, tmp_path):
    """Checkout in which stub studies and books are made, unless their names are in a set."""
    (tmp_path / "analysis" / "params").mkdir(parents=True)
    (tmp_path / "analysis" / "params" / "default.yml").write_text("")
    failing = {"study": set(), "book": set()}

    def make_study(settings, chapters):
        return int(settings.study in failing["study"])

    def make_results(settings, chapters):
        write_pages(settings.build / "html", "index.html")
        (settings.build / "values.json").write_text(json.dumps(values(FOUND)))
        return int(settings.study in failing["book"])

    monkeypatch.setattr(editions, "make_study", make_study)
    monkeypatch.setattr(editions, "make_results", make_results)
    return tmp_path, failing


def build(root):
    return {edition.name: edition for edition in build_editions(root, ["01-one"], {})}


def test_people_come_first(stub_builds):
    made = build(stub_builds[0])
    assert list(made) == ["marmoret2026", "oconnell2022", "demo"]
    assert all(edition.html and edition.fetched for edition in made.values())


def test_an_edition_without_data_is_left_out_or_kept_from_before(stub_builds):
    root, failing = stub_builds
    failing["study"] = {"marmoret2026", "oconnell2022"}
    write_pages(root / "build" / "oconnell2022" / "html", "index.html")
    (root / "build" / "oconnell2022" / "values.json").write_text("{}")
    made = build(root)
    assert [name for name, edition in made.items() if edition.html] == ["oconnell2022", "demo"]
    assert [name for name, edition in made.items() if edition.fetched] == ["demo"]


@pytest.mark.parametrize(("step", "name"), [("study", "demo"), ("book", "oconnell2022")])
def test_any_other_failure_is_an_error(stub_builds, step, name):
    root, failing = stub_builds
    failing[step] = {name}
    with raises(BookError, kind="edition_failed", value=name):
        build(root)
