"""The front page's map and ladder, made from files that chapters have saved."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from groove_utils.book import build
from groove_utils.book.front_page import FrontPage, front_page, ladder_table, small_map
from groove_utils.book.map_markup import map_markup, read_map
from groove_utils.book.markdown import MystText

ROOT = Path(__file__).resolve().parents[3]

QUERIES = ("groove", "dance")


def song_map(n_artists, each, sound="a.mp3"):
    n_songs = n_artists * each
    rng = np.random.default_rng(0)
    songs = [
        {"label": f"<b> & “{k}”", "style": "pop", "artist": f"Artist {k // each}", "sound": sound}
        for k in range(n_songs)
    ]
    return {
        "songs": songs,
        "groups": [{"name": "style", "colours": [["pop", "#000"]]}],
        "projection": "PCA",
        "maps": [
            {"name": name, "layer": "pool5", "xy": rng.random((n_songs, 2)).tolist(),
             "nearest": [[0]] * n_songs} for name in ("net-a", "net-b")
        ],
        "ratings": [{"name": q, "digits": 2, "values": [*range(n_songs)]} for q in QUERIES],
    }  # fmt: skip


def write_page(folder, html):
    output = nbformat.v4.new_output("display_data", data={"text/html": html})
    cell = nbformat.v4.new_code_cell("listening_map()", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "05-embeddings.ipynb")


def test_a_map_is_read_as_it_was_written(tmp_path):
    data = song_map(2, 2)
    write_page(tmp_path, map_markup(data, "A note.", "fig-map"))
    assert read_map(tmp_path / "05-embeddings.ipynb") == data
    write_page(tmp_path, "<p>None.</p>")
    assert read_map(tmp_path / "05-embeddings.ipynb") is None
    assert read_map(tmp_path / "absent.ipynb") is None


def test_a_map_of_many_songs_keeps_one_by_each_artist():
    small = small_map(song_map(48, 3), "net-b", "dance")
    assert [song["artist"] for song in small["songs"]] == [f"Artist {k}" for k in range(48)]
    assert [chosen["name"] for chosen in small["maps"] + small["ratings"]] == ["net-b", "dance"]
    assert small["ratings"][0]["values"] == [*range(0, 144, 3)]
    xy = np.array(small["maps"][0]["xy"])
    assert xy.shape == (48, 2)
    assert np.allclose([xy.min(axis=0), xy.max(axis=0)], [[0, 0], [1, 1]])


@pytest.mark.parametrize(
    ("n_artists", "each", "n_songs"), [(5, 4, 20), (100, 2, 48), (2, 60, 48), (1, 1, 0)]
)
def test_how_many_songs_a_map_keeps(n_artists, each, n_songs):
    small = small_map(song_map(n_artists, each), "absent", "absent")
    assert (len(small["songs"]) if small else 0) == n_songs
    if small:
        assert small["maps"][0]["name"] == "net-a"
        assert len({song["label"] for song in small["songs"]}) == n_songs


def test_songs_without_sound_or_artist():
    assert small_map(song_map(5, 2, sound=None), "net-a", "groove") is None
    data = song_map(60, 1)
    for song in data["songs"]:
        song["artist"] = None
    assert len(small_map(data, "net-a", "groove")["songs"]) == 48


def test_without_chapters_there_is_nothing_to_show(tmp_path):
    page = front_page(tmp_path, {})
    assert (page.map, page.ladder, page.n_songs) == ("", "", 0)


@pytest.mark.parametrize("shown", ["", "map", "ladder"])
def test_the_page_has_no_box_for_what_is_not_there(tmp_path, shown):
    parts = {shown: MystText(f"<{shown}>")} if shown else {}
    context = {
        "front": FrontPage(**parts, model="net-a", n_songs=2),
        "study": SimpleNamespace(simulated=False, title="A study", tracks=[]),
        "reported": lambda name: False,
        "value": lambda name: "groove",
        "unanswered": [],
    }
    (tmp_path / "pages").mkdir()
    shutil.copy(ROOT / "book" / "index.md", tmp_path / "pages")
    build._render_pages(tmp_path / "pages", tmp_path, context)
    text = (tmp_path / "index.md").read_text(encoding="utf-8")
    boxes = re.findall(r"^:+\{container\} (\S+)$", text, flags=re.MULTILINE)
    assert boxes == (["hero", f"hero-{shown}"] if shown else [])
    assert text.startswith("---" if shown else "# ")


def test_what_chapters_saved_is_shown(tmp_path):
    write_page(tmp_path, map_markup(song_map(50, 2), "A note."))
    (tmp_path / "figures").mkdir()
    rungs = pd.DataFrame({"explanation": ["<i>"], "estimate": [0.5], "low": [0.2], "high": [0.9]})
    rungs.to_csv(tmp_path / "figures" / "06-probing-ladder.csv", index=False)
    values = {"06-probing.best_model": {"text": "net-b"}, "06-probing.target": {"text": "dance"}}
    page = front_page(tmp_path, values)
    assert (page.model, page.n_songs, page.one_each) == ("net-b", 48, True)
    assert "\n" not in page.map + page.ladder  # a blank line would end the HTML
    soup = BeautifulSoup(page.ladder, "html.parser")
    assert soup.find("tbody").find("th").get_text() == "<i>"
    assert soup.find("table")["aria-label"] == "R² of explanations of “dance”"


def test_intervals_that_leave_the_ladder_end_in_an_arrow():
    rungs = pd.DataFrame(
        {
            "explanation": ["far below", "inside", "above"],
            "estimate": [-3.0, 0.25, 0.9],
            "low": [-8.0, -0.5, 0.5],
            "high": [0.25, 1.0, 1.5],
        }
    )
    rows = BeautifulSoup(ladder_table(rungs, "groove"), "html.parser").select("tbody tr")
    marks = [row.select_one(".interval") for row in rows]
    assert [mark["class"][1:] for mark in marks] == [["beyond-left"], [], ["beyond-right"]]
    places = [[float(n) for n in re.findall(r"([\d.]+)%", mark["style"])] for mark in marks]
    assert places == [[0, 50], [0, 100], [66.7, 33.3]]
    assert [row.find("b") is None for row in rows] == [True, False, False]
    assert rows[0].select_one(".number").get_text() == "−3.00 (−8.00 to 0.25)"
