"""Representations show a tone, its strokes and silence at the right positions."""

import numpy as np
import pytest
from expect import raises

from groove_utils.audio import AudioError
from groove_utils.audio.representations import represent, representation_table, window_resolution
from groove_utils.errors import DetailedError

SR = 22050


@pytest.fixture(scope="module")
def tone():
    """Generate an A (440 Hz) for two seconds, struck again every half second."""
    t = np.arange(2 * SR) / SR
    return (np.sin(2 * np.pi * 440 * t) * np.exp(-8 * (t % 0.5))).astype(np.float32)


def test_each_representation_shows_the_tone_where_it_should(tone):
    shown = represent(tone, SR)
    assert list(shown) == [
        "waveform", "STFT", "mel", "log-mel", "CQT", "chroma", "tempogram", "onset strength",
    ]  # fmt: skip
    for name, within in (("STFT", 11), ("mel", 40), ("log-mel", 40), ("CQT", 14)):
        item = shown[name]
        assert item.rows[item.array.mean(axis=1).argmax()] == pytest.approx(440, abs=within)
    assert shown["chroma"].array.mean(axis=1).argmax() == 9  # A


def test_rows_frames_and_hops_agree(tone):
    for name, item in represent(tone, SR).items():
        assert item.array.ndim == 2, name
        assert len(item.array) == len(item.rows), name
        assert item.array.shape[1] * item.hop == pytest.approx(2, abs=0.03), name
        assert item.array.dtype == np.float32
        assert np.isfinite(item.array).all(), name


def test_onset_strength_peaks_at_strokes_and_the_tempogram_at_their_tempo(tone):
    shown = represent(tone, SR)
    curve = shown["onset strength"]
    peak = curve.array[0, int(0.3 / curve.hop) : int(0.7 / curve.hop)].argmax()
    assert 0.3 + peak * curve.hop == pytest.approx(0.5, abs=0.06)
    tempo = shown["tempogram"]
    near = tempo.rows[tempo.array.mean(axis=1).argmax()]
    assert near == pytest.approx(120, rel=0.05)


def test_decibels_reach_down_to_the_floor_and_silence_is_finite():
    for name, item in represent(np.zeros(SR, dtype=np.float32), SR).items():
        assert np.isfinite(item.array).all(), name
    click = np.zeros(SR, dtype=np.float32)
    click[SR // 2] = 1
    decibels = represent(click, SR)["STFT"].array
    assert decibels.max() == pytest.approx(0, abs=1e-4)
    assert decibels.min() == pytest.approx(-80, abs=1e-4)


def test_the_table_of_uses_has_the_rows_of_the_representations(tone):
    table = representation_table()
    assert list(table.index) == list(represent(tone, SR))
    assert table.map(str.strip).ne("").all(axis=None)


def test_a_hann_window_has_its_textbook_widths():
    seconds, hertz = window_resolution(2048, SR)
    assert hertz == pytest.approx(1.44 * SR / 2048, rel=0.02)  # Harris (1978), table 1
    assert seconds == pytest.approx(0.364 * 2048 / SR, rel=0.01)
    coarse, fine = window_resolution(256, SR), window_resolution(8192, SR)
    assert coarse[0] * coarse[1] == pytest.approx(fine[0] * fine[1], rel=0.05)


def test_what_cannot_be_represented_is_refused():
    with raises(AudioError, "wrong_shape"):
        represent(np.zeros((2, SR)), SR)
    with raises(DetailedError, "out_of_range", column="sr", value=8000):
        represent(np.zeros(8000), 8000)
    with raises(DetailedError, "out_of_range", column="n_fft", value=8):
        window_resolution(8, SR)
