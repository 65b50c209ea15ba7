"""Time the descriptors of a signal on one core, and compare with separate librosa calls.

The bars are at most 0.15 s per second of audio, and at least twice the speed of separate librosa
calls, each of which computes its own transform of the signal.
"""

from __future__ import annotations

import argparse
import itertools
import time

import librosa
import numpy as np
from threadpoolctl import threadpool_limits

from groove_utils.descriptors import BAND_EDGES, describe

SR = 44100


def song(seconds: float, seed: int = 0) -> np.ndarray:
    """Generate drum-like noise and sines at 112 BPM over a hum, so that all descriptors exist."""
    rng = np.random.default_rng(seed)
    n = round(seconds * SR)
    t = np.arange(n) / SR
    y = 0.05 * np.sin(2 * np.pi * 220 * t) + 0.002 * rng.standard_normal(n)
    decay = np.exp(-np.arange(round(0.3 * SR)) / (0.05 * SR))
    tone = np.sin(2 * np.pi * 60 * np.arange(decay.size) / SR)
    for step, at in enumerate(np.arange(0.1, seconds - 0.4, 15 / 112)):
        stroke = 0.04 * rng.standard_normal(decay.size) * decay**4
        if step % 16 in (0, 6, 10):
            stroke += 0.5 * tone * decay
        if step % 8 == 4:
            stroke += 0.2 * rng.standard_normal(decay.size) * decay
        first = round(at * SR)
        y[first : first + stroke.size] += stroke[: n - first]
    return y.astype(np.float32)


def separately(y: np.ndarray, sr: int) -> dict[str, float]:
    """Compute similar quantities by separate librosa calls with the same frames."""
    frame, hop = round(0.05 * sr), round(0.005 * sr)
    values = {"rms": float(np.sqrt((y**2).mean()))}
    values["rms_sd"] = float(librosa.feature.rms(y=y, frame_length=frame, hop_length=5 * hop).std())

    def flux(n_fft, low=0.0, high=np.inf):
        spectrum = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=n_fft // 2, window="hamming"))
        hz = librosa.fft_frequencies(sr=sr, n_fft=n_fft)
        rows = spectrum[(hz >= low) & (hz < high)]
        return float(np.sqrt((np.diff(rows, axis=1) ** 2).sum(axis=0)).mean())

    values["spectral_flux"], values["low_flux"] = flux(frame), flux(frame, 0, 200)
    for band, (low, high) in enumerate(itertools.pairwise(BAND_EDGES), start=1):
        values[f"band_{band}_flux"] = flux(frame // 2, low, high)
    spectrum = np.abs(librosa.stft(y, n_fft=frame, hop_length=5 * hop)) ** 2
    hz = librosa.fft_frequencies(sr=sr, n_fft=frame)
    values["low_energy"] = float(spectrum[hz <= 200].sum() / spectrum.sum())

    settings = {"y": y, "sr": sr, "hop_length": hop}
    for name, (low, high) in {
        "event_density": (30, 16000),
        "density_low": (0, 100),
        "density_mid": (100, 3200),
        "density_high": (3200, 16000),
    }.items():
        curve = librosa.onset.onset_strength(
            **settings, n_fft=frame, n_mels=16 if high == 100 else 64, fmin=low, fmax=high
        )
        onsets = librosa.onset.onset_detect(onset_envelope=curve, sr=sr, hop_length=hop)
        values[name] = len(onsets) * sr / y.size
    tempogram = librosa.feature.tempogram(**settings, win_length=1600)
    values["pulse_clarity"] = float(tempogram[60:300].max(axis=0).mean())
    values["tempo"] = float(librosa.beat.beat_track(**settings)[0][0])
    return values


def best_of(call, repeats: int) -> float:
    """Return the shortest wall time of several calls in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def main(argv: list[str] | None = None) -> int:
    """Print both times and their ratio; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of the signal")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(argv)
    y = song(options.seconds)
    with threadpool_limits(1):
        describe(y, SR), separately(y, SR)  # compile and fill caches
        ours = best_of(lambda: describe(y, SR), options.repeats) / options.seconds
        theirs = best_of(lambda: separately(y, SR), options.repeats) / options.seconds
    print(f"describe: {ours:.4f} s per second of audio (bar: 0.15)")
    print(f"librosa, call by call: {theirs:.4f} s, {theirs / ours:.1f} times as long (bar: 2)")
    return int(ours > 0.15 or theirs < 2 * ours)


if __name__ == "__main__":
    raise SystemExit(main())
