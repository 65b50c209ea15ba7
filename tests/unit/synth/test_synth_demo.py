"""The demo study as a whole: scores, sound, folders, and doing it again."""

import os
import shutil

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from groove_utils.audio import measure_loudness
from groove_utils.synth import make_demo
from groove_utils.synth.__main__ import main
from groove_utils.synth.arrange import LEAD_IN, STEMS, compose
from groove_utils.synth.features import grid_times, score_features
from groove_utils.synth.render import render

SMALL = {"n_bands": 3, "songs_per_band": 1, "n_listeners": 6, "songs_per_listener": 2}
RATE = 44100


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("demo"), jobs=1, progress=False, **SMALL)


@pytest.fixture(scope="module")
def scores():
    return [compose(2026, band, song) for band in range(24) for song in range(4)]


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
    tables = {"songs", "effects", "effects_as_rated", "listeners", "song_effects", "onsets"}
    assert truth == tables
    for path in demo.rglob("*.csv"):
        assert not pd.read_csv(path).isna().any().any(), path


def test_stems_add_up_to_the_mix_exactly(demo):
    for path in (demo / "audio").iterdir():
        mix, sr = soundfile.read(path, dtype="int16")
        stems = [
            soundfile.read(demo / "stems" / path.stem / f"{stem}.flac", dtype="int16")[0]
            for stem in STEMS
        ]
        assert sr == RATE
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


def test_same_bytes_with_any_number_of_jobs_and_after_an_interruption(demo, tmp_path):
    make_demo(tmp_path / "again", jobs=2, progress=False, **SMALL)
    assert contents(tmp_path / "again") == contents(demo)
    # a run that was killed: a song half there, a table missing, a stem damaged
    damaged = tmp_path / "damaged"
    shutil.copytree(demo, damaged)
    (damaged / "audio" / "pop-01-1.flac").unlink()
    (damaged / "ratings.csv").unlink()
    (damaged / "stems" / "rock-01-1" / "bass.flac").write_bytes(b"half")
    left = damaged / "audio" / ".pop-01-1-x7.flac"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    make_demo(damaged, jobs=1, progress=False, **SMALL)
    assert contents(damaged) == contents(demo)


def test_a_second_run_touches_nothing(demo):
    before = {p: os.stat(p).st_mtime_ns for p in demo.rglob("*") if p.is_file()}
    make_demo(demo, jobs=1, progress=False, **SMALL)
    assert {p: os.stat(p).st_mtime_ns for p in demo.rglob("*") if p.is_file()} == before


def test_a_smaller_run_takes_the_rest_away(demo, tmp_path):
    shutil.copytree(demo, tmp_path / "less")
    make_demo(tmp_path / "less", jobs=1, progress=False, **(SMALL | {"n_bands": 2}))
    assert sorted(p.name for p in (tmp_path / "less" / "stems").iterdir()) == [
        "funk-01-1", "pop-01-1",
    ]  # fmt: skip
    assert len(list((tmp_path / "less" / "audio").iterdir())) == 2


def test_a_small_study_is_part_of_the_large_one():
    first, again = compose(2026, 4, 1), compose(2026, 4, 1)
    assert first.notes == again.notes
    assert first.notes != compose(2027, 4, 1).notes
    assert first.notes != compose(2026, 4, 2).notes


def test_songs_have_whole_bars_and_about_twelve_seconds(scores):
    for song in scores:
        assert 10.5 < song.n_bars * 240 / song.tempo < 14
        assert all(0 <= note.time < song.seconds - 0.4 for note in song.notes)
        assert all(1 <= note.velocity <= 127 for note in song.notes)
        assert {note.stem for note in song.notes} == set(STEMS)


def test_grid_swings_as_it_says(scores):
    song = next(song for song in scores if song.swing_ratio > 1.2)
    grid = grid_times(song)
    steps = np.diff(grid[0])
    np.testing.assert_allclose(steps[::2] / steps[1::2][0], song.swing_ratio)
    np.testing.assert_allclose(grid[0, ::4], LEAD_IN + np.arange(4) * 60 / song.tempo)
    np.testing.assert_allclose(grid[1, 0] - grid[0, 0], 240 / song.tempo)


def test_notes_lie_near_the_grid_by_the_stated_microtiming(scores):
    for song in scores:
        grid = grid_times(song)
        off = [n.time - grid[n.bar, n.step] for n in song.notes if n.part == "snare"]
        if len(off) > 12 and song.jitter_ms < 5:
            assert 1000 * np.mean(off) == pytest.approx(song.offsets["snare"], abs=4)


def test_styles_differ_and_overlap(scores):
    table = pd.DataFrame(
        {"style": s.band.style, "band": s.band.name, **score_features(s)} for s in scores
    )
    mean = table.groupby("style").mean(numeric_only=True)
    assert mean["syncopation"].idxmax() == "funk"
    assert mean["event_density"].idxmax() == "funk"
    assert mean["tempo"].idxmax() == "rock"
    assert mean.loc["rock", "backbeat"] > mean.loc["funk", "backbeat"]
    for name in ("syncopation", "event_density", "tempo"):
        low, high = (table[table["style"] == s][name] for s in ("rock", "funk"))
        assert max(low.min(), high.min()) < min(low.max(), high.max())
    # songs by one band are more alike than songs by two bands of the same style
    for name in ("event_density", "tempo", "swing_ratio"):
        own = table[name] - table.groupby("style")[name].transform("mean")
        within = own.groupby(table["band"]).var().mean()
        assert own.groupby(table["band"]).mean().var() > 1.5 * within / 4


def test_known_song_by_hand():
    song = compose(2026, 2, 1)
    features = score_features(song)
    kick, bass = song.drums["kick"] > 0, song.bass
    f1 = 2 * (kick & bass).sum() / (kick.sum() + bass.sum())
    assert features["bass_drum_coupling"] == pytest.approx(f1)
    strokes = sum((grid > 0).sum() for grid in song.drums.values())
    assert features["drum_density"] == pytest.approx(strokes / (song.n_bars * 240 / song.tempo))


def test_render_is_whole_numbers_that_add_up():
    sounds = render(compose(7, 2, 0))
    total = sum(sounds[stem].astype(np.int32) for stem in STEMS)
    np.testing.assert_array_equal(total, sounds["mix"])
    assert sounds["mix"].dtype == np.int16


def test_command_line(tmp_path, capsys):
    small = "--bands 1 --songs-per-band 1 --listeners 2 --songs-per-listener 1 --jobs 1 --quiet"
    assert main([str(tmp_path / "study"), "--seed", "3", *small.split()]) == 0
    assert (tmp_path / "study" / "study.yml").is_file()
    assert main([str(tmp_path / "study"), "--bands", "0"]) == 2
    assert "n_bands is 0" in capsys.readouterr().err


def test_errors_say_what_is_wrong(tmp_path):
    with pytest.raises(ValueError, match="songs_per_listener is 4, but there are only 3 songs"):
        make_demo(tmp_path, n_bands=3, songs_per_band=1, songs_per_listener=4)
    with pytest.raises(ValueError, match="n_listeners is 0"):
        make_demo(tmp_path, n_listeners=0)
    assert not list(tmp_path.iterdir())
