"""Signals of any length, read block by block from files or arrays, as mono or multichannel audio.

Memory use does not depend on the length of the signal. Embedding reads mono signals at the sample
rates of its models; separation reads all channels.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import soxr

from groove_utils.audio.decode import check_excerpt, mix_down, open_audio, stream_audio
from groove_utils.audio.validation import AudioError, check_signal
from groove_utils.files import hash_bytes, hash_file

__all__ = [
    "ArraySource",
    "FileSource",
    "Source",
    "as_source",
    "fit_length",
    "map_pieces",
    "resample_blocks",
]

BLOCK = 1 << 17  # samples per channel, 3 s at 44.1 kHz


class Source(ABC):
    """Audio that can be read block by block, from its beginning, as often as needed.

    Attributes
    ----------
    sr : int
        Sample rate in Hz.
    n_channels : int
    name : str
        Name used in error messages.
    """

    sr: int
    n_channels: int = 1
    name: str = "the signal"

    @abstractmethod
    def content(self) -> str:
        """Return a hash of the audio."""

    @abstractmethod
    def blocks(self, mono: bool = True) -> Iterator[np.ndarray]:
        """Yield float32 blocks at the rate `sr`, (n,), or (n_channels, n) if not `mono`."""

    def resampled(self, rates: Sequence[int]) -> Iterator[tuple[float, dict[int, np.ndarray]]]:
        """Yield the mono signal at several rates, and the largest absolute sample so far.

        Yields
        ------
        peak : float
        blocks : dict of int to ndarray
            Blocks by rate, as in :func:`resample_blocks`.
        """
        peak = 0.0

        def measured() -> Iterator[np.ndarray]:
            nonlocal peak
            for block in self.blocks():
                peak = max(peak, float(np.abs(block).max(initial=0)))
                yield block

        for blocks in resample_blocks(measured(), self.sr, rates):
            yield peak, blocks


class ArraySource(Source):
    """A signal in memory.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Full scale is −1…1.
    sr : int
        Sample rate in Hz.

    Raises
    ------
    AudioError
        See :func:`groove_utils.audio.check_signal`.
    """

    def __init__(self, y: np.ndarray, sr: int):
        self.y = check_signal(y, sr).astype(np.float32, copy=False)
        self.sr, self.n_channels = int(sr), np.atleast_2d(self.y).shape[0]

    def content(self) -> str:  # noqa: D102
        y = np.ascontiguousarray(self.y)
        return hash_bytes("signal", str(y.shape), str(self.sr), y.tobytes())

    def blocks(self, mono: bool = True) -> Iterator[np.ndarray]:  # noqa: D102
        y = np.atleast_2d(self.y)
        for start in range(0, y.shape[1], BLOCK):
            block = y[:, start : start + BLOCK]
            yield mix_down(block.T) if mono else block


class FileSource(Source):
    """An audio file, or an excerpt of it.

    Parameters
    ----------
    path : path-like
    start : float
        Start of the excerpt, in seconds from the beginning of the file.
    duration : float, optional
        Length in seconds; by default, up to the end of the file.

    Raises
    ------
    AudioError
        If there is no such file, `start` is negative, or `duration` is not positive. Other errors
        of :func:`groove_utils.audio.stream_audio` are raised when the source is read.
    """

    def __init__(self, path: str | os.PathLike, start: float = 0.0, duration: float | None = None):
        self.path, self.start, self.duration = Path(path), start, duration
        self.name = str(path)
        check_excerpt(self.path, start, duration)
        if not self.path.is_file():
            open_audio(self.path)  # raises the error that explains it

    @cached_property
    def _format(self) -> tuple[int, int]:
        with contextlib.closing(open_audio(self.path)) as file:
            return file.sr, file.n_channels

    @property
    def sr(self) -> int:  # noqa: D102
        return self._format[0]

    @property
    def n_channels(self) -> int:  # noqa: D102
        return self._format[1]

    def content(self) -> str:  # noqa: D102
        whole = hash_file(self.path)
        if not self.start and self.duration is None:
            return whole
        return hash_bytes("excerpt", whole, repr(self.start), repr(self.duration))

    def blocks(self, mono: bool = True) -> Iterator[np.ndarray]:  # noqa: D102
        for block in stream_audio(self.path, BLOCK * self.n_channels, self.start, self.duration):
            yield mix_down(block) if mono else np.ascontiguousarray(block.T)


def as_source(signal: str | os.PathLike | tuple[np.ndarray, int] | Source) -> Source:
    """Convert a path or a pair (y, sr) to a source; return a source unchanged."""
    if isinstance(signal, Source):
        return signal
    if isinstance(signal, (str, os.PathLike)):
        return FileSource(signal)
    if isinstance(signal, tuple) and len(signal) == 2:
        return ArraySource(*signal)
    raise AudioError(
        f"expected a path or a pair (signal, sample rate), got {type(signal).__name__}.",
        kind="wrong_type",
        value=type(signal),
    )


def resample_blocks(
    blocks: Iterator[np.ndarray], sr_in: int, rates: Sequence[int]
) -> Iterator[dict[int, np.ndarray]]:
    """Resample one stream of blocks to several rates at once.

    Parameters
    ----------
    blocks : iterator of ndarray of float32, shape (n,) or (n_channels, n)
    sr_in : int
        Their rate in Hz.
    rates : sequence of int
        Rates in Hz.

    Yields
    ------
    dict of int to ndarray
        Blocks by rate. Concatenated, the blocks of one rate equal the output of
        :func:`groove_utils.audio.resample` for the whole signal.
    """
    streams: dict[int, soxr.ResampleStream] = {}

    def convert(block: np.ndarray, rate: int, last: bool) -> np.ndarray:
        if rate == sr_in:
            return block
        if rate not in streams:
            n_channels = 1 if block.ndim == 1 else len(block)
            settings = {"dtype": "float32", "quality": "HQ"}
            streams[rate] = soxr.ResampleStream(sr_in, rate, n_channels, **settings)
        y = streams[rate].resample_chunk(np.ascontiguousarray(block.T), last=last)
        return np.ascontiguousarray(y.reshape(-1, *block.shape[:-1]).T)

    block = next(blocks, None)
    while block is not None:  # one block behind, so that the last block can be recognised
        following = next(blocks, None)
        yield {rate: convert(block, rate, last=following is None) for rate in rates}
        block = following


def map_pieces(
    function: Callable[[np.ndarray], np.ndarray],
    blocks: Iterator[np.ndarray],
    length: int,
    context: int,
) -> Iterator[np.ndarray]:
    """Apply a function to a stream piece by piece.

    Parameters
    ----------
    function : callable
        Takes float32 (n_channels, n) and returns (…, n).
    blocks : iterator of ndarray, shape (n_channels, n)
    length : int
        Number of samples per piece, except the last.
    context : int
        Number of additional samples passed to the function on each side, as far as the stream
        reaches. If no output sample depends on more than these, the pieces together equal the
        output for the whole signal.

    Yields
    ------
    ndarray, shape (…, n ≤ length)
    """
    held, start = [], 0  # blocks, and where in these the next piece starts
    while True:
        n = sum(block.shape[1] for block in held)
        while n < start + length + context and (block := next(blocks, None)) is not None:
            held.append(block)
            n += block.shape[1]
        stop = min(start + length, n)
        if stop == start:
            return
        y = np.concatenate(held, axis=1)
        low = max(0, start - context)
        result = function(y[:, low : stop + context])
        yield result[..., start - low : stop - low]
        kept = max(0, stop - context)
        held, start = [y[:, kept:]], stop - kept


def fit_length(blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Truncate a stream of blocks (…, n) to a length, or pad it with zeros."""
    n = 0
    for block in blocks:
        yield block[..., : length - n]
        n = min(length, n + block.shape[-1])
    if n < length:
        yield np.zeros((*block.shape[:-1], length - n), np.float32)
