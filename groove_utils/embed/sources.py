"""Where audio comes from: files, arrays and sums of files, read in blocks.

Whatever its length, a source is decoded, mixed to mono, resampled and cut a block at a time, so an
hour takes no more memory than a minute. Of short stems, the resampled blocks are kept for a while:
the sums of a song's stems then decode and resample each stem once.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import soxr

from groove_utils.audio import AudioError, load_audio, mix_down, open_audio, stream_audio
from groove_utils.audio.decode import check_excerpt
from groove_utils.files import hash_bytes, hash_file

__all__ = [
    "ArraySource",
    "FileSource",
    "Source",
    "SumSource",
    "WindowCutter",
    "as_source",
    "resampled",
    "summed",
]

BLOCK = 1 << 17  # samples of one channel, 3 s at 44.1 kHz
LOUDEST = 64.0  # 36 dB above full scale; nothing that is recorded gets there
KEPT_BYTES = 128 << 20  # of resampled stems


class Source:
    """Audio that can say what it is and be read in blocks."""

    sr: int

    def content(self) -> str:
        """Hash of the audio's bytes."""
        raise TypeError(f"{type(self).__name__} does not say what it holds.")

    def blocks(self) -> Iterator[np.ndarray]:
        """Mono float32 blocks at the rate `sr`."""
        raise TypeError(f"{type(self).__name__} holds no samples.")

    def resampled(self, rates: Sequence[int]) -> Iterator[tuple[float, dict[int, np.ndarray]]]:
        """The signal at several rates, with the largest absolute sample so far.

        Yields
        ------
        peak : float
        blocks : dict of int to ndarray
            By rate, see :func:`resampled`.
        """
        peak = 0.0

        def measured() -> Iterator[np.ndarray]:
            nonlocal peak
            for block in self.blocks():
                peak = max(peak, float(np.abs(block).max(initial=0)))
                if peak > LOUDEST:
                    raise ValueError(
                        f"a sample is {peak:g}, where full scale is 1: the numbers are those of "
                        "another scale. Divide 16-bit samples by 32768."
                    )
                yield block

        for blocks in resampled(measured(), self.sr, rates):
            yield peak, blocks


class ArraySource(Source):
    """A signal in memory, (n_samples,) or (n_channels, n_samples)."""

    def __init__(self, y: np.ndarray, sr: int):
        y = np.asarray(y)
        if y.dtype.kind != "f":
            raise ValueError(
                f"the signal holds {y.dtype} numbers; expected floating point, full scale being "
                "−1…1. Of 16-bit samples, give y / 32768."
            )
        y = y.astype(np.float32, copy=False)
        if y.ndim not in (1, 2) or y.size == 0:
            raise ValueError(
                f"the signal has shape {y.shape}; expected (n_samples,) or "
                "(n_channels, n_samples) with at least one sample."
            )
        if y.ndim == 2 and y.shape[0] > y.shape[1]:
            raise ValueError(
                f"the signal has shape {y.shape}, more channels than samples; expected "
                "(n_channels, n_samples). Transpose it."
            )
        if not isinstance(sr, (int, np.integer)) or sr < 1:
            raise ValueError(f"the sample rate is {sr!r}; expected whole Hz.")
        finite = np.isfinite(y).reshape(-1, y.shape[-1]).all(0)
        if not finite.all():
            raise ValueError(
                f"{int((~finite).sum())} of {len(finite)} samples are NaN or infinite, the first "
                f"at {int(finite.argmin()) / sr:.3f} s. Mend or cut them first."
            )
        self.y, self.sr = y, int(sr)

    def content(self) -> str:  # noqa: D102
        y = np.ascontiguousarray(self.y)
        return hash_bytes("signal", str(y.shape), str(self.sr), y.tobytes())

    def blocks(self) -> Iterator[np.ndarray]:  # noqa: D102
        for start in range(0, self.y.shape[-1], BLOCK):
            block = self.y[..., start : start + BLOCK]
            yield mix_down(block.T) if block.ndim == 2 else block


