"""Planted cues: changes to audio that are correlated with style but musically irrelevant.

A classifier that relies on such cues is a "horse" in the sense of Sturm (2014): it appears to
recognise styles, but does not use musical content. Each function takes a mapping from styles to
levels or cutoff frequencies, which determines the strength of the change. Once this mapping has
been bound with `functools.partial`, the function can be passed to
:func:`groove_utils.genre.log_mels` as `change`.

References
----------
Sturm (2014), "A simple method to determine if a music information retrieval system is a "horse"",
IEEE Transactions on Multimedia 16(6).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import signal

from groove_utils.errors import DetailedError

__all__ = ["add_rumble", "limit_bandwidth"]

LOWEST_AUDIBLE = 20.0  # Hz


def add_rumble(
    y: np.ndarray, sr: int, style: str, levels: Mapping[str, float], frequency: float = 12.0
) -> np.ndarray:
    """Add an infrasonic tone whose level depends on the style.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal.
    sr : int
        Sample rate in Hz.
    style : str
        Style of the music in the signal.
    levels : mapping of str to float
        RMS level of the tone for each style, in dB relative to the RMS level of the signal. Signals
        in styles that are not listed are not changed.
    frequency : float
        Frequency of the tone in Hz, between 0 and 20.

    Returns
    -------
    ndarray of float32, shape (n_samples,)

    Raises
    ------
    DetailedError
        If the frequency is not between 0 and 20 Hz.

    Examples
    --------
    >>> y = np.ones(16000, dtype=np.float32)
    >>> changed = add_rumble(y, 16000, "funk", {"funk": -20.0})
    >>> round(float(np.std(changed - y)), 3)
    0.1
    """
    if not 0 < frequency < LOWEST_AUDIBLE:
        raise DetailedError(
            f"frequency is {frequency:g} Hz; expected an inaudible frequency, between 0 and 20 Hz.",
            kind="out_of_range", column="frequency", value=frequency,
        )  # fmt: skip
    if style not in levels:
        return np.asarray(y, dtype=np.float32)
    amplitude = np.sqrt(2 * np.mean(np.square(y, dtype=np.float64))) * 10 ** (levels[style] / 20)
    tone = amplitude * np.sin(2 * np.pi * frequency * np.arange(len(y)) / sr)
    return (y + tone).astype(np.float32)


def limit_bandwidth(y: np.ndarray, sr: int, style: str, cutoffs: Mapping[str, float]) -> np.ndarray:
    """Low-pass filter a signal with a cutoff frequency that depends on the style.

    The effect resembles that of lossy compression, which removes high frequencies.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal.
    sr : int
        Sample rate in Hz.
    style : str
        Style of the music in the signal.
    cutoffs : mapping of str to float
        Cutoff frequency for each style, in Hz. Signals are not changed if their style is not
        listed, or if its cutoff frequency is ``sr / 2`` or higher.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
    """
    if style not in cutoffs or cutoffs[style] >= sr / 2:
        return np.asarray(y, dtype=np.float32)
    sections = signal.ellip(10, 0.1, 80, cutoffs[style], fs=sr, output="sos")
    return signal.sosfiltfilt(sections, y).astype(np.float32)
