import json
from pathlib import Path

import librosa
import numpy as np
import pytest
from descriptor_signals import SR, click_track, clicks_at, noise, sine

from groove_utils.descriptors import (
    analyse,
    bar_profile,
    beat_salience,
    coincidence,
    danceability,
    describe,
    describe_stems,
    drum_pattern,
    estimate_grid,
    estimate_tempo,
    metrical_strength,
    onset_strength,
    periodicity,
    region_strength,
)
from groove_utils.descriptors.beat import _line
from groove_utils.rhythm import deviations, microtiming, swing_ratio
from groove_utils.rhythm.syncopation import lhl_syncopation, witek_syncopation

GOLDEN = Path(__file__).parents[2] / "golden" / "descriptors" / "essentia.json"


def drum(name, seed=0):
    """One stroke: a bass drum of 60 Hz, a snare of noise, a hi-hat of high noise."""
    t = np.arange(round(0.5 * SR)) / SR
    rng = np.random.default_rng(seed)
    if name == "kick":
        return np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.05)
    hiss = rng.standard_normal(t.size)
    if name == "snare":
        return 0.35 * hiss * np.exp(-t / 0.04)
    return 0.08 * np.gradient(np.gradient(hiss)) * np.exp(-t / 0.015)


def play(pattern, tempo=100.0, n_bars=6, swing=1.0, late_ms=None, jitter_ms=0.0, start=0.1, seed=5):
    """A kit playing `pattern` (name → sixteen letters, dots are rests), with its parts' lateness.

    Ghost notes, g, are soft. Returns the signal and the steps of the other strokes as arrays of
    shape (n_bars, 16).
    """
    rng = np.random.default_rng(seed)
    sixteenth = 15 / tempo
    y = np.zeros(round((start + n_bars * 16 * sixteenth + 0.3) * SR))
    delay = 2 * swing / (1 + swing) - 1
    grids = {}
    for name, line in pattern.items():
        grids[name] = np.tile([letter == "x" for letter in line], (n_bars, 1))
        for step in np.flatnonzero([letter != "." for letter in line * n_bars]):
            time = start + sixteenth * (step + delay * (step % 2)) + rng.normal(0, jitter_ms) / 1000
            first = round((time + (late_ms or {}).get(name, 0) / 1000) * SR)
            stroke = drum(name)[: y.size - first]
            y[first : first + stroke.size] += (0.1 if line[step % 16] == "g" else 0.5) * stroke
    return y.astype(np.float32), grids


# bars that tell where they begin: with a bass drum on one and on three, they would not
ROCK = {"kick": "x.....x...x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."}
FUNK = {"kick": "x.x...x...x..x..", "snare": "....x..g.g.gx..g", "hat": "xxxxxxxxxxxxxxxx"}


def grid_of(y, sr=SR):
    spectra = analyse(y, sr)
    curve, regions = onset_strength(spectra), region_strength(spectra)
    return estimate_grid(curve, regions, spectra.hop), spectra, curve


@pytest.mark.parametrize("tempo", [72, 90, 104.5, 120, 138, 160])
def test_tempo_of_a_click_track(tempo):
    spectra = analyse(click_track(tempo / 60, 12.0), SR)
    estimate = estimate_tempo(onset_strength(spectra), spectra.hop)
    assert min(abs(estimate / tempo / factor - 1) for factor in (0.5, 1, 2)) < 0.005


@pytest.mark.parametrize("tempo", [84, 100, 126, 140])
@pytest.mark.parametrize("pattern", [ROCK, FUNK], ids=["rock", "funk"])
def test_tempo_beats_and_downbeat_of_a_kit(pattern, tempo):
    y, _ = play(pattern, tempo, start=0.37)
    grid, _, _ = grid_of(y)
    assert grid.tempo == pytest.approx(tempo, rel=0.004)
    beat = (grid.beats - 0.37) * tempo / 60
    assert np.abs(beat - np.round(beat)).max() * 60 / tempo < 0.012
    assert round(beat[grid.downbeat]) % 4 == 0
    assert grid.places[4 * grid.downbeat] == 0
    assert grid.steps.size == grid.places.size == 4 * grid.beats.size - 3


