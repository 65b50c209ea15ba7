"""Integrated loudness (ITU-R BS.1770), through pyloudnorm."""

from __future__ import annotations

import warnings

import numpy as np

__all__ = ["match_loudness", "measure_loudness"]

PEAK = 10 ** (-1 / 20)  # −1 dBFS, as EBU R 128 asks, since lossy coding adds to peaks
TARGET_LUFS = -20.0  # leaves headroom for every style, so that matching hardly ever limits


def measure_loudness(y: np.ndarray, sr: int) -> float:
    """Integrated loudness in LUFS; −inf for silence.

    Parameters
    ----------
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
    sr : int
        Sample rate in Hz.

    Notes
    -----
    Signals shorter than one 400 ms gating block are repeated up to that length, since the
    standard leaves them undefined.
    """
    import pyloudnorm  # takes a second

    y = np.atleast_2d(np.asarray(y, dtype=np.float64))
    if not y.any():
        return float("-inf")
    block = int(np.ceil(0.4 * sr)) + 1
    if y.shape[1] < block:
        y = np.tile(y, -(-block // y.shape[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # log of an empty gate: the −inf that is returned
        return float(pyloudnorm.Meter(sr).integrated_loudness(y.T))


def match_loudness(y: np.ndarray, sr: int, lufs: float = TARGET_LUFS) -> np.ndarray:
    """Scale a signal to a loudness, held under full scale.

    Parameters
    ----------
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
    sr : int
        Sample rate in Hz.
    lufs : float
        Loudness to reach, in LUFS.

    Returns
    -------
    ndarray of float32, same shape
        Silence is returned as it is. Where the gain would exceed a peak of −1 dBFS, the signal is
        scaled to that peak instead (no clipping, no compression), and is then quieter than asked.
    """
    y = np.asarray(y, dtype=np.float32)
    loudness = measure_loudness(y, sr)
    if not np.isfinite(loudness):
        return y
    gain = 10 ** ((lufs - loudness) / 20)
    return (y * min(gain, PEAK / np.abs(y).max())).astype(np.float32)
