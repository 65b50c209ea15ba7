"""Integrated loudness (ITU-R BS.1770), measured with pyloudnorm."""

from __future__ import annotations

import math
import warnings

import numpy as np

from groove_utils.audio.validation import AudioError, check_signal
from groove_utils.errors import DetailedError

__all__ = ["match_loudness", "matching_gain", "measure_loudness"]

PEAK = 10 ** (-1 / 20)  # −1 dBFS, the limit in EBU R 128, because lossy coding raises peaks
MOST_CHANNELS = 5
TARGET_LUFS = -20.0  # low enough that the peak limit is rarely reached in any style


def measure_loudness(y: np.ndarray, sr: int) -> float:
    """Measure the integrated loudness of a signal (ITU-R BS.1770).

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        Loudness in LUFS; −inf for silence.

    Raises
    ------
    AudioError
        If the signal is not usable (see :func:`groove_utils.audio.check_signal`), or has more than
        five channels (``kind="too_many_channels"``).

    Notes
    -----
    The standard defines no loudness for signals shorter than one gating block (400 ms). Such
    signals are repeated to fill one block.

    Examples
    --------
    >>> y = np.sin(2 * np.pi * 997 * np.arange(240000) / 48000)  # −3.01 according to the standard
    >>> round(measure_loudness(y, 48000))
    -3
    """
    import pyloudnorm  # imported here, because the import takes a second

    y = np.atleast_2d(check_signal(y, sr)).astype(np.float64)
    if len(y) > MOST_CHANNELS:
        raise AudioError(
            f"the signal has {len(y)} channels; expected at most {MOST_CHANNELS}, because ITU-R "
            "BS.1770 has no weights for more. Mix it down.",
            kind="too_many_channels",
            value=len(y),
        )
    if not y.any():
        return float("-inf")
    block = int(np.ceil(0.4 * sr)) + 1
    if y.shape[1] < block:
        y = np.tile(y, -(-block // y.shape[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyloudnorm warns of log(0) if all blocks are gated out
        return float(pyloudnorm.Meter(sr).integrated_loudness(y.T))


def matching_gain(
    y: np.ndarray, sr: int, target_lufs: float, *, peak: float | None = PEAK
) -> float:
    """Compute the gain that brings a signal to a target loudness.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1.
    sr : int
        Sample rate in Hz.
    target_lufs : float
        Target integrated loudness (ITU-R BS.1770) in LUFS; −inf gives a gain of 1.
    peak : float, optional
        Upper limit for the absolute sample values of the scaled signal; −1 dBFS by default. If
        None, there is no limit, which is suitable for signals that will not be encoded.

    Returns
    -------
    float
        Linear gain, greater than 0. It is 1 for silent signals, including signals below −70 LUFS,
        the absolute gate of the standard.

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
        Signal, scaled so that full scale is ±1.
    sr : int
        Sample rate in Hz.
    lufs : float
        Target loudness in LUFS.

    Returns
    -------
    ndarray of float32, with the shape of `y`
        The scaled signal; silence is returned unchanged. If peaks would exceed −1 dBFS, the signal
        is scaled to a peak of −1 dBFS instead and remains quieter than the target.
    """
    y = np.asarray(y)
    return (y * matching_gain(y, sr, lufs)).astype(np.float32)