def test_a_bars_profile_has_the_kick_where_the_score_has_it():
    y, _ = play(FUNK, 100, n_bars=8)
    grid, spectra, _ = grid_of(y)
    profile = bar_profile(region_strength(spectra), grid, spectra.hop)
    assert list(profile.columns) == ["region", "step", "strength"]
    for _, lane in profile.groupby("region"):
        assert sorted(lane["step"]) == list(range(16))
    low = profile[profile["region"] == "low"].set_index("step")["strength"]
    played = [step for step in range(16) if FUNK["kick"][step] == "x"]
    assert sorted(low.nlargest(len(played)).index) == played
    assert bar_profile(region_strength(spectra), None, spectra.hop).empty


def test_tempo_agrees_with_librosa():
    y, _ = play(ROCK, 118)
    grid, _, _ = grid_of(y)
    reference, _ = librosa.beat.beat_track(y=y, sr=SR)
    assert grid.tempo == pytest.approx(float(reference[0]), rel=0.03)


def test_grid_follows_a_tempo_that_drifts():
    beats = np.cumsum(np.r_[0.2, np.linspace(0.5, 0.55, 47)])  # 120 to 109 BPM
    strokes = np.sort(np.r_[beats, (beats[:-1] + beats[1:]) / 2])
    grid, _, _ = grid_of(clicks_at(strokes, 26.0))
    distance = np.abs(strokes[:, None] - grid.steps).min(axis=1)
    assert np.percentile(distance[8:-8], 90) < 0.02


def test_no_grid_where_nothing_pulses():
    assert np.isnan(estimate_tempo(np.ones(2000), 0.005))
    silent = {"low": np.zeros(900), "high": np.zeros(900)}
    assert estimate_grid(np.zeros(900), silent, 0.005) is None
    assert grid_of(click_track(2, 3.5))[0] is None  # seven beats


@pytest.mark.parametrize("pattern", [ROCK, FUNK], ids=["rock", "funk"])
def test_drum_pattern_is_read_as_played(pattern):
    y, played = play(pattern)
    grid, spectra, _ = grid_of(y)
    read = drum_pattern(spectra, grid)
    assert len(read["kick"]) >= 5
    for name in ("kick", "snare"):
        assert (read[name] == played[name][: len(read[name])]).mean() > 0.97
    heard = np.logical_or.reduce(list(read.values()))
    struck = np.logical_or.reduce(list(played.values()))
    assert (heard == struck[: len(heard)]).mean() > 0.97


@pytest.mark.parametrize("pattern", [ROCK, FUNK], ids=["rock", "funk"])
def test_syncopation_from_audio_is_that_of_the_score(pattern):
    y, played = play(pattern)
    row = describe(y, SR)
    score = [played[name] for name in ("kick", "snare", "hat")]
    assert row["syncopation"] == pytest.approx(witek_syncopation(*score) / 6, rel=0.1, abs=0.4)
    lhl = lhl_syncopation(played["kick"] | played["snare"]) / 6
    assert row["syncopation_lhl"] == pytest.approx(lhl, rel=0.1, abs=0.3)


def test_syncopation_without_drums_is_nan():
    spectra = analyse(np.zeros(8 * SR, np.float32), SR)
    grid, _, _ = grid_of(play(ROCK)[0])
    assert not drum_pattern(spectra, grid)["kick"].any()
    assert np.isnan(describe(sine(50, 6), SR)["syncopation"])


@pytest.mark.parametrize("swing", [1.0, 1.3, 1.6, 1.9])
def test_swing_ratio(swing):
    y, _ = play(FUNK, 96, swing=swing)
    grid, _, _ = grid_of(y)
    assert swing_ratio(grid) == pytest.approx(swing, abs=0.12)


