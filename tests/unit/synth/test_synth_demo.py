"""The demo study as a whole: scores, audio, folders, and repeated generation."""

import os
import shutil

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from expect import raises
from joblib import parallel_config

from groove_utils.audio import measure_loudness
from groove_utils.study import load_study
from groove_utils.study.stem_names import STEMS
from groove_utils.synth import SimulationError, make_demo

SMALL = {"n_bands": 3, "songs_per_band": 1, "n_listeners": 6, "songs_per_listener": 2}
RATE = 44100


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("demo"), n_jobs=1, progress=False, **SMALL)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_folder_has_all_that_a_study_has(demo):
    tracks = pd.read_csv(demo / "tracks.csv")
    assert tracks["track_id"].tolist() == ["funk-01-1", "pop-01-1", "rock-01-1"]
    assert tracks["artist"].tolist() == ["Funk band 01", "Pop band 01", "Rock band 01"]
    for track in tracks.itertuples():
        assert (demo / track.audio).is_file()
        assert {p.stem for p in (demo / "stems" / track.track_id).iterdir()} == set(STEMS)
    meta = yaml.safe_load((demo / "study.yml").read_text())
    assert meta["simulated"] is True
    assert meta["scale"] == [1, 100]
    assert meta["styles"] == ["funk", "pop", "rock"]
    assert "GPL-2" in meta["licence"]
    ratings = pd.read_csv(demo / "ratings.csv")
    assert set(ratings["query"]) == set(meta["queries"])
    assert set(ratings["listener_id"]) == set(pd.read_csv(demo / "listeners.csv")["listener_id"])
    truth = {p.stem for p in (demo / "truth").glob("*.csv")}
    tables = {"songs", "effects", "effects_as_rated", "listeners", "song_effects", "onsets",
              "questions"}  # fmt: skip
    assert truth == tables
    for path in demo.rglob("*.csv"):
        assert not pd.read_csv(path).isna().any().any(), path


def test_controls_are_named_once_and_left_out_of_the_questions(demo):
    study = load_study(demo, validate=False)
    assert study.controls == {"placebo": "none", "style_only": "style"}
    assert not set(study.controls) & set(study.queries)
    assert study.song_means("placebo").notna().all()
    table = study.truth("questions").set_index("question")
    assert study.controls == table[table["role"] == "control"]["cause"].to_dict()
    assert list(table.index[table["in_groove"]]) == ["dance", "listen", "party", "rhythm"]


def test_stems_add_up_to_the_mix_exactly(demo):
    for path in (demo / "audio").iterdir():
        mix, sr = soundfile.read(path, dtype="int16")
        stems = [
            soundfile.read(demo / "stems" / path.stem / f"{stem}.flac", dtype="int16")[0]
            for stem in STEMS
        ]
        assert sr == RATE
        assert mix.dtype == np.int16
        assert mix.shape[1] == 2
        np.testing.assert_array_equal(np.sum(stems, axis=0, dtype=np.int32), mix)
        assert np.abs(mix.astype(int)).max() < 32767


def test_levels_are_sensible_and_every_stem_is_heard(demo):
    levels = pd.read_csv(demo / "truth" / "songs.csv").set_index("track_id")["loudness_lufs"]
    for path in (demo / "audio").iterdir():
        mix, _ = soundfile.read(path)
        loudness = measure_loudness(mix.T, RATE)
        assert -21 < loudness < -13.5
        assert loudness == pytest.approx(levels[path.stem], abs=0.05)
        for stem in STEMS:
            y, _ = soundfile.read(demo / "stems" / path.stem / f"{stem}.flac")
            assert measure_loudness(y.T, RATE) > loudness - 16


def test_drums_are_heard_where_the_score_has_them(demo):
    onsets = pd.read_csv(demo / "truth" / "onsets.csv")
    errors, found = [], []
    for track, rows in onsets[onsets["stem"] == "drums"].groupby("track_id"):
        y, _ = soundfile.read(demo / "stems" / track / "drums.flac", dtype="float32")
        strength = librosa.onset.onset_strength(
            y=y.mean(axis=1), sr=RATE, hop_length=64, n_fft=512, n_mels=64, lag=2
        )
        heard = librosa.onset.onset_detect(
            onset_envelope=strength, sr=RATE, hop_length=64, units="time",
            pre_max=30, post_max=30, pre_avg=100, post_avg=100, delta=0.06, wait=20,
        )  # fmt: skip
        written = rows["time"].to_numpy()
        errors.append(np.abs(heard[:, None] - written).min(axis=1))
        loud = rows.loc[rows["velocity"] >= 70, "time"].to_numpy()
        found.append(np.abs(loud[:, None] - heard).min(axis=1))
    errors, found = np.concatenate(errors), np.concatenate(found)
    assert np.percentile(errors, 95) < 0.010
    assert np.median(errors) < 0.006
    assert (found < 0.03).mean() > 0.93


def test_other_stems_start_when_the_score_says(demo):
    onsets = pd.read_csv(demo / "truth" / "onsets.csv")
    for (track, stem), rows in onsets.groupby(["track_id", "stem"]):
        y, _ = soundfile.read(demo / "stems" / track / f"{stem}.flac")
        level = np.abs(y).max(axis=1)
        first = np.argmax(level > 0.02 * level.max()) / RATE
        assert first == pytest.approx(rows["time"].min(), abs=0.03)


def test_same_bytes_with_two_workers_after_an_interruption(demo, tmp_path):
    # a killed run: a song incomplete, a table missing, a stem damaged
    damaged = tmp_path / "damaged"
    shutil.copytree(demo, damaged)
    (damaged / "audio" / "pop-01-1.flac").unlink()
    (damaged / "ratings.csv").unlink()
    (damaged / "stems" / "rock-01-1" / "bass.flac").write_bytes(b"half")
    left = damaged / "audio" / ".pop-01-1-x7.flac"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    with parallel_config("threading"):  # `make book` uses processes, which take seconds to start
        make_demo(damaged, n_jobs=2, progress=False, **SMALL)
    assert contents(damaged) == contents(demo)


def test_a_second_run_touches_nothing_and_a_smaller_one_removes_the_rest(demo, tmp_path):
    less = tmp_path / "less"
    shutil.copytree(demo, less)
    before = {p: os.stat(p).st_mtime_ns for p in less.rglob("*") if p.is_file()}
    make_demo(less, n_jobs=1, progress=False, **SMALL)
    assert {p: os.stat(p).st_mtime_ns for p in less.rglob("*") if p.is_file()} == before
    make_demo(less, n_jobs=1, progress=False, **(SMALL | {"n_bands": 2}))
    assert {p.name for p in (less / "stems").iterdir()} == {"funk-01-1", "pop-01-1"}
    assert {p.stem for p in (less / "audio").iterdir()} == {"funk-01-1", "pop-01-1"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("songs_per_listener", {"n_bands": 3, "songs_per_band": 1, "songs_per_listener": 4}),
        ("n_listeners", {"n_listeners": 0}),
        ("n_bands", {"n_bands": 0}),
    ],
)
def test_impossible_counts_are_named(tmp_path, name, options):
    with raises(SimulationError, "out_of_range", column=name, value=options[name]):
        make_demo(tmp_path, **options)
    assert not list(tmp_path.iterdir())
