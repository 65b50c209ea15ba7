"""Texts of a study are never interpreted as markup: no role, directive or tag on any page."""

import re
from pathlib import Path

import docutils.core
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup
from hypothesis import example, given, settings
from hypothesis import strategies as st
from myst_parser.parsers.docutils_ import Parser
from plants import PLANTS, check_pages, plant, write_secret

from groove_utils.book import outputs
from groove_utils.book.build import build_book
from groove_utils.book.listening import listening_map
from groove_utils.book.markdown import escape_text, markdown_table
from groove_utils.book.outputs import report_texts, show_figure, show_table
from groove_utils.book.players import audio_player
from groove_utils.study import validate_study

ROOT = Path(__file__).resolve().parents[3]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def render(myst: str) -> BeautifulSoup:
    options = {
        "myst_enable_extensions": CONFIG["parse"]["myst_enable_extensions"],
        "embed_stylesheet": False,
        "output_encoding": "unicode",
        "report_level": 1,
        "warning_stream": False,
        "raw_enabled": True,
    }
    page = docutils.core.publish_string(
        myst, parser=Parser(), writer_name="html5", settings_overrides=options
    )
    return BeautifulSoup(page, "html.parser").main


# characters that can begin markup, and letters of all kinds
PIECES = st.sampled_from(
    [*"`*_{}[]()<>&$|!#~^=:@%\"'\\+-./;,", *"abc 12 é漢\n\t\x00", "](", "{include}"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join))
@example("1. x")
@example("    code")
@example("---")
@example("&#60;b&#62;")
@example("http://x.org <http://x.org>")
def test_any_text_is_shown_as_it_is(text):
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    escaped = escape_text(text)
    table = markdown_table(pd.DataFrame({"name": [text, "b"], "n": [1, 2]}))
    page = render(f"{escaped}\n\n- {escaped}\n\n# {escaped or 'none'}\n\n{table}\n")
    texts = {"p": page.find("p"), "td": page.find_all("td")[0], "h": page.find(re.compile("h[12]"))}
    assert not page.find(class_="system-message")
    assert page.find_all(["script", "img", "a", "b", "em", "strong", "code", "pre", "hr"]) == []
    if line:
        assert {name: tag.get_text().strip() for name, tag in texts.items()} == dict.fromkeys(
            texts, line
        )
    attribute = BeautifulSoup(f'<p title="{escaped}">{escaped}</p>', "html.parser").p
    assert attribute["title"] == attribute.get_text() == line


def test_plants_stay_texts_on_real_pages(make_study, tmp_path, monkeypatch, chapter_names):
    study = make_study("planted")
    plant(study, write_secret(tmp_path))
    assert validate_study(study, n_jobs=1) == []
    build = tmp_path / "build"
    monkeypatch.setenv("GROOVE_BUILD", str(build))
    build.joinpath("book").mkdir(parents=True)
    build.joinpath("values").mkdir()
    for name in chapter_names:  # the other pages refer to them
        save(build, name, [nbformat.v4.new_markdown_cell("# A chapter")])
    write_chapter(build, study, monkeypatch)
    page = build_book(ROOT, str(study), build, chapter_names)
    check_pages(page.parent)
    index = BeautifulSoup((page.parent / "index.html").read_text(), "html.parser")
    assert "{download}" in index.get_text()
    chapter = (page.parent / "01-listeners-and-tracks.html").read_text()
    text = BeautifulSoup(chapter, "html.parser").find("article").get_text()
    assert text.count("```{literalinclude}") >= 20  # tables, glue, players, admonition


def write_chapter(build, study, monkeypatch):
    """Write an executed chapter that shows every text of a study in every way."""
    from groove_utils.book import open_chapter, players

    cells = []

    def keep(what, raw=False, metadata=None):
        if raw:
            data = what
        else:
            kind = "text/html" if type(what).__name__ == "HTML" else "text/markdown"
            data = {kind: what.data}
        output = nbformat.v4.new_output("display_data", data=data, metadata=metadata or {})
        cells.append(nbformat.v4.new_code_cell("show()", outputs=[output]))

    for module in (outputs, players):
        monkeypatch.setattr(module, "display", keep)
    monkeypatch.setattr("groove_utils.book.listening.display", keep)
    chapter = open_chapter("01-listeners-and-tracks", study)
    data = chapter.study
    show_table(data.tracks, "tracks", "All tracks.")
    show_table(data.listeners, "listeners", "All listeners.")
    show_table(pd.Series(data.queries, name="wording").rename_axis("q").to_frame(), "q", "Asked.")
    wide = data.ratings.pivot_table(index="query", columns="track_id", values="rating")
    show_table(wide, "wide", "Names as heads of columns.")
    for k, text in enumerate([data.title, *data.tracks["artist"], *data.queries.values()]):
        report_texts(**{f"text{k}": text})
        cells.append(nbformat.v4.new_markdown_cell(f"Found: {{glue:text}}`text{k}`."))
    audio_player({track: data.audio_path(track) for track in data.tracks["track_id"]})
    songs = data.tracks.assign(label=data.tracks["title"], path=None)
    means = pd.DataFrame({query: data.song_means(query).to_numpy() for query in data.queries})
    listening_map(songs, {"model": np.random.default_rng(0).normal(size=(8, 2))}, means)
    cells.insert(0, nbformat.v4.new_markdown_cell("# Who heard what?"))
    save(build, "01-listeners-and-tracks", cells)


def save(build, name, cells):
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, build / "book" / f"{name}.ipynb")
    (build / "values" / f"{name}.json").write_text("{}")


@pytest.mark.parametrize(
    "alt", ["Ratings of “dance #1” here", "'quoted' words # and more", "> a b c d", "Q1: a b c d"]
)
def test_descriptions_of_figures_hold_any_text(in_book, shown, alt):
    in_book()
    figure, axes = plt.subplots()
    axes.set_title("A$AP $x^$ {")  # names in a study are not read as mathematics
    show_figure(figure, "one", f"Ratings of {alt}.", alt)
    page = render(shown[0][0].data)
    assert page.find("img")["alt"] == alt
    assert not page.find(class_="system-message")


@pytest.mark.parametrize(
    "name", ["A$AP & $wag_$", "*star* _u_", "Ke$ha", "[^1]", "R&B", "&lt;b&gt;"]
)
def test_captions_show_names_as_they_are(in_book, shown, name):
    chapter = in_book(styles=("funk", name))
    caption = f"Songs in {name}, and *others* in “{name}”."
    show_figure(plt.figure(), "one", caption, "Five words about a picture.")
    show_table(pd.DataFrame({"a": [1]}), "two", caption)
    assert name in chapter.study.styles
    for display in shown:
        page = render(display[0].data)
        text = page.find(["figcaption", "caption"]).get_text().strip()
        assert text == caption.replace("*others*", "others")


@pytest.mark.parametrize("field", ["style", "query", "styles"])
@pytest.mark.parametrize("text", [*PLANTS[:5], *PLANTS[6:10]])
def test_names_with_markup_are_refused(make_study, field, text):
    folder = make_study(audio=False)
    text = text.format("/x")
    if field == "style":
        tracks = pd.read_csv(folder / "tracks.csv").replace("funk", text)
        tracks.to_csv(folder / "tracks.csv", index=False)
    else:
        meta = yaml.safe_load((folder / "study.yml").read_text())
        change = {"styles": [text]} if field == "styles" else {"queries": {text: "wording"}}
        (folder / "study.yml").write_text(yaml.safe_dump(meta | change))
    assert "not_a_label" in {each.kind for each in validate_study(folder)}
