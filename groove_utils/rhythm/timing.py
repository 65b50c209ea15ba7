"""Microtiming and swing: where onsets fall relative to the metrical grid."""

from __future__ import annotations

import numpy as np

from groove_utils.rhythm.grid import Grid

__all__ = ["deviations", "microtiming", "swing_ratio"]

NEAREST = 0.45  # sixteenths; an onset farther than this from every step is not on the grid
MIN_ONSETS = 8


def deviations(times: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Compute how late each onset is relative to the nearest step of the (swung) grid.

    Parameters
    ----------
    times : ndarray, shape (n_onsets,)
        Onset times in seconds.
    grid : Grid

    Returns
    -------
    late : ndarray of float64, shape (n_near,)
        Lateness in seconds (negative if early) of the onsets within 0.45 of a sixteenth of a step.
    step : ndarray of int, shape (n_near,)
        Index of that step in ``grid.steps``.
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
    """Compute the mean deviation from the grid and its spread.

    Parameters
    ----------
    times : ndarray, shape (n_onsets,)
        Onsets in seconds.
    grid : Grid
    anchors : ndarray, optional
        Times of bass-drum strokes in seconds, in any order.

    Returns
    -------
    mean : float
        Median lateness, in ms, of the onsets on steps without a bass-drum stroke, minus that on
        steps with one (steps within half a sixteenth of `anchors`); positive values lie behind the
        bass drum. The mean deviation of all onsets would be about 0, because the grid was fitted to
        all of them. NaN if there are fewer than four of either.
    spread : float
        Robust standard deviation of all deviations, 1.4826 × MAD, in ms, ≥ 0. The onset detector
        itself contributes some 3 ms.
    percent : float
        The spread as a percentage of a beat. All values are NaN if fewer than eight onsets are near
        the grid.
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
    """Compute the swing ratio: length of the first sixteenth of a quaver over that of the second.

    Returns
    -------
    float
        ``(1 + late) / (1 − late)`` of the grid: 1 is straight, 2 a triplet feel. Swing of quavers
        (a shuffle) is not measured. NaN if fewer than four onsets are on odd sixteenths.
    """
    return float((1 + grid.late) / (1 - grid.late)) if grid.swung else float("nan")
