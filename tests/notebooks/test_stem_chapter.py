"""The chapter on stem ablation: smoke study, another separator, and studies that lack data."""

import json
import shutil
import sys
from pathlib import Path

import jupytext
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from bs4 import BeautifulSoup
from real_make import run_make
from test_designs import run_chapter, write_study

from groove_utils.book.jupytext_sync import read_chapter
from groove_utils.book.study_requirements import fit_to_study, is_met
from groove_utils.study import load_study, validate_study

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = ROOT / "analysis" / "08-stem-ablation.py"
SMOKE = ROOT / "build" / "demo-smoke"


def box_of(notebook):
    return [c.source for c in notebook.cells if "Not run for this study" in c.source]


def study_with(tmp_path, *embeddings):
    """Write a study of six songs without audio, with vectors of the mix and of the given stems."""
    meta = {"title": "Vectors", "queries": {"groove": "Grooves"}, "scale": [1, 100],
            "licence": "CC0-1.0", "citation": "none"}  # fmt: skip
    (tmp_path / "study.yml").write_text(yaml.safe_dump(meta))
    ids = [f"t{i}" for i in range(6)]
    tracks = pd.DataFrame({"track_id": ids, "title": ids, "artist": list("aabcde"), "style": "pop"})
    tracks.to_csv(tmp_path / "tracks.csv", index=False)
    ratings = tracks[["track_id"]].assign(query="groove", rating=range(10, 70, 10))
    ratings.to_csv(tmp_path / "ratings.csv", index=False)
    for folder in ("muq-mulan", *(f"muq-mulan/{name}" for name in embeddings)):
        place = tmp_path / "embeddings" / folder
        place.mkdir(parents=True)
        for track in ids:
            np.savez(place / f"{track}.npz", audio_embedding=np.zeros(3, np.float32))
    return load_study(tmp_path)


def test_without_audio_and_stem_vectors_there_is_one_box(tmp_path):
    study = study_with(tmp_path)
    fitted = fit_to_study(read_chapter(CHAPTER), lambda tag: is_met(tag, study, tmp_path))
    assert len(fitted.cells) == 2
    (box,) = box_of(fitted)
    assert "no sound files" in box
    assert "embeddings of stems" in box


def test_with_stem_vectors_only_what_needs_sound_is_left_out(tmp_path):
    study = study_with(tmp_path, "drums", "bass", "drums+bass")
    fitted = fit_to_study(read_chapter(CHAPTER), lambda tag: is_met(tag, study, tmp_path))
    kept = "\n".join(cell.source for cell in fitted.cells)
    for heading in (
        "### The published conditions",
        "## Training on stems or on the mix",
        "## Summary",
    ):
        assert heading in kept
    for heading in ("## Hear it", "## The Shapley value", "## Controls", "## One song at a time"):
        assert heading not in kept
    assert "separate_study(" not in kept
    assert sum("sound files" in box for box in box_of(fitted)) == 1


@pytest.mark.slow
def test_a_study_with_vectors_of_stems_runs(tmp_path):
    """Use vectors like those of the published study: five sums of stems, one model, no audio."""
    sys.path.insert(0, str(ROOT / "tests" / "unit" / "study"))
    from make_marmoret_fixture import make_published

    from groove_utils.study.datasets.marmoret2026 import make_marmoret2026

    folder = tmp_path / "published-stems"
    make_published(tmp_path / "source", n=60)
    make_marmoret2026(folder, source=tmp_path / "source")
    values, page = run(folder, "published-stems-smoke")
    assert values["n_sums"]["value"] == 6
    assert values["measure"]["text"] == "score alone"
    assert "top_share" in values
    assert "pusher" not in values
    boxes = [c.source for c in page.cells if "Not run for this study" in c.source]
    assert any("sound files" in box for box in boxes)


@pytest.mark.slow
def test_harmonic_and_percussive_stems_run_end_to_end(built_book, tmp_path):
    """Without stems in the study, the chapter separates two stems, which have three sums."""
    folder = tmp_path / "no-stems"
    shutil.copytree(SMOKE / "study", folder, ignore=shutil.ignore_patterns("stems"))
    values, _ = run(folder, "no-stems-smoke")
    assert values["n_sums"]["value"] == 3
    assert values["top_stem"]["text"] in ("harmonic", "percussive")
    assert "weights" in values["separator"]["text"]
    assert "no bass and drums" in values["onset_note"]["text"]
    assert values["causes_right"]["n"] <= 5  # known causes are tested, with two stems


