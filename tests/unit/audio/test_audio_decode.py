"""Decoding and resampling."""

import numpy as np
import pytest
import scipy.signal
import soundfile

from groove_utils.audio import AudioError, load_audio, mix_down, resample, stream_audio


def sine(frequency, sr, seconds=1.0, amplitude=0.5):
    t = np.arange(round(seconds * sr)) / sr
    return amplitude * np.sin(2 * np.pi * frequency * t)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aiff"])
def test_formats(tmp_path, suffix):
    y = sine(440, 44100).astype("f4")
    soundfile.write(tmp_path / f"a b.{suffix}", y, 44100)
    loaded, sr = load_audio(tmp_path / f"a b.{suffix}")
    assert (loaded.dtype, loaded.shape, sr) == (np.float32, (44100,), 44100)
    assert loaded == pytest.approx(y, abs=0.03 if suffix == "ogg" else 1 / 2**15)


def test_stereo_is_averaged_or_kept(tmp_path):
    left, right = sine(300, 22050), sine(500, 22050, amplitude=0.25)
    soundfile.write(tmp_path / "s.wav", np.stack([left, right], axis=1), 22050, subtype="FLOAT")
    both, _ = load_audio(tmp_path / "s.wav", mono=False)
    assert both.shape == (2, 22050)
    assert both.flags.c_contiguous
    assert both == pytest.approx(np.stack([left, right]), abs=1e-6)
    assert load_audio(tmp_path / "s.wav")[0] == pytest.approx((left + right) / 2, abs=1e-6)
    soundfile.write(tmp_path / "m.wav", left, 22050)
    assert load_audio(tmp_path / "m.wav", mono=False)[0].shape == (1, 22050)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 6])
def test_mixing_down_is_the_mean(n_channels):
    y = np.random.default_rng(0).standard_normal((1001, n_channels)).astype("f4")
    before = y.copy()
    np.testing.assert_array_equal(mix_down(y), y.mean(axis=1))
    np.testing.assert_array_equal(y, before)


@pytest.mark.parametrize(("native", "wanted"), [(11127, 22050), (44100, 16000), (8000, 48000)])
def test_a_sine_stays_a_sine_at_another_rate(tmp_path, native, wanted):
    soundfile.write(tmp_path / "s.wav", sine(1000, native, 2), native, subtype="FLOAT")
    y, sr = load_audio(tmp_path / "s.wav", sr=wanted)
    assert sr == wanted
    assert y.dtype == np.float32
    assert abs(len(y) - 2 * wanted) <= 1
    truth = sine(1000, wanted, 2)
    inner = slice(wanted // 10, -wanted // 10)  # the filter rings at the ends
    assert y[: 2 * wanted][inner] == pytest.approx(truth[: len(y)][inner], abs=1e-3)


def test_resampling_agrees_with_scipy_and_does_not_alias():
    y = np.stack([sine(700, 32000) + sine(3100, 32000, amplitude=0.2), sine(90, 32000)])
    ours = resample(y, 32000, 16000)
    theirs = scipy.signal.resample_poly(y, 1, 2, axis=-1, window=("kaiser", 12.0))
    assert ours.shape == theirs.shape == (2, 16000)
    assert ours[:, 800:-800] == pytest.approx(theirs[:, 800:-800], abs=2e-3)
    # 11 kHz cannot be told at 16 kHz: it has to go, not to fold down to 5 kHz
    assert np.abs(resample(sine(11000, 32000), 32000, 16000)[800:-800]).max() < 1e-3
    assert resample(y, 32000, 32000) == pytest.approx(y)


def broken(path, kind):
    if kind == "text":
        path.write_bytes(b"not a sound at all" * 50)
    elif kind == "empty file":
        path.write_bytes(b"")
    elif kind == "no samples":
        soundfile.write(path, np.zeros((0, 2)), 44100)
    elif kind == "NaN":
        y = np.zeros(1000)
        y[[3, 10]] = np.nan, np.inf
        soundfile.write(path, y, 44100, subtype="FLOAT")
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", "no such audio file. Check the path"),
        ("folder", "no such audio file"),
        ("text", r"cannot be decoded \(.*Expected WAV, FLAC, OGG or MP3; convert it"),
        ("empty file", "cannot be decoded"),
        ("no samples", "holds no samples. Export it again"),
        ("NaN", "2 of 1000 samples are NaN or infinite"),
    ],
)
def test_unusable_files_are_named_with_the_reason(tmp_path, kind, told):
    path = tmp_path / "a song.wav"
    broken(path, kind)
    with pytest.raises(AudioError, match=f"a song.wav: {told}"):
        load_audio(path)


@pytest.mark.parametrize(("start", "duration"), [(0.0, None), (0.25, None), (0.25, 0.5), (0.9, 5)])
def test_blocks_of_an_excerpt_join_to_it(tmp_path, start, duration):
    y = np.random.default_rng(0).uniform(-0.5, 0.5, (8000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", y, 8000, subtype="FLOAT")
    blocks = list(stream_audio(tmp_path / "a.wav", 700, start, duration))
    stop = None if duration is None else round((start + duration) * 8000)
    np.testing.assert_array_equal(np.concatenate(blocks), y[round(start * 8000) : stop])
    assert max(map(len, blocks)) == 350


def test_an_excerpt_beyond_the_end_is_an_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(800), 8000)
    with pytest.raises(AudioError, match="holds no samples"):
        list(stream_audio(tmp_path / "a.wav", 700, 3.0))
