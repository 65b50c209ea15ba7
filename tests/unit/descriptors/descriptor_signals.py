"""Signals whose descriptors are known, for the tests of this folder."""

import numpy as np

SR = 44100


def click_track(per_second, duration=10.0, sr=SR, start=0.0, amplitude=0.5, seed=0):
    """Short bursts of noise (decay 0.7 ms), `per_second` of them, the first at `start`."""
    times = np.arange(start, duration - 1e-9, 1 / per_second)
    return clicks_at(times, duration, sr, amplitude, seed)


def clicks_at(times, duration, sr=SR, amplitude=0.5, seed=0):
    y = np.zeros(round(duration * sr), np.float32)
    n = round(0.005 * sr)
    burst = np.random.default_rng(seed).standard_normal(n) * np.exp(-np.arange(n) / (0.0007 * sr))
    for time in times:
        first = round(time * sr)
        part = burst[: max(0, y.size - first)]
        y[first : first + part.size] += amplitude * part.astype(np.float32)
    return y


def noise(duration=10.0, sr=SR, amplitude=0.1, seed=1):
    return amplitude * np.random.default_rng(seed).standard_normal(round(duration * sr)).astype("f")


def sine(hz, duration=10.0, sr=SR, amplitude=0.5):
    t = np.arange(round(duration * sr)) / sr
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def bursts(hz, duration=5.0, sr=SR):
    """A tone that swells and fades smoothly for 0.2 s once a second: narrow in frequency."""
    t = np.arange(round(duration * sr)) / sr % 1
    swell = np.where(t < 0.2, np.sin(np.pi * np.clip(t / 0.2, 0, 1)) ** 2, 0)
    return sine(hz, duration, sr) * swell.astype(np.float32)
