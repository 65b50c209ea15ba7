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
    """Compute the mean and variance over the frames that begin before the end of the signal.

    Parameters
    ----------
    values : Tensor of float32, shape (n_windows, n_frames, dim) or (n_windows, dim)
        Outputs of a layer; NaN is ignored. Outputs without a frame axis are returned unchanged,
        with zero variance.
    n_valid : Tensor of int, shape (n_windows,)
        Number of samples in each window that precede the end of the signal.
    n_samples : int
        Number of samples in a window.

    Returns
    -------
    mean, variance : Tensor of float32, shape (n_windows, dim)
        Mean and variance over the valid frames of each window.

    Examples
    --------
    >>> import torch
    >>> frames = torch.tensor([[[1.0], [3.0], [8.0]]])
    >>> mean, variance = pool_frames(frames, torch.tensor([20]), 30)  # two frames are valid
    >>> mean.item(), variance.item()
    (2.0, 1.0)
    """
    import torch

    if values.ndim == 2:
        return values, torch.zeros_like(values)
    n_frames = values.shape[1]
    starts = torch.arange(n_frames, device=values.device) * (n_samples / n_frames)
    mask = ((starts < n_valid[:, None])[..., None] & ~values.isnan()).to(values.dtype)
    count = mask.sum(1)  # if it is 0, the mean is NaN
    values = values.masked_fill(mask == 0, 0)  # infinite values are kept here but rejected later
    mean = values.sum(1) / count
    variance = ((values - mean[:, None]).square() * mask).sum(1) / count
    return mean, variance


@dataclass
class TrackPool:
    """Running mean and variance over a track's frames, updated window by window."""

    n_windows: int = 0  # number of windows read so far
    n_pending: int = 0  # number of windows whose layers have not been added yet
    complete: bool = False  # True if the track has been read to its end
    _early: dict[int, tuple[Layers, float]] = field(default_factory=dict)  # layers of later windows
    _n_added: int = 0
    _weight: float = 0.0
    _means: dict[str, np.ndarray] = field(default_factory=dict)
    _squares: dict[str, np.ndarray] = field(default_factory=dict)

    def expect(self) -> int:
        """Register a window that has been read, and return its index in the track."""
        self.n_windows += 1
        self.n_pending += 1
        return self.n_windows - 1

    @property
    def done(self) -> bool:
        """True if the track has been read and the layers of all its windows have been added."""
        return self.complete and self.n_pending == 0

    def put(self, index: int, layers: Layers, weight: float) -> None:
        """Add the layers of the window at `index`.

        Windows are pooled in the order in which they occur in the track, because rounding errors
        depend on the order.
        """
        self.n_pending -= 1
        self._early[index] = layers, weight
        with np.errstate(invalid="ignore"):  # infinite values are rejected at the end
            while self._n_added in self._early:
                self._add(*self._early.pop(self._n_added))
                self._n_added += 1

    def _add(self, layers: Layers, weight: float) -> None:
        # Chan, Golub & LeVeque (1983): combine means and sums of squares without cancellation
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
        """Return a track's vectors by layer, or an EmbedError if some values are not finite.

        Vectors are means, of shape (dim,); with `spread`, they are means followed by standard
        deviations, of shape (2·dim,).
        """
        result = {}
        for name, mean in self._means.items():
            parts = [mean]
            if spread:
                parts.append(np.sqrt(self._squares[name] / self._weight))
            result[name] = np.concatenate(parts).astype(np.float32)
        return finite_error(result) or result


def finite_error(layers: Mapping[str, np.ndarray]) -> EmbedError | None:
    """Return an error naming the layers with NaN or infinite values, or None if there are none."""
    bad = [name for name, values in layers.items() if not np.isfinite(values).all()]
    if not bad:
        return None
    return EmbedError(
        f"the model's output has NaN or infinite values (layer {', '.join(bad)}). Check the audio: "
        "it may be truncated, or far too loud.",
        kind="not_finite",
        column=bad[0],
    )
