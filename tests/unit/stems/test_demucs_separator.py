"""Demucs on tiny networks, compared with Demucs's own API for the whole signal."""

import demucs.apply
import numpy as np
import pytest
import torch
from demucs.api import Separator
from expect import raises
from tiny_demucs import SOURCES

from groove_utils.audio import AudioError, resample
from groove_utils.errors import DetailedError
from groove_utils.stems import demucs_separator, separate

SR = 44_100


def whole(y, name, repository, **options):
    """Separate the whole signal at once with Demucs's API."""
    separator = Separator(name, repo=repository, device="cpu", **({"shifts": 0} | options))
    _, stems = separator.separate_tensor(torch.from_numpy(y), SR)
    return {stem: out.numpy() for stem, out in stems.items()}


def assert_alike(stems, expected):
    assert list(stems) == list(expected) == SOURCES
    for stem, y in stems.items():
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, expected[stem], atol=1e-6, err_msg=stem)
    assert min(y.std() for y in expected.values()) > 1e-4  # no stem is silent


# 1 s segments; lengths within one, at a stride's end and just beyond it
@pytest.mark.parametrize("n", [999, 33_075, 33_076])
def test_a_network_separates_as_in_the_api(band, repository, n):
    y = band[:, :n].copy()
    assert_alike(separate(y, SR, repository / "aaaa1111"), whole(y, "aaaa1111", repository))


@pytest.mark.parametrize(
    ("name", "options"),
    [("both", {}), ("aaaa1111", {"overlap": 0}), ("aaaa1111", {"overlap": 0.6, "segment": 0.5})],
)
def test_pieces_of_a_long_song_join_to_the_whole(band, repository, name, options, monkeypatch):
    monkeypatch.setattr(demucs_separator, "PIECE", 0.7)  # one or two segments
    y = band[:, :90_000].copy()
    stems = separate(y, SR, repository / name, **options)
    assert_alike(stems, whole(y, name, repository, **options))


def test_shifts_mean_what_they_mean_there(band, repository, monkeypatch):
    class Draws:
        rng = np.random.default_rng(5)

        def randint(self, low, high):
            return high - int(self.rng.integers(low, high, endpoint=True))

    y = band[:, :40_000].copy()
    path = repository / "aaaa1111"
    stems = separate(y, SR, path, shifts=2, seed=5)
    again = separate(y, SR, path, shifts=2, seed=5)
    other = separate(y, SR, path, shifts=2, seed=6)
    monkeypatch.setattr(demucs.apply, "random", Draws())
    assert_alike(stems, whole(y, "aaaa1111", repository, shifts=2))
    assert all(np.array_equal(stems[s], again[s]) for s in SOURCES)
    assert all(not np.array_equal(stems[s], other[s]) for s in SOURCES)


def test_without_shifts_nothing_is_random(band, repository):
    y = band[:, :40_000]
    first = separate(y, SR, repository / "aaaa1111")
    second = separate(y, SR, repository / "aaaa1111", seed=9)
    assert all(np.array_equal(first[s], second[s]) for s in SOURCES)


@pytest.mark.parametrize(("sr", "n"), [(22_050, 10_001), (48_000, 20_000), (11_127, 5_001)])
def test_mono_and_odd_rates_keep_rate_and_length(band, repository, sr, n):
    stems = separate(band[0, :n], sr, repository / "aaaa1111")
    assert {y.shape for y in stems.values()} == {(1, n)}
    assert all(np.isfinite(y).all() for y in stems.values())


def test_one_sample_and_silence(band, repository):
    one = separate(band[:, :1], SR, repository / "both")
    assert {y.shape for y in one.values()} == {(2, 1)}
    assert all(np.isfinite(y).all() for y in one.values())
    silent = separate(np.zeros((2, 50_000)), SR, repository / "both")
    assert all(y.shape == (2, 50_000) and not y.any() for y in silent.values())


def test_resampled_input_gives_the_stems_of_the_song(band, repository):
    """Compare stems at 48 kHz with resampled stems at 44.1 kHz, except near the ends."""
    y = band[:, :70_000]
    at_home = separate(y, SR, repository / "aaaa1111")
    elsewhere = separate(resample(y, SR, 48_000), 48_000, repository / "aaaa1111")
    for stem, part in at_home.items():
        expected = resample(part, SR, 48_000)[:, 2000:-2000]
        error = elsewhere[stem][:, 2000 : 2000 + expected.shape[1]] - expected
        assert error.std() < 0.02 * expected.std()


def test_settings_that_the_network_cannot_take(band, repository):
    with raises(AudioError, "channels", value=5):
        separate(np.zeros((5, 900)), SR, repository / "both")
    for name in ("both", "aaaa1111"):
        with raises(DetailedError, "out_of_range", column="segment", value=2):
            separate(band, SR, repository / name, segment=2)
    with raises(DetailedError, "out_of_range", column="overlap"):
        separate(band, SR, repository / "both", overlap=1 - 1e-7)
    with pytest.raises(ValueError, match="tpu"):
        separate(band, SR, repository / "both", device="tpu")
