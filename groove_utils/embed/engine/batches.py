"""Batch windows across tracks, run the batches, and pool their outputs within tracks."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future

import numpy as np

from groove_utils.audio.streams import Source
from groove_utils.embed.engine.forward import Model
from groove_utils.embed.engine.pooling import Layers, TrackPool, finite_error
from groove_utils.embed.engine.reader import TrackReader, Window, read_windows
from groove_utils.embed.engine.workers import WorkerPool

__all__ = ["embed_windows", "run"]

REMEMBERED = 2048  # maximum number of windows whose vectors are kept in case the same samples recur

Result = tuple[int, int, tuple[dict[str, np.ndarray], float] | ValueError]


def run(
    sources: Iterable[Source], models: Sequence[Model], *, spread: bool = False
) -> Iterator[Result]:
    """Embed many tracks with one or more models, decoding each track only once.

    Parameters
    ----------
    sources : iterable of Source
        Audio sources, one per track.
    models : sequence of Model
        Loaded models. Models with the same sample rate share the resampled signal.
    spread : bool
        Append the standard deviation over the track's frames to the mean of each layer.

    Yields
    ------
    track, model : int
        Positions of the track in `sources` and of the model in `models`.
    result : (dict of str to ndarray, float) or ValueError
        Vector of each layer, a float32 array of shape (dim,) or (2·dim,), and the track's largest
        absolute sample value; or an error if the track's audio cannot be used. Errors do not affect
        other tracks.
    """
    with WorkerPool() as workers:
        batches = _Batches(models, workers, spread)
        for item in read_windows(sources, models):
            if isinstance(item, TrackReader):
                yield from batches.close_track(item)
            else:
                yield from batches.add(item)
        yield from batches.flush()


class _Batches:
    """Queue that collects windows into batches, runs the batches and pools results by track."""

    def __init__(self, models: Sequence[Model], workers: WorkerPool, spread: bool):
        self.models, self.workers, self.spread = models, workers, spread
        self.waiting: dict[tuple[int, int], list[Window]] = {}  # by model and bucket
        self.running: deque[tuple[list[Window], Future]] = deque()
        self.queued: dict[tuple[int, bytes], Window] = {}  # waiting or running, by content
        self.remembered: OrderedDict[tuple[int, bytes], Layers] = OrderedDict()
        self.pools: dict[tuple[int, int], TrackPool] = {}  # by track and model
        self.read: dict[int, tuple[float, BaseException | None]] = {}  # peak and error, by track

    def add(self, window: Window) -> Iterator[Result]:
        """Add a window to its batch, run the batch if it is full, and yield finished results."""
        pool = self.pools.setdefault((window.track, window.model), TrackPool())
        window.index = pool.expect()
        key = window.model, window.content
        if key in self.remembered:
            yield from self._deliver(window, self.remembered[key])
        elif key in self.queued:
            self.queued[key].duplicates.append(window)
        else:
            self.queued[key] = window
            model = self.models[window.model]
            group = window.model, model.bucket(window.n_valid)
            self.waiting.setdefault(group, []).append(window)
            if len(self.waiting[group]) >= model.batch_size:
                yield from self._start(group)

    def close_track(self, reader: TrackReader) -> Iterator[Result]:
        """Record that the reader of a track has finished or failed; yield finished results."""
        self.read[reader.track] = reader.peak, reader.error
        for key in [(reader.track, i) for i in range(len(self.models))]:
            pool = self.pools.setdefault(key, TrackPool())
            pool.complete = True
            if pool.done:
                yield self._finish(key)

    def flush(self) -> Iterator[Result]:
        """Run all remaining batches, even incomplete ones, and yield the remaining results."""
        for group in sorted(self.waiting):
            yield from self._start(group)
        yield from self._collect(0)

    def _start(self, group: tuple[int, int]) -> Iterator[Result]:
        windows, model = self.waiting.pop(group), self.models[group[0]]
        self.running.append((windows, submit(self.workers, model, windows)))
        yield from self._collect(2 * self.workers.count)

    def _collect(self, n_running: int) -> Iterator[Result]:
        """Collect the oldest batches until at most `n_running` are left; yield finished results."""
        while len(self.running) > n_running:
            windows, batch = self.running.popleft()
            layers = batch.result()
            for row, window in enumerate(windows):
                vectors = {k: (m[row].copy(), v[row].copy()) for k, (m, v) in layers.items()}
                del self.queued[window.model, window.content]
                self.remembered[window.model, window.content] = vectors
                for duplicate in (window, *window.duplicates):
                    yield from self._deliver(duplicate, vectors)
            while len(self.remembered) > REMEMBERED:
                self.remembered.popitem(last=False)

    def _deliver(self, window: Window, layers: Layers) -> Iterator[Result]:
        key = window.track, window.model
        pool = self.pools[key]
        pool.put(window.index, layers, float(window.n_valid))
        if pool.done:
            yield self._finish(key)

    def _finish(self, key: tuple[int, int]) -> Result:
        pool, (peak, error) = self.pools.pop(key), self.read[key[0]]
        result = error or pool.result(self.spread)
        return *key, result if isinstance(result, ValueError) else (result, peak)


def submit(workers: WorkerPool, model: Model, windows: Sequence[Window]) -> Future:
    """Run a model on windows of equal padded length, in another thread if the model allows it."""
    samples, n_valid = [w.samples for w in windows], [w.n_valid for w in windows]
    return workers.submit(model.forward, samples, n_valid, concurrent=model.concurrent)


def embed_windows(source: Source, model: Model) -> dict[str, np.ndarray]:
    """Embed each window of a track; return a float32 array (n_windows, dim) for each layer."""
    *windows, reader = read_windows([source], [model])
    if reader.error is not None:
        raise reader.error
    buckets: dict[int, list[int]] = {}
    for i, window in enumerate(windows):
        buckets.setdefault(model.bucket(window.n_valid), []).append(i)
    size = model.batch_size
    chunks = [b[i : i + size] for b in buckets.values() for i in range(0, len(b), size)]
    rows: dict[int, dict[str, np.ndarray]] = {}
    with WorkerPool() as workers:
        batches = [submit(workers, model, [windows[i] for i in chunk]) for chunk in chunks]
        for chunk, batch in zip(chunks, batches):
            for row, i in enumerate(chunk):
                rows[i] = {name: mean[row] for name, (mean, _) in batch.result().items()}
    layers = {name: np.stack([rows[i][name] for i in range(len(windows))]) for name in rows[0]}
    if error := finite_error(layers):
        raise error
    return layers