def test_no_swing_ratio_without_sixteenths():
    row = describe(play(ROCK)[0], SR)
    assert np.isnan(row["swing_ratio"])
    assert "fewer than four onsets on odd sixteenths" in row["reason"]


def test_microtiming_spread_grows_with_jitter():
    spreads = [
        np.mean(
            [describe(play(FUNK, jitter_ms=sd, seed=seed)[0], SR)["microtiming_spread"]
             for seed in range(3)]
        )
        for sd in (0, 5, 10, 15)
    ]  # fmt: skip
    assert spreads[0] < 3
    assert np.all(np.diff(spreads) > 1.5)


def test_microtiming_spread_of_known_deviations():
    grid, _, _ = grid_of(play(ROCK, 100, n_bars=12)[0])
    late = np.random.default_rng(0).normal(0, 0.012, grid.steps.size)
    _, spread, percent = microtiming(grid.steps + late, grid)
    assert spread == pytest.approx(12, rel=0.15)
    assert percent == pytest.approx(spread / 6, rel=0.01)  # a beat has 600 ms


def test_microtiming_mean_is_the_lag_behind_the_bass_drum():
    pattern = {"kick": "x.x...x.x.x...x.", "snare": "....x.......x..."}
    lags = [0, 15, -15]
    rows = [describe(play(pattern, late_ms={"snare": lag})[0], SR) for lag in lags]
    measured = np.array([row["microtiming_mean"] for row in rows])
    np.testing.assert_allclose(measured - measured[0], lags, atol=4)


def test_microtiming_percent_is_of_the_beat():
    row = describe(play(FUNK, 100, jitter_ms=8)[0], SR)
    expected = row["microtiming_spread"] / (60_000 / row["tempo"]) * 100
    assert row["microtiming_percent"] == pytest.approx(expected)


def test_deviations_of_known_onsets():
    grid, _, _ = grid_of(play(ROCK)[0])
    shift = np.array([0.0, 0.01, -0.02, 0.07])
    late, step = deviations(grid.steps[[4, 8, 12, 20]] + shift, grid)
    np.testing.assert_allclose(late, shift[:3], atol=1e-9)  # the last is nearly between steps
    np.testing.assert_array_equal(step, [4, 8, 12])
    assert np.isnan(microtiming(grid.steps[:5], grid)).all()


def test_beats_stand_out_where_they_are_played():
    on_beat = {"kick": "x...x...x...x...", "hat": "x...x...x...x..."}
    off_beat = {"kick": "x.......x.......", "snare": "..x.x.x...x.x.x.", "hat": "xxxxxxxxxxxxxxxx"}
    values = []
    for pattern in (on_beat, ROCK, off_beat):
        grid, spectra, curve = grid_of(play(pattern, 110)[0])
        values.append((beat_salience(curve, spectra.hop, grid),
                       metrical_strength(curve, spectra.hop, grid)))  # fmt: skip
    values = np.array(values)
    assert values[0, 0] > 0.9
    assert np.all(np.diff(values[:, 0]) < -0.1)
    assert values[1, 1] > values[2, 1] + 0.2


def test_periodicity_of_clicks_noise_and_a_drifting_pulse():
    def measure(y):
        spectra = analyse(y, SR)
        return periodicity(onset_strength(spectra), spectra.hop)

    drifting = np.cumsum(np.linspace(0.45, 0.6, 40))
    assert measure(click_track(2, 12.0)) > 0.8
    assert measure(noise(12)) < 0.4  # the highest of many lags
    assert measure(clicks_at(drifting[drifting < 19.5], 20.0)) > 0.4
    assert np.isnan(periodicity(np.ones(2000), 0.005))
    assert np.isnan(periodicity(np.ones(100), 0.005))


