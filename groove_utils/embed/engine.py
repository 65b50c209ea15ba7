"""Run a model over many signals: windows, batches across files, pooling.

The windows are the engine's own: they cover each signal from its first to its last sample, at
fixed places, so that two runs give the same numbers. The last window is filled with zeros, and
what lies beyond the signal's end is left out when frames and windows are pooled: a track's vector
is the mean over its valid frames. Chapter 05 describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from groove_utils.embed.adapters import Adapter

__all__ = ["BATCH_SIZE", "Pooled", "run", "window_layers"]

BATCH_SIZE = 16  # windows


@dataclass
class Pooled:
    """A track's vectors while its windows come in: weighted sums over windows."""

    weight: float = 0.0
    sums: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, layers: dict[str, np.ndarray], weight: float) -> None:
        """Take in one window's vectors, which stand for `weight` seconds of signal."""
        self.weight += weight
        for name, values in layers.items():
            self.sums[name] = self.sums.get(name, 0.0) + weight * values.astype(np.float64)

    def mean(self) -> dict[str, np.ndarray]:
        """The track's vectors, float32."""
        return {name: (s / self.weight).astype(np.float32) for name, s in self.sums.items()}


def cut(y: np.ndarray, adapter: Adapter) -> tuple[np.ndarray, np.ndarray]:
    """Cut a mono signal at the model's rate into its windows.

    Returns
    -------
    ndarray of float32, shape (n_windows, n_samples)
    ndarray of int, shape (n_windows,)
        Samples of each window that lie before the signal's end.
    """
    from groove_utils.audio import windows

    rate = adapter.sample_rate
    lead = round(getattr(adapter, "lead", 0) * rate)
    hop = round(getattr(adapter, "hop", adapter.window) * rate)
    led = np.concatenate([np.zeros(lead, np.float32), y])
    return windows(led, round(adapter.window * rate), hop)


def forward(adapter: Adapter, network, batch: np.ndarray, n_valid: np.ndarray) -> dict:
    """Layers of a batch of windows, pooled over their valid frames: float32 (n_windows, dim)."""
    with torch.inference_mode():
        given = adapter.forward(network, torch.from_numpy(batch), torch.from_numpy(n_valid))
        pooled = {}
        for name, values in given.items():
            values = torch.as_tensor(values)
            if values.ndim == 3:
                values = _pool_frames(values, torch.from_numpy(n_valid), batch.shape[1])
            pooled[name] = values.float().cpu().numpy()
    return pooled


def _pool_frames(values: torch.Tensor, n_valid: torch.Tensor, n_samples: int) -> torch.Tensor:
    n_frames = values.shape[1]
    starts = torch.arange(n_frames) * (n_samples / n_frames)
    mask = (starts < n_valid[:, None])[..., None] & ~values.isnan()
    mask = mask.to(values.dtype)
    return (values.nan_to_num() * mask).sum(1) / mask.sum(1)


def window_layers(y: np.ndarray, adapter: Adapter, network) -> dict[str, np.ndarray]:
    """Each window's vectors of one signal at the model's rate: float32 (n_windows, dim)."""
    cuts, n_valid = cut(y, adapter)
    parts = [
        forward(adapter, network, cuts[i : i + BATCH_SIZE], n_valid[i : i + BATCH_SIZE])
        for i in range(0, len(cuts), BATCH_SIZE)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def run(
    signals: Iterable[tuple[str, np.ndarray]], adapter: Adapter, network
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Embed many signals, filling each batch with the windows of as many as it takes.

    Parameters
    ----------
    signals : iterable of (key, ndarray)
        Mono signals at the model's rate; they are drawn as they are needed.
    adapter, network
        The model.

    Yields
    ------
    key : str
    layers : dict of str to ndarray of float32, shape (dim,)
        As each signal's last window is done.
    """
    waiting: list[tuple[str, np.ndarray, int]] = []
    tracks: dict[str, tuple[Pooled, int]] = {}

    def flush() -> Iterator[tuple[str, dict]]:
        batch, waiting[:] = waiting[:BATCH_SIZE], waiting[BATCH_SIZE:]
        n_valid = np.array([n for _, _, n in batch])
        layers = forward(adapter, network, np.stack([cut for _, cut, _ in batch]), n_valid)
        for i, (key, _, n) in enumerate(batch):
            pooled, left = tracks[key]
            pooled.add({name: values[i] for name, values in layers.items()}, float(n))
            tracks[key] = pooled, left - 1
            if left == 1:
                del tracks[key]
                yield key, pooled.mean()

    for key, y in signals:
        cuts, n_valid = cut(y, adapter)
        tracks[key] = Pooled(), len(cuts)
        waiting += [(key, window, int(n)) for window, n in zip(cuts, n_valid)]
        while len(waiting) >= BATCH_SIZE:
            yield from flush()
    while waiting:
        yield from flush()
