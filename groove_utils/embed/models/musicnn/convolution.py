"""Convolutions with fewer multiplications, for the networks of the music taggers.

A processor's plain convolution is bound by its arithmetic, so what saves time is doing less of it.
Kernels that span many frequencies are multiplied in the Fourier domain (Mathieu, Henaff & LeCun
2014); small square ones by Winograd's minimal filtering (Lavin & Gray 2016), and pooled on the way.
Both give what the plain convolution gives, to about 1e-5 of the largest value. Long kernels over
time stay plain, as one banded matrix for several frames, which need not be copied for it.

Windows are worked through one by one, and in blocks that fit a processor's caches: a window's
numbers do not depend on its place in the batch. Chapters 05 to 07 stand on it.

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

__all__ = ["SpectralPeaks", "TemporalPeaks", "WinogradConv"]

FRAMES = 32  # of which products with all kernels fit a processor's second cache
SPAN = 8  # frames of a matrix product of temporal kernels
TILE_ROWS = 6  # of Winograd tiles at once


class SpectralPeaks:
    """Correlate spectrograms with kernels, and take the largest value over all frequencies.

    At ``n`` frequencies, a kernel of height ``h`` has ``n − h + 1`` places. Their correlations are
    the inverse Fourier transform of a product of spectra, one small matrix product a Fourier bin.
    With places counted from the middle one, the cosine part C of the transform is even and the
    sine part S odd, so the larger of a place and its mirror image is C + |S|: half of the inverse
    transform is enough.

    Parameters
    ----------
    kernel : Tensor, shape (n_filters, n_time, height)
    n_freq : int
        Frequencies of the spectrograms.
    """

    def __init__(self, kernel: torch.Tensor, n_freq: int):
        n_filters, n_time, height = kernel.shape
        device, kernel = kernel.device, kernel.detach().cpu().double()
        n_places = n_freq - height + 1
        places = torch.arange(n_places // 2, n_places) - (n_places - 1) / 2
        omega = 2 * torch.pi * torch.arange(n_freq // 2 + 1, dtype=torch.double) / n_freq
        angles = omega[:, None] * torch.arange(n_freq)
        spectrum = torch.fft.rfft(kernel, n_freq, dim=2).conj()
        spectrum = spectrum * torch.exp(1j * omega * (n_places - 1) / 2)
        real, imaginary = (part.permute(2, 1, 0) for part in (spectrum.real, spectrum.imag))
        # of a real signal, all bins but the first and the last stand for two
        weight = torch.full_like(omega, 2 / n_freq)
        weight[0] = 1 / n_freq
        weight[-1] = (2 if n_freq % 2 else 1) / n_freq
        phase = places[:, None] * omega
        found = {
            "forward": torch.stack([angles.cos(), -angles.sin()]),  # (2, bins, n_freq)
            "even": torch.cat([real, -imaginary], 1),  # (bins, 2 · n_time, n_filters)
            "odd": torch.cat([imaginary, real], 1),
            "cosine": weight * phase.cos(),  # (places, bins)
            "sine": weight * phase.sin(),
        }
        self._matrices = {name: m.float().contiguous().to(device) for name, m in found.items()}
        self.n_time, self.n_filters = n_time, n_filters

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Largest correlation over frequency at each frame, zeros being assumed around the ends.

        Parameters
        ----------
        x : Tensor, shape (n_windows, n_frames, n_freq)

        Returns
        -------
        Tensor, shape (n_windows, n_frames, n_filters)
        """
        at_once = FRAMES if x.device.type == "cpu" else x.shape[1]
        x = functional.pad(x, (0, 0, (self.n_time - 1) // 2, self.n_time // 2))
        return torch.stack([self._window(window, at_once) for window in x])

    def _window(self, x: torch.Tensor, at_once: int) -> torch.Tensor:
        m = self._matrices
        spectra = (m["forward"] @ x.T).unfold(2, self.n_time, 1)  # (2, bins, n_frames, n_time)
        spectra = torch.cat([spectra[0], spectra[1]], 2)
        peaks = []
        for frames in spectra.split(at_once, 1):
            largest = m["cosine"] @ torch.bmm(frames, m["even"]).flatten(1)
            largest += (m["sine"] @ torch.bmm(frames, m["odd"]).flatten(1)).abs_()
            peaks.append(largest.amax(0).view(-1, self.n_filters))
        return torch.cat(peaks)


class TemporalPeaks:
    """Correlate spectrograms with kernels over time, and take the largest over all frequencies.

    Some frames in a row are one matrix product: each kernel at each of these places, written as a
    row of a banded (Toeplitz) matrix, with the frames that they span. No frame is copied for it.

    Parameters
    ----------
    kernel : Tensor, shape (n_filters, n_time)
    """

    def __init__(self, kernel: torch.Tensor):
        self.n_time = kernel.shape[1]
        rows = [functional.pad(kernel.detach(), (i, SPAN - 1 - i)) for i in range(SPAN)]
        self._band = torch.stack(rows, 1).flatten(0, 1)  # (n_filters · SPAN, n_time + SPAN − 1)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Largest correlation over frequency at each frame, zeros being assumed around the ends.

        Parameters
        ----------
        x : Tensor, shape (n_windows, n_frames, n_freq)

        Returns
        -------
        Tensor, shape (n_windows, n_frames, n_filters)
        """
        n_windows, n_frames, _ = x.shape
        n_spans = -(-n_frames // SPAN)
        after = self.n_time // 2 + n_spans * SPAN - n_frames
        x = functional.pad(x, (0, 0, (self.n_time - 1) // 2, after))
        peaks = [
            (self._band @ window[SPAN * i : SPAN * i + self._band.shape[1]]).amax(1)
            for window in x
            for i in range(n_spans)
        ]
        peaks = torch.stack(peaks).view(n_windows, n_spans, -1, SPAN)
        return peaks.transpose(2, 3).flatten(1, 2)[:, :n_frames]


def _bordered(x: torch.Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> torch.Tensor:
    """Add zeros before and after rows and columns, as `functional.pad` does in twice the time."""
    n, height, width, n_channels = x.shape
    (top, bottom), (left, right) = rows, columns
    out = x.new_empty(n, top + height + bottom, left + width + right, n_channels)
    for edge in (out[:, :top], out[:, top + height :], out[:, :, :left], out[:, :, left + width :]):
        edge.zero_()
    out[:, top : top + height, left : left + width] = x
    return out


# Winograd's F(4×4, 3×3): the transforms of Lavin & Gray (2016, section 4.2) in one dimension
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
_TILE = 4  # outputs of a tile in either dimension, from 6 inputs


class WinogradConv:
    """3×3 convolution with a border of zeros: 36 products for 16 outputs in place of 144.

    Parameters
    ----------
    kernel : Tensor, shape (n_out, n_in, 3, 3)
    pool : {1, 2, 4}
        Take the largest of each square of so many rows and columns; what is left over at the far
        edges is dropped, as :func:`torch.nn.functional.max_pool2d` drops it.
    """

    def __init__(self, kernel: torch.Tensor, pool: int = 1):
        device, kernel = kernel.device, kernel.detach().cpu().double()
        both = {name: np.kron(m, m) for name, m in (("in", _INPUT), ("out", _OUTPUT))}
        rows = torch.from_numpy(np.kron(_KERNEL, _KERNEL))
        products = torch.einsum("ak,oik->aio", rows, kernel.flatten(2))  # (36, n_in, n_out)
        self._products = products.float().contiguous().to(device)
        self._in, self._out = (torch.from_numpy(both[k]).float().to(device) for k in ("in", "out"))
        self.pool = pool

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve, and pool.

        Parameters
        ----------
        x : Tensor, shape (n_windows, height, width, n_in)

        Returns
        -------
        Tensor, shape (n_windows, height // pool, width // pool, n_out)
        """
        height, width = x.shape[1:3]
        n_rows, n_columns = -(-height // _TILE), -(-width // _TILE)
        below, right = _TILE * n_rows - height, _TILE * n_columns - width
        x = _bordered(x, (1, 1 + below), (1, 1 + right))
        at_once = TILE_ROWS if x.device.type == "cpu" else n_rows
        side = _TILE // self.pool  # what a tile's rows and columns are pooled to
        out = x.new_empty(len(x), n_rows, side, n_columns, side, self._products.shape[2])
        for window, maps in zip(x, out):
            tiles = window.unfold(0, 6, _TILE).unfold(1, 6, _TILE).permute(3, 4, 0, 1, 2)
            for first in range(0, n_rows, at_once):
                some = tiles[:, :, first : first + at_once]  # (6, 6, rows, columns, n_in)
                spread = (self._in @ some.reshape(36, -1)).view(36, -1, some.shape[-1])
                joined = self._out @ torch.bmm(spread, self._products).flatten(1)
                joined = joined.view(side, self.pool, side, self.pool, -1)
                # the largest of each square; pairwise is what vector units do best
                joined = reduce(torch.maximum, reduce(torch.maximum, joined.unbind(3)).unbind(1))
                joined = joined.reshape(side, side, some.shape[2], n_columns, -1)
                maps[first : first + at_once] = joined.permute(2, 0, 3, 1, 4)
        out = out.flatten(3, 4).flatten(1, 2)
        return out[:, : height // self.pool, : width // self.pool]
