"""Cut a signal into windows that cover all of it."""

from __future__ import annotations

import numpy as np

__all__ = ["windows"]


def windows(y: np.ndarray, length: int, hop: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Cut a mono signal into windows of equal length; the last is zero-padded, never dropped.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
    length : int
        Window length in samples.
    hop : int, optional
        Samples from one window's start to the next, at most `length`, which is the default.

    Returns
    -------
    cut : ndarray, shape (n_windows, length)
        A signal shorter than `length` gives one window.
    valid : ndarray of int, shape (n_windows,)
        How many samples of each window are signal rather than padding, ≥ 1.

    Raises
    ------
    ValueError
        If `y` is not one-dimensional or is empty, `length` or `hop` is not positive, or `hop` would
        leave samples out between windows.
    """
    y = np.asarray(y)
    hop = length if hop is None else hop
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"windows() takes a non-empty mono signal, got shape {y.shape}.")
    if length < 1 or hop < 1:
        raise ValueError(f"length and hop must be ≥ 1 sample, got {length} and {hop}.")
    if hop > length:
        raise ValueError(
            f"A hop of {hop} samples is longer than the length of {length}: samples between "
            "windows would be left out. Take a hop of at most the length."
        )
    n_windows = 1 + max(0, -(-(y.size - length) // hop))
    starts = hop * np.arange(n_windows)
    padded = np.zeros(starts[-1] + length, dtype=y.dtype)
    padded[: y.size] = y[: padded.size]
    cut = np.lib.stride_tricks.sliding_window_view(padded, length)[starts]
    return cut.copy(), np.clip(y.size - starts, 1, length)
