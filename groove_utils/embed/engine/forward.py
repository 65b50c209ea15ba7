"""Compute a model's layer outputs, pooled over frames, for batches of windows.

The rounding errors of a matrix product depend on its shape. Incomplete batches are therefore padded
so that all batches of windows of a given length have the same shape. As a result, a track's vectors
depend neither on the other tracks in a batch nor on whether an earlier run was interrupted.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from groove_utils.audio.windowing import WindowCutter
from groove_utils.embed.adapters import Adapter, ModelRefusedError
from groove_utils.embed.engine.pooling import Layers, pool_frames
from groove_utils.networks.devices import precision

__all__ = ["Model", "forward_windows"]

BATCH_SIZE = 8  # windows per batch if an adapter has no attribute batch_size
GPU_BATCH_SIZE = 32
N_BUCKETS = 8  # number of lengths that the last window can have if a model accepts short windows


@dataclass
class Model:
    """A loaded model: an adapter with its network, on a device."""

    adapter: Adapter
    network: object
    fingerprint: str = ""
    device: str = "cpu"  # or cuda, mps
    autocast: bool = False  # compute matrix products in half precision (bfloat16)
    fitting: int | None = None  # number of windows that fit in memory, if limited

    @property
    def name(self) -> str:
        """Name of the model, or of the adapter's class if the adapter has no name."""
        return getattr(self.adapter, "name", type(self.adapter).__name__)

    @property
    def batch_size(self) -> int:
        """Number of windows per batch on this device; reduced if a batch did not fit in memory."""
        size = getattr(self.adapter, "batch_size", BATCH_SIZE)
        if self.device != "cpu":
            size = GPU_BATCH_SIZE
        return min(size, self.fitting or size)

    @property
    def concurrent(self) -> bool:
        """True if more than one batch may run at the same time."""
        return self.device == "cpu" and getattr(self.adapter, "concurrent", False)

    @property
    def length(self) -> int:
        """Number of samples in a window."""
        return round(self.adapter.window * self.adapter.sample_rate)

    def cutter(self) -> WindowCutter:
        """Create a cutter that divides a signal into this model's windows."""
        adapter, rate = self.adapter, self.adapter.sample_rate
        hop = getattr(adapter, "hop", adapter.window)
        lead = getattr(adapter, "lead", 0)
        return WindowCutter(self.length, round(hop * rate), round(lead * rate))

    def bucket(self, n_valid: int) -> int:
        """Return the padded length, in samples, of a window with `n_valid` samples."""
        if not getattr(self.adapter, "any_length", False):
            return self.length
        steps = -(-N_BUCKETS * n_valid // self.length)
        return self.length * steps // N_BUCKETS

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """Return the network's input for a window, padded to the length given by :meth:`bucket`."""
        padded = samples[: self.bucket(n_valid)]
        if hasattr(self.adapter, "prepare"):
            return self.adapter.prepare(padded, n_valid)
        return padded

    def forward(self, windows: Sequence[np.ndarray], n_valid: Sequence[int]) -> Layers:
        """Compute pooled outputs for windows of equal length with :func:`forward_windows`."""
        size = max(self.batch_size, len(windows))
        batch = np.zeros((size, *windows[0].shape), np.float32)
        valid = np.full(size, self.bucket(n_valid[0]))
        for row, window in enumerate(windows):
            batch[row] = window
        valid[: len(n_valid)] = n_valid
        return forward_windows(self, batch, valid)


def forward_windows(model: Model, batch: np.ndarray, n_valid: np.ndarray) -> Layers:
    """Compute a model's layer outputs, pooled over valid frames, for a batch of windows.

    Parameters
    ----------
    model : Model
        Loaded model.
    batch : ndarray of float32, shape (n_windows, n_samples)
        Windows, or the results of the adapter's `prepare` method for them.
    n_valid : ndarray of int, shape (n_windows,)
        Number of samples in each window that precede the end of the signal.

    Returns
    -------
    dict of str to (ndarray, ndarray)
        Mean and variance of each layer over the valid frames, each a float32 array of shape
        (n_windows, dim).

    Raises
    ------
    ModelRefusedError
        If the output of the adapter does not match its attribute `layers`.

    Notes
    -----
    If the device runs out of memory, a warning is issued and the batch size is halved.
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
        f"{model.name}: out of memory with {len(batch)} windows at once; continuing with {half}.",
        RuntimeWarning,
        stacklevel=2,
    )
    parts, start = [], 0
    while start < len(batch):
        stop = start + model.fitting  # `fitting` may have been reduced further
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


def _forward(model: Model, batch: np.ndarray, n_valid: np.ndarray) -> Layers:
    windows = torch.from_numpy(batch).to(model.device)
    valid = torch.from_numpy(n_valid).to(model.device)
    with torch.inference_mode(), precision(model.device, model.autocast):
        output = model.adapter.forward(model.network, windows, valid)
        pooled = {}
        for name, values in _checked(model.adapter, output, len(batch)).items():
            values = values.to(model.device).float()
            mean, variance = pool_frames(values, valid, model.bucket(int(n_valid.max())))
            pooled[name] = mean.cpu().numpy(), variance.cpu().numpy()
    return pooled


def _checked(adapter: Adapter, output, n_windows: int) -> dict[str, torch.Tensor]:
    """Return an adapter's output as tensors; raise an error if it does not match `layers`."""
    declared, kind = adapter.layers, type(adapter).__name__
    if not isinstance(output, Mapping):
        raise ModelRefusedError(
            f"{kind}.forward() returned a {type(output).__name__}; expected a dict of layer names "
            "and arrays of shape (n_windows, n_frames, dim) or (n_windows, dim).",
            kind="not_a_dict",
            value=type(output).__name__,
        )
    if output.keys() != declared.keys():
        raise ModelRefusedError(
            f"{kind}.forward() returned the layers {', '.join(map(repr, output)) or 'none'}; its "
            f"attribute layers declares {', '.join(map(repr, declared))}.",
            kind="other_layers",
            value=list(output),
        )
    tensors = {name: torch.as_tensor(values) for name, values in output.items()}
    for name, values in tensors.items():
        dim = declared[name]
        fits = values.ndim in (2, 3) and dim in (None, values.shape[-1])
        if not fits or len(values) != n_windows or not values.shape[1]:
            raise ModelRefusedError(
                f"{kind}.forward() returned the layer {name!r} with shape {tuple(values.shape)}; "
                f"expected (n_windows, n_frames, {dim}) or (n_windows, {dim}), with n_windows = "
                f"{n_windows} and at least one frame.",
                kind="other_shape",
                column=name,
                value=tuple(values.shape),
            )
    return tensors
