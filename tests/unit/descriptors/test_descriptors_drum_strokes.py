"""Drum patterns and syncopation measured from audio; coincidence of bass and bass drum."""

import numpy as np
import pytest
from descriptor_signals import SR, grid_of_play, play

from groove_utils.descriptors import (
    analyse,
    coincidence,
    describe_stems,
    drum_pattern,
    syncopation,
)
from groove_utils.rhythm import lhl_syncopation, witek_syncopation


@pytest.mark.parametrize("pattern", ["rock", "funk"])
def test_drum_pattern_and_syncopation_are_those_of_the_score(pattern):
    _, played = play(pattern)
    grid, spectra, _ = grid_of_play(pattern)
    read = drum_pattern(spectra, grid)
    assert len(read["kick"]) >= 5
    for name in ("kick", "snare"):
        assert (read[name] == played[name][: len(read[name])]).mean() > 0.97
    sounding = np.logical_or.reduce(list(read.values()))
    struck = np.logical_or.reduce(list(played.values()))
    assert (sounding == struck[: len(sounding)]).mean() > 0.97

    witek, lhl = syncopation(spectra, grid)
    score = [played[name] for name in ("kick", "snare", "hat")]
    assert witek == pytest.approx(witek_syncopation(*score) / 6, rel=0.1, abs=0.4)
    of_score = lhl_syncopation(played["kick"] | played["snare"]) / 6
    assert lhl == pytest.approx(of_score, rel=0.1, abs=0.3)


def test_syncopation_without_drums_is_nan():
    silence = analyse(np.zeros(8 * SR, np.float32), SR)
    grid, _, _ = grid_of_play("rock")
    assert not drum_pattern(silence, grid)["kick"].any()
    assert np.isnan(syncopation(silence, grid)).all()


def test_coincidence():
    first = np.array([1.0, 2.0, 3.0, 4.0])
    assert coincidence(first, first) == 1
    assert coincidence(first, first + 0.03) == 1
    assert coincidence(first, first + 0.05) == 0
    assert coincidence(first, np.array([1.0, 3.01])) == pytest.approx(2 * 2 / 6)
    assert coincidence(first, np.array([0.99, 1.01, 1.02])) == pytest.approx(2 / 7)
    assert np.isnan(coincidence(first, np.empty(0)))


def test_stems_that_play_together_and_apart():
    drums, _ = play("rock")
    rows = [
        describe_stems({"drums": drums, "bass": play(bass)[0]}, SR)
        for bass in ("rock kick", "other kick")
    ]
    assert rows[0]["bass_drum_coincidence"] > 0.95
    assert rows[1]["bass_drum_coincidence"] < 0.1
    assert rows[0]["density_bass"] == pytest.approx(3 * 6 / (drums.size / SR), abs=0.1)
    assert rows[0]["reason"] == ""


def test_stems_that_are_silent_missing_or_broken():
    drums, _ = play("rock")
    row = describe_stems({"drums": drums, "bass": np.zeros_like(drums)}, SR)
    assert row["density_bass"] == 0
    assert np.isnan(row["bass_drum_coincidence"])
    assert row["reason"].startswith("bass_drum_coincidence:")
    row = describe_stems({"bass": np.full((2, SR), np.nan)}, SR)
    assert np.isnan(row["density_bass"])
    assert all(name in row["reason"] for name in ("density_bass", "density_drums"))
