"""Loudness compared with ITU-R BS.1770, and the MP3 files of the players."""

import warnings

import numpy as np
import pyloudnorm
import pytest
import scipy.signal
import soundfile
from expect import raises

from groove_utils.audio import (
    AudioError,
    load_audio,
    match_loudness,
    matching_gain,
    measure_loudness,
    write_mp3,
)
from groove_utils.audio.loudness import TARGET_LUFS
from groove_utils.errors import DetailedError


def sine(frequency=997.0, sr=48000, seconds=5.0, amplitude=1.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * sr)) / sr)


def music(seconds=6.0, sr=44100, seed=0):
    """Generate drum-like bursts with a falling spectrum over a hum."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sr)) / sr
    falling = scipy.signal.butter(1, 1000, fs=sr, output="sos")
    beat = scipy.signal.sosfilt(falling, rng.standard_normal(len(t))) * np.exp(-6 * (t % 0.5))
    return (0.2 * beat + 0.05 * np.sin(2 * np.pi * 110 * t)).astype("f4")


@pytest.mark.parametrize("sr", [44100, 48000])
def test_the_standards_own_reference(sr):
    """Measure −3.01 LKFS for a full-scale sine of 997 Hz in one channel (BS.1770, annex 1)."""
    assert measure_loudness(sine(sr=sr), sr) == pytest.approx(-3.01, abs=0.05)
    left_only = np.stack([sine(sr=sr), np.zeros(5 * sr)])
    assert measure_loudness(left_only, sr) == pytest.approx(-3.01, abs=0.05)
    assert measure_loudness(np.stack([sine(sr=sr)] * 2), sr) == pytest.approx(0.0, abs=0.05)
    # EBU Tech 3341, test 1: stereo sine of 1 kHz at −23 dBFS reads −23 LUFS
    quiet = np.stack([sine(1000, sr, 20, 10 ** (-23 / 20))] * 2)
    assert measure_loudness(quiet, sr) == pytest.approx(-23, abs=0.1)


def test_the_gate_leaves_out_silence_and_agrees_with_pyloudnorm():
    y = music()
    assert measure_loudness(y, 44100) == pytest.approx(
        pyloudnorm.Meter(44100).integrated_loudness(y.astype("f8"))
    )
    padded = np.concatenate([y, np.zeros(10 * 44100, dtype="f4")])
    assert measure_loudness(padded, 44100) == pytest.approx(measure_loudness(y, 44100), abs=0.3)


def test_short_and_silent_signals():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert measure_loudness(np.zeros(48000), 48000) == -np.inf
        assert measure_loudness(np.full(48000, 1e-9), 48000) == -np.inf
        assert measure_loudness(sine(seconds=0.05), 48000) == pytest.approx(-3.0, abs=0.3)
    silent = match_loudness(np.zeros((2, 100)), 48000)
    assert silent.shape == (2, 100)
    assert not silent.any()


def test_surround_sound_has_at_most_five_channels():
    y = 0.1 * np.random.default_rng(0).standard_normal((6, 22050))
    assert np.isfinite(measure_loudness(y[:5], 22050))
    with raises(AudioError, "too_many_channels", value=6):
        measure_loudness(y, 22050)


def test_a_gain_reaches_the_target_or_the_peak():
    y = 0.2 * music(3)
    loudness = measure_loudness(y, 44100)
    assert matching_gain(y, 44100, -45) == pytest.approx(10 ** ((-45 - loudness) / 20))
    highest = np.abs(y).max()
    assert matching_gain(y, 44100, 0) == pytest.approx(10 ** (-1 / 20) / highest)
    free = matching_gain(y, 44100, 0, peak=None)
    assert measure_loudness(y * free, 44100) == pytest.approx(0, abs=1e-6)
    assert matching_gain(np.zeros(1000), 44100, -20) == 1
    assert matching_gain(y, 44100, -np.inf) == 1
    with raises(DetailedError, "out_of_range", column="target_lufs"):
        matching_gain(y, 44100, np.nan)


@pytest.mark.parametrize("gain", [0.01, 1.0, 4.0])
def test_matching_reaches_the_target(gain):
    matched = match_loudness(gain * music(), 44100)
    assert matched.dtype == np.float32
    assert measure_loudness(matched, 44100) == pytest.approx(TARGET_LUFS, abs=0.01)


def test_matching_never_clips():
    click = np.zeros(44100, dtype="f4")
    click[::11025] = 0.05  # peaks are so high that −20 LUFS would exceed full scale
    matched = match_loudness(click, 44100)
    assert np.abs(matched).max() == pytest.approx(10 ** (-1 / 20))
    assert measure_loudness(matched, 44100) < TARGET_LUFS
    assert matched == pytest.approx(
        click * (10 ** (-1 / 20) / 0.05), rel=1e-5
    )  # scaled, not compressed


@pytest.mark.parametrize("sr", [44100, 48000, 22050, 11025])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_decodes_to_the_matched_sound(tmp_path, sr, channels):
    y = np.stack([music(sr=sr, seed=k) for k in range(channels)])
    path = tmp_path / "a player.mp3"
    write_mp3(path, y[0] if channels == 1 else y, sr)
    info = soundfile.info(path)
    assert (info.format, info.channels) == ("MP3", channels)
    assert info.samplerate == (sr if sr >= 32000 else 44100)
    decoded, rate = load_audio(path, mono=False)
    assert decoded.shape[1] / rate == pytest.approx(6, abs=0.1)
    assert measure_loudness(decoded, rate) == pytest.approx(TARGET_LUFS, abs=0.5)
    assert path.stat().st_size < 6 * 40_000


def test_an_unmatched_mp3_keeps_its_level(tmp_path):
    y = 0.1 * music()
    write_mp3(tmp_path / "x.mp3", y, 44100, match=False)
    decoded, _ = load_audio(tmp_path / "x.mp3")
    loudness = measure_loudness(y, 44100)
    assert measure_loudness(decoded, 44100) == pytest.approx(loudness, abs=0.5)
    assert loudness < TARGET_LUFS - 5


def test_a_failed_encoding_leaves_no_file(tmp_path):
    with pytest.raises((soundfile.LibsndfileError, ValueError)):
        write_mp3(tmp_path / "x.mp3", np.zeros((7, 4000)), 44100)
    assert list(tmp_path.iterdir()) == []
