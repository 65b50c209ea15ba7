"""Pulse clarity, accents and periodicity of signals with a known pulse; danceability."""

import json
from pathlib import Path

import numpy as np
import pytest
from descriptor_signals import SR, click_track, clicks_at, curve_of, grid_of_play, noise, sine

from groove_utils.descriptors import (
    attack_slopes,
    beat_salience,
    danceability,
    metrical_strength,
    periodicity,
    pulse_clarity,
    pulse_clarity_attack,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "descriptors" / "essentia.json"


def test_pulse_clarity_of_clicks_and_of_noise():
    for per_second in (1, 1.5, 3.3):
        assert pulse_clarity(*curve_of(click_track(per_second))) > 0.85
    clarities = [pulse_clarity(*curve_of(noise(10, seed=seed))) for seed in range(3)]
    assert np.max(clarities) < 0.15


def test_pulse_clarity_falls_with_jitter():
    rng = np.random.default_rng(4)
    base = np.arange(0.2, 11.8, 0.5)
    clarity = [
        pulse_clarity(*curve_of(clicks_at(base + rng.normal(0, sd, base.size), 12.0)))
        for sd in (0.0, 0.01, 0.03, 0.1)
    ]
    assert np.all(np.diff(clarity) < -0.05)


def test_pulse_clarity_needs_two_long_beats():
    assert np.isnan(pulse_clarity(np.ones(400), 0.005))
    assert np.isnan(pulse_clarity(np.ones(800), 0.005))


@pytest.mark.parametrize("ramp", [0.05, 0.1, 0.4])
def test_attack_slope_of_a_linear_fade_in(ramp):
    t = np.arange(4 * SR) / SR % 1
    y = sine(1000, 4.0, amplitude=1.0) * np.clip(t / ramp, 0, 1) * (t < 0.6)
    slopes = attack_slopes(y.astype(np.float32), SR)
    assert slopes.size == 4
    np.testing.assert_allclose(slopes, 1 / ramp, rtol=0.06)


def test_attack_clarity_ignores_gain_and_ranks_attacks():
    sharp = click_track(2, 4.0)
    soft = np.convolve(sharp, np.hanning(4000) / 100, "same").astype(np.float32)
    assert pulse_clarity_attack(0.01 * sharp, SR) == pytest.approx(pulse_clarity_attack(sharp, SR))
    assert pulse_clarity_attack(sharp, SR) > 2 * pulse_clarity_attack(soft, SR)
    assert np.isnan(pulse_clarity_attack(np.zeros(SR), SR))


def test_beats_stand_out_where_they_are_played():
    values = []
    for pattern in ("on the beat", "rock", "off the beat"):
        grid, spectra, curve = grid_of_play(pattern)
        given = curve, spectra.hop, grid
        values.append((beat_salience(*given), metrical_strength(*given)))
    values = np.array(values)
    assert values[0, 0] > 0.9
    assert np.all(np.diff(values[:, 0]) < -0.1)
    assert values[1, 1] > values[2, 1] + 0.2


def test_periodicity_of_clicks_noise_and_a_drifting_pulse():
    drifting = np.cumsum(np.linspace(0.45, 0.6, 40))
    assert periodicity(*curve_of(click_track(2, 12.0))) > 0.8
    assert periodicity(*curve_of(noise(12))) < 0.4  # the highest of many lags
    assert periodicity(*curve_of(clicks_at(drifting[drifting < 19.5], 20.0))) > 0.4
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
    hiss = danceability(noise(30), SR)
    assert hiss == pytest.approx(2, rel=0.15)  # α = 1/2
    assert danceability(click_track(2.0, 30.0), SR) > 1.5 * hiss
    assert np.isnan(danceability(noise(1.5), SR))
    assert np.isnan(danceability(np.zeros(5 * SR), SR))
