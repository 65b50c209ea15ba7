"""Chapters on study designs that some statistics cannot use: boxes instead of failed runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groove_utils.book.chapter_list import declared_tables
from groove_utils.descriptors import DESCRIPTORS
from groove_utils.study import validate_study

ROOT = Path(__file__).resolve().parents[2]
SONGS = 24
TABLES = declared_tables((ROOT / "analysis" / "chapters.mk").read_text())
CHAPTERS = [  # chapters on ratings, in order
    "01-listeners-and-tracks", "04-descriptors", "06-probing", "07-objections", "09-mixed-models",
]  # fmt: skip


def usual():
    """Study of 24 songs by eight artists in two styles, with twelve listeners and all features."""
    rng = np.random.default_rng(5)
    tracks = [f"{i:03d}" for i in range(SONGS)]
    effect = rng.normal(0, 1.2, SONGS)
    songs = pd.DataFrame(
        {
            "track_id": tracks,
            "title": [f"song {i}" for i in range(SONGS)],
            "artist": [f"artist {i // 3}" for i in range(SONGS)],
            "style": ["funk" if i % 6 < 3 else "pop" for i in range(SONGS)],
        }
    )
    rows = [
        (track, query, int(np.clip(round(4 + effect[i] + rng.normal()), 1, 7)), f"{listener:02d}")
        for i, track in enumerate(tracks)
        for query in ("dance", "like")
        for listener in range(12)
    ]
    ratings = pd.DataFrame(rows, columns=["track_id", "query", "rating", "listener_id"])
    values = rng.normal(10, 2, (SONGS, len(DESCRIPTORS)))
    descriptors = pd.DataFrame(values, columns=list(DESCRIPTORS))
    descriptors.insert(0, "track_id", tracks)
    return songs, ratings, descriptors


def constant_descriptor(songs, ratings, descriptors):
    return songs, ratings, descriptors.assign(event_density=3.0)


def missing_descriptor(songs, ratings, descriptors):
    descriptors.loc[4, "syncopation"] = np.nan
    return songs, ratings, descriptors.assign(swing_ratio=np.nan)


def an_artist_per_song(songs, ratings, descriptors):
    return songs.assign(artist=songs["title"]), ratings, descriptors


def one_style(songs, ratings, descriptors):
    return songs.assign(style="funk"), ratings, descriptors


def one_listener(songs, ratings, descriptors):
    return songs, ratings[ratings["listener_id"] == "00"], descriptors


def two_artists(songs, ratings, descriptors):
    artists = np.where(songs["style"] == "funk", "one", "two")
    return songs.assign(artist=artists), ratings, descriptors


def constant_question(songs, ratings, descriptors):
    rating = ratings["rating"].where(ratings["query"] != "dance", 4)
    return songs, ratings.assign(rating=rating), descriptors


def one_song_per_listener(songs, ratings, descriptors):
    return (
        songs,
        ratings.assign(listener_id=ratings["track_id"] + ratings["listener_id"]),
        descriptors,
    )


def listeners_that_agree(songs, ratings, descriptors):
    first = ratings.groupby(["track_id", "query"])["rating"].transform("first")
    return songs, ratings.assign(rating=first), descriptors


def names_in_no_order(songs, ratings, descriptors):
    tracks = {track: f"{(7 * int(track)) % 24}. 🎷 {track}" for track in songs["track_id"]}
    listeners = {f"{k:02d}": f"{(5 * k) % 12}" for k in range(12)}
    columns = {"track_id": tracks, "listener_id": listeners}
    return (
        table.assign(
            **{key: table[key].map(columns[key]) for key in columns if key in table}
        ).sample(frac=1, random_state=1)
        for table in (songs, ratings, descriptors)
    )


def standardised_listeners(songs, ratings, descriptors):
    means = ratings.groupby(["listener_id", "query"])["rating"].transform("mean")
    return songs, ratings.assign(rating=4 + (ratings["rating"] - means) / 2), descriptors


DESIGNS = [
    constant_descriptor, missing_descriptor, an_artist_per_song, one_style, one_listener,
    two_artists, constant_question, one_song_per_listener, listeners_that_agree,
    names_in_no_order, standardised_listeners,
]  # fmt: skip


def write_study(folder: Path, design) -> None:
    songs, ratings, descriptors = design(*usual())
    folder.mkdir(parents=True)
    songs.to_csv(folder / "tracks.csv", index=False)
    ratings.to_csv(folder / "ratings.csv", index=False)
    descriptors.to_csv(folder / "descriptors.csv", index=False)
    rng = np.random.default_rng(6)
    for model in ("alpha", "beta"):
        (folder / "embeddings" / model).mkdir(parents=True)
        for track in songs["track_id"]:
            np.savez(folder / "embeddings" / model / f"{track}.npz",
                     low=rng.normal(size=8), high=rng.normal(size=12))  # fmt: skip
    meta = {"title": design.__name__, "queries": {"dance": "Dance?", "like": "Like?"}}
    meta |= {"scale": [1, 7], "styles": sorted(set(songs["style"]))}
    (folder / "study.yml").write_text(yaml.safe_dump(meta))


def run_chapter(
    chapter: str, study: Path, build: Path, **parameters: object
) -> nbformat.NotebookNode:
    reads, writes = TABLES[chapter]["reads"], TABLES[chapter]["writes"]
    all_parameters = yaml.safe_load((ROOT / "analysis" / "params" / "smoke.yml").read_text())
    parameters = all_parameters["all"] | all_parameters["chapters"][chapter] | parameters
    params = build / f"{chapter}.yml"
    build.mkdir(exist_ok=True)
    params.write_text(yaml.safe_dump(parameters))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "GROOVE_"))}
    run = subprocess.run(
        [sys.executable, "-m", "groove_utils.book", "run", f"analysis/{chapter}.py",
         "--study", study, "--build", build, "--params", params,
         "--reads", *reads, "--writes", *writes],
        cwd=ROOT, env=environment | {"GROOVE_CACHE": str(build / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, f"{chapter}\n{run.stdout[-2000:]}{run.stderr[-3000:]}"
    return nbformat.read(build / "book" / f"{chapter}.ipynb", as_version=4)


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__)
def test_no_design_stops_a_chapter(design, tmp_path):
    study, build = tmp_path / "study", tmp_path / "build"
    write_study(study, design)
    (build / "tables").mkdir(parents=True)
    for chapter in CHAPTERS:
        page = run_chapter(chapter, study, build)
        outputs = [o for cell in page.cells for o in cell.get("outputs", [])]
        assert not [o for o in outputs if "ename" in o]
        texts = [o.get("data", {}).get("text/markdown", "") for o in outputs]
        # two computations agree for all data
        assert not [text for text in texts if "a check failed" in text]


@st.composite
def small_studies(draw):
    """Random studies with ratings of 6 to 14 songs by 1 to 8 listeners."""
    n_songs, n_listeners = draw(st.integers(6, 14)), draw(st.integers(1, 8))
    artists = draw(st.integers(4, n_songs))
    n_styles = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    songs = pd.DataFrame({"track_id": [f"{i:02d}" for i in range(n_songs)]})
    songs["title"] = "song"
    songs["artist"] = [f"artist {i % artists}" for i in range(n_songs)]
    songs["style"] = rng.choice(["funk", "pop", "rock"][:n_styles], n_songs)
    share = draw(st.sampled_from([0.15, 0.6, 1.0]))  # share of songs that a listener rated
    levels = draw(st.sampled_from([[3], [1, 7], [1, 2, 3, 4, 5, 6, 7], [1.5, 4.25, 6.75]]))
    opinion = rng.choice(levels, n_songs)
    agree = draw(st.booleans())
    rows = []
    for query in ("dance", "like"):
        rated = rng.random((n_songs, n_listeners)) < share
        rated[np.arange(n_songs), rng.integers(n_listeners, size=n_songs)] = True
        for song, listener in zip(*np.nonzero(rated)):
            rating = opinion[song] if agree else rng.choice(levels)
            rows.append((f"{song:02d}", query, rating, f"L{listener}"))
    ratings = pd.DataFrame(rows, columns=["track_id", "query", "rating", "listener_id"])
    if draw(st.booleans()):
        means = ratings.groupby(["track_id", "query"], as_index=False)["rating"].mean()
        return songs, means
    return songs, ratings


@pytest.mark.weekly
@given(study=small_studies())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_small_study_gives_the_chapters_on_ratings(study):
    songs, ratings = study
    with TemporaryDirectory() as place:
        folder, build = Path(place) / "study", Path(place) / "build"
        folder.mkdir()
        (build / "tables").mkdir(parents=True)
        songs.to_csv(folder / "tracks.csv", index=False)
        ratings.to_csv(folder / "ratings.csv", index=False)
        meta = {"title": "drawn", "queries": {"dance": "Dance?", "like": "Like?"}, "scale": [1, 7]}
        (folder / "study.yml").write_text(yaml.safe_dump(meta))
        assert validate_study(folder) == []
        for chapter in ("01-listeners-and-tracks", "09-mixed-models"):
            page = run_chapter(chapter, folder, build)
            boxes = [
                output["data"]["text/markdown"]
                for cell in page.cells
                for output in cell.get("outputs", [])
                if "Not computed" in output.get("data", {}).get("text/markdown", "")
            ]
            assert len(boxes) == len(set(boxes))