@pytest.mark.weekly
def test_a_best_model_that_cannot_embed_stems_is_replaced(tmp_path):
    """Use a study with audio, whose best model exists only as vectors of the full mixes."""
    write_study(tmp_path / "study", lambda *tables: tables)
    folder, rng = tmp_path / "study", np.random.default_rng(1)
    tracks = pd.read_csv(folder / "tracks.csv", dtype=str)
    (folder / "audio").mkdir()
    for k, track in enumerate(tracks["track_id"]):
        beats = np.exp(-12 * (np.arange(5 * 16000) / 16000 % (0.4 + k / 100)))
        y = 0.3 * beats * (np.sin(np.arange(5 * 16000) / (9 + k)) + 0.1 * rng.normal(size=80000))
        soundfile.write(folder / "audio" / f"{track}.wav", y, 16000)
    tracks.assign(audio="audio/" + tracks["track_id"] + ".wav").to_csv(
        folder / "tracks.csv", index=False
    )
    assert validate_study(folder) == []
    build = tmp_path / "build"
    (build / "tables").mkdir(parents=True)
    rows = tracks[["track_id", "artist", "style"]].assign(
        model="alpha", target="dance", observed=4.0, predicted=4.0, best=True
    )
    rows.to_parquet(build / "tables" / "predictions.parquet")
    scores = pd.DataFrame({"model": ["alpha", "mtt-vgg", "msd-musicnn"], "kind": "pretrained"})
    scores = scores.assign(target="dance", score="r2", estimate=[0.5, 0.4, 0.3])
    scores.to_parquet(build / "tables" / "probe_scores.parquet")
    run_chapter("08-stem-ablation", folder, build, model="", targets=["dance"])
    values = json.loads((build / "values" / "08-stem-ablation.json").read_text())
    assert values["best_model"]["text"] == "mtt-vgg"
    assert "alpha" in values["used_model"]["text"]


def test_the_demo_chapter_adds_up(built_book):
    values = json.loads((SMOKE / "values" / "08-stem-ablation.json").read_text())
    folder = SMOKE / "book" / "figures"
    shares = pd.read_csv(folder / "08-stem-ablation-stem-measures.csv")
    scores = pd.read_csv(folder / "08-stem-ablation-subset-scores.csv")
    own = shares[shares["measure"] == "Shapley"]
    scores = scores.set_index("subset")["estimate"]
    assert len(scores) == values["n_sums"]["value"] + 1 == 16
    assert values["same_shapley"]["value"] < 1e-12
    assert own["estimate"].sum() == pytest.approx(scores.iloc[-1] - scores["none"], abs=1e-9)
    songs = pd.read_csv(folder / "08-stem-ablation-stem-songs.csv").groupby("track_id")
    total = songs["estimate"].sum() + songs["baseline"].first()
    np.testing.assert_allclose(total, songs["predicted"].first(), atol=1e-9)
    page = jupytext.reads((SMOKE / "book" / "08-stem-ablation.ipynb").read_text(), fmt="ipynb")
    players = [o["data"]["text/html"] for c in page.cells if c.cell_type == "code"
               for o in c.outputs if "text/html" in o.get("data", {})]  # fmt: skip
    labels = [f["aria-label"] for html in players
              for f in BeautifulSoup(html, "html.parser").select("audio")]  # fmt: skip
    for style in ("funk", "pop", "rock"):
        assert f"{style}: drums" in labels
        assert f"{style}: drums with another song's bass" in labels


def run(folder, name):
    """Run the chapter on a study folder; return its values and its page."""
    build = ROOT / "build" / name
    shutil.rmtree(build, ignore_errors=True)
    run_make(ROOT, "chapter", "CH=08-stem-ablation", f"STUDY={folder}", "PARAMS=smoke")
    values = json.loads((build / "values" / "08-stem-ablation.json").read_text())
    page = jupytext.reads((build / "book" / "08-stem-ablation.ipynb").read_text(), fmt="ipynb")
    shutil.rmtree(build)
    return values, page
