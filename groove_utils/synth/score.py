"""Scores of generated songs: notes with times in seconds, and the parameters of each song.

A song's audio is rendered from its score, and its true features are computed from the same score.
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
    """One note in a score.

    `time` and `duration` are in seconds, `pitch` is a MIDI note number, and `velocity` is 1–127.
    `bar` and `step` are the note's position on the metrical grid.
    """

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
    """Score of a song, including all parameters that were randomly chosen for it.

    `tempo` is in BPM, `key` in semitones above C, and `loudness` in LUFS; `offsets` contains each
    player's timing offset in ms. `drums` contains an array of velocities for each drum, and `bass`
    is a bool array that is True where a bass note starts; all arrays have shape (n_bars, 16).
    """

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
        """Length of the audio in seconds, including a short margin at both ends."""
        return LEAD_IN + self.n_bars * 240 / self.tempo + RING_OUT

    @property
    def grid(self) -> np.ndarray:
        """Times of the sixteenths in the song's swung grid, in seconds; shape (n_bars, 16)."""
        return swung_bars(self.n_bars, self.tempo, self.swing_ratio, LEAD_IN)


class Clock:
    """Generator of note times: a swung grid, plus each player's offset and random jitter."""

    def __init__(self, rng, n_bars, tempo, swing_ratio, offsets, jitter_ms):
        self.rng, self.sixteenth = rng, 15 / tempo
        self.grid = swung_bars(n_bars, tempo, swing_ratio, LEAD_IN)
        self.offsets, self.jitter_ms = offsets, jitter_ms

    def time(self, bar: int, step: int, player: str = "", share: float = 1.0) -> float:
        """Return a note's time in seconds, with random jitter whose SD is multiplied by `share`."""
        jitter = self.rng.normal(0, self.jitter_ms * share)
        jitter = np.clip(jitter, -2.5 * self.jitter_ms, 2.5 * self.jitter_ms)
        late = self.offsets.get(player, 0.0) + jitter
        return max(0.002, self.grid[bar, step] + late / 1000)
