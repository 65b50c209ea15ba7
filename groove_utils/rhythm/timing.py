"""Microtiming and swing: the timing of onsets relative to the metrical grid."""

from __future__ import annotations

import numpy as np

from groove_utils.rhythm.grid import Grid

__all__ = ["deviations", "microtiming", "swing_ratio"]

NEAREST = 0.45  # sixteenths; an onset farther than this from every step is off the grid
MIN_ONSETS = 8


def deviations(times: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Compute the deviation of each onset from the nearest step of the swung grid.

    Onsets that are more than 0.45 sixteenths away from every step are excluded.

    Parameters
    ----------
    times : ndarray, shape (n_onsets,)
        Onset times in seconds.
    grid : Grid
        Metrical grid of the recording.

    Returns
    -------
    late : ndarray of float64, shape (n_near,)
        Deviations of the remaining onsets in seconds, positive if late.
    step : ndarray of int, shape (n_near,)
        Index in ``grid.steps`` of the step nearest to each remaining onset.
    """
    steps = grid.steps
    times = np.asarray(times, dtype=np.float64)
    after = np.clip(np.searchsorted(steps, times), 1, steps.size - 1)
    step = np.where(times - steps[after - 1] < steps[after] - times, after - 1, after)
    late = times - steps[step]
    near = np.abs(late) < NEAREST * 15 / grid.tempo
    return late[near], step[near]


def microtiming(
    times: np.ndarray, grid: Grid, anchors: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Compute how late onsets are relative to the bass drum, and how much their timing varies.

    All values are NaN if fewer than eight onsets are near a step of the grid.

    Parameters
    ----------
    times : ndarray, shape (n_onsets,)
        Onset times in seconds.
    grid : Grid
        Metrical grid of the recording.
    anchors : ndarray, shape (n_anchors,), optional
        Times of bass-drum strokes in seconds, in any order.

    Returns
    -------
    mean : float
        Median deviation from the grid, in ms, of the onsets on steps without a bass-drum stroke,
        minus the median deviation of the onsets on steps with a bass-drum stroke. A positive value
        means that onsets without a bass-drum stroke are late relative to the bass drum. (The mean
        deviation of all onsets would be about 0, because the grid was fitted to the onsets.) NaN
        without `anchors`, or if either group has fewer than four onsets.
    spread : float
        Robust standard deviation (1.4826 × MAD) of the deviations of all onsets, in ms. The onset
        detector itself contributes about 3 ms.
    percent : float
        `spread` as a percentage of a beat.
    """
    late, step = deviations(times, grid)
    if late.size < MIN_ONSETS:
        return (float("nan"),) * 3
    mean = float("nan")
    if anchors is not None and len(anchors):
        _, struck = deviations(anchors, grid)
        with_kick = np.isin(step, struck)
        if min(with_kick.sum(), (~with_kick).sum()) >= MIN_ONSETS // 2:
            mean = float(1000 * (np.median(late[~with_kick]) - np.median(late[with_kick])))
    spread = 1.4826 * np.median(np.abs(late - np.median(late)))
    return mean, float(1000 * spread), float(100 * spread * grid.tempo / 60)


def swing_ratio(grid: Grid) -> float:
    """Compute the swing ratio of sixteenth notes.

    The swing ratio is the length of the first sixteenth of each eighth note divided by the length
    of the second. Swing of eighth notes (a shuffle) is not measured.

    Parameters
    ----------
    grid : Grid
        Metrical grid of the recording.

    Returns
    -------
    float
        ``(1 + grid.late) / (1 - grid.late)``: 1 for a straight rhythm, 2 for a triplet feel. NaN if
        too few onsets fell on the second sixteenths of eighth notes for swing to be measured.
    """
    return float((1 + grid.late) / (1 - grid.late)) if grid.swung else float("nan")
