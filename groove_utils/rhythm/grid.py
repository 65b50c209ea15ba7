"""Metrical grids of sixteenth notes in 4/4, computed from a score or fitted to a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["STEPS", "Grid", "swung_bars"]

STEPS = 16  # sixteenths in a bar of 4/4
MIN_SWUNG = 4  # minimum number of onsets on second sixteenths of eighth notes to measure swing


@dataclass(frozen=True)
class Grid:
    """Metrical grid of sixteenth notes in 4/4, fitted to a recording.

    Attributes
    ----------
    tempo : float
        Beats per minute: 60 divided by the median beat duration.
    beats : ndarray of float64, shape (n_beats,)
        Times of the beats in seconds.
    downbeat : int
        Index in `beats` of the first downbeat, 0…3.
    late : float
        Delay of the second sixteenth of each eighth note, in sixteenths: 0 for a straight rhythm,
        1/3 for a triplet feel.
    swung : bool
        True if swing could be measured. If too few onsets fell on the second sixteenths of eighth
        notes, `swung` is False and `late` is 0.
    """

    tempo: float
    beats: np.ndarray
    downbeat: int
    late: float = 0.0
    swung: bool = False

    @property
    def steps(self) -> np.ndarray:
        """Times in seconds, including swing, of all sixteenths from the first to the last beat.

        The shape is (4 n_beats − 3,).
        """
        steps = divide_beats(self.beats)
        steps[1::2] += self.late * np.diff(steps)[::2]
        return steps

    @property
    def places(self) -> np.ndarray:
        """Position in the bar, 0…15, of each time in `steps`."""
        return (np.arange(4 * self.beats.size - 3) - 4 * self.downbeat) % STEPS


def divide_beats(beats: np.ndarray) -> np.ndarray:
    """Compute the times of all sixteenths from the first to the last beat, without swing."""
    return np.interp(np.arange(4 * beats.size - 3) / 4, np.arange(beats.size), beats)


def swung_bars(
    n_bars: int, tempo: float, swing_ratio: float = 1.0, start: float = 0.0
) -> np.ndarray:
    """Compute the times of all sixteenths in bars of 4/4 with a constant tempo and swing ratio.

    Parameters
    ----------
    n_bars : int
        Number of bars.
    tempo : float
        Beats per minute.
    swing_ratio : float
        Length of the first sixteenth of each eighth note divided by the length of the second; 1 for
        a straight rhythm.
    start : float
        Time of the first downbeat in seconds.

    Returns
    -------
    ndarray of float64, shape (n_bars, 16)
        Times in seconds.

    Examples
    --------
    >>> swung_bars(1, tempo=150, swing_ratio=1.5)[0, :5].round(2).tolist()
    [0.0, 0.12, 0.2, 0.32, 0.4]
    """
    late = 2 * swing_ratio / (1 + swing_ratio)
    bar = np.repeat(2.0 * np.arange(STEPS // 2), 2) + np.tile([0.0, late], STEPS // 2)
    return start + 15 / tempo * (STEPS * np.arange(n_bars)[:, None] + bar)
