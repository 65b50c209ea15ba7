"""Onset curves and onsets of signals with known strokes."""

import librosa
import mir_eval
import numpy as np
import pytest
from descriptor_signals import SR, click_track, clicks_at, curve_of, noise, sine

from groove_utils.descriptors import analyse, detect_onsets, region_strength
from groove_utils.rhythm import onset_density


def density(y, sr=SR):
    return onset_density(detect_onsets(*curve_of(y, sr))[0], y.size / sr)


@pytest.mark.parametrize("per_second", [1, 3.3, 12])
@pytest.mark.parametrize("sr", [22050, 44100, 48000])
def test_density_of_a_click_track(per_second, sr):
    y = click_track(per_second, 10.0, sr)
    assert density(y, sr) == pytest.approx(per_second, abs=0.1)


def test_density_over_a_bass_drone():
    y = click_track(4) + sine(80, amplitude=0.1)
    assert density(y) == pytest.approx(4, abs=0.2)


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
    assert density(np.zeros(SR, np.float32)) == 0


def test_regions_separate_a_kit():
    t = np.arange(4 * SR) / SR % 1
    drum = (np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.08)).astype(np.float32)
    cymbal = np.gradient(noise(4)) * np.exp(-((t - 0.5) % 1) / 0.03)
    curves = region_strength(analyse(drum + 0.2 * cymbal.astype(np.float32), SR))
    peaks = {name: np.argmax(curve[50:200]) * 0.005 + 0.25 for name, curve in curves.items()}
    assert peaks["high"] == pytest.approx(0.5, abs=0.02)
    low = curves["low"]
    assert low[195:205].max() > 5 * low[90:110].max()
