"""Validation of signals for embedding, descriptors, loudness and separation."""

import numpy as np
import pytest
from expect import raises

from groove_utils.audio import AudioError, check_signal, measure_loudness
from groove_utils.audio.validation import check_mono, check_samples
from groove_utils.descriptors import describe
from groove_utils.embed import embed_audio
from groove_utils.stems import separate

SR = 22050
BAD = {
    "not_floating": np.ones(5000, np.int16),
    "channels_last": np.ones((5000, 2)),
    "wrong_shape": np.ones((2, 2, 5000)),
    "no_samples": np.ones((2, 0)),
    "not_finite": np.array([0.1] * 5000 + [np.nan]),
    "wrong_scale": np.array([0.1, 32768.0]),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize(
    "use",
    [
        describe,
        measure_loudness,
        lambda y, sr: separate(y, sr, "hpss"),
        lambda y, sr: embed_audio(y, sr, "msd-musicnn"),
    ],
    ids=["describe", "measure_loudness", "separate", "embed_audio"],
)
def test_all_functions_refuse_the_same_signals(use, kind):
    with raises(AudioError, kind):
        use(BAD[kind], SR)


@pytest.mark.parametrize("sr", [0, -1, 44100.0, True, "44100"])
def test_a_sample_rate_is_a_whole_number_of_hertz(sr):
    with raises(AudioError, "sample_rate"):
        check_signal(np.ones(9), sr)


@pytest.mark.parametrize("shape", [(1,), (900,), (2, 1), (1, 5), (6, 900)])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_usable_signals_come_back_as_they_are(shape, dtype):
    y = np.full(shape, 0.5, dtype)
    assert check_signal(y, np.int64(44100)) is y


def test_the_first_bad_sample_is_named():
    y = np.zeros((2, 100), "f4")
    y[1, [7, 20]] = np.inf, np.nan
    with raises(AudioError, "not_finite", value=7):
        check_samples(y, "y")
    with raises(AudioError, "not_finite", value=1007, path="y.wav"):
        check_samples(y.T, "y.wav", first=1000, path="y.wav")


def test_mono_signals_have_one_channel_and_two_samples():
    assert check_mono(np.zeros(2)).dtype == np.float32
    for shape in ((2, 100), (1,)):
        with raises(AudioError, "wrong_shape", value=shape):
            check_mono(np.zeros(shape))