class FileSource(Source):
    """An audio file that libsndfile reads, or an excerpt of it.

    Parameters
    ----------
    path : path-like
    start : float
        Seconds from the file's beginning.
    duration : float, optional
        Seconds; to the file's end by default.

    Raises
    ------
    AudioError
        If there is no such file.
    ValueError
        If `start` is negative, or `duration` is not positive.
    """

    def __init__(self, path: str | os.PathLike, start: float = 0.0, duration: float | None = None):
        self.path, self.start, self.duration = Path(path), start, duration
        check_excerpt(self.path, start, duration)
        if not self.path.is_file():
            load_audio(self.path)  # raises the error that explains it

    @property
    def sr(self) -> int:
        """Sample rate in Hz."""
        with open_audio(self.path) as file:
            return file.samplerate

    @cached_property
    def _hash(self) -> str:
        whole = hash_file(self.path)
        if not self.start and self.duration is None:
            return whole
        return hash_bytes("excerpt", whole, repr(self.start), repr(self.duration))

    def content(self) -> str:  # noqa: D102
        return self._hash

    def blocks(self) -> Iterator[np.ndarray]:  # noqa: D102
        for block in stream_audio(self.path, BLOCK, self.start, self.duration):
            yield mix_down(block)


class SumSource(Source):
    """The sum of several files of one rate, such as stems, times a gain.

    Parameters
    ----------
    paths : sequence of path or FileSource
    gain : float
        Linear.

    Raises
    ------
    AudioError
        If a file cannot be read, or their rates differ.
    ValueError
        If there are no files.
    """

    def __init__(self, paths: Sequence[str | os.PathLike | FileSource], gain: float = 1.0):
        self.parts = [p if isinstance(p, FileSource) else FileSource(p) for p in paths]
        if not self.parts:
            raise ValueError("there are no files to add up; give one or more.")
        rates = {part.sr for part in self.parts}
        if len(rates) > 1:
            names = ", ".join(f"{part.path.name} ({part.sr} Hz)" for part in self.parts)
            raise AudioError(f"{self.parts[0].path.parent}: stems of different rates: {names}.")
        self.sr = rates.pop()
        self.gain = float(gain)

    def content(self) -> str:  # noqa: D102
        return hash_bytes("sum", *sorted(p.content() for p in self.parts), repr(self.gain))

    def blocks(self) -> Iterator[np.ndarray]:  # noqa: D102
        for _, blocks in self.resampled([self.sr]):
            yield blocks[self.sr]

    def resampled(self, rates: Sequence[int]) -> Iterator[tuple[float, dict[int, np.ndarray]]]:
        """The sum at several rates; each part is resampled by itself, so that sums can share it."""
        highest, peak = max(rates), 0.0
        for blocks in summed([_part_blocks(part, rates) for part in self.parts], rates, self.gain):
            peak = max(peak, float(np.abs(blocks[highest]).max(initial=0)))
            yield peak, blocks


def summed(parts: Sequence[Iterator], rates: Sequence[int], gain: float = 1.0) -> Iterator[dict]:
    """Add up streams of blocks, by rate.

    Parameters
    ----------
    parts : sequence of iterator of dict of int to ndarray
        Blocks by rate; of one stream they need not be as long as of another. A stream that ends
        early goes on in silence.
    rates : sequence of int
    gain : float
        Linear, of the sum.

    Yields
    ------
    dict of int to ndarray of float32
    """
    running = dict(enumerate(parts))
    waiting = {rate: [np.zeros(0, np.float32)] * len(parts) for rate in rates}
    while running:
        for i in list(running):
            blocks = next(running[i], None)
            if blocks is None:
                del running[i]
                continue
            for rate, held in waiting.items():
                held[i] = np.concatenate([held[i], blocks[rate]])
        total = {}
        for rate, held in waiting.items():
            lengths = [len(held[i]) for i in running] or [max(map(len, held))]
            total[rate] = np.zeros(min(lengths), np.float32)
            for i, samples in enumerate(held):
                ready = samples[: len(total[rate])]
                total[rate][: len(ready)] += ready
                held[i] = samples[len(ready) :]
            total[rate] *= np.float32(gain)
        yield total


