"""The sampler: tuning, timing, and errors for files that it cannot read."""

import librosa
import numpy as np
import pytest
from expect import raises

from groove_utils.synth.bands import draw_band
from groove_utils.synth.soundfont import (
    SAMPLE_RATE,
    default_soundfont,
    load_soundfont,
    render_note,
)
from groove_utils.synth.soundfont_file import SoundFontError, read_soundfont

PITCHED = [0, 4, 5, 7, 25, 26, 27, 29, 30, 33, 34, 36, 38, 48, 50, 53, 54, 61, 62, 85]


def test_holds_general_midi():
    presets, zones, _ = load_soundfont()
    assert {(0, program) for program in range(128)} <= set(presets)
    assert presets[0, 33] == "Fingered Bass"
    assert presets[128, 0] == "Standard"
    assert all(zones[preset] for preset in presets)


@pytest.mark.parametrize("program", PITCHED)
def test_instruments_are_in_tune(program):
    key = 40 if 32 <= program < 40 else 64
    y, _ = render_note(0, program, key, 100, 1.0)
    segment = y.mean(axis=0)[2205:33000]
    f0 = librosa.yin(segment, fmin=30, fmax=1500, sr=SAMPLE_RATE, frame_length=4096)
    cents = 1200 * np.log2(np.median(f0) / librosa.midi_to_hz(key))
    assert abs(cents) < 10


def test_every_preset_of_a_band_sounds():
    for index in range(24):
        for part in draw_band(2026, index).parts.values():
            keys = (36, 38, 42, 46, 49, 51) if part.bank else (60,)
            for key in keys:
                y, onset = render_note(part.bank, part.program, key, 100, 0.3)
                assert np.isfinite(y).all()
                assert 0.005 < np.abs(y).max() < 4
                assert onset < 0.03 * SAMPLE_RATE


def test_level_goes_with_velocity_squared():
    # an organ, whose filter does not affect the compared band
    loud, soft = (render_note(0, 0, 48, v, 0.5)[0] for v in (127, 64))
    low = [np.abs(np.fft.rfft(y.mean(axis=0)[:22050]))[50:150].max() for y in (loud, soft)]
    assert 20 * np.log10(low[0] / low[1]) == pytest.approx(40 * np.log10(127 / 64), abs=1.0)


def test_detuning_and_release():
    y, _ = render_note(0, 81, 69, 100, 1.0, cents=50)
    f0 = librosa.yin(y.mean(axis=0)[4410:30000], fmin=200, fmax=900, sr=SAMPLE_RATE)
    assert 1200 * np.log2(np.median(f0) / 440) == pytest.approx(50, abs=8)
    long, short = (
        render_note(0, 52, 60, 90, 0.5)[0],
        render_note(0, 52, 60, 90, 0.5, release=0.1)[0],
    )
    assert short.shape[1] < long.shape[1]
    assert short.shape[1] == pytest.approx((0.5 + 0.07) * SAMPLE_RATE, abs=2)


def test_scoop_and_vibrato_bend_the_pitch():
    y, _ = render_note(0, 81, 69, 100, 1.5, vibrato=(40.0, 5.0, 0.2), scoop=200.0)
    f0 = librosa.yin(y.mean(axis=0), fmin=200, fmax=900, sr=SAMPLE_RATE, frame_length=2048)
    cents = 1200 * np.log2(f0 / 440)
    assert cents[2] < -20
    steady = cents[(len(cents) // 2) : (len(cents) * 4) // 5]
    assert 50 < np.ptp(steady) < 110


def test_notes_are_the_same_each_time():
    first = render_note(0, 4, 60, 90, 0.4)[0]
    render_note.cache_clear()
    np.testing.assert_array_equal(render_note(0, 4, 60, 90, 0.4)[0], first)


@pytest.mark.parametrize("wrong", [(128, 99, 36, 100), (0, 65, 64, 100)])
def test_a_missing_preset_or_key_is_named(wrong):
    with raises(SoundFontError, "no_sample", value=wrong):
        render_note(*wrong, duration=0.5)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (None, "missing_file"),
        (b"RIFF\x04\0\0\0WAVE", "format"),
        (default_soundfont().read_bytes()[:5000], "incomplete"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, content, kind):
    path = tmp_path / "font.sf2"
    if content is not None:
        path.write_bytes(content)
    with raises(SoundFontError, kind, path=path):
        read_soundfont(path)
