"""Signals for which the golden outputs were computed, as float32."""

import importlib.util
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

HERE = Path(__file__).parent
SECONDS = 10


def recordings(sr: int) -> dict[str, np.ndarray]:
    """Return ten seconds of two recordings, one from this book and one from the package BeatNet."""
    from groove_utils.audio import load_audio

    package = Path(importlib.util.find_spec("BeatNet").origin).parent
    paths = {
        "groove": HERE / "groove_16k.wav",
        "kick": package / "test_data" / "808kick120bpm.mp3",
    }
    return {name: load_audio(path, sr)[0][: SECONDS * sr] for name, path in paths.items()}


def filled_windows(sr: int, n_samples: int) -> dict[str, np.ndarray]:
    """Return drums, repeated to a given length, and clicks with rising tones.

    Neither this book nor a package with a model is needed.
    """
    y, recorded = soundfile.read(HERE / "groove_16k.wav")
    common = np.gcd(sr, recorded)
    y = np.resize(resample_poly(y, sr // common, recorded // common), n_samples)
    t = np.arange(n_samples) / sr
    beats = np.exp(-30 * (2.1 * t % 1)) * np.sin(2 * np.pi * 700 * t)  # 126 per minute
    tones = np.sin(2 * np.pi * 110 * (2 + t // 0.7 % 5) * t)
    return {"drums": y.astype("f"), "tones": (0.5 * beats + 0.2 * tones).astype("f")}
