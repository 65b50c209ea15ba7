"""Scores of the demo study: times, features, and differences between styles and bands."""

import numpy as np
import pandas as pd
import pytest

from groove_utils.study.stem_names import STEMS
from groove_utils.synth import compose, score_features
from groove_utils.synth.score import LEAD_IN


@pytest.fixture(scope="module")
def scores():
    return [compose(2026, band, song) for band in range(24) for song in range(4)]


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
    grid = song.grid
    steps = np.diff(grid[0])
    np.testing.assert_allclose(steps[::2] / steps[1::2][0], song.swing_ratio)
    np.testing.assert_allclose(grid[0, ::4], LEAD_IN + np.arange(4) * 60 / song.tempo)
    np.testing.assert_allclose(grid[1, 0] - grid[0, 0], 240 / song.tempo)


def test_notes_lie_near_the_grid_by_the_stated_microtiming(scores):
    for song in scores:
        grid = song.grid
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
