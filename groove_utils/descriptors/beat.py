"""Beats and metrical grid of a recording.

Beats are tracked at the estimated tempo with librosa's dynamic-programming beat tracker (Ellis,
2007). The downbeat is located by assuming the usual drum pattern of popular music: bass drum on one
and three, snare on two and four. For music without this pattern, the grid may be wrong; the
chapters that use the grid say so.
"""

from __future__ import annotations

from collections.abc import Mapping

import librosa
import numpy as np
import pandas as pd
from scipy import ndimage

from groove_utils.descriptors.beat_fit import extend_beats, fit_beats, smooth_beats
from groove_utils.descriptors.onsets import LATENCY, clear_onsets, detect_onsets
from groove_utils.descriptors.tempo import estimate_tempo
from groove_utils.rhythm.grid import MIN_SWUNG, STEPS, Grid, divide_beats

__all__ = ["bar_profile", "estimate_grid", "strength_at", "track_beats"]

CLEAR_SWING = 0.12  # in sixteenths; a smaller delay may just be imprecise playing
MIN_BEATS = 8  # two bars, the minimum for a repeated pattern

# The usual drum pattern of popular music, by sixteenth of a bar: bass drum on one and three but not
# on two and four, snare on two and four, and all instruments together on the beats.
_BEATS = np.arange(0, STEPS, 4)
EXPECTED = {name: np.zeros(STEPS) for name in ("low", "snare", "all")}
EXPECTED["low"][_BEATS] = 3, -1, 1, -1
EXPECTED["snare"][_BEATS] = 0, 2, 0, 2
EXPECTED["all"][_BEATS] = 3, 1, 2, 1
EXPECTED["all"][_BEATS + 2] = 0.5


def estimate_grid(
    curve: np.ndarray, regions: dict[str, np.ndarray], hop: float, tempo: float | None = None
) -> Grid | None:
    """Estimate the metrical grid of a signal.

    Beats are tracked at the given or estimated tempo, the downbeat is located by assuming the usual
    drum pattern of popular music, and the grid is then fitted to all onsets near sixteenths. The
    second sixteenth of each pair may be late (swing).

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve.
    regions : dict of str to ndarray, shape (n_frames,)
        Output of :func:`groove_utils.descriptors.onsets.region_strength`.
    hop : float
        Seconds between values of the curves.
    tempo : float, optional
        Tempo in BPM; by default, it is estimated by :func:`estimate_tempo`.

    Returns
    -------
    Grid or None
        Metrical grid, or None if no tempo is found, or if there are fewer than eight onsets or
        beats.
    """
    tempo = estimate_tempo(curve, hop) if tempo is None else tempo
    times, strengths = detect_onsets(curve, hop)
    if np.isnan(tempo) or times.size < MIN_BEATS or np.ptp(times) * tempo / 60 < MIN_BEATS - 1:
        return None
    tracked = track_beats(curve, hop, tempo)
    if tracked.size < MIN_BEATS:
        return None
    clear = clear_onsets(times, strengths)  # excludes weak noise before and after the music
    beats = smooth_beats(tracked + LATENCY)
    beats = extend_beats(beats, clear[0], clear[-1])
    if beats.size < MIN_BEATS:
        return None
    beats, late = fit_beats(beats, clear)
    steps = divide_beats(beats)
    allowed = np.arange(STEPS)
    if late < -CLEAR_SWING and _is_odd(beats, clear).mean() > 0.3:
        # swing is long–short, never short–long, so the tracked beats must be odd sixteenths
        steps = steps + late * np.gradient(steps)
        allowed = allowed[1::2]
    played = steps[steps < clear[-1] + np.median(np.diff(steps)) / 2]
    shift = _find_downbeat(curve, regions, played, hop, allowed)
    # the beats are the downbeat and every fourth step before and after it
    beats, late = fit_beats(steps[shift % 4 :: 4], clear)
    swung = bool(_is_odd(beats, clear).sum() >= MIN_SWUNG)
    return Grid(float(60 / np.median(np.diff(beats))), beats, shift // 4, late, swung)


def track_beats(curve: np.ndarray, hop: float, tempo: float | None = None) -> np.ndarray:
    """Track beats at a given or estimated tempo by dynamic programming (Ellis, 2007).

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve, or a network's estimate of the probability of a beat in each frame.
    hop : float
        Seconds between values of `curve`.
    tempo : float, optional
        Tempo in BPM; by default, it is estimated by :func:`estimate_tempo`.

    Returns
    -------
    ndarray of float64, shape (n_beats,)
        Times of the beats in seconds; empty if no tempo is found.

    Examples
    --------
    >>> curve = np.tile([1.0] + 24 * [0.0], 20)
    >>> np.diff(track_beats(curve, 0.02))[:3].round(2).tolist()
    [0.5, 0.5, 0.5]
    """
    tempo = estimate_tempo(curve, hop) if tempo is None else tempo
    if np.isnan(tempo):
        return np.zeros(0)
    _, frames = librosa.beat.beat_track(
        onset_envelope=curve, sr=1 / hop, hop_length=1, bpm=tempo, trim=False, tightness=400
    )
    return np.asarray(frames) * hop


def _find_downbeat(
    curve: np.ndarray,
    regions: dict[str, np.ndarray],
    steps: np.ndarray,
    hop: float,
    allowed: np.ndarray,
) -> int:
    """Return the index in `steps` of the first downbeat, chosen from the indices in `allowed`."""
    # a snare is loud in the highs but not in the lows; a bass drum's click is also in the highs
    snare = np.maximum(regions["high"] - regions["low"], 0)
    fit = np.zeros(allowed.size)
    for name, values in {"low": regions["low"], "snare": snare, "all": curve}.items():
        strength = strength_at(values, steps, hop)
        bar = np.array([strength[place::STEPS].mean() for place in range(STEPS)])
        bar = (bar - bar.mean()) / (bar.std() or 1)
        fit += [bar @ np.roll(EXPECTED[name], shift) for shift in allowed]
    return int(allowed[np.argmax(fit)])


def _is_odd(beats: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return a mask of the onsets whose nearest sixteenth is odd-numbered."""
    return np.round(4 * np.interp(times, beats, np.arange(beats.size))) % 2 == 1


def strength_at(curve: np.ndarray, times: np.ndarray, hop: float) -> np.ndarray:
    """Return the largest value of an onset curve within 25 ms of each time."""
    highest = ndimage.maximum_filter1d(curve, 2 * round(0.025 / hop) + 1)
    frames = np.clip(np.round((times - LATENCY) / hop).astype(int), 0, curve.size - 1)
    return highest[frames]


def bar_profile(curves: Mapping[str, np.ndarray], grid: Grid | None, hop: float) -> pd.DataFrame:
    """Compute the mean onset strength at each sixteenth of a bar.

    Parameters
    ----------
    curves : mapping of str to ndarray, shape (n_frames,)
        Output of :func:`groove_utils.descriptors.region_strength`.
    grid : Grid or None
        Metrical grid, or None if no beat was found; the returned table is then empty.
    hop : float
        Seconds between values of the curves.

    Returns
    -------
    DataFrame
        Columns ``region``, ``step`` (0…15) and ``strength`` (mean over bars).
    """
    columns = ["region", "step", "strength"]
    if grid is None:
        return pd.DataFrame(columns=columns)
    lanes = [
        pd.DataFrame({"step": grid.places, "strength": strength_at(curve, grid.steps, hop)})
        .groupby("step", sort=False, as_index=False)
        .mean()
        .assign(region=region)
        for region, curve in curves.items()
    ]
    return pd.concat(lanes, ignore_index=True)[columns]
