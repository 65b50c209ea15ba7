"""Audio effects for mixing: saturation, panning, reverberation, echo, ducking and limiting."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import butter, sosfilt

__all__ = [
    "design_filter",
    "duck",
    "echo",
    "limiter_gain",
    "pan",
    "room_impulse",
    "saturate",
]

PEAK = 0.93  # peak of a limited mix, relative to full scale


@lru_cache(maxsize=64)
def design_filter(order: int, hz: float | tuple[float, float], kind: str, sr: int) -> np.ndarray:
    """Design a Butterworth filter as second-order sections, and cache it."""
    return butter(order, hz, kind, fs=sr, output="sos")


def saturate(y: np.ndarray, drive: float) -> np.ndarray:
    """Saturate a signal with a tanh curve, as a valve amplifier does.

    The signal is scaled so that the 99th percentile of its absolute values equals `drive`, and
    scaled back afterwards.
    """
    scale = drive / max(float(np.quantile(np.abs(y), 0.99)), 1e-9)
    return np.tanh(scale * y) / scale


def pan(y: np.ndarray, place: float) -> np.ndarray:
    """Apply equal-power panning to a signal; `place` ranges from −1 (left) to 1 (right)."""
    angle = (place + 1) * np.pi / 4
    return np.array([[np.sqrt(2) * np.cos(angle)], [np.sqrt(2) * np.sin(angle)]]) * y


@lru_cache(maxsize=4)
def room_impulse(seed: int, seconds: float, sr: int, n_channels: int = 2) -> np.ndarray:
    """Generate the impulse response of a room: decaying, band-pass-filtered noise.

    Parameters
    ----------
    seed : int
        Random seed.
    seconds : float
        Reverberation time: the time in seconds that the response takes to decay by 60 dB.
    sr : int
        Sample rate in Hz.
    n_channels : int
        Number of channels, each with independent noise.

    Returns
    -------
    ndarray of float64, shape (n_channels, n_samples)
        Impulse response, with unit energy in each channel.
    """
    rng = np.random.default_rng([seed, 3])
    n = int(seconds * sr)
    noise = rng.standard_normal((n_channels, n)) * 10 ** (-3 * (np.arange(n) / sr) / seconds)
    noise[:, : int(0.008 * sr)] = 0  # the first reflections arrive after 8 ms
    noise = sosfilt(design_filter(2, (180, 6500), "bandpass", sr), noise)
    return noise / np.sqrt((noise**2).sum(axis=1, keepdims=True))


def echo(y: np.ndarray, seconds: float, level: float, sr: int, n_repeats: int = 4) -> np.ndarray:
    """Add `n_repeats` echoes, `seconds` apart, whose amplitude is multiplied by `level` each time.

    Examples
    --------
    >>> echo(np.array([1.0, 0, 0, 0]), seconds=1, level=0.5, sr=1).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    out = y.copy()
    for repeat in range(1, n_repeats + 1):
        late = round(repeat * seconds * sr)
        if late < len(y):
            out[late:] += level**repeat * y[: len(y) - late]
    return out


def duck(times: np.ndarray, n_samples: int, depth: float, seconds: float, sr: int) -> np.ndarray:
    """Compute the gain curve of a compressor driven by another part (sidechain “pumping”).

    Parameters
    ----------
    times : ndarray of float
        Times in seconds at which the gain falls to ``1 − depth``.
    n_samples : int
        Length of the curve in samples.
    depth : float
        Depth of the gain reduction, from 0 (no effect) to 1 (silence).
    seconds : float
        Time constant of the recovery in seconds.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        Gain, from ``1 − depth`` to 1.

    Examples
    --------
    >>> duck(np.array([0.0]), 3, depth=0.5, seconds=1, sr=1).round(2).tolist()
    [0.5, 0.82, 0.93]
    """
    gain = np.ones(n_samples)
    starts = np.round(np.sort(times) * sr).astype(int)
    for start, stop in zip(starts, [*starts[1:], n_samples]):
        ramp = np.arange(max(0, stop - start)) / (seconds * sr)
        gain[start:stop] = (1 - depth * np.exp(-ramp))[: max(0, n_samples - start)]
    return gain


def limiter_gain(mix: np.ndarray, sr: int) -> np.ndarray:
    """Compute a gain curve, smoothed over 5 ms, that limits peaks to 0.93 of full scale."""
    gain = np.minimum(1.0, PEAK / np.maximum(np.abs(mix).max(axis=0), 1e-9))
    width = int(0.005 * sr) | 1
    return uniform_filter1d(minimum_filter1d(gain, 2 * width + 1), width)
