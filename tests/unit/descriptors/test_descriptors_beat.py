"""Tempo, beats and metrical grid of signals with a known score."""

import librosa
import numpy as np
import pytest
from descriptor_signals import (
    PATTERNS,
    SR,
    click_track,
    clicks_at,
    curve_of,
    grid_of,
    grid_of_play,
    play,
)

from groove_utils.descriptors import bar_profile, estimate_grid, estimate_tempo, region_strength
from groove_utils.descriptors.beat_fit import extend_beats, robust_line
from groove_utils.descriptors.onsets import clear_onsets, detect_onsets, find_kicks
from groove_utils.rhythm import microtiming, swing_ratio


@pytest.mark.parametrize("tempo", [72, 104.5, 138])
def test_tempo_of_a_click_track(tempo):
    estimate = estimate_tempo(*curve_of(click_track(tempo / 60, 12.0)))
    assert min(abs(estimate / tempo / factor - 1) for factor in (0.5, 1, 2)) < 0.005


@pytest.mark.parametrize("pattern", ["rock", "funk"])
@pytest.mark.parametrize("tempo", [84, 126])
def test_tempo_beats_and_downbeat_of_a_kit(pattern, tempo):
    grid, _, _ = grid_of_play(pattern, tempo, start=0.37)
    assert grid.tempo == pytest.approx(tempo, rel=0.004)
    beat = (grid.beats - 0.37) * tempo / 60
    assert np.abs(beat - np.round(beat)).max() * 60 / tempo < 0.012
    assert round(beat[grid.downbeat]) % 4 == 0


def test_a_bars_profile_has_the_kick_where_the_score_has_it():
    grid, spectra, _ = grid_of_play("funk")
    profile = bar_profile(region_strength(spectra), grid, spectra.hop)
    assert list(profile.columns) == ["region", "step", "strength"]
    for _, lane in profile.groupby("region"):
        assert sorted(lane["step"]) == list(range(16))
    low = profile[profile["region"] == "low"].set_index("step")["strength"]
    played = [step for step in range(16) if PATTERNS["funk"]["kick"][step] == "x"]
    assert sorted(low.nlargest(len(played)).index) == played
    assert bar_profile(region_strength(spectra), None, spectra.hop).empty


def test_tempo_agrees_with_librosa():
    grid, _, _ = grid_of_play("rock", 118)
    reference, _ = librosa.beat.beat_track(y=play("rock", 118)[0], sr=SR)
    assert grid.tempo == pytest.approx(float(reference[0]), rel=0.03)


def test_grid_follows_a_tempo_that_drifts():
    beats = np.cumsum(np.r_[0.2, np.linspace(0.5, 0.55, 31)])  # 120 to 109 BPM
    strokes = np.sort(np.r_[beats, (beats[:-1] + beats[1:]) / 2])
    grid, _, _ = grid_of(clicks_at(strokes, 18.0))
    distance = np.abs(strokes[:, None] - grid.steps).min(axis=1)
    assert np.percentile(distance[8:-8], 90) < 0.02


def test_no_grid_where_nothing_pulses():
    assert np.isnan(estimate_tempo(np.ones(2000), 0.005))
    silent = {"low": np.zeros(900), "high": np.zeros(900)}
    assert estimate_grid(np.zeros(900), silent, 0.005) is None
    assert grid_of(click_track(2, 3.5))[0] is None  # seven beats


@pytest.mark.parametrize("swing", [1.0, 1.3, 1.9])
def test_swing_ratio_of_a_kit(swing):
    grid, _, _ = grid_of_play("funk", 96, swing=swing)
    assert swing_ratio(grid) == pytest.approx(swing, abs=0.12)


def timing_of(*args, **options):
    """Measure the microtiming of a drum kit: mean, spread and percentage of the beat."""
    grid, spectra, curve = grid_of_play(*args, **options)
    kicks = find_kicks(region_strength(spectra)["low"], spectra.hop)
    return microtiming(clear_onsets(*detect_onsets(curve, spectra.hop)), grid, kicks)


def test_microtiming_spread_grows_with_jitter():
    spreads = [
        np.mean([timing_of("funk", jitter_ms=sd, seed=seed)[1] for seed in range(2)])
        for sd in (0, 7, 14)
    ]
    assert spreads[0] < 3
    assert np.all(np.diff(spreads) > 2)


def test_microtiming_mean_is_the_lag_of_the_snare():
    lags = [0, 15, -15]
    measured = np.array([timing_of("lag", snare_ms=lag)[0] for lag in lags])
    np.testing.assert_allclose(measured - measured[0], lags, atol=4)


def test_a_line_is_not_moved_by_a_few_strokes_off_it():
    x = np.arange(0, 16, 0.25)
    y = 100 + 0.5 * x
    y[::9] += 0.08
    np.testing.assert_allclose(robust_line(x, y), [0.5, 100], atol=1e-9)
    assert robust_line(x[:7], y[:7]) is None
    assert robust_line(np.repeat(1.0, 20), y[:20]) is None


def test_beats_are_extended_to_the_first_and_last_onset():
    beats = np.arange(2.0, 6.0, 0.5)
    np.testing.assert_allclose(extend_beats(beats, 1.0, 7.02), np.arange(1.0, 7.1, 0.5))
    np.testing.assert_allclose(extend_beats(beats, 2.9, 4.1), [3.0, 3.5, 4.0])
