"""The signals of make_beatnet_golden.py and make_vibenet_golden.py: drums and kicks."""

import importlib.util
from pathlib import Path

import numpy as np

from groove_utils.audio import load_audio

HERE = Path(__file__).parent
SECONDS = 10


def recorded_signals(sr: int) -> dict[str, np.ndarray]:
    """Return float32 signals of ten seconds: one of this book, and one of the package BeatNet."""
    package = Path(importlib.util.find_spec("BeatNet").origin).parent
    paths = {
        "groove": HERE / "groove_16k.wav",
        "kick": package / "test_data" / "808kick120bpm.mp3",
    }
    return {name: load_audio(path, sr)[0][: SECONDS * sr] for name, path in paths.items()}
