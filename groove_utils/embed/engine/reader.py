"""Threads that decode and resample tracks ahead of time, and cut them into windows."""

from __future__ import annotations

import contextlib
import hashlib
import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from groove_utils.audio import AudioError
from groove_utils.audio.streams import Source
from groove_utils.audio.windowing import WindowCutter
from groove_utils.embed.engine.forward import Model

__all__ = ["TrackReader", "Window", "read_windows"]

N_AHEAD = 2  # number of tracks read ahead
QUEUE_BYTES = 32 << 20  # maximum total size of the windows in a track's queue


@dataclass
class Window:
    """A window of a track, prepared as input for one model."""

    track: int  # position in the list of sources
    model: int  # position in the list of models
    samples: np.ndarray  # float32 input for the network
    n_valid: int  # number of samples before the end of the signal
    content: bytes  # hash of the samples before prepare()
    index: int = 0  # position of the window in the track
    duplicates: list[Window] = field(default_factory=list)  # later windows with the same samples


class TrackReader(threading.Thread):
    """Thread that decodes and resamples one track, and puts its windows into a bounded queue.

    Attributes
    ----------
    peak : float
        Largest absolute sample value read so far.
    error : BaseException or None
        Error that stopped the reader, or None.
    """

    def __init__(self, track: int, source: Source, models: Sequence[Model]):
        super().__init__(daemon=True)
        self.track, self.source, self.models = track, source, models
        largest = max(4 * model.length for model in models)
        self.queue: queue.Queue = queue.Queue(max(4, QUEUE_BYTES // largest))
        self.stopped = threading.Event()
        self.peak = 0.0
        self.error: BaseException | None = None

    def run(self) -> None:  # noqa: D102
        try:
            for window in self._windows():
                self._put(window)
        except OSError as error:  # for example, a deleted file: continue with other tracks
            self.error = AudioError(f"it cannot be read: {error}")
        except BaseException as error:  # raised again in the thread that reads the queue
            self.error = error
        self._put(None)

    def _put(self, item) -> None:
        while not self.stopped.is_set():
            with contextlib.suppress(queue.Full):
                self.queue.put(item, timeout=0.5)
                return

    def _windows(self) -> Iterator[Window]:
        cutters: dict[tuple, WindowCutter] = {}
        sharing: dict[tuple, list[int]] = {}  # models that use the same windows share them
        for i, model in enumerate(self.models):
            cutter = model.cutter()
            key = model.adapter.sample_rate, cutter.length, cutter.hop, cutter.lead
            cutters.setdefault(key, cutter)
            sharing.setdefault(key, []).append(i)
        rates = sorted({rate for rate, *_ in cutters})
        for peak, blocks in self.source.resampled(rates):
            self.peak = peak
            for key, cutter in cutters.items():
                for window in cutter.push(blocks[key[0]]):
                    yield from self._prepared(sharing[key], *window)
        for key, cutter in cutters.items():
            if not cutter.heard:
                raise AudioError(f"it is too short: no samples are left at {key[0]} Hz.")
            yield from self._prepared(sharing[key], *cutter.finish())

    def _prepared(self, models: list[int], samples: np.ndarray, n_valid: int) -> Iterator[Window]:
        samples = np.ascontiguousarray(samples)
        salt = n_valid.to_bytes(16, "big")
        content = hashlib.blake2b(samples, digest_size=16, salt=salt).digest()
        for i in models:
            prepared = np.ascontiguousarray(self.models[i].prepare(samples, n_valid))
            yield Window(self.track, i, prepared, n_valid, content)


def read_windows(
    sources: Iterable[Source], models: Sequence[Model]
) -> Iterator[Window | TrackReader]:
    """Yield the windows of all tracks in order, and each track's reader after its windows.

    A ValueError in a reader means that the audio of the track cannot be used. It is stored in the
    reader's attribute `error`, whereas other errors are raised.
    """
    readers: deque[TrackReader] = deque()
    numbered = enumerate(sources)

    def refill() -> None:
        while len(readers) < N_AHEAD + 1 and (item := next(numbered, None)) is not None:
            readers.append(TrackReader(*item, models))
            readers[-1].start()

    try:
        refill()
        while readers:
            while (item := readers[0].queue.get()) is not None:
                yield item
            done = readers.popleft()
            if done.error is not None and not isinstance(done.error, ValueError):
                raise done.error
            refill()
            yield done
    finally:
        for reader in readers:
            reader.stopped.set()
