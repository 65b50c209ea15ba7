"""Signals with known descriptors, for the tests in this folder."""

import functools

import numpy as np

from groove_utils.descriptors import analyse, estimate_grid, onset_strength, region_strength

SR = 44100


def click_track(per_second, duration=10.0, sr=SR, start=0.0, amplitude=0.5, seed=0):
    """Generate short bursts of noise (decay 0.7 ms) at a constant rate from `start` on."""
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
    """Generate a narrow-band tone that swells and fades smoothly for 0.2 s once per second."""
    t = np.arange(round(duration * sr)) / sr % 1
    swell = np.where(t < 0.2, np.sin(np.pi * np.clip(t / 0.2, 0, 1)) ** 2, 0)
    return sine(hz, duration, sr) * swell.astype(np.float32)


# patterns from which the downbeat can be recognised; bass drum on one and three is not enough
PATTERNS = {
    "rock": {"kick": "x.....x...x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
    "funk": {"kick": "x.x...x...x..x..", "snare": "....x..g.g.gx..g", "hat": "x" * 16},
    "on the beat": {"kick": "x...x...x...x...", "hat": "x...x...x...x..."},
    "off the beat": {"kick": "x.......x.......", "snare": "..x.x.x...x.x.x.", "hat": "x" * 16},
    "rock kick": {"kick": "x.....x...x....."},
    "other kick": {"kick": "..x.x.......x.x."},
    "kicks": {"kick": "x...x...x...x..."},
    "hats": {"hat": "x...x...x...x..."},
    "lag": {"kick": "x.x...x.x.x...x.", "snare": "....x.......x..."},
}


def stroke(name):
    """Generate one stroke: bass drum (60 Hz tone), snare (noise) or hi-hat (high-pass noise)."""
    t = np.arange(round(0.5 * SR)) / SR
    if name == "kick":
        return np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.05)
    hiss = np.random.default_rng(0).standard_normal(t.size)
    if name == "snare":
        return 0.35 * hiss * np.exp(-t / 0.04)
    return 0.08 * np.gradient(np.gradient(hiss)) * np.exp(-t / 0.015)


@functools.cache
def play(pattern, tempo=100.0, n_bars=6, swing=1.0, snare_ms=0.0, jitter_ms=0.0, start=0.1, seed=5):
    """Play a pattern of sixteen letters per drum (dots are rests, g are ghost notes).

    Return the signal and, by drum, the steps of strokes other than ghost notes, as arrays of shape
    (n_bars, 16).
    """
    rng = np.random.default_rng(seed)
    sixteenth = 15 / tempo
    y = np.zeros(round((start + n_bars * 16 * sixteenth + 0.3) * SR))
    delay = 2 * swing / (1 + swing) - 1
    steps = {}
    for name, line in PATTERNS[pattern].items():
        steps[name] = np.tile([letter == "x" for letter in line], (n_bars, 1))
        for step in np.flatnonzero([letter != "." for letter in line * n_bars]):
            time = start + sixteenth * (step + delay * (step % 2)) + rng.normal(0, jitter_ms) / 1000
            first = round((time + snare_ms * (name == "snare") / 1000) * SR)
            sound = stroke(name)[: y.size - first]
            y[first : first + sound.size] += (0.1 if line[step % 16] == "g" else 0.5) * sound
    return y.astype(np.float32), steps


def curve_of(y, sr=SR):
    """Return the onset curve of a signal, and the seconds between values of the curve."""
    spectra = analyse(y, sr)
    return onset_strength(spectra), spectra.hop


def grid_of(y, sr=SR):
    """Return grid, spectra and onset curve of a signal."""
    spectra = analyse(y, sr)
    curve, regions = onset_strength(spectra), region_strength(spectra)
    return estimate_grid(curve, regions, spectra.hop), spectra, curve


@functools.cache
def grid_of_play(*args, **options):
    return grid_of(play(*args, **options)[0])
