"""Drum strokes and their syncopation, estimated from audio.

Strokes of the bass drum, the snare and the cymbals are detected at the steps of the metrical grid.
The two indices in :mod:`groove_utils.rhythm.syncopation` are then computed as for a notated
pattern: the index of Longuet-Higgins & Lee (1984), with bass drum and snare as one stream, and the
polyphonic index of Witek et al. (2014).
"""

from __future__ import annotations

import numpy as np

from groove_utils.descriptors.beat import strength_at
from groove_utils.descriptors.onsets import region_strength, rise_of_mel
from groove_utils.descriptors.spectral import Spectra
from groove_utils.rhythm.grid import STEPS, Grid
from groove_utils.rhythm.syncopation import lhl_syncopation, witek_syncopation

__all__ = ["drum_pattern", "syncopation"]

CYMBAL_HZ = 5000.0
CYMBAL_THRESHOLD = 0.1  # fraction of the strength of strong cymbal strokes; hi-hats are soft
BACKBEATS = (4, 12)
# smallest high-frequency rise at a bass drum with a snare, relative to the median at bass drums
BACKBEAT_GAIN = 1.3


def drum_pattern(spectra: Spectra, grid: Grid) -> dict[str, np.ndarray]:
    """Detect the strokes of a drum kit at the steps of a metrical grid.

    A step has a bass-drum stroke if the rise in level below 100 Hz exceeds Otsu's threshold, which
    divides all steps into two classes. A step without a bass drum has a snare stroke if the rise
    above 3200 Hz minus the rise below 100 Hz exceeds Otsu's threshold for this difference. On beats
    two and four, a bass-drum stroke is counted as accompanied by a snare stroke if the rise above
    3200 Hz exceeds 1.3 times its median at bass-drum strokes. A step has a cymbal stroke if the
    rise in log magnitude above 5 kHz exceeds a tenth of the rise at strong cymbal strokes. Bass
    guitars, toms and hand claps are counted as the drum that they resemble most.

    Parameters
    ----------
    spectra : Spectra
        Spectral measurements of the signal.
    grid : Grid
        Metrical grid of the signal.

    Returns
    -------
    dict of str to ndarray of bool, shape (n_bars, 16)
        Strokes of ``kick``, ``snare`` and ``hat`` in the complete bars of the grid. The arrays have
        no rows if no bar is complete.
    """
    regions = region_strength(spectra)
    places, steps = grid.places, grid.steps
    low = strength_at(regions["low"], steps, spectra.hop)
    high = strength_at(regions["high"], steps, spectra.hop)
    snare_rise = strength_at(np.maximum(regions["high"] - regions["low"], 0), steps, spectra.hop)
    cymbals = rise_of_mel(spectra)[spectra.mel_hz > CYMBAL_HZ]
    kick = low > _otsu_threshold(low)
    snare = (snare_rise > _otsu_threshold(snare_rise)) & ~kick
    if kick.any():
        snare |= kick & np.isin(places, BACKBEATS) & (high > BACKBEAT_GAIN * np.median(high[kick]))
    hat = np.zeros_like(kick)
    if len(cymbals):
        strength = strength_at(cymbals.mean(axis=0, dtype=np.float64), steps, spectra.hop)
        strong = np.sort(strength)[-max(1, strength.size // 10) :].mean()
        hat = strength > CYMBAL_THRESHOLD * strong
    first = 4 * grid.downbeat
    n_bars = (steps.size - first) // STEPS
    rows = slice(first, first + n_bars * STEPS)
    return {
        name: stream[rows].reshape(n_bars, STEPS)
        for name, stream in {"kick": kick, "snare": snare, "hat": hat}.items()
    }


def syncopation(spectra: Spectra, grid: Grid) -> tuple[float, float]:
    """Compute two syncopation indices for the drums in an audio signal.

    Parameters
    ----------
    spectra, grid
        See :func:`drum_pattern`.

    Returns
    -------
    witek : float
        Index of Witek et al. (2014) per bar, ≥ 0.
    lhl : float
        Index of Longuet-Higgins & Lee (1984) per bar, with bass drum and snare as one stream, ≥ 0.
        Both indices are NaN if the grid has no complete bar, or if neither a bass drum nor a snare
        is found.
    """
    pattern = drum_pattern(spectra, grid)
    n_bars = len(pattern["kick"])
    if not n_bars or not (pattern["kick"] | pattern["snare"]).any():
        return float("nan"), float("nan")
    witek = witek_syncopation(pattern["kick"], pattern["snare"], pattern["hat"])
    return witek / n_bars, lhl_syncopation(pattern["kick"] | pattern["snare"]) / n_bars


def _otsu_threshold(values: np.ndarray) -> float:
    """Return Otsu's threshold, which maximises the variance between two classes of values."""
    ordered = np.sort(values)
    if ordered.size < 2 or ordered[0] == ordered[-1]:
        return float("inf")
    lower = np.arange(1, ordered.size)
    total = np.cumsum(ordered)
    mean_lower = total[:-1] / lower
    mean_upper = (total[-1] - total[:-1]) / (ordered.size - lower)
    best = np.argmax(lower * (ordered.size - lower) * (mean_upper - mean_lower) ** 2)
    return float((ordered[best] + ordered[best + 1]) / 2)
