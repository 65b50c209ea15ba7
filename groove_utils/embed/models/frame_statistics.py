"""Mean and standard deviation of a layer over the valid frames of each window."""

from __future__ import annotations

import numpy as np

__all__ = ["mean_and_deviation"]


def mean_and_deviation(frames: np.ndarray, times: np.ndarray, n_valid: np.ndarray) -> np.ndarray:
    """Compute the mean and standard deviation over the valid frames of each window.

    Parameters
    ----------
    frames : ndarray of float32, shape (n_windows, n_frames, dim)
        Outputs of a layer.
    times : ndarray of int, shape (n_frames,)
        Centres of the frames in samples, in ascending order. The first frame is always valid; the
        others are valid if they are centred before the end of the signal.
    n_valid : array-like of int, shape (n_windows,)
        Number of samples in each window that precede the end of the signal.

    Returns
    -------
    ndarray of float32, shape (n_windows, 2 * dim)
        Means, followed by standard deviations.

    Examples
    --------
    >>> frames = np.array([[[1.0], [3.0], [9.0]]], np.float32)
    >>> mean_and_deviation(frames, np.array([0, 10, 20]), [15])
    array([[2., 1.]], dtype=float32)
    """
    valid = times < np.asarray(n_valid)[:, None]
    valid[:, 0] = True
    weights = (valid / valid.sum(1, keepdims=True)).astype(np.float32)[..., None]
    mean = (weights * frames).sum(1, keepdims=True)
    variance = (weights * (frames - mean) ** 2).sum(1)
    return np.concatenate([mean[:, 0], np.sqrt(variance)], 1)
