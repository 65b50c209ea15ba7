"""Run models over many tracks: windows, batches across files, pooling.

The windows are the engine's own: they cover each signal from its first to its last sample, at
fixed places. The last one is filled with zeros, and what lies beyond the signal's end is left out
when frames are pooled within windows and windows within tracks: a track's vector is the mean over
its valid frames. Adapters are told how much of a window is signal, and mask the rest where their
network can. Chapter 05 describes it.

Windows of many tracks share a batch, while threads decode and resample the tracks to come. The
batches of a model all have one shape (the last ones are filled up), because matrix products round
differently at different shapes: a track's numbers do not depend on its neighbours, nor on which
tracks an interrupted run had done already.

On a processor, batches run side by side, each in a lane of its own that keeps to its share of the
cores: cores that work on one batch together wait for each other between its many small steps.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
import queue
import threading
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch

from groove_utils.audio import AudioError
from groove_utils.embed.adapters import Adapter, ModelRefusedError
from groove_utils.embed.sources import Source, WindowCutter

__all__ = ["Model", "choose_device", "embed_windows", "forward_windows", "run"]

BATCH_SIZE = 8  # windows, where an adapter does not name its own
GPU_BATCH_SIZE = 32
MOST_LANES = 4  # batches that run side by side; each holds its feature maps
BUCKETS = 8  # lengths of last windows, where a model takes shorter ones
AHEAD = 2  # tracks that are decoded ahead
QUEUE_BYTES = 32 << 20  # of windows that a track may have waiting
REMEMBERED = 2048  # windows whose vectors are kept, in case the same samples come again


@dataclass
class Model:
    """An adapter with its network, on a device.

    Attributes
    ----------
    adapter : Adapter
    network : object
    fingerprint : str
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    autocast : bool
        Compute matrix products in half precision (bfloat16).
    fitting : int, optional
        Windows that fit the memory, where a batch did not.
    """

    adapter: Adapter
    network: object
    fingerprint: str = ""
    device: str = "cpu"
    autocast: bool = False
    fitting: int | None = None

    @property
    def batch_size(self) -> int:
        """Windows at once, on this device; fewer, once they did not fit its memory."""
        size = getattr(self.adapter, "batch_size", BATCH_SIZE)
        if self.device != "cpu":
            size = GPU_BATCH_SIZE
        return min(size, self.fitting or size)

    @property
    def concurrent(self) -> bool:
        """Whether batches may run side by side."""
        return self.device == "cpu" and getattr(self.adapter, "concurrent", False)

    def cutter(self) -> WindowCutter:
        """What cuts a signal into this model's windows."""
        adapter, rate = self.adapter, self.adapter.sample_rate
        hop = getattr(adapter, "hop", adapter.window)
        lead = getattr(adapter, "lead", 0)
        return WindowCutter(round(adapter.window * rate), round(hop * rate), round(lead * rate))

    @property
    def length(self) -> int:
        """Samples of a window."""
        return round(self.adapter.window * self.adapter.sample_rate)

    def bucket(self, n_valid: int) -> int:
        """To how many samples a window of `n_valid` is filled up."""
        if not getattr(self.adapter, "any_length", False):
            return self.length
        steps = -(-BUCKETS * n_valid // self.length)
        return self.length * steps // BUCKETS

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """A window as the network takes it, filled up to the length of its bucket."""
        filled = samples[: self.bucket(n_valid)]
        if hasattr(self.adapter, "prepare"):
            return self.adapter.prepare(filled, n_valid)
        return filled

    def forward(self, windows: Sequence[np.ndarray], n_valid: Sequence[int]) -> dict:
        """Layers of some prepared windows of one bucket, as :func:`forward_windows` gives them."""
        size = max(self.batch_size, len(windows))
        batch = np.zeros((size, *windows[0].shape), np.float32)
        valid = np.full(size, self.bucket(n_valid[0]))
        for row, window in enumerate(windows):
            batch[row] = window
        valid[: len(n_valid)] = n_valid
        return forward_windows(self, batch, valid)


def choose_device(asked: str | None = None) -> str:
    """The device to run on: as asked, else ``$GROOVE_DEVICE``, else a GPU where there is one.

    Raises
    ------
    ValueError
        If the device is not there.
    """
    asked = asked or os.environ.get("GROOVE_DEVICE") or "auto"
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    if asked == "auto":
        return there[0]
    if asked.partition(":")[0] not in there:
        raise ValueError(f"device {asked!r} is not there; this machine has {', '.join(there)}.")
    return asked


def choose_autocast(asked: bool, device: str | None = None) -> bool:
    """Whether to compute in half precision: as asked, if the device has units for it.

    A processor without them would emulate bfloat16, and be slower by it; a warning says so.
    """
    if not asked or choose_device(device) != "cpu":
        return asked
    has = torch.cpu.get_capabilities()
    if any(has.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16")):
        return True
    warnings.warn(
        "autocast: this processor has no units for bfloat16; computing in float32.",
        RuntimeWarning,
        stacklevel=3,
    )
    return False


@dataclass
class _Window:
    track: int
    model: int
    samples: np.ndarray
    n_valid: int
    content: bytes  # hash of the samples, before they were prepared
    index: int = 0  # within its track
    alike: list[_Window] = field(default_factory=list)  # later windows of the same samples


@dataclass
class _Pooled:
    """Running mean and spread of a track, over its windows in their order."""

    n_windows: int = 0
    n_out: int = 0  # windows that wait for their batch
    early: dict[int, tuple] = field(default_factory=dict)  # those that came before their turn
    n_added: int = 0
    whole: bool = False  # whether the track has been read to its end
    weight: float = 0.0
    means: dict[str, np.ndarray] = field(default_factory=dict)
    squares: dict[str, np.ndarray] = field(default_factory=dict)

    def put(self, window: _Window, layers: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """Take a window's layers; sums are rounded by their order, so that is kept."""
        self.n_out -= 1
        self.early[window.index] = layers, float(window.n_valid)
        with np.errstate(invalid="ignore"):  # of what is infinite, which is refused in the end
            while self.n_added in self.early:
                self._add(*self.early.pop(self.n_added))
                self.n_added += 1

    def _add(self, layers: dict[str, tuple[np.ndarray, np.ndarray]], weight: float) -> None:
        # Chan, Golub & LeVeque (1983): joins means and sums of squares without cancellation
        before, self.weight = self.weight, self.weight + weight
        for name, (mean, variance) in layers.items():
            mean, variance = mean.astype(np.float64), variance.astype(np.float64)
            if not before:
                self.means[name], self.squares[name] = mean, variance * weight
                continue
            step = mean - self.means[name]
            self.means[name] = self.means[name] + step * (weight / self.weight)
            self.squares[name] += variance * weight + step**2 * (before * weight / self.weight)

    def result(self, spread: bool) -> dict[str, np.ndarray] | ValueError:
        result = {}
        for name, mean in self.means.items():
            parts = [mean]
            if spread:
                parts.append(np.sqrt(self.squares[name] / self.weight))
            result[name] = np.concatenate(parts).astype(np.float32)
        return _not_finite(result) or result


def _not_finite(layers: Mapping[str, np.ndarray]) -> ValueError | None:
    """The error that says so, where a model's output is NaN or infinite."""
    bad = [name for name, values in layers.items() if not np.isfinite(values).all()]
    if not bad:
        return None
    return ValueError(
        f"the model's output is NaN or infinite (layer {', '.join(bad)}). Listen to the sound: "
        "is it cut short, or far too loud?"
    )


class WorkerPool:
    """Threads that take batches, each with its share of the processor's cores.

    Batches of a model that may not run side by side, or is on a GPU, run at once, in the thread
    that brings them.
    """

    def __init__(self):
        _keep_freed_memory()
        self._threads = torch.get_num_threads()
        self.count = min(self._threads, MOST_LANES)
        self._pool = ThreadPoolExecutor(
            self.count, "lane", torch.set_num_threads, (self._threads // self.count,)
        )

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_exception) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._threads)  # what threads to come start with

    def submit(self, model: Model, windows: Sequence[_Window]) -> Future:
        """The layers of some windows, as :meth:`Model.forward` gives them, when they are done."""
        given = [window.samples for window in windows], [window.n_valid for window in windows]
        if model.concurrent:
            return self.run(model.forward, *given)
        done: Future = Future()
        done.set_result(model.forward(*given))
        return done

    def run(self, function: Callable, *arguments) -> Future:
        """Call a function in the next lane that is free."""
        return self._pool.submit(function, *arguments)


@functools.cache
def _keep_freed_memory() -> None:
    """Have the C library keep the memory of feature maps for the next ones.

    glibc hands large blocks back to the system each time, which then has to clear them anew: that
    is up to a quarter of the time of HuBERT's forward pass.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # names in malloc.h
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, (1 << 31) - 1)
        mallopt(arena_max, 1)  # a thread's own arena could not hold large blocks


def forward_windows(
    model: Model, batch: np.ndarray, n_valid: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Layers of some windows, pooled over their valid frames.

    Parameters
    ----------
    model : Model
    batch : ndarray of float32, shape (n_windows, n_samples)
    n_valid : ndarray of int, shape (n_windows,)

    Returns
    -------
    dict of str to (ndarray, ndarray)
        Mean and variance over frames, float32 (n_windows, dim).

    Notes
    -----
    Where the device runs out of memory, the batch is halved, this one and those to come.
    """
    try:
        return _forward(model, batch, n_valid)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not _out_of_memory(error) or len(batch) == 1:
            raise
    if model.device.startswith("cuda"):
        torch.cuda.empty_cache()
    half = model.fitting = -(-len(batch) // 2)
    warnings.warn(
        f"{model.adapter.name if hasattr(model.adapter, 'name') else 'the model'}: out of memory "
        f"with {len(batch)} windows at once; going on with {half}.",
        RuntimeWarning,
        stacklevel=2,
    )
    parts, start = [], 0
    while start < len(batch):
        stop = start + model.fitting  # which may shrink on the way
        parts.append(forward_windows(model, batch[start:stop], n_valid[start:stop]))
        start = stop
    return {
        name: tuple(np.concatenate([part[name][i] for part in parts]) for i in (0, 1))
        for name in parts[0]
    }


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "not enough memory" in text or "can't allocate" in text


def _precision(model: Model) -> contextlib.AbstractContextManager:
    """Half precision where it is asked for, and else float32 in earnest.

    By default, convolutions on a GPU round to 10 bits, and may choose another algorithm each time.
    """
    if model.autocast:
        return torch.autocast(model.device.partition(":")[0], dtype=torch.bfloat16)
    if model.device.startswith("cuda"):
        return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    return contextlib.nullcontext()


def _forward(model: Model, batch: np.ndarray, n_valid: np.ndarray) -> dict:
    windows = torch.from_numpy(batch).to(model.device)
    valid = torch.from_numpy(n_valid).to(model.device)
    with torch.inference_mode(), _precision(model):
        given = model.adapter.forward(model.network, windows, valid)
        pooled = {}
        for name, values in _checked(model, given, len(batch)).items():
            values = values.to(model.device).float()
            mean, variance = _pool_frames(values, valid, model.bucket(int(n_valid.max())))
            pooled[name] = mean.cpu().numpy(), variance.cpu().numpy()
    return pooled


def _checked(model: Model, given, n_windows: int) -> dict[str, torch.Tensor]:
    """An adapter's output, if it is what the adapter says of itself."""
    declared, kind = model.adapter.layers, type(model.adapter).__name__
    if not isinstance(given, Mapping):
        raise ModelRefusedError(
            f"{kind}.forward() gave a {type(given).__name__}; expected a dict of layer to an array "
            "of shape (n_windows, n_frames, dim) or (n_windows, dim)."
        )
    if given.keys() != declared.keys():
        raise ModelRefusedError(
            f"{kind}.forward() gave the layers {', '.join(map(repr, given)) or 'none'}; its "
            f"attribute layers declares {', '.join(map(repr, declared))}."
        )
    tensors = {name: torch.as_tensor(values) for name, values in given.items()}
    for name, values in tensors.items():
        dim = declared[name]
        fits = values.ndim in (2, 3) and dim in (None, values.shape[-1])
        if not fits or len(values) != n_windows or not values.shape[1]:
            raise ModelRefusedError(
                f"{kind}.forward() gave the layer {name!r} in shape {tuple(values.shape)}; "
                f"expected (n_windows, n_frames, {dim}) or (n_windows, {dim}), with n_windows = "
                f"{n_windows} and one frame or more."
            )
    return tensors


def _pool_frames(values, n_valid, n_samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    if values.ndim == 2:
        return values, torch.zeros_like(values)
    n_frames = values.shape[1]
    starts = torch.arange(n_frames, device=values.device) * (n_samples / n_frames)
    mask = ((starts < n_valid[:, None])[..., None] & ~values.isnan()).to(values.dtype)
    count = mask.sum(1)  # of none, the mean is NaN
    values = values.masked_fill(mask == 0, 0)  # what is infinite stays so, and is refused
    mean = values.sum(1) / count
    variance = ((values - mean[:, None]).square() * mask).sum(1) / count
    return mean, variance


class _Reader(threading.Thread):
    """Decodes, resamples and cuts one track; its windows wait in a bounded queue."""

    def __init__(self, track: int, source: Source, models: Sequence[Model]):
        super().__init__(daemon=True)
        self.track, self.source, self.models = track, source, models
        largest = max(4 * model.length for model in models)
        self.queue: queue.Queue = queue.Queue(max(4, QUEUE_BYTES // largest))
        self.stopped = threading.Event()
        self.peak = 0.0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for window in self._windows():
                self._put(window)
        except OSError as error:  # gone, or not to be read: the other tracks go on
            self.error = AudioError(f"it cannot be read: {error}")
        except BaseException as error:  # for whoever reads the queue
            self.error = error
        self._put(None)

    def _put(self, item) -> None:
        while not self.stopped.is_set():
            with contextlib.suppress(queue.Full):
                self.queue.put(item, timeout=0.5)
                return

    def _windows(self) -> Iterator[_Window]:
        cutters: dict[tuple, WindowCutter] = {}
        alike: dict[tuple, list[int]] = {}  # models that cut alike share a window and its hash
        for i, model in enumerate(self.models):
            cutter = model.cutter()
            key = model.adapter.sample_rate, cutter.length, cutter.hop, cutter.lead
            cutters.setdefault(key, cutter)
            alike.setdefault(key, []).append(i)
        rates = sorted({rate for rate, *_ in cutters})
        for peak, blocks in self.source.resampled(rates):
            self.peak = peak
            for key, cutter in cutters.items():
                for window in cutter.push(blocks[key[0]]):
                    yield from self._shared(alike[key], *window)
        for key, cutter in cutters.items():
            if not cutter.heard:
                raise AudioError(f"it is too short: no sample of it is left at {key[0]} Hz.")
            yield from self._shared(alike[key], *cutter.finish())

    def _shared(self, models: list[int], samples: np.ndarray, n_valid: int) -> Iterator[_Window]:
        samples = np.ascontiguousarray(samples)
        salt = n_valid.to_bytes(16, "big")
        content = hashlib.blake2b(samples, digest_size=16, salt=salt).digest()
        for i in models:
            prepared = np.ascontiguousarray(self.models[i].prepare(samples, n_valid))
            yield _Window(self.track, i, prepared, n_valid, content)


def _read_ahead(sources: Iterable[Source], models: Sequence[Model]) -> Iterator:
    """Windows of all tracks in order, and after each track its reader."""
    readers: deque[_Reader] = deque()
    numbered = enumerate(sources)

    def refill() -> None:
        while len(readers) < AHEAD + 1 and (item := next(numbered, None)) is not None:
            readers.append(_Reader(*item, models))
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


def run(
    sources: Iterable[Source], models: Sequence[Model], *, spread: bool = False
) -> Iterator[tuple[int, int, tuple[dict[str, np.ndarray], float] | ValueError]]:
    """Embed many tracks with one or several models, decoding each track once.

    Parameters
    ----------
    sources : iterable of Source
    models : sequence of Model
        Those of one sample rate share the resampled signal.
    spread : bool
        Append to each layer's mean the standard deviation over the track's frames.

    Yields
    ------
    track, model : int
        Their places in `sources` and `models`.
    result : (dict of str to ndarray, float) or ValueError
        Layers, float32 (dim,) or (2·dim,), and the track's largest absolute sample. The error
        instead, where the audio cannot be used; the other tracks go on.
    """
    waiting: dict[tuple[int, int], list[_Window]] = {}
    queued: dict[tuple, _Window] = {}
    remembered: OrderedDict[tuple, dict] = OrderedDict()
    running: deque[tuple[list[_Window], Future]] = deque()
    pooled: dict[tuple[int, int], _Pooled] = {}
    peaks: dict[int, float] = {}
    errors: dict[int, ValueError] = {}

    def deliver(window: _Window, layers: dict) -> Iterator:
        key = window.track, window.model
        track = pooled[key]
        track.put(window, layers)
        if track.whole and track.n_out == 0:
            yield finished(key)

    def finished(key: tuple[int, int]) -> tuple:
        track = pooled.pop(key)
        result = errors.get(key[0]) or track.result(spread)
        return *key, result if isinstance(result, ValueError) else (result, peaks[key[0]])

    def start(which: tuple[int, int]) -> None:
        windows = waiting.pop(which)
        running.append((windows, lanes.submit(models[which[0]], windows)))

    def collect(most: int) -> Iterator:
        """Deliver batches in the order in which they were started, until `most` are out."""
        while len(running) > most:
            windows, batch = running.popleft()
            layers = batch.result()
            for row, window in enumerate(windows):
                own = {
                    name: (mean[row].copy(), var[row].copy())
                    for name, (mean, var) in layers.items()
                }
                queued.pop((window.model, window.content))
                remembered[window.model, window.content] = own
                for each in (window, *window.alike):
                    yield from deliver(each, own)
            while len(remembered) > REMEMBERED:
                remembered.popitem(last=False)

    with WorkerPool() as lanes:
        for item in _read_ahead(sources, models):
            if isinstance(item, _Reader):
                peaks[item.track] = item.peak
                if item.error is not None:
                    errors[item.track] = item.error
                for key in [(item.track, i) for i in range(len(models))]:
                    track = pooled.setdefault(key, _Pooled())
                    track.whole = True
                    if track.n_out == 0:
                        yield finished(key)
                continue
            track = pooled.setdefault((item.track, item.model), _Pooled())
            item.index = track.n_windows
            track.n_windows += 1
            track.n_out += 1
            same = item.model, item.content
            if same in remembered:
                yield from deliver(item, remembered[same])
            elif same in queued:
                queued[same].alike.append(item)
            else:
                queued[same] = item
                model = models[item.model]
                which = item.model, model.bucket(item.n_valid)
                waiting.setdefault(which, []).append(item)
                if len(waiting[which]) >= model.batch_size:
                    start(which)
                    yield from collect(2 * lanes.count)
        for which in sorted(waiting):
            start(which)
            yield from collect(2 * lanes.count)
        yield from collect(0)


def embed_windows(source: Source, model: Model) -> dict[str, np.ndarray]:
    """Each window's vectors of one track: float32 (n_windows, dim) by layer."""
    *windows, reader = _read_ahead([source], [model])
    if reader.error is not None:
        raise reader.error
    buckets: dict[int, list[int]] = {}
    for i, window in enumerate(windows):
        buckets.setdefault(model.bucket(window.n_valid), []).append(i)
    size = model.batch_size
    chunks = [b[i : i + size] for b in buckets.values() for i in range(0, len(b), size)]
    rows: dict[int, dict[str, np.ndarray]] = {}
    with WorkerPool() as lanes:
        batches = [lanes.submit(model, [windows[i] for i in chunk]) for chunk in chunks]
        for chunk, batch in zip(chunks, batches):
            for row, i in enumerate(chunk):
                rows[i] = {name: mean[row] for name, (mean, _) in batch.result().items()}
    layers = {name: np.stack([rows[i][name] for i in range(len(windows))]) for name in rows[0]}
    if error := _not_finite(layers):
        raise error
    return layers
