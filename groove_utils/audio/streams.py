"""Read signals of any length block by block from files or arrays.

Memory use does not depend on the length of the signal. For embeddings, signals are mixed to mono
and resampled to the models' sample rates. For source separation, all channels are read.
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
    """Audio signal that can be read from the beginning, block by block, any number of times.

    Attributes
    ----------
    sr : int
        Sample rate in Hz.
    n_channels : int
        Number of channels.
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
        """Yield float32 blocks at the sample rate `sr`.

        Blocks have the shape (n,) if `mono`, otherwise (n_channels, n).
        """

    def resampled(self, rates: Sequence[int]) -> Iterator[tuple[float, dict[int, np.ndarray]]]:
        """Yield blocks of the mono signal, resampled to each of the given sample rates.

        Yields
        ------
        peak : float
            Largest absolute sample value read so far.
        blocks : dict of int to ndarray
            One block per sample rate, as in :func:`resample_blocks`.
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
    """Audio signal in memory.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1.
    sr : int
        Sample rate in Hz.

    Raises
    ------
    AudioError
        If the signal is not usable; see :func:`groove_utils.audio.check_signal`.
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
    """Audio file, or an excerpt of an audio file.

    Parameters
    ----------
    path : path-like
        Audio file.
    start : float
        Start of the excerpt, in seconds from the beginning of the file.
    duration : float, optional
        Length of the excerpt in seconds; by default, it extends to the end of the file.

    Raises
    ------
    AudioError
        If the file does not exist, `start` is negative, or `duration` is not positive. Any other
        errors from :func:`groove_utils.audio.stream_audio` are raised when the source is read.
    """

    def __init__(self, path: str | os.PathLike, start: float = 0.0, duration: float | None = None):
        self.path, self.start, self.duration = Path(path), start, duration
        self.name = str(path)
        check_excerpt(self.path, start, duration)
        if not self.path.is_file():
            open_audio(self.path)  # raises an error for the missing file

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
        digest = hash_file(self.path)
        if not self.start and self.duration is None:
            return digest
        return hash_bytes("excerpt", digest, repr(self.start), repr(self.duration))

    def blocks(self, mono: bool = True) -> Iterator[np.ndarray]:  # noqa: D102
        for block in stream_audio(self.path, BLOCK * self.n_channels, self.start, self.duration):
            yield mix_down(block) if mono else np.ascontiguousarray(block.T)


def as_source(signal: str | os.PathLike | tuple[np.ndarray, int] | Source) -> Source:
    """Convert a path or a pair (y, sr) to a `Source`; a `Source` is returned unchanged.

    Raises
    ------
    AudioError
        If `signal` is of any other type (``kind="wrong_type"``), or its audio is not usable.
    """
    if isinstance(signal, Source):
        return signal
    if isinstance(signal, (str, os.PathLike)):
        return FileSource(signal)
    if isinstance(signal, tuple) and len(signal) == 2:
        return ArraySource(*signal)
    raise AudioError(
        f"expected a path or a pair (signal, sample rate), not {type(signal).__name__}.",
        kind="wrong_type",
        value=type(signal),
    )


def resample_blocks(
    blocks: Iterator[np.ndarray], sr_in: int, rates: Sequence[int]
) -> Iterator[dict[int, np.ndarray]]:
    """Resample a stream of blocks to several sample rates at once.

    Parameters
    ----------
    blocks : iterator of ndarray of float32, shape (n,) or (n_channels, n)
        The stream, in blocks of any length.
    sr_in : int
        Sample rate of the blocks in Hz.
    rates : sequence of int
        Sample rates to resample to, in Hz.

    Yields
    ------
    dict of int to ndarray
        Resampled block for each sample rate. For each rate, the concatenated blocks equal the
        output of :func:`groove_utils.audio.resample` for the complete signal.
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
    while block is not None:  # read one block ahead to recognise the last block
        following = next(blocks, None)
        yield {rate: convert(block, rate, last=following is None) for rate in rates}
        block = following


def map_pieces(
    function: Callable[[np.ndarray], np.ndarray],
    blocks: Iterator[np.ndarray],
    length: int,
    context: int,
) -> Iterator[np.ndarray]:
    """Apply a function to consecutive pieces of a stream.

    Parameters
    ----------
    function : callable
        Function that takes a signal of shape (n_channels, n) and returns an array of shape (…, n).
    blocks : iterator of ndarray, shape (n_channels, n)
        The stream, in blocks of any length.
    length : int
        Number of samples in each piece; the last piece may be shorter.
    context : int
        Number of neighbouring samples on each side of a piece that are passed to the function along
        with it (fewer at the ends of the stream). If no output sample depends on more distant
        samples, the concatenated results equal the output for the complete signal.

    Yields
    ------
    ndarray, shape (…, n), with n ≤ length
        Output of the function for each piece, without the context.
    """
    buffer, start = [], 0  # blocks read ahead, and the start of the next piece in them
    while True:
        n = sum(block.shape[1] for block in buffer)
        while n < start + length + context and (block := next(blocks, None)) is not None:
            buffer.append(block)
            n += block.shape[1]
        stop = min(start + length, n)
        if stop == start:
            return
        y = np.concatenate(buffer, axis=1)
        low = max(0, start - context)
        result = function(y[:, low : stop + context])
        yield result[..., start - low : stop - low]
        first = max(0, stop - context)
        buffer, start = [y[:, first:]], stop - first


def fit_length(blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Truncate a stream of blocks of shape (…, n) to `length` samples, or pad it with zeros."""
    n = 0
    for block in blocks:
        yield block[..., : length - n]
        n = min(length, n + block.shape[-1])
    if n < length:
        yield np.zeros((*block.shape[:-1], length - n), np.float32)
