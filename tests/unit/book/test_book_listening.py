"""The listening map and its output in the page."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.book import listening
from groove_utils.book.errors import BookError
from groove_utils.book.listening import listening_map


@pytest.fixture(autouse=True)
def also_shown(monkeypatch, shown):
    monkeypatch.setattr(listening, "display", lambda what: shown.append((what, None)))


@pytest.fixture
def songs():
    return pd.DataFrame(
        {
            "label": ["Ann: One", "Ann: Two", "Bob: One"],
            "style": ["pop", "pop", "funk"],
            "artist": ["Ann", "Ann", "Bob"],
        }
    )


@pytest.fixture
def ratings():
    return pd.DataFrame({"dance": [51.534, 20, 80], "groove": [-0.02, 1.5, 0.25]})


def planes(n_songs, *models):
    rng = np.random.default_rng(1)
    return {model: rng.normal(size=(n_songs, 2)) for model in models}


def page_of(shown):
    """Return the last output, with its JSON parsed as strictly as by a browser."""
    text = shown[-1][0].data
    script = re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)[1]

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return text, json.loads(script, parse_constant=refuse)


def test_what_the_map_is_made_from(in_book, shown, songs, ratings):
    chapter = in_book()
    songs["path"] = [chapter.study.audio_path("song1"), None, chapter.study.audio_path("song3")]
    maps = planes(3, "net-a", "net-b")
    listening_map(songs, maps, ratings, layers={"net-a": "pool5"}, styles=["funk", "rock", "pop"])
    page, data = page_of(shown)
    assert 'data-figure="fig-listening-map"' in page
    assert "The figure above shows these songs" in page
    assert data["projection"] == "PCA"
    assert [song["label"] for song in data["songs"]] == songs["label"].tolist()
    sounds = [song["sound"] for song in data["songs"]]
    assert sounds[1] is None
    assert sounds[0] != sounds[2]
    assert all((chapter.build / "book" / sound).is_file() for sound in sounds if sound)
    assert [(m["name"], m["layer"]) for m in data["maps"]] == [("net-a", "pool5"), ("net-b", None)]
    xy = np.array(data["maps"][0]["xy"])
    assert xy.min(axis=0).tolist() == [0, 0]
    assert xy.max(axis=0).tolist() == [1, 1]
    assert xy.argsort(axis=0).tolist() == maps["net-a"].argsort(axis=0).tolist()
    style, artist = data["groups"]
    assert [name for name, _ in style["colours"]] == ["funk", "pop"]  # the study's order
    assert [name for name, _ in artist["colours"]] == ["Ann", "Bob"]
    assert data["ratings"][0] == {"name": "dance", "digits": 0, "values": [51.53, 20, 80]}
    assert data["ratings"][1] == {"name": "groove", "digits": 2, "values": [-0.02, 1.5, 0.25]}


def test_nearest_songs_are_told(in_book, shown, songs, ratings):
    in_book()
    nearest = {"net-a": np.array([[1, 2], [0, 2], [1, 0]])}
    listening_map(songs, planes(3, "net-a", "net-b"), ratings, nearest=nearest)
    _, data = page_of(shown)
    assert [m["nearest"] for m in data["maps"]] == [[[1, 2], [0, 2], [1, 0]], None]


@pytest.mark.parametrize("rows", [[[1], [0]], [[1], [0], [3]]])
def test_nearest_songs_are_those_of_the_map(in_book, songs, ratings, rows):
    in_book()
    with raises(BookError, "nearest_rows", column="net"):
        listening_map(songs, planes(3, "net"), ratings, nearest={"net": np.array(rows)})


def test_the_static_figure_shows_all_models(in_book, shown, songs, ratings):
    chapter = in_book(simulated=True)
    songs["path"] = [chapter.study.audio_path("song1")] * 3
    listening_map(songs, planes(3, "net-a", "net-b"), ratings, layers={"net-a": "pool5"})
    text = shown[0][0].data
    assert ":name: fig-listening-map" in text
    caption = "Maps of 3 songs, by PCA of one layer of each model (net-a, net-b). Simulated study."
    assert caption in text
    table = pd.read_csv(chapter.build / "book" / "figures" / "01-one-listening-map.csv")
    assert table.columns.tolist() == ["label", "style", "x", "y", "map"]
    assert table["map"].tolist() == ["net-a, pool5"] * 3 + ["net-b"] * 3


def test_missing_ratings_are_null(in_book, shown, songs):
    in_book()
    ratings = pd.DataFrame(
        {
            "dance": [np.nan, 20, np.inf],
            "beat": pd.array([3, None, 4], dtype="Int64"),
            "none": [np.nan] * 3,
        }
    )
    listening_map(songs, planes(3, "net"), ratings)
    _, data = page_of(shown)
    values = {rating["name"]: rating["values"] for rating in data["ratings"]}
    assert values == {"dance": [None, 20, None], "beat": [3, None, 4], "none": [None] * 3}


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_positions_must_be_finite(in_book, songs, ratings, lost):
    in_book()
    maps = planes(3, "good", "bad")
    maps["bad"][[0, 2], 1] = lost
    with raises(BookError, "not_finite", column="bad", value=2):
        listening_map(songs, maps, ratings)


def test_every_song_needs_a_position(in_book, songs, ratings):
    in_book()
    with raises(BookError, "shape", column="net", value=(2, 2)):
        listening_map(songs, planes(2, "net"), ratings)


def test_titles_cannot_end_the_script(in_book, shown, songs, ratings):
    in_book()
    titles = ["</script><b>x</b>", "<!--<script>", 'Beyoncé & "東京"\u2028🥁']
    songs["label"], songs["artist"] = titles, titles
    listening_map(songs, planes(3, "<net>"), ratings)
    page, data = page_of(shown)
    assert page.count("</script>") == page.count("<script") == 1
    assert "<b>" not in page
    assert "<!--" not in page
    assert [song["label"] for song in data["songs"]] == titles
    assert [song["artist"] for song in data["songs"]] == titles


@pytest.mark.parametrize("n_songs", [1, 3])
def test_songs_in_one_place_are_put_in_the_middle(in_book, shown, songs, ratings, n_songs):
    in_book()
    songs, ratings = songs.head(n_songs), ratings.head(n_songs)
    listening_map(songs, {"net": np.full((n_songs, 2), 7.0)}, ratings)
    assert page_of(shown)[1]["maps"][0]["xy"] == [[0.5, 0.5]] * n_songs


def test_a_study_without_sound_bands_styles_or_ratings(in_book, shown, songs):
    in_book()
    listening_map(songs[["label"]], planes(3, "net"), pd.DataFrame(index=range(3)))
    _, data = page_of(shown)
    assert data["groups"] == data["ratings"] == []
    assert data["songs"][0] == {"label": "Ann: One", "style": None, "artist": None, "sound": None}


def test_missing_texts_are_null(in_book, shown, songs, ratings):
    in_book()
    songs.loc[1, ["label", "style", "artist"]] = np.nan
    listening_map(songs, planes(3, "net"), ratings)
    _, data = page_of(shown)
    assert data["songs"][1] == {"label": "Song 2", "style": None, "artist": None, "sound": None}
    assert [[name for name, _ in group["colours"]] for group in data["groups"]] == [
        ["pop", "funk"],
        ["Ann", "Bob"],
    ]


def test_at_home_the_static_figure_is_shown(at_home, shown, songs, ratings):
    listening_map(songs, planes(3, "net-a", "net-b"), ratings)
    assert len(shown[0][0].axes) == 3
    assert "make book" in shown[-1][0].data
    assert "<script" not in shown[-1][0].data
