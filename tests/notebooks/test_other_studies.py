"""The real chapters on studies with less data: the book is built, and says what is omitted.

One study is built in every run, the others weekly; which cells each would leave out is tested in
``tests/unit/book/test_book_study_requirements.py``.
"""

import shutil
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "build" / "demo-smoke" / "study"


def song_means_only(folder):
    """Write a study without listeners and audio, with a single style."""
    ratings = pd.read_csv(DEMO / "ratings.csv")
    means = ratings.groupby(["track_id", "query"], as_index=False)["rating"].mean()
    means.to_csv(folder / "ratings.csv", index=False)
    tracks = pd.read_csv(DEMO / "tracks.csv").drop(columns="audio").assign(style="all")
    tracks.to_csv(folder / "tracks.csv", index=False)


def listeners_without_audio(folder):
    """Write a study with ratings of single listeners, but without audio."""
    for file in ("ratings.csv", "listeners.csv"):
        shutil.copy(DEMO / file, folder)
    pd.read_csv(DEMO / "tracks.csv").drop(columns="audio").to_csv(
        folder / "tracks.csv", index=False
    )


def one_style_with_audio(folder):
    """Write a study with audio and listeners, but with a single style and without stems."""
    tracks = pd.read_csv(DEMO / "tracks.csv")
    tracks = tracks[tracks["style"] == tracks["style"].iloc[0]]
    ratings = pd.read_csv(DEMO / "ratings.csv")
    ratings = ratings[ratings["track_id"].isin(tracks["track_id"])]
    ratings.to_csv(folder / "ratings.csv", index=False)
    tracks.to_csv(folder / "tracks.csv", index=False)
    (folder / "audio").mkdir()
    for audio in tracks["audio"]:
        shutil.copy(DEMO / audio, folder / "audio")


CASES = {
    song_means_only: {
        "01-listeners-and-tracks": "no column listener_id",
        "05-embeddings": "names none in its column audio",
        "06-probing": "names none in its column audio",
        "07-objections": "no table predictions",
        "08-stem-ablation": "names none in its column audio",
    },
    listeners_without_audio: {
        "05-embeddings": "names none in its column audio",
        "06-probing": "names none in its column audio",
        "07-objections": "no table predictions",
        "08-stem-ablation": "names none in its column audio",
    },
    one_style_with_audio: {"07-objections": "have the same style"},
}


WEEKLY = [listeners_without_audio, one_style_with_audio]


@pytest.mark.parametrize(
    "reduce",
    [song_means_only, *(pytest.param(reduce, marks=pytest.mark.weekly) for reduce in WEEKLY)],
    ids=lambda function: function.__name__,
)
def test_a_poorer_study_still_gives_a_book(built_book, make_book, tmp_path, reduce):
    folder = tmp_path / f"{reduce.__name__} study"
    folder.mkdir()
    meta = yaml.safe_load((DEMO / "study.yml").read_text())
    meta |= {"title": "A poorer study", "simulated": False}
    (folder / "study.yml").write_text(yaml.safe_dump(meta))
    reduce(folder)
    build = make_book(folder)
    for chapter, missing in CASES[reduce].items():
        file = build / "html" / f"{chapter}.html"
        # or the section that names it
        named = None if file.is_file() else f"section:has(> #unanswered-{chapter})"
        page = BeautifulSoup(
            (file if file.is_file() else file.with_name("unanswered.html")).read_text(),
            "html.parser",
        )
        boxes = page.select(named or ".admonition.not-run")
        boxes = [" ".join(box.get_text().split()) for box in boxes]
        assert sum(missing in box for box in boxes) == 1, boxes
        assert not page.select(".admonition.simulated")
        assert str(tmp_path) not in page.decode()


@pytest.mark.slow
@pytest.mark.parametrize("models", [["musicfm", "of-a-reader"], ["musicfm"]])
def test_vectors_may_come_beside_audio(built_book, make_book, tmp_path, models):
    """Replicate a study with published vectors, new recordings, and a query that one song lacks."""
    folder = tmp_path / f"{len(models)} published"
    folder.mkdir()
    for file in ("study.yml", "tracks.csv"):
        shutil.copy(DEMO / file, folder)
    ratings = pd.read_csv(DEMO / "ratings.csv")
    lacking = (ratings["track_id"] == ratings["track_id"].iloc[0]) & (ratings["query"] == "party")
    ratings[~lacking].to_csv(folder / "ratings.csv", index=False)
    shutil.copytree(DEMO / "audio", folder / "audio")
    rng = np.random.default_rng(0)
    for model in models:
        (folder / "embeddings" / model).mkdir(parents=True)
        for track in pd.read_csv(DEMO / "tracks.csv")["track_id"]:
            np.savez(folder / "embeddings" / model / f"{track}.npz", layer=rng.normal(size=8))
    build = make_book(folder, "chapter", "CH=05-embeddings")
    (executed,) = build.rglob("05-embeddings.ipynb")
    text = "".join(
        output.get("text", "") + output.get("data", {}).get("text/html", "")
        for cell in nbformat.read(executed, 4).cells
        for output in cell.get("outputs", [])
    )
    found = text.partition('class="listening-map')[2].partition("</script>")[0]
    assert "null" in found
    assert "NaN" not in found