_kept: OrderedDict[tuple, list[dict[int, np.ndarray]]] = OrderedDict()
_keeping = threading.Lock()


def _part_blocks(part: FileSource, rates: Sequence[int]) -> Iterator[dict[int, np.ndarray]]:
    """A file's blocks at several rates, remembered where they are few."""
    status = part.path.stat()
    excerpt = part.start, part.duration
    key = (str(part.path), *excerpt, status.st_mtime_ns, status.st_size, tuple(sorted(rates)))
    with _keeping:
        known = _kept.get(key)
    if known is not None:
        yield from known
        return
    found, n_bytes = [], 0
    for _, blocks in part.resampled(rates):
        n_bytes += sum(block.nbytes for block in blocks.values())
        if n_bytes <= KEPT_BYTES // 16:
            found.append(blocks)
        else:
            found = []
        yield blocks
    if found:
        with _keeping:
            _kept[key] = found
            while sum(b.nbytes for each in _kept.values() for d in each for b in d.values()) > (
                KEPT_BYTES
            ):
                _kept.popitem(last=False)


def as_source(signal) -> Source:
    """A path, a pair (y, sr) or a source as a source."""
    if isinstance(signal, Source):
        return signal
    if isinstance(signal, (str, os.PathLike)):
        return FileSource(signal)
    if isinstance(signal, tuple) and len(signal) == 2:
        return ArraySource(*signal)
    raise ValueError(
        f"expected a path or a pair (signal, sample rate), got {type(signal).__name__}."
    )


def resampled(
    blocks: Iterator[np.ndarray], sr_in: int, rates: Sequence[int]
) -> Iterator[dict[int, np.ndarray]]:
    """Resample one stream of blocks to several rates at once.

    Parameters
    ----------
    blocks : iterator of ndarray
        Mono float32.
    sr_in : int
        Their rate in Hz.
    rates : sequence of int
        Rates in Hz.

    Yields
    ------
    dict of int to ndarray
        By rate; the blocks of a rate join to the whole signal at it, see
        :func:`groove_utils.audio.resample`.
    """
    streams = {
        rate: soxr.ResampleStream(sr_in, rate, 1, dtype="float32", quality="HQ")
        for rate in rates
        if rate != sr_in
    }
    held = next(blocks, None)
    while held is not None:  # one block behind, so that the last is known as such
        following = next(blocks, None)
        yield {
            rate: streams[rate].resample_chunk(held, last=following is None)
            if rate in streams
            else held
            for rate in rates
        }
        held = following


class WindowCutter:
    """Cut a stream of blocks into windows that cover all of it.

    The same windows as :func:`groove_utils.audio.windowing` gives for the whole signal.

    Parameters
    ----------
    length, hop : int
        In samples.
    lead : int
        Zeros before the signal.
    """

    def __init__(self, length: int, hop: int, lead: int = 0):
        self.length, self.hop = length, hop
        self.waiting = np.zeros(lead, np.float32)
        self.lead = lead
        self.heard = 0  # samples so far

    def push(self, block: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
        """The windows that a further block completes, each with its number of valid samples."""
        self.heard += len(block)
        waiting = np.concatenate([self.waiting, block])
        start = 0
        # a window goes out once it is known that the signal reaches beyond it
        while len(waiting) - start > self.length:
            yield waiting[start : start + self.length], self.length
            start += self.hop
        self.waiting = waiting[start:].copy()

    def finish(self) -> tuple[np.ndarray, int]:
        """The last window, filled with zeros."""
        n_valid = len(self.waiting)
        last = np.zeros(self.length, np.float32)
        last[:n_valid] = self.waiting
        return last, n_valid
