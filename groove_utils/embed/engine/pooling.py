"""Pool frames within windows, and windows within tracks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from groove_utils.embed.adapters import EmbedError

if TYPE_CHECKING:
    import torch

__all__ = ["TrackPool", "finite_error", "pool_frames"]

Layers = dict[str, tuple[np.ndarray, np.ndarray]]  # mean and variance over a window's frames


def pool_frames(
    values: torch.Tensor, n_valid: torch.Tensor, n_samples: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute mean and variance over the frames that begin before the signal's end, without NaN.

    Parameters
    ----------
    values : Tensor of float32, shape (n_windows, n_frames, dim) or (n_windows, dim)
        Values without a frame axis are returned with zero variance.
    n_valid : Tensor of int, shape (n_windows,)
        Number of valid samples in each window.
    n_samples : int
        Number of samples in a window.

    Examples
    --------
    >>> import torch
    >>> frames = torch.tensor([[[1.0], [3.0], [8.0]]])
    >>> mean, variance = pool_frames(frames, torch.tensor([20]), 30)  # two frames are signal
    >>> mean.item(), variance.item()
    (2.0, 1.0)
    """
    import torch

    if values.ndim == 2:
        return values, torch.zeros_like(values)
    n_frames = values.shape[1]
    starts = torch.arange(n_frames, device=values.device) * (n_samples / n_frames)
    mask = ((starts < n_valid[:, None])[..., None] & ~values.isnan()).to(values.dtype)
    count = mask.sum(1)  # the mean of no frames is NaN
    values = values.masked_fill(mask == 0, 0)  # infinite values are kept, and rejected later
    mean = values.sum(1) / count
    variance = ((values - mean[:, None]).square() * mask).sum(1) / count
    return mean, variance


@dataclass
class TrackPool:
    """Running mean and spread of a track, over its windows in order."""

    n_windows: int = 0  # read so far
    n_pending: int = 0  # whose layers are still to come
    complete: bool = False  # whether the track has been read to its end
    _early: dict[int, tuple[Layers, float]] = field(default_factory=dict)  # out of order
    _n_added: int = 0
    _weight: float = 0.0
    _means: dict[str, np.ndarray] = field(default_factory=dict)
    _squares: dict[str, np.ndarray] = field(default_factory=dict)

    def expect(self) -> int:
        """Register a window that was read; return its index."""
        self.n_windows += 1
        self.n_pending += 1
        return self.n_windows - 1

    @property
    def done(self) -> bool:
        """True if the track has been read and all of its windows have been added."""
        return self.complete and self.n_pending == 0

    def put(self, index: int, layers: Layers, weight: float) -> None:
        """Add a window's layers in window order, since rounding depends on the order."""
        self.n_pending -= 1
        self._early[index] = layers, weight
        with np.errstate(invalid="ignore"):  # infinite values are rejected at the end
            while self._n_added in self._early:
                self._add(*self._early.pop(self._n_added))
                self._n_added += 1

    def _add(self, layers: Layers, weight: float) -> None:
        # Chan, Golub & LeVeque (1983): combines means and sums of squares without cancellation
        before, self._weight = self._weight, self._weight + weight
        for name, (mean, variance) in layers.items():
            mean, variance = mean.astype(np.float64), variance.astype(np.float64)
            if not before:
                self._means[name], self._squares[name] = mean, variance * weight
                continue
            step = mean - self._means[name]
            self._means[name] = self._means[name] + step * (weight / self._weight)
            self._squares[name] += variance * weight + step**2 * (before * weight / self._weight)

    def result(self, spread: bool) -> dict[str, np.ndarray] | EmbedError:
        """Return the layers, float32 (dim,), or (2·dim,) with `spread`; an error if not finite."""
        result = {}
        for name, mean in self._means.items():
            parts = [mean]
            if spread:
                parts.append(np.sqrt(self._squares[name] / self._weight))
            result[name] = np.concatenate(parts).astype(np.float32)
        return finite_error(result) or result


def finite_error(layers: Mapping[str, np.ndarray]) -> EmbedError | None:
    """Return an error that names the layers with NaN or infinite values; None if there are none."""
    bad = [name for name, values in layers.items() if not np.isfinite(values).all()]
    if not bad:
        return None
    return EmbedError(
        f"the model's output is NaN or infinite (layer {', '.join(bad)}). Listen to the sound: "
        "is it cut short, or far too loud?",
        kind="not_finite",
        column=bad[0],
    )
