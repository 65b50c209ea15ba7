"""The two signals of make_packaged.py: recorded drums, and clicks with tones that go up."""

from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

HERE = Path(__file__).parent


def signals(sr: int, n_samples: int) -> dict[str, np.ndarray]:
    """Return float32 signals of a given length; the recording is repeated to fill it."""
    y, recorded = soundfile.read(HERE / "groove_16k.wav")
    common = np.gcd(sr, recorded)
    y = np.resize(resample_poly(y, sr // common, recorded // common), n_samples)
    t = np.arange(n_samples) / sr
    beats = np.exp(-30 * (2.1 * t % 1)) * np.sin(2 * np.pi * 700 * t)  # 126 a minute
    tones = np.sin(2 * np.pi * 110 * (2 + t // 0.7 % 5) * t)
    return {"drums": y.astype("f"), "tones": (0.5 * beats + 0.2 * tones).astype("f")}
