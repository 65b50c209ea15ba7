"""Beat times fitted to all onsets by regression, so that no beat depends on one stroke alone.

Tracked beats are smoothed, extrapolated to the first and the last onset, and fitted to all onsets
near sixteenths.
"""

from __future__ import annotations

import numpy as np

from groove_utils.rhythm.grid import MIN_SWUNG

__all__ = ["extend_beats", "fit_beats", "robust_line", "smooth_beats"]

WINDOW_BEATS = 16  # beats over which the tempo is assumed to be steady
MIN_POINTS = 8


def smooth_beats(beats: np.ndarray) -> np.ndarray:
    """Smooth beat times by local linear regression, so that single strokes have little influence.

    The regression covers eight beats on either side, with tricube weights. It leaves beats at a
    steady tempo unchanged, and follows a tempo that drifts over several bars.
    """
    index = np.arange(beats.size, dtype=np.float64)
    smooth = np.empty_like(beats)
    for i in range(beats.size):
        weight = np.clip(1 - (np.abs(index - i) / 9) ** 3, 0, None) ** 3
        smooth[i] = np.polyfit(index - i, beats, 1, w=np.sqrt(weight))[1]
    return smooth


def extend_beats(beats: np.ndarray, first: float, last: float) -> np.ndarray:
    """Extrapolate beat times to the first and the last onset, and remove beats beyond them.

    If these were kept, beats in the silence before and after the music would count as unaccented.
    """
    pace = np.median(np.diff(beats[:5])), np.median(np.diff(beats[-5:]))
    before = beats[0] - pace[0] * np.arange(max(0, int((beats[0] - first) / pace[0] + 1)), 0, -1)
    after = beats[-1] + pace[1] * np.arange(1, max(0, int((last - beats[-1]) / pace[1] + 1)) + 1)
    extended = np.concatenate([before, beats, after])
    margin = 0.3 * np.median(np.diff(beats))
    return extended[(extended >= first - margin) & (extended <= last + margin)]


def fit_beats(beats: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit beat times, and the delay of every second sixteenth, to the onsets.

    The model is ``time = a + b · step + late · odd``, where `odd` is 1 for every second sixteenth
    and 0 otherwise. `late` is estimated once for the whole signal, from median deviations. `a` and
    `b` are fitted by bisquare-weighted least squares in overlapping windows of 16 beats, whose
    results are blended. Only onsets within 0.45 sixteenths of a grid step are used.

    Parameters
    ----------
    beats : ndarray of float64, shape (n_beats,)
        Approximate times of the beats in seconds.
    times : ndarray of float64, shape (n_onsets,)
        Times of the onsets in seconds.

    Returns
    -------
    beats : ndarray of float64, shape (n_beats,)
        Fitted times in seconds.
    late : float
        Delay in sixteenths, −0.4…0.5; 0 if there are too few onsets on odd sixteenths.
    """
    late = 0.0
    for _ in range(4):
        sixteenth = np.median(np.diff(beats)) / 4
        position = 4 * np.interp(times, beats, np.arange(beats.size), left=np.nan, right=np.nan)
        step = np.round(position)
        odd = step % 2 == 1
        residual = position - step - late * odd
        near = np.abs(residual) < 0.45
        if (near & odd).sum() >= MIN_SWUNG and (near & ~odd).any():
            behind = np.median((position - step)[near & odd]) - np.median(residual[near & ~odd])
            late = float(np.clip(behind, -0.4, 0.5))
        beats = _blended_lines(beats, step[near] / 4, times[near] - sixteenth * late * odd[near])
    return beats, late


def _blended_lines(beats: np.ndarray, position: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Fit lines to (position, time) in overlapping windows, and blend them with Hann weights.

    Return the resulting times of the beats.
    """
    size = min(WINDOW_BEATS, beats.size)
    window = np.hanning(size + 2)[1:-1]
    total, weights = np.zeros(beats.size), np.zeros(beats.size)
    starts = np.arange(0, beats.size - size + 1, size // 2)
    for start in np.unique([*starts, beats.size - size]):
        rows = np.arange(start, start + size)
        inside = (position >= start) & (position <= start + size - 1)
        line = robust_line(position[inside], times[inside])
        total[rows] += window * (beats[rows] if line is None else np.polyval(line, rows))
        weights[rows] += window
    return total / weights


def robust_line(x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Fit a line by bisquare-weighted least squares.

    Return (slope, intercept), or None if there are too few points or their range is too small.
    """
    if x.size < MIN_POINTS or np.ptp(x) < MIN_POINTS / 2:
        return None
    line = np.polyfit(x, y, 1)
    for _ in range(5):
        error = y - np.polyval(line, x)
        scale = max(1.4826 * np.median(np.abs(error)), 1e-3)
        weight = np.clip(1 - (error / (4.685 * scale)) ** 2, 0, None)
        line = np.polyfit(x, y, 1, w=weight)
    return line
