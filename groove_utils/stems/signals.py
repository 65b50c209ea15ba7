"""Signals of any length, read and written in blocks with their channels kept.

:mod:`groove_utils.embed.sources` does the same for mono. Blocks are float32 (n_channels, n).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soxr

from groove_utils.audio import load_audio, open_audio, stream_audio

__all__ = [
    "ArraySignal",
    "FileSignal",
    "StreamBuffer",
    "WavWriter",
    "fit_length",
    "resample_blocks",
]

BLOCK = 1 << 17  # samples a channel, 3 s at 44.1 kHz


class ArraySignal:
    """A signal in memory, (n_samples,) or (n_channels, n_samples)."""

    def __init__(self, y: np.ndarray, sr: int):
        y = np.asarray(y, dtype=np.float32)
        if y.ndim not in (1, 2) or y.size == 0:
            raise ValueError(
                f"the signal has shape {y.shape}; expected (n_samples,) or "
                "(n_channels, n_samples) with at least one sample."
            )
        if y.ndim == 2 and y.shape[0] > max(2, y.shape[1]):
            raise ValueError(
                f"the signal has shape {y.shape}, more channels than samples; expected "
                "(n_channels, n_samples). Transpose it."
            )
        if isinstance(sr, bool) or not isinstance(sr, (int, np.integer)) or sr < 1:
            raise ValueError(f"the sample rate is {sr!r}; expected whole Hz.")
        if n_bad := int((~np.isfinite(y)).sum()):
            raise ValueError(f"{n_bad} of {y.size} samples are NaN or infinite.")
        self.y, self.sr = np.atleast_2d(y), int(sr)
        self.n_channels, self.n_samples = self.y.shape
        self.name = "the signal"

    def blocks(self) -> Iterator[np.ndarray]:
        """The signal from its beginning, (n_channels, n) at a time."""
        for start in range(0, self.y.shape[1], BLOCK):
            yield self.y[:, start : start + BLOCK]


class FileSignal:
    """An audio file that libsndfile reads."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.name = str(path)
        if not self.path.is_file():
            load_audio(self.path)  # raises the error that explains it
        with open_audio(self.path) as file:
            self.sr, self.n_channels = file.samplerate, file.channels
            self.n_samples = file.frames  # as the file states; what decodes counts

    def blocks(self) -> Iterator[np.ndarray]:
        """The file from its beginning, (n_channels, n) at a time."""
        for block in stream_audio(self.path, BLOCK * self.n_channels):
            yield np.ascontiguousarray(block.T)


def resample_blocks(
    blocks: Iterable[np.ndarray], n_channels: int, sr_in: int, sr_out: int
) -> Iterator[np.ndarray]:
    """Resample a stream of blocks, to the same samples as the whole at once would give."""
    if sr_in == sr_out:
        yield from blocks
        return
    stream = soxr.ResampleStream(sr_in, sr_out, n_channels, dtype="float32", quality="HQ")
    held = None
    for block in blocks:  # one block behind, so that the last is known as such
        if held is not None:
            yield _resampled(stream, held, last=False)
        held = block
    if held is not None:
        yield _resampled(stream, held, last=True)


def _resampled(stream: soxr.ResampleStream, block: np.ndarray, last: bool) -> np.ndarray:
    y = stream.resample_chunk(np.ascontiguousarray(block.T), last=last)
    return np.ascontiguousarray(y.reshape(-1, block.shape[0]).T)


class StreamBuffer:
    """A stream of blocks that can be read at any place near its front, zero outside the signal.

    Parameters
    ----------
    blocks : iterator of ndarray, shape (n_channels, n)
    n_channels : int
    """

    def __init__(self, blocks: Iterator[np.ndarray], n_channels: int):
        self._blocks, self._ended = blocks, False
        self._held = np.zeros((n_channels, 0), np.float32)
        self._first = 0  # position of the first sample that is held

    def reaches(self, stop: int) -> int:
        """`stop`, or the signal's length where that is smaller."""
        parts, end = [self._held], self._first + self._held.shape[1]
        while end < stop and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                parts.append(block)
                end += block.shape[1]
        if len(parts) > 1:
            self._held = np.concatenate(parts, axis=1)
        return min(stop, end)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples `start` to `stop`, float32 (n_channels, stop − start)."""
        end = self.reaches(stop)
        out = np.zeros((self._held.shape[0], stop - start), np.float32)
        low = max(start, 0)
        if low < end:
            if low < self._first:
                raise ValueError(f"sample {low} was forgotten; the tape begins at {self._first}.")
            out[:, low - start : end - start] = self._held[:, low - self._first : end - self._first]
        return out

    def forget(self, before: int) -> None:
        """Let go of the samples before a position."""
        n = min(before - self._first, self._held.shape[1])
        if n > 0:
            self._held = self._held[:, n:].copy()
            self._first += n


class WavWriter:
    """A 32-bit float WAV file, written block by block.

    libsndfile stamps the time into such files; these have the same bytes whenever they are
    written, so that whatever is keyed by a file's content is found again. Beyond 4 GiB, the
    header is that of RF64 (EBU Tech 3306).

    Parameters
    ----------
    path : path-like
    sr, n_channels : int
    """

    def __init__(self, path: str | os.PathLike, sr: int, n_channels: int):
        self.sr, self.n_channels, self.n_samples = sr, n_channels, 0
        self._file = Path(path).open("wb")  # noqa: SIM115 -- closed by close()
        self._file.write(self._header())

    def write(self, block: np.ndarray) -> None:
        """Append samples, (n_channels, n)."""
        self._file.write(np.ascontiguousarray(block.T, dtype="<f4").tobytes())
        self.n_samples += block.shape[1]

    def close(self) -> None:
        """Write the lengths, and close the file."""
        if not self._file.closed:
            self._file.seek(0)
            self._file.write(self._header())
            self._file.close()

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _header(self) -> bytes:
        frame = 4 * self.n_channels
        size = self.n_samples * frame
        form = struct.pack("<HHIIHHH", 3, self.n_channels, self.sr, self.sr * frame, frame, 32, 0)
        rest = b"fmt " + struct.pack("<I", len(form)) + form
        rest += b"fact" + struct.pack("<II", 4, min(self.n_samples, 0xFFFFFFFF))
        room = struct.calcsize("<QQQI")  # of the chunk with the long lengths, or as much of nothing
        whole = 4 + 8 + room + len(rest) + 8 + size
        if whole < 0xFFFFFFFF:
            start = b"RIFF" + struct.pack("<I", whole) + b"WAVE"
            start += b"JUNK" + struct.pack("<I", room) + bytes(room)
            return start + rest + b"data" + struct.pack("<I", size)
        start = b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE"
        long = struct.pack("<QQQI", whole, size, self.n_samples, 0)
        start += b"ds64" + struct.pack("<I", room) + long
        return start + rest + b"data" + struct.pack("<I", 0xFFFFFFFF)


def fit_length(blocks: Iterable[np.ndarray], n_channels: int, length: int) -> Iterator[np.ndarray]:
    """Blocks cut, or filled up with zeros, to a length."""
    done = 0
    for block in blocks:
        block = block[:, : length - done]
        done += block.shape[1]
        yield block
    if done < length:
        yield np.zeros((n_channels, length - done), np.float32)
