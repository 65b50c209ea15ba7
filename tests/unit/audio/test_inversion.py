"""Sounds reconstructed from representations have the same representations."""

import librosa
import numpy as np
import pytest
from expect import raises

from groove_utils.audio import AudioError, inversion

SR = 22050


@pytest.fixture(scope="module")
def music():
    """Generate two seconds of a decaying chord, with a click every quarter of a second."""
    t = np.arange(2 * SR) / SR
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220.0, 277.18, 329.63)) * np.exp(-t) * 0.1
    rng = np.random.default_rng(1)
    for start in range(0, t.size - 400, SR // 4):
        chord[start : start + 400] += 0.5 * rng.standard_normal(400) * np.linspace(1, 0, 400)
    return chord.astype(np.float32)


def test_stft_magnitudes_give_nearly_the_same_spectrum_and_other_samples(music):
    found = inversion.reconstruction_error(music, inversion.from_stft(music), SR)
    assert found["spectrum"] < 0.15
    assert found["rhythm"] > 0.9
    assert found["waveform_db"] < 10  # estimated phases differ from the true phases


def test_fewer_mel_bands_keep_less_of_harmony_and_spectrum(music):
    errors = [
        inversion.reconstruction_error(
            music, inversion.from_mel(music, SR, n_mels=n, n_iter=16), SR
        )
        for n in (96, 12)
    ]
    assert errors[0]["spectrum"] < errors[1]["spectrum"]
    assert errors[0]["harmony"] > errors[1]["harmony"] + 0.1
    assert errors[1]["rhythm"] > errors[0]["rhythm"] - 0.1


def test_mel_inversion_keeps_the_level_of_broad_noise():
    noise = np.random.default_rng(0).standard_normal(2 * SR).astype(np.float32) * 0.1
    made = inversion.from_mel(noise, SR, n_iter=8)
    assert np.std(made) == pytest.approx(np.std(noise), rel=0.15)


def test_cqt_with_phases_gives_back_a_sine_within_its_range():
    t = np.arange(2 * SR) / SR
    sine = (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    middle = slice(SR // 2, -SR // 2)
    made = inversion.from_cqt(sine, SR)
    error = np.sum((sine[middle] - made[middle]) ** 2) / np.sum(sine[middle] ** 2)
    assert 10 * np.log10(error) < -20


def test_shepard_tones_have_the_pitch_class_that_went_in():
    t = np.arange(2 * SR) / SR
    for note in (60, 69):
        tone = np.sin(2 * np.pi * librosa.midi_to_hz(note) * t).astype(np.float32)
        chroma = librosa.feature.chroma_stft(y=inversion.from_chroma(tone, SR), sr=SR)
        assert chroma.mean(axis=1).argmax() == note % 12


def test_noise_from_an_onset_curve_is_loud_where_the_curve_is_high():
    curve = np.zeros(400)
    curve[200:210] = 1.0
    made = inversion.from_onsets(curve, 0.005, 2 * SR, SR)
    inside = made[SR : SR + 1000]
    assert np.abs(inside).max() > 0.1
    assert np.abs(made[: SR - 500]).max() == 0


def test_random_phases_in_one_window_keep_the_spectrum_exactly(music):
    for y in (music, music[:-1]):
        made = inversion.randomise_phase(y, n_fft=None, seed=3)
        np.testing.assert_allclose(
            np.abs(np.fft.rfft(made)), np.abs(np.fft.rfft(y)), atol=2e-3, rtol=1e-3
        )


def test_random_phases_lose_the_rhythm_only_in_long_windows(music):
    kept = {
        n: inversion.reconstruction_error(music, inversion.randomise_phase(music, n_fft=n), SR)[
            "rhythm"
        ]
        for n in (256, None)
    }
    assert kept[256] > 0.8
    assert abs(kept[None]) < 0.3


def test_seeds_decide_everything(music):
    short = music[:SR]
    for make in (
        lambda seed: inversion.from_stft(short, n_iter=2, seed=seed),
        lambda seed: inversion.randomise_phase(short, seed=seed),
    ):
        np.testing.assert_array_equal(make(5), make(5))
        assert not np.array_equal(make(5), make(6))


def test_error_of_equal_scaled_and_unrelated_sounds(music):
    same = inversion.reconstruction_error(music, music, SR)
    assert same["waveform_db"] == float("inf")
    assert same["spectrum"] == 0
    assert same["rhythm"] == pytest.approx(1)
    quieter = inversion.reconstruction_error(music, 0.25 * music, SR)
    assert quieter["waveform_db"] > 100
    noise = np.random.default_rng(2).standard_normal(music.size)
    assert inversion.reconstruction_error(music, noise, SR)["waveform_db"] == pytest.approx(
        -3, abs=0.5
    )


def test_silence_comes_back_as_silence_and_has_no_error():
    silence = np.zeros(SR, dtype=np.float32)
    for sound in inversion.invert(silence, SR, n_iter=2).values():
        assert sound.shape == silence.shape
        assert np.abs(sound).max() < 1e-6
    assert np.isnan(inversion.reconstruction_error(silence, silence, SR)["rhythm"])


def test_every_inversion_keeps_the_length(music):
    odd = music[: SR + 37]
    for name, sound in inversion.invert(odd, SR, n_iter=2).items():
        assert sound.shape == odd.shape, name
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()


def test_two_channels_and_unequal_lengths_are_refused(music):
    with raises(AudioError, "wrong_shape"):
        inversion.from_stft(np.stack([music, music]))
    with raises(AudioError, "different_lengths"):
        inversion.reconstruction_error(music, music[1:], SR)
