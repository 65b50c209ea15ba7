"""Scores of the demo study: notes with times in seconds, and songs.

The true features of a song are computed from its score, which is also what is rendered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from groove_utils.rhythm.grid import swung_bars
from groove_utils.synth.bands import Band

__all__ = ["LEAD_IN", "Clock", "Note", "Song"]

LEAD_IN = 0.06  # seconds before the first beat, so that early strokes are not cut off
RING_OUT = 0.5  # seconds after the last bar


class Note(NamedTuple):
    """One note of a score; `time` and `duration` in seconds, `velocity` 1–127."""

    stem: str
    part: str
    time: float
    duration: float
    pitch: int
    velocity: int
    bar: int
    step: int


@dataclass(frozen=True)
class Song:
    """A song: its score and all parameters drawn for it."""

    track_id: str
    title: str
    band: Band
    tempo: float
    n_bars: int
    swing_ratio: float
    key: int
    loudness: float
    offsets: dict[str, float]
    jitter_ms: float
    drums: dict[str, np.ndarray]
    bass: np.ndarray
    notes: list[Note] = field(repr=False)

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds: the bars, with a short margin at both ends."""
        return LEAD_IN + self.n_bars * 240 / self.tempo + RING_OUT

    @property
    def grid(self) -> np.ndarray:
        """Times of the sixteenths of the song's swung grid in seconds, shape (n_bars, 16)."""
        return swung_bars(self.n_bars, self.tempo, self.swing_ratio, LEAD_IN)


class Clock:
    """Note times: the swung grid plus the player's offset and jitter (SD) in milliseconds."""

    def __init__(self, rng, n_bars, tempo, swing_ratio, offsets, jitter_ms):
        self.rng, self.sixteenth = rng, 15 / tempo
        self.grid = swung_bars(n_bars, tempo, swing_ratio, LEAD_IN)
        self.offsets, self.jitter_ms = offsets, jitter_ms

    def time(self, bar: int, step: int, player: str = "", share: float = 1.0) -> float:
        """Draw the time of a note in seconds; `share` scales the jitter."""
        wobble = self.rng.normal(0, self.jitter_ms * share)
        wobble = np.clip(wobble, -2.5 * self.jitter_ms, 2.5 * self.jitter_ms)
        late = self.offsets.get(player, 0.0) + wobble
        return max(0.002, self.grid[bar, step] + late / 1000)
