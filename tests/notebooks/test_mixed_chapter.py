"""The chapter on mixed models: predictions are out of fold, and its results are correct."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from groove_utils import probe
from groove_utils.book.study_requirements import fit_to_study
from groove_utils.files import hash_file
from groove_utils.study.datasets.oconnell2022 import SHA256

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = ROOT / "analysis" / "09-mixed-models.py"
REAL = ROOT.parent / "shared" / "real" / "oconnell2022.csv"
SMOKE = ROOT / "build" / "demo-smoke"


@pytest.fixture(scope="module")
def cells():
    return jupytext.read(CHAPTER).cells


def probed(ratings, features, artists, styles):
    protocol = probe.Protocol(n_repeats=2, seed=3)
    result = probe.nested_ridge(features, ratings, artists, styles, protocol)
    return result.predictions


def test_a_bands_predictions_do_not_know_its_ratings():
    """Changing the ratings of a band does not change its out-of-fold predictions."""
    rng = np.random.default_rng(1)
    artists = np.repeat([f"band {k}" for k in range(12)], 3)
    styles = np.repeat(["funk", "pop", "rock"], 12)
    features = rng.normal(size=(36, 5))
    ratings = pd.DataFrame({"dance": features[:, 0] + rng.normal(size=36)})
    changed = ratings.copy()
    own = artists == "band 4"
    changed.loc[own, "dance"] += 50
    before, after = (probed(r, features, artists, styles) for r in (ratings, changed))
    of_band = before["artist"] == "band 4"
    assert of_band.sum() == 6
    np.testing.assert_allclose(before.loc[of_band, "predicted"], after.loc[of_band, "predicted"])
    # the change affects songs for which the band is in the training set
    others = np.abs(before["predicted"] - after["predicted"])[~of_band]
    assert (others > 1e-3).mean() > 0.5
    # no band is in several folds
    assert (before.groupby(["repeat", "artist"])["fold"].nunique() == 1).all()


def test_predictions_handed_to_the_chapter_are_one_a_song_and_not_the_ratings(built_book):
    table = pd.read_parquet(SMOKE / "tables" / "predictions.parquet")
    tracks = pd.read_csv(SMOKE / "study" / "tracks.csv").set_index("track_id")
    for _, own in table.groupby(["model", "target"]):
        assert sorted(own["track_id"]) == sorted(tracks.index)
        assert (own.set_index("track_id")["artist"] == tracks["artist"]).all()
    best = table[table["best"]]
    assert best["model"].nunique() == 1
    # in-sample predictions with so many features would almost equal the ratings
    for _, own in best.groupby("target"):
        assert own["observed"].corr(own["predicted"]) < 0.95
    # out-of-fold means of a style differ between its bands, since each was left out
    style = table[(table["model"] == "style alone") & (table["target"] == best["target"].iloc[0])]
    assert (style.groupby("style")["predicted"].nunique() > 1).all()


def test_the_chapter_reports_what_its_models_found(built_book):
    values = json.loads((SMOKE / "values" / "09-mixed-models.json").read_text())
    assert values["slope_all"]["value"] < values["slope"]["high"]
    assert values["n_listeners"]["value"] == 30
    assert values["n_songs"]["value"] == 24
    assert values["slope"]["low"] < values["slope"]["value"] < values["slope"]["high"]
    assert values["n_known"]["value"] == 15
    # the same model in two packages
    assert values["nested_difference"]["value"] < 1e-3
    assert values["crossed_difference"]["value"] < 1e-3
    assert values["se_observed"]["value"] == pytest.approx(values["se_expected"]["value"], rel=0.15)
    # a smoke study is small, but its intervals are wide
    assert values["n_within"]["value"] >= 12
    assert values["n_within_free"]["value"] >= 12
    assert values["sd_rated"]["value"] < values["sd_drawn"]["value"] - 1
    page = json.loads((SMOKE / "book" / "09-mixed-models.ipynb").read_text())
    outputs = [o for cell in page["cells"] for o in cell.get("outputs", [])]
    shown = "".join("".join(o.get("data", {}).get("text/markdown", "")) for o in outputs)
    # real listeners, or a clear box
    assert ("real-groups" in shown) != ("could not be fetched" in shown)
    boxes = re.findall(r"\{figure\} \S*real\S*\n(?:.*\n)*?~~~~", shown)
    assert all("Simulated study" not in box for box in boxes)


def test_a_study_of_song_means_keeps_what_it_can_answer(cells):
    """For song means, the title, song-level section, real listeners and summary remain."""
    assert not cells[0].metadata.get("tags")
    fitted = fit_to_study(
        jupytext.read(CHAPTER), lambda tag: tag not in ("listeners", "simulation")
    )
    kept = "\n".join(cell.source for cell in fitted.cells)
    for heading in ("If all you have is song means", "Real listeners", "Summary"):
        assert f"## {heading}" in kept
    for heading in ("Two samples", "From the probe", "Which questions", "How many listeners"):
        assert f"## {heading}" not in kept


def run_chapter(tmp_path, study, build, **parameters):
    params = tmp_path / "params.yml"
    fast = {"n_bootstrap": 20, "n_simulations": 4}
    params.write_text(yaml.safe_dump(fast | parameters))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "GROOVE_"))}
    return subprocess.run(
        [sys.executable, "-m", "groove_utils.book", "run", CHAPTER, "--study", study,
         "--build", build, "--params", params, "--reads", "predictions", "--writes"],
        cwd=ROOT, env=environment | {"GROOVE_CACHE": str(tmp_path / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def page_text(build):
    return (build / "book" / "09-mixed-models.ipynb").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_wrong_file_of_real_ratings_is_refused(make_mini_study, tmp_path):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("ID;HG1 groove\nA;5\n")
    run = run_chapter(tmp_path, make_mini_study(), tmp_path / "build", oconnell_csv=str(wrong))
    assert run.returncode == 0, run.stderr[-3000:]
    page = nbformat.read(tmp_path / "build" / "book" / "09-mixed-models.ipynb", as_version=4)
    outputs = [o for cell in page.cells for o in cell.get("outputs", [])]
    texts = [o.get("data", {}).get("text/markdown", "") for o in outputs]
    (box,) = [text for text in texts if "Not computed" in text]
    assert SHA256 in box  # hash of the published table
    assert str(tmp_path) not in box
    assert not [text for text in texts if "real-groups" in text]


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_file(), reason="the real ratings are not on this machine")
def test_real_listeners_come_out_as_published(make_mini_study, tmp_path):
    assert hash_file(REAL) == SHA256
    build = tmp_path / "build"
    run = run_chapter(tmp_path, make_mini_study(), build, oconnell_csv=str(REAL))
    assert run.returncode == 0, run.stderr[-3000:]
    text = page_text(build)
    assert "the variance between songs is 3.04, between listeners 0.52, and" in text
    assert "residual variance is 1.71" in text
    assert "ICC(C,1) = 0.64" in text
    within = re.search(
        r"Among the high-groove songs the agreement is (\S+), among the low-groove ones (\S+):",
        text,
    )
    assert all(0.11 <= float(share) <= 0.15 for share in within.groups())


@pytest.fixture
def make_mini_study(tmp_path):
    """Write a study with mean ratings of 24 songs, without listeners, audio and predictions."""

    def make():
        folder = tmp_path / "mini"
        folder.mkdir()
        tracks = [f"song{k}" for k in range(24)]
        pd.DataFrame(
            {
                "track_id": tracks,
                "title": tracks,
                "artist": [f"band {k // 3}" for k in range(24)],
                "style": [("funk", "rock")[k % 6 // 3] for k in range(24)],
            }
        ).to_csv(folder / "tracks.csv", index=False)
        ratings = pd.DataFrame({"track_id": tracks, "query": "dance", "rating": range(30, 54)})
        ratings.to_csv(folder / "ratings.csv", index=False)
        meta = {"title": "Mini", "queries": {"dance": "Dance?"}, "scale": [1, 100]}
        (folder / "study.yml").write_text(yaml.safe_dump(meta))
        return folder

    return make


@pytest.mark.slow
def test_song_means_alone_give_the_song_level_section(make_mini_study, tmp_path):
    study, build = make_mini_study(), tmp_path / "build"
    rng = np.random.default_rng(0)
    tracks = pd.read_csv(study / "tracks.csv")
    observed = pd.read_csv(study / "ratings.csv")["rating"].to_numpy(float)
    table = tracks[["track_id", "artist", "style"]].assign(
        model="a", target="dance", observed=observed, best=True,
        predicted=observed / 2 + rng.normal(0, 4, len(tracks)),
    )  # fmt: skip
    (build / "tables").mkdir(parents=True)
    table.to_parquet(build / "tables" / "predictions.parquet")
    run = run_chapter(tmp_path, study, build)
    assert run.returncode == 0, run.stderr[-3000:]
    values = json.loads((build / "values" / "09-mixed-models.json").read_text())
    slope = values["song_level_slope"]
    assert slope["low"] < slope["value"] < slope["high"]
    assert slope["n"] == 24
    assert "slope" not in values
    text = page_text(build)
    assert "ratings.csv` has no column `listener_id`" in text
    for model in ("OLS", "artist random", "artist and style random"):
        assert f"| {model} |" in text
