import librosa
import mir_eval
import numpy as np
import pytest
from descriptor_signals import SR, click_track, clicks_at, noise, sine

from groove_utils.descriptors import (
    analyse,
    attack_slopes,
    detect_onsets,
    event_density,
    onset_strength,
    pulse_clarity,
    pulse_clarity_attack,
    region_strength,
)


def curve_of(y, sr=SR):
    spectra = analyse(y, sr)
    return onset_strength(spectra), spectra.hop


@pytest.mark.parametrize("per_second", [1, 2, 3.3, 4, 8, 12])
@pytest.mark.parametrize("sr", [22050, 44100, 48000])
def test_event_density_of_a_click_track(per_second, sr):
    y = click_track(per_second, 10.0, sr)
    assert event_density(y, sr) == pytest.approx(per_second, abs=0.1)


def test_event_density_over_a_bass_drone():
    y = click_track(4) + sine(80, amplitude=0.1)
    assert event_density(y, SR) == pytest.approx(4, abs=0.2)


def test_onsets_lie_on_the_clicks():
    truth = np.sort(np.random.default_rng(3).uniform(0.1, 9.9, 40))
    truth = truth[np.diff(truth, prepend=0) > 0.06]
    times, strengths = detect_onsets(*curve_of(clicks_at(truth, 10.0)))
    assert times.size == truth.size == strengths.size
    error = times - truth
    assert abs(error.mean()) < 0.001
    assert error.std() < 0.003


def test_onsets_agree_with_librosa():
    y = click_track(3, 8.0, start=0.4) + noise(8, amplitude=0.01)
    times, _ = detect_onsets(*curve_of(y))
    reference = librosa.onset.onset_detect(y=y, sr=SR, hop_length=220, units="time")
    assert mir_eval.onset.f_measure(reference, times, window=0.02)[0] > 0.95


def test_onset_curve_does_not_change_with_gain():
    y = click_track(5) + noise(10, amplitude=0.02)
    np.testing.assert_allclose(curve_of(y)[0], curve_of(0.01 * y)[0], rtol=1e-3, atol=1e-5)


def test_no_onsets_in_silence_and_short_curves():
    assert detect_onsets(np.zeros(500), 0.005)[0].size == 0
    assert detect_onsets(np.ones(2), 0.005)[0].size == 0
    assert event_density(np.zeros(SR, np.float32), SR) == 0


def test_regions_separate_a_kit():
    t = np.arange(4 * SR) / SR % 1
    drum = (np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.08)).astype(np.float32)
    cymbal = np.gradient(noise(4)) * np.exp(-((t - 0.5) % 1) / 0.03)
    curves = region_strength(analyse(drum + 0.2 * cymbal.astype(np.float32), SR))
    peaks = {name: np.argmax(curve[50:200]) * 0.005 + 0.25 for name, curve in curves.items()}
    assert peaks["high"] == pytest.approx(0.5, abs=0.02)
    low = curves["low"]
    assert low[195:205].max() > 5 * low[90:110].max()


def test_pulse_clarity_of_clicks_and_of_noise():
    for per_second in (1, 1.5, 2, 3.3):
        assert pulse_clarity(*curve_of(click_track(per_second))) > 0.85
    clarities = [pulse_clarity(*curve_of(noise(10, seed=seed))) for seed in range(5)]
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


@pytest.mark.parametrize("ramp", [0.05, 0.1, 0.2, 0.4])
def test_attack_slope_of_a_linear_fade_in(ramp):
    t = np.arange(8 * SR) / SR % 1
    y = sine(1000, 8.0, amplitude=1.0) * np.clip(t / ramp, 0, 1) * (t < 0.6)
    slopes = attack_slopes(y.astype(np.float32), SR)
    assert slopes.size == 8
    np.testing.assert_allclose(slopes, 1 / ramp, rtol=0.06)


def test_attack_clarity_ignores_gain_and_ranks_attacks():
    sharp, soft = click_track(2), click_track(2)
    soft = np.convolve(soft, np.hanning(4000) / 100, "same").astype(np.float32)
    assert pulse_clarity_attack(0.01 * sharp, SR) == pytest.approx(pulse_clarity_attack(sharp, SR))
    assert pulse_clarity_attack(sharp, SR) > 2 * pulse_clarity_attack(soft, SR)
    assert np.isnan(pulse_clarity_attack(np.zeros(SR), SR))
