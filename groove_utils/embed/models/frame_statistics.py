"""Mean and standard deviation of a layer over the valid frames of each window."""

from __future__ import annotations

import numpy as np

__all__ = ["mean_and_deviation"]


def mean_and_deviation(frames: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Summarise the valid frames of windows by mean and standard deviation.

    Parameters
    ----------
    frames : ndarray of float32, shape (n_windows, n_frames, dim)
    valid : ndarray of bool, shape (n_windows, n_frames)
        True for frames that count; at least one per window.

    Returns
    -------
    ndarray of float32, shape (n_windows, 2 * dim)
        Means, followed by standard deviations.

    Examples
    --------
    >>> frames = np.array([[[1.0], [3.0], [9.0]]], np.float32)
    >>> mean_and_deviation(frames, np.array([[True, True, False]]))
    array([[2., 1.]], dtype=float32)
    """
    weights = (valid / valid.sum(1, keepdims=True)).astype(np.float32)[..., None]
    mean = (weights * frames).sum(1, keepdims=True)
    variance = (weights * (frames - mean) ** 2).sum(1)
    return np.concatenate([mean[:, 0], np.sqrt(variance)], 1)
