"""Sums of stems as audio sources for the extraction engine.

Short stems that were read recently are kept in memory after resampling, so that they are not
decoded and resampled again for each sum.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np

from groove_utils.audio import AudioError
from groove_utils.audio.streams import FileSource, Source
from groove_utils.files import hash_bytes

__all__ = ["SumSource", "add_streams"]

KEPT_BYTES = 128 << 20  # maximum total size of the resampled stems in memory


class SumSource(Source):
    """Audio source that mixes files, such as stems, to mono and applies a gain.

    Parameters
    ----------
    paths : sequence of path or FileSource
        Files to sum. If their sample rates differ, the sum has the highest of these rates.
    gain : float
        Linear gain, applied to the sum.

    Raises
    ------
    AudioError
        If there are no files (``kind="no_files"``), or a file cannot be read.
    """

    def __init__(self, paths: Sequence[str | os.PathLike | FileSource], gain: float = 1.0):
        self.parts = [p if isinstance(p, FileSource) else FileSource(p) for p in paths]
        if not self.parts:
            raise AudioError("there are no files to sum; pass one or more.", kind="no_files")
        self.sr = max(part.sr for part in self.parts)
        self.gain = float(gain)

    def content(self) -> str:  # noqa: D102
        return hash_bytes("sum", *sorted(p.content() for p in self.parts), repr(self.gain))

    def blocks(self, mono: bool = True) -> Iterator[np.ndarray]:  # noqa: D102
        for _, blocks in self.resampled([self.sr]):
            yield blocks[self.sr] if mono else blocks[self.sr][None]

    def resampled(self, rates: Sequence[int]) -> Iterator[tuple[float, dict[int, np.ndarray]]]:
        """Yield the peak so far and the next block of the sum at each sample rate.

        Files are resampled before they are summed, so that different sums can share the resampled
        blocks. The peak is measured at the highest of the given rates.
        """
        highest, peak = max(rates), 0.0
        parts = [_kept_blocks(part, rates) for part in self.parts]
        for blocks in add_streams(parts, rates, self.gain):
            peak = max(peak, float(np.abs(blocks[highest]).max(initial=0)))
            yield peak, blocks


def add_streams(
    parts: Sequence[Iterator], rates: Sequence[int], gain: float = 1.0
) -> Iterator[dict]:
    """Sum streams of audio blocks, separately at each sample rate.

    Parameters
    ----------
    parts : sequence of iterator of dict of int to ndarray
        Streams to sum. Each item maps sample rates to blocks of any length. A stream that ends
        before the others is padded with silence.
    rates : sequence of int
        Sample rates in Hz.
    gain : float
        Linear gain, applied to the sum.

    Yields
    ------
    dict of int to ndarray of float32
        Next block of the sum at each sample rate.
    """
    streams = dict(enumerate(parts))
    buffers = {rate: [np.zeros(0, np.float32)] * len(parts) for rate in rates}
    while streams:
        for i in list(streams):
            blocks = next(streams[i], None)
            if blocks is None:
                del streams[i]
                continue
            for rate, pieces in buffers.items():
                pieces[i] = np.concatenate([pieces[i], blocks[rate]])
        total = {}
        for rate, pieces in buffers.items():
            lengths = [len(pieces[i]) for i in streams] or [max(map(len, pieces))]
            total[rate] = np.zeros(min(lengths), np.float32)
            for i, samples in enumerate(pieces):
                ready = samples[: len(total[rate])]
                total[rate][: len(ready)] += ready
                pieces[i] = samples[len(ready) :]
            total[rate] *= np.float32(gain)
        yield total


_kept: OrderedDict[tuple, list[dict[int, np.ndarray]]] = OrderedDict()
_lock = threading.Lock()


def _n_bytes(stream: list[dict[int, np.ndarray]]) -> int:
    return sum(block.nbytes for blocks in stream for block in blocks.values())


def _kept_blocks(part: FileSource, rates: Sequence[int]) -> Iterator[dict[int, np.ndarray]]:
    """Yield a file's blocks at the given sample rates; keep those of short files in memory."""
    key = (part.content(), tuple(sorted(rates)))
    with _lock:
        stream = _kept.get(key)
    if stream is not None:
        yield from stream
        return
    stream, n_bytes = [], 0
    for _, blocks in part.resampled(rates):
        n_bytes += _n_bytes([blocks])
        stream = [*stream, blocks] if n_bytes <= KEPT_BYTES // 16 else []
        yield blocks
    if not stream:
        return
    with _lock:
        _kept[key] = stream
        while sum(map(_n_bytes, _kept.values())) > KEPT_BYTES:
            _kept.popitem(last=False)