@pytest.mark.parametrize("name", ["clicks", "noise", "swell"])
def test_danceability_agrees_with_essentia(name):
    golden = json.loads(GOLDEN.read_text())["danceability"]
    y = {
        "clicks": lambda: click_track(2.0, 20.0) + noise(20, amplitude=0.01),
        "noise": lambda: noise(20),
        "swell": lambda: noise(20) * np.linspace(0, 1, 20 * SR, dtype="f"),
    }[name]()
    assert danceability(y, SR) == pytest.approx(golden[name], rel=0.05)


def test_danceability_of_white_noise_and_of_a_pulse():
    assert danceability(noise(30), SR) == pytest.approx(2, rel=0.15)  # α = 1/2
    assert danceability(click_track(2.0, 30.0), SR) > 1.5 * danceability(noise(30), SR)
    assert np.isnan(danceability(noise(1.5), SR))
    assert np.isnan(danceability(np.zeros(5 * SR), SR))


def test_coincidence():
    first = np.array([1.0, 2.0, 3.0, 4.0])
    assert coincidence(first, first) == 1
    assert coincidence(first, first + 0.03) == 1
    assert coincidence(first, first + 0.05) == 0
    assert coincidence(first, np.array([1.0, 3.01])) == pytest.approx(2 * 2 / 6)
    assert coincidence(first, np.array([0.99, 1.01, 1.02])) == pytest.approx(2 / 7)
    assert np.isnan(coincidence(first, np.empty(0)))


def test_stems_that_play_together_and_apart():
    drums, _ = play(ROCK)
    together = play({"kick": ROCK["kick"]})[0]
    apart = play({"kick": "..x.x.......x.x."})[0]
    rows = [describe_stems({"drums": drums, "bass": bass}, SR) for bass in (together, apart)]
    assert rows[0]["bass_drum_coincidence"] > 0.95
    assert rows[1]["bass_drum_coincidence"] < 0.1
    assert rows[0]["density_bass"] == pytest.approx(3 * 6 / (drums.size / SR), abs=0.1)
    assert rows[0]["reason"] == ""


def test_stems_that_are_silent_missing_or_broken():
    drums, _ = play(ROCK)
    row = describe_stems({"drums": drums, "bass": np.zeros_like(drums)}, SR)
    assert row["density_bass"] == 0
    assert np.isnan(row["bass_drum_coincidence"])
    assert "no bass or no bass drum" in row["reason"]
    row = describe_stems({"bass": np.full((2, SR), np.nan)}, SR)
    assert np.isnan(row["density_bass"])
    assert "density_bass: the stem is missing, empty or holds NaN" in row["reason"]
    assert "density_drums: the stem is missing" in row["reason"]


def test_low_descriptors():
    low, high = describe(sine(80, 4), SR), describe(sine(2000, 4), SR)
    assert low["low_energy"] > 0.99 > 0.01 > high["low_energy"]
    kick, hat = play({"kick": "x...x...x...x..."})[0], play({"hat": "x...x...x...x..."})[0]
    assert describe(kick, SR)["low_flux"] > 10 * describe(hat, SR)["low_flux"]


def test_density_by_region():
    row = describe(play(ROCK)[0], SR)
    seconds = 6 * 2.4 + 0.4
    assert row["density_low"] == pytest.approx(3 * 6 / seconds, abs=0.2)
    assert row["density_high"] == pytest.approx(8 * 6 / seconds, abs=0.2)


def test_lines_are_those_of_polyfit():
    rng = np.random.default_rng(0)
    x = np.sort(rng.integers(0, 64, 40)) / 4
    y = 100 + 0.5 * x + rng.normal(0, 0.01, 40)
    weight = rng.uniform(size=40) * (rng.uniform(size=40) > 0.2)
    for w in (np.ones(40), weight):
        np.testing.assert_allclose(_line(x, y, w), np.polyfit(x, y, 1, w=np.sqrt(w)), rtol=1e-11)
