"""Level, flux and sub-band flux compared with closed forms, librosa and Essentia."""

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
from descriptor_signals import SR, bursts, click_track, noise, sine
from expect import raises

from groove_utils.descriptors import (
    DescriptorError,
    analyse,
    describe,
    rms_curve,
    spectral,
    subband_flux,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "descriptors" / "essentia.json"


def spectral_flux(y, sr):
    return analyse(y, sr).flux.mean()


def test_rms_of_a_sine_is_its_amplitude_over_root_two():
    y = sine(441, 2, amplitude=0.5)
    assert describe(y, SR)["rms"] == pytest.approx(0.5 / np.sqrt(2), rel=1e-4)
    np.testing.assert_allclose(rms_curve(y, SR), 0.5 / np.sqrt(2), rtol=0.02)


@pytest.mark.parametrize("depth", [0.0, 0.3, 0.8])
def test_rms_sd_of_known_amplitude_modulation(depth):
    # slow modulation: each frame's RMS is the modulated amplitude over √2
    t = np.arange(10 * SR) / SR
    carrier = np.sin(2 * np.pi * 50 * SR / 2200 * t)  # 50 periods in a frame
    y = 0.4 * (1 + depth * np.sin(2 * np.pi * 0.5 * t)) * carrier
    assert rms_curve(y, SR).std() == pytest.approx(0.4 * depth / 2, rel=0.02, abs=1e-6)


def test_flux_of_a_steady_tone_is_nil_and_of_clicks_is_not():
    # 1000.23 Hz falls between bins: the frames differ in phase, and by a little leakage
    assert spectral_flux(sine(1000.23, amplitude=0.5), SR) < 0.001 * 0.5
    assert spectral_flux(bursts(1000), SR) > 0.05 * 0.5


def test_flux_at_an_entry_is_the_energy_that_came_in():
    # a silent frame, then one whose second half is on: their distance is the norm of the second
    # one's amplitude spectrum, which by Parseval is a sum over its samples
    step = 1100
    y = sine(2000, 6 * step / SR)
    y[: 2 * step] = 0
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(2 * step) / (2 * step))
    energy = ((window * y[step : 3 * step]) ** 2).sum()
    expected = np.sqrt(energy * 2 * (2 * step)) / window.sum()
    assert analyse(y, SR).flux[0] == pytest.approx(expected, rel=1e-4)


def test_flux_agrees_with_librosa_stft():
    y = noise(3)
    window = librosa.filters.get_window("hamming", 2200)
    spectrum = np.abs(librosa.stft(y, n_fft=2200, hop_length=1100, window=window, center=False)) * (
        2 / window.sum()
    )
    reference = np.sqrt((np.diff(spectrum, axis=1) ** 2).sum(axis=0))
    np.testing.assert_allclose(analyse(y, SR).flux, reference, rtol=1e-4)


@pytest.mark.parametrize("sr", [22050, 32000, 48000])
def test_flux_does_not_depend_on_the_sample_rate(sr):
    here, there = (spectral_flux(bursts(1000, sr=rate), rate) for rate in (SR, sr))
    assert there == pytest.approx(here, rel=0.02)


def test_level_and_flux_scale_with_the_gain():
    y = noise(2)
    for measure in (spectral_flux, subband_flux):
        np.testing.assert_allclose(measure(0.25 * y, SR), 0.25 * measure(y, SR), rtol=1e-4)


@pytest.mark.parametrize(
    ("hz", "band"),
    [(30, 1), (75, 2), (150, 3), (300, 4), (600, 5), (1200, 6), (2400, 7), (4800, 8), (9600, 9),
     (16000, 10)],
)  # fmt: skip
def test_band_limited_burst_shows_in_its_band(hz, band):
    flux = subband_flux(bursts(hz), SR)
    flux = flux / flux.max()
    assert np.argmax(flux) == band - 1
    distant = np.abs(np.arange(1, 11) - band) > 1
    assert flux[distant].max() < 0.08  # second-order filters leak into neighbouring bands


def test_bands_beyond_half_the_rate_are_nan():
    flux = subband_flux(noise(2, sr=16000), 16000)
    assert np.isnan(flux).tolist() == [False] * 9 + [True]


def test_shorter_than_two_frames():
    assert analyse(noise(0.04), SR).flux.size == 0
    assert np.isnan(subband_flux(noise(0.02), SR)).all()
    assert rms_curve(noise(0.04), SR).size == 0


def test_low_share_of_energy():
    assert analyse(sine(100), SR).low_energy > 0.99
    assert analyse(sine(1000), SR).low_energy < 0.01
    both = sine(100, amplitude=0.3) + sine(1000, amplitude=0.4)
    assert analyse(both, SR).low_energy == pytest.approx(0.09 / 0.25, rel=0.02)


def test_blocks_do_not_show():
    y = noise(13)  # more than two blocks of 1024 frames
    whole = analyse(y, SR)
    late = analyse(y[1100 * 40 :], SR)
    np.testing.assert_allclose(whole.flux[40:], late.flux, rtol=1e-5)


@pytest.mark.parametrize("y", [np.zeros(0), np.zeros((2, 100))])
@pytest.mark.parametrize("measure", [analyse, rms_curve, subband_flux])
def test_wrong_shape_is_named(y, measure):
    with raises(DescriptorError, "shape", column="y", value=y.shape):
        measure(y, SR)


def test_against_essentia():
    golden = json.loads(GOLDEN.read_text())
    y = click_track(3.0, 6.0) + noise(6, amplitude=0.05)
    assert describe(y, SR)["rms"] == pytest.approx(golden["rms"], rel=1e-4)
    # Essentia's Hamming window is 0.53836 − 0.46164 cos, and symmetric
    assert spectral_flux(y, SR) == pytest.approx(golden["spectral_flux"], rel=5e-3)
    assert rms_curve(y, SR).std() == pytest.approx(golden["rms_sd"], rel=1e-3)


def test_subband_flux_of_sums_is_that_of_the_added_signals(monkeypatch):
    monkeypatch.setattr(spectral, "BLOCK", 100)  # several blocks
    rng = np.random.default_rng(0)
    parts = rng.normal(0, 0.1, (3, 2 * 22050)).astype(np.float32)
    sums = [(0,), (2,), (0, 1), (0, 1, 2)]
    found = spectral.subband_flux_of_sums(parts, sums, 22050)
    for row, members in zip(found, sums, strict=True):
        whole = parts[list(members)].sum(axis=0)
        np.testing.assert_allclose(row, spectral.subband_flux(whole, 22050), rtol=1e-5)
    assert np.isnan(spectral.subband_flux_of_sums(parts[:, :100], sums, 22050)).all()
