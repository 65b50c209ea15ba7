"""The descriptor chapter's three hand-written descriptors equal the package's for any sound."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from groove_utils.book.jupytext_sync import read_chapter

CHAPTER = Path(__file__).resolve().parents[2] / "analysis" / "04-descriptors.py"
SR = 22050


def drum_loop(seconds: float, sr: int = SR, bpm: float = 110.0) -> np.ndarray:
    """Generate strokes on each eighth, louder on beats, from the first sample on."""
    rng = np.random.default_rng(1)
    y = np.zeros(round(seconds * sr))
    for k, start in enumerate(np.arange(0, seconds - 0.05, 30 / bpm)):
        stroke = rng.standard_normal(round(0.05 * sr)) * np.exp(
            -np.arange(round(0.05 * sr)) / sr / 0.01
        )
        y[round(start * sr) :][: len(stroke)] += (0.2 if k % 2 else 0.6) * stroke
    return y.clip(-1, 1)


def clicks(seconds: float, *times: float) -> np.ndarray:
    y = np.zeros(round(seconds * SR))
    y[np.round(np.array(times) * SR).astype(int)] = 1
    return y


SOUNDS = {
    "a loop": (drum_loop(5.3), SR),
    "shorter than a bar": (drum_loop(1.1), SR),
    "shorter than a frame": (drum_loop(1.1)[:700], SR),
    "just too short for a pulse": (drum_loop(2.99), SR),
    "silence at the end": (np.append(drum_loop(3), np.zeros(4 * SR)), SR),
    "silence at the beginning": (np.append(np.zeros(SR), drum_loop(4)), SR),
    "an exact pulse": (np.tile(np.append(np.ones(20), np.zeros(SR // 2 - 20)), 9), SR),
    "clipped": ((20 * drum_loop(5)).clip(-1, 1), SR),
    "quiet": (drum_loop(5) / 1000, SR),
    "of a telephone": (drum_loop(5, 8000), 8000),
    "44.1 kHz": (drum_loop(4.5, 44100), 44100),
    "a single stroke": (clicks(6, 2.7), SR),
    "two strokes": (clicks(10, 2.7, 6.8), SR),
    "noise": (np.random.default_rng(2).normal(0, 0.1, 5 * SR), SR),
}


@pytest.fixture(scope="module")
def cells():
    """Cells with imports, and with the computation and comparison of descriptors."""
    code = [
        cell.source
        for cell in read_chapter(CHAPTER).cells
        if cell.cell_type == "code" and "hide-input" not in cell.metadata.get("tags", [])
    ]
    first = next(k for k, text in enumerate(code) if "data.load(" in text)
    last = next(k for k, text in enumerate(code) if "assert_allclose" in text)
    imports = next(text for text in code if "import librosa" in text).partition("chapter =")[0]
    return [imports, *code[first : last + 1]]


@pytest.mark.parametrize("name", SOUNDS)
def test_by_hand_and_by_the_package(cells, name):
    y, sr = SOUNDS[name]
    place = {"data": SimpleNamespace(load=lambda _: (y.astype("f4"), sr)), "track": "a"}
    for cell in cells:
        exec(cell, place)
    assert place["clarity"] <= 1
    assert (place["clarity"] > 0) == ("stroke" not in name)
