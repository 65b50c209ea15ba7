"""Convolutions with fewer multiplications, compared with plain convolutions in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_utils.embed.models.musicnn.convolution import FRAMES, SpectralPeaks, WinogradConvolution
from groove_utils.embed.models.musicnn.networks import frequency_maxima, square_maxima


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def check_peaks(kernel, x):
    expected = frequency_maxima(kernel[:, None].double(), x.double())
    ours = SpectralPeaks(kernel, x.shape[2])(x)
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 2e-6 * max(50, expected.abs().max())


def check_maps(kernel, x, pool):
    expected = square_maxima(kernel.double(), pool, x.double())
    ours = WinogradConvolution(kernel, pool)(x)
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 1e-5 * max(10, expected.abs().max())


@pytest.mark.parametrize("height", [38, 67])
def test_peaks_with_the_kernels_of_musicnn(height):
    check_peaks(drawn(204, 7, height), drawn(2, 187, 96, seed=1))


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_peaks_of_any_shape(data):
    n_freq = 2 * data.draw(st.integers(1, 20))
    shape = [data.draw(st.integers(1, most)) for most in (5, 8, n_freq)]
    n_frames = data.draw(st.integers(1, 2 * FRAMES + 3))
    check_peaks(drawn(*shape), drawn(2, n_frames, n_freq, seed=1))


def test_maps_with_the_widest_convolution_of_the_vgg():
    check_maps(drawn(128, 128, 3, 3) / 34, drawn(1, 92, 48, 128, seed=1), 2)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_maps_of_any_shape(data):
    pool = data.draw(st.sampled_from([1, 2, 4]))
    n_in, n_out = (data.draw(st.integers(1, 5)) for _ in range(2))
    height, width = (data.draw(st.integers(pool, 30)) for _ in range(2))
    check_maps(drawn(n_out, n_in, 3, 3), drawn(2, height, width, n_in, seed=1), pool)


@pytest.mark.parametrize(
    ("convolve", "shape"),
    [
        (SpectralPeaks(drawn(20, 7, 38), 96), (187, 96)),
        (WinogradConvolution(drawn(16, 8, 3, 3), 2), (46, 24, 8)),
    ],
    ids=["spectral", "winograd"],
)
def test_neighbours_in_the_batch_change_no_bit(convolve, shape):
    x = drawn(5, *shape)
    together = convolve(x)
    for i in range(5):
        assert torch.equal(convolve(x[i : i + 1])[0], together[i])
    assert torch.equal(convolve(x.flip(0)), together.flip(0))


def test_nan_reaches_only_the_frames_whose_kernel_covers_it():
    x = drawn(1, 40, 96)
    x[0, 20] = torch.nan
    peaks = SpectralPeaks(drawn(3, 7, 38), 96)(x)
    assert peaks.isnan().all(2)[0].tolist() == [17 <= i <= 23 for i in range(40)]
