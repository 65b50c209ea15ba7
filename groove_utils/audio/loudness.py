"""Integrated loudness (ITU-R BS.1770), through pyloudnorm."""

from __future__ import annotations

import math
import warnings

import numpy as np

from groove_utils.audio.validation import AudioError, check_signal
from groove_utils.errors import DetailedError

__all__ = ["match_loudness", "matching_gain", "measure_loudness"]

PEAK = 10 ** (-1 / 20)  # −1 dBFS, as EBU R 128 requires, since lossy coding raises peaks
MOST_CHANNELS = 5
TARGET_LUFS = -20.0  # leaves headroom in every style, so that the peak limit is rarely reached


def measure_loudness(y: np.ndarray, sr: int) -> float:
    """Return the integrated loudness in LUFS; −inf for silence.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
    sr : int
        Sample rate in Hz.

    Raises
    ------
    AudioError
        If the signal is not usable; see :func:`groove_utils.audio.check_signal`. If it has more
        than five channels (``kind="too_many_channels"``).

    Notes
    -----
    Signals shorter than one gating block (400 ms), for which the standard defines no loudness, are
    repeated to fill one.

    Examples
    --------
    >>> y = np.sin(2 * np.pi * 997 * np.arange(240000) / 48000)  # the standard's reference: −3.01
    >>> round(measure_loudness(y, 48000))
    -3
    """
    import pyloudnorm  # takes a second

    y = np.atleast_2d(check_signal(y, sr)).astype(np.float64)
    if len(y) > MOST_CHANNELS:
        raise AudioError(
            f"the signal has {len(y)} channels; expected at most {MOST_CHANNELS}, for which ITU-R "
            "BS.1770 has weights. Mix it down.",
            kind="too_many_channels",
            value=len(y),
        )
    if not y.any():
        return float("-inf")
    block = int(np.ceil(0.4 * sr)) + 1
    if y.shape[1] < block:
        y = np.tile(y, -(-block // y.shape[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # log of an empty gate: the −inf that is returned
        return float(pyloudnorm.Meter(sr).integrated_loudness(y.T))


def matching_gain(
    y: np.ndarray, sr: int, target_lufs: float, *, peak: float | None = PEAK
) -> float:
    """Return the gain that brings a signal to a target loudness.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
    sr : int
        Sample rate in Hz.
    target_lufs : float
        Integrated loudness (ITU-R BS.1770) to reach; −inf leaves the signal unchanged.
    peak : float, optional
        Largest absolute sample value that the scaled signal may have; −1 dBFS by default. None sets
        no limit, for signals that will not be encoded.

    Returns
    -------
    float
        Linear gain, > 0; 1 for a silent signal, which the standard puts at −70 LUFS and below.

    Raises
    ------
    AudioError
        If the signal is not usable; see :func:`groove_utils.audio.check_signal`.
    DetailedError
        If the target is NaN or +inf (``kind="out_of_range"``).
    """
    if math.isnan(target_lufs) or target_lufs == math.inf:
        raise DetailedError(
            f"the target is {target_lufs} LUFS; expected a finite loudness, such as -20.",
            kind="out_of_range",
            column="target_lufs",
            value=target_lufs,
        )
    loudness = measure_loudness(y, sr)
    if not (math.isfinite(loudness) and math.isfinite(target_lufs)):
        return 1.0
    gain = 10 ** ((target_lufs - loudness) / 20)
    return gain if peak is None else min(gain, peak / float(np.abs(y).max()))


def match_loudness(y: np.ndarray, sr: int, lufs: float = TARGET_LUFS) -> np.ndarray:
    """Scale a signal to a target loudness without clipping.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
    sr : int
        Sample rate in Hz.
    lufs : float
        Loudness to reach, in LUFS.

    Returns
    -------
    ndarray of float32, same shape
        Silence is returned unchanged. If the gain would exceed a peak of −1 dBFS, the signal is
        scaled to that peak instead (no clipping, no compression), and is then quieter than
        requested.
    """
    y = np.asarray(y)
    return (y * matching_gain(y, sr, lufs)).astype(np.float32)
