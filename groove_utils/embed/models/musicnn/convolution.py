"""Convolutions with fewer multiplications, for running the music taggers on a CPU.

Kernels that span many frequencies are applied in the Fourier domain (Mathieu, Henaff & LeCun 2014),
and small square kernels with Winograd's minimal filtering (Lavin & Gray 2016), in blocks that fit
into the caches of a CPU. Results differ from those of plain convolutions by about 1e-5 of the
largest value. ``tests/bench/bench_embed.py`` compares the run time of these convolutions with that
of plain convolutions in PyTorch.

References
----------
Mathieu, M., Henaff, M. & LeCun, Y. (2014). Fast training of convolutional networks through FFTs.
ICLR. arXiv:1312.5851.

Lavin, A. & Gray, S. (2016). Fast algorithms for convolutional neural networks. CVPR.
arXiv:1509.09308.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import torch
from torch.nn import functional

__all__ = ["SpectralPeaks", "WinogradConvolution"]

FRAMES = 32  # number of frames per block of SpectralPeaks
TILE_ROWS = 6  # number of rows of tiles per block of WinogradConvolution


class SpectralPeaks:
    """Correlate spectrograms with kernels, and return the maximum over all frequencies.

    A kernel of height ``h`` fits at ``n − h + 1`` positions along ``n`` frequencies. The
    correlations at these positions are the inverse Fourier transform of a product of spectra, which
    is computed as one small matrix product per Fourier bin. If positions are counted from the
    middle one, the cosine part C of the inverse transform is even and the sine part S is odd. The
    larger of the correlations at a position and at its mirror image is therefore C + |S|, and only
    half of the inverse transform has to be computed.

    Parameters
    ----------
    kernel : Tensor, shape (n_filters, n_time, height)
        Kernels of the filters.
    n_freq : int
        Number of frequencies in the spectrograms; must be even.
    """

    def __init__(self, kernel: torch.Tensor, n_freq: int):
        self.n_filters, self.n_time, height = kernel.shape
        n_places = n_freq - height + 1
        middle = (n_places - 1) / 2
        places = torch.arange(n_places // 2, n_places) - middle
        omega = 2 * torch.pi * torch.arange(n_freq // 2 + 1, dtype=torch.double) / n_freq
        spectrum = torch.fft.rfft(kernel.double(), n_freq, dim=2).conj()
        spectrum = (spectrum * torch.exp(1j * omega * middle)).permute(2, 1, 0)
        weight = torch.full_like(omega, 2 / n_freq)  # a bin and its conjugate
        weight[[0, -1]] = 1 / n_freq
        self.even = torch.cat([spectrum.real, -spectrum.imag], 1).float()  # (bins, 2·n_time, …)
        self.odd = torch.cat([spectrum.imag, spectrum.real], 1).float()
        self.cosine = (weight * (places[:, None] * omega).cos()).float()  # (places, bins)
        self.sine = (weight * (places[:, None] * omega).sin()).float()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the largest correlation in each frame; spectrograms are zero-padded in time.

        Parameters
        ----------
        x : Tensor, shape (n_windows, n_frames, n_freq)
            Spectrograms.

        Returns
        -------
        Tensor, shape (n_windows, n_frames, n_filters)
            Largest correlation over all frequencies.
        """
        x = functional.pad(x, (0, 0, (self.n_time - 1) // 2, self.n_time // 2))
        return torch.stack([self._window_peaks(window) for window in x])

    def _window_peaks(self, x: torch.Tensor) -> torch.Tensor:
        spectra = torch.fft.rfft(x).T.unfold(1, self.n_time, 1)  # (bins, n_frames, n_time)
        spectra = torch.cat([spectra.real, spectra.imag], 2)
        peaks = []
        for frames in spectra.split(FRAMES, 1):
            largest = (self.sine @ torch.bmm(frames, self.odd).flatten(1)).abs_()
            largest += self.cosine @ torch.bmm(frames, self.even).flatten(1)
            peaks.append(largest.amax(0).view(-1, self.n_filters))
        return torch.cat(peaks)


# Winograd's F(4×4, 3×3): the one-dimensional transforms of Lavin & Gray (2016, section 4.2)
_INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
_OUTPUT = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)
_TILE = 4  # number of outputs per tile in each dimension, computed from 6 inputs


class WinogradConvolution:
    """3×3 convolution with Winograd's minimal filtering, zero padding and max-pooling.

    A tile of 16 outputs needs 36 multiplications per input channel instead of 144.

    Parameters
    ----------
    kernel : Tensor, shape (n_out, n_in, 3, 3)
        Kernel of the convolution.
    pool : {1, 2, 4}
        Side length of the squares to pool over. Incomplete squares are dropped.
    """

    def __init__(self, kernel: torch.Tensor, pool: int = 1):
        both = torch.from_numpy(np.kron(_KERNEL, _KERNEL))
        products = torch.einsum("ak,oik->aio", both, kernel.double().flatten(2))
        self.products = products.float().contiguous()  # (36, n_in, n_out)
        self.input, self.output = (
            torch.from_numpy(np.kron(m, m)).float() for m in (_INPUT, _OUTPUT)
        )
        self.pool = pool

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve feature maps with the kernel, and pool the result.

        Parameters
        ----------
        x : Tensor, shape (n_windows, height, width, n_in)
            Feature maps.

        Returns
        -------
        Tensor, shape (n_windows, height // pool, width // pool, n_out)
            Pooled feature maps.
        """
        height, width = x.shape[1:3]
        n_rows, n_columns = -(-height // _TILE), -(-width // _TILE)
        x = functional.pad(
            x, (0, 0, 1, 1 + _TILE * n_columns - width, 1, 1 + _TILE * n_rows - height)
        )
        side = _TILE // self.pool  # side of a tile after pooling
        out = x.new_empty(len(x), n_rows, side, n_columns, side, self.products.shape[2])
        for window, maps in zip(x, out):
            tiles = window.unfold(0, 6, _TILE).unfold(1, 6, _TILE).permute(3, 4, 0, 1, 2)
            for rows, pooled in zip(tiles.split(TILE_ROWS, 2), maps.split(TILE_ROWS)):
                spread = (self.input @ rows.reshape(36, -1)).view(36, -1, x.shape[3])
                joined = self.output @ torch.bmm(spread, self.products).flatten(1)
                joined = joined.view(side, self.pool, side, self.pool, -1)
                # pairwise maxima make good use of vector instructions
                joined = reduce(torch.maximum, reduce(torch.maximum, joined.unbind(3)).unbind(1))
                joined = joined.view(side, side, len(pooled), n_columns, -1)
                pooled.copy_(joined.permute(2, 0, 3, 1, 4))
        out = out.flatten(3, 4).flatten(1, 2)
        return out[:, : height // self.pool, : width // self.pool]
