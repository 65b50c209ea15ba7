"""Convolutions with fewer multiplications, held to PyTorch's plain ones in double precision."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from groove_utils.embed.models.musicnn.convolution import (
    FRAMES,
    SpectralPeaks,
    TemporalPeaks,
    WinogradConv,
)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def plain_peaks(kernel, x):
    """Largest correlation over frequency, «same» padding over time as TensorFlow has it."""
    n_time = kernel.shape[1]
    padded = functional.pad(x[:, None].double(), (0, 0, (n_time - 1) // 2, n_time // 2))
    return functional.conv2d(padded, kernel[:, None].double()).amax(3).transpose(1, 2)


def plain_maps(kernel, x, pool=1):
    """Convolution with a border of zeros and the largest of each square, channels last."""
    maps = functional.conv2d(x.permute(0, 3, 1, 2).double(), kernel.double(), padding=1)
    return functional.max_pool2d(maps, pool).permute(0, 2, 3, 1)


@pytest.mark.parametrize("height", [38, 67])
def test_kernels_of_musicnn_give_the_plain_maxima(height):
    kernel, x = drawn(204, 7, height), drawn(2, 187, 96, seed=1)
    expected = plain_peaks(kernel, x)
    ours = SpectralPeaks(kernel, 96)(x).double()
    assert (ours - expected).abs().max() < 2e-6 * expected.abs().max()


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_peaks_of_any_shape(data):
    n_freq = data.draw(st.integers(2, 40))
    shape = [data.draw(st.integers(*ends)) for ends in ((1, 5), (1, 8), (1, n_freq))]
    kernel, x = drawn(*shape), drawn(2, data.draw(st.integers(1, 2 * FRAMES + 3)), n_freq, seed=1)
    expected = plain_peaks(kernel, x)
    found = SpectralPeaks(kernel, n_freq)(x).double()
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * max(10, expected.abs().max())


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_temporal_peaks_of_any_shape(data):
    n_filters, n_time, n_freq = (data.draw(st.integers(1, n)) for n in (5, 130, 30))
    kernel = drawn(n_filters, n_time)
    x = drawn(2, data.draw(st.integers(1, 2 * FRAMES + 3)), n_freq, seed=1)
    expected = plain_peaks(kernel[..., None], x)
    found = TemporalPeaks(kernel)(x).double()
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * max(10, expected.abs().max())


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_winograd_of_any_shape(data):
    pool = data.draw(st.sampled_from([1, 2, 4]))
    n_in, n_out = (data.draw(st.integers(1, 5)) for _ in range(2))
    height, width = (data.draw(st.integers(pool, 30)) for _ in range(2))
    kernel, x = drawn(n_out, n_in, 3, 3), drawn(2, height, width, n_in, seed=1)
    expected = plain_maps(kernel, x, pool)
    found = WinogradConv(kernel, pool)(x).double()
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-5 * max(10, expected.abs().max())


def test_the_vggs_widest_convolution():
    kernel, x = drawn(128, 128, 3, 3) / 34, drawn(1, 92, 48, 128, seed=1)
    expected = plain_maps(kernel, x)
    assert (WinogradConv(kernel)(x) - expected).abs().max() < 3e-5 * expected.abs().max()


@pytest.mark.parametrize(
    ("convolve", "shape"),
    [
        (SpectralPeaks(drawn(20, 7, 38), 96), (187, 96)),
        (TemporalPeaks(drawn(20, 64)), (187, 96)),
        (WinogradConv(drawn(16, 8, 3, 3), 2), (46, 24, 8)),
    ],
    ids=["spectral", "temporal", "winograd"],
)
def test_neighbours_in_the_batch_change_no_bit(convolve, shape):
    x = drawn(5, *shape)
    together = convolve(x)
    for i in range(5):
        assert torch.equal(convolve(x[i : i + 1])[0], together[i])
    assert torch.equal(convolve(x.flip(0)), together.flip(0))


def test_silence_and_nan_stay_what_they_are():
    peaks = SpectralPeaks(drawn(3, 7, 38), 96)
    assert not peaks(torch.zeros(1, 40, 96)).any()
    x = drawn(1, 40, 96)
    x[0, 20] = torch.nan
    assert peaks(x).isnan().all(2)[0].tolist() == [17 <= i <= 23 for i in range(40)]
    assert not WinogradConv(drawn(3, 2, 3, 3))(torch.zeros(1, 9, 9, 2)).any()
