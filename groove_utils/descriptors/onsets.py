"""Onset curves and onset detection.

The onset curve is the increase in log mel magnitudes over half a frame (Böck & Widmer, 2013,
without their maximum filter over frequency, which masks notes that a band plays together).
Magnitudes are relative to the signal's mean, so the curve does not depend on the gain.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, signal

from groove_utils.descriptors.spectral import Spectra

__all__ = [
    "REGIONS",
    "clear_onsets",
    "detect_onsets",
    "find_kicks",
    "level_rise",
    "onset_strength",
    "region_onsets",
    "region_strength",
    "rise_of_mel",
]

# octave bands of `Spectra.octaves`: below 100 Hz, 100–3200 Hz, above
REGIONS = {"low": slice(0, 2), "mid": slice(2, 7), "high": slice(7, 10)}
# relative to a strong stroke: low enough for soft cymbals, but above the bass and the chords
REGION_THRESHOLDS = {"low": 0.1, "mid": 0.1, "high": 0.04}
KICK_THRESHOLD = 0.5  # excludes the bass guitar
LAG = 5  # frames (25 ms): the half overlap of the 50 ms frames
COMPRESSION = 3.0
THRESHOLD = 0.04  # relative to the curve's strong peaks, see `detect_onsets`
MIN_GAP = 0.05  # s; strokes closer than this (flams, ensemble asynchrony) are one event
LATENCY = 0.0045  # s by which the curve's peak precedes a click, measured on click tracks
CLEAR = 0.25  # of the median strength; the times of weaker onsets are uncertain


def rise_of_mel(spectra: Spectra) -> np.ndarray:
    """Compute the rise in log magnitude of each mel band over 25 ms, shape (n_mels, n_frames).

    Silence is assumed before the signal.
    """
    level = spectra.mel.mean()
    if not level > 0:
        return np.zeros_like(spectra.mel)
    return _rise(np.log1p(spectra.mel * np.float32(COMPRESSION / level)))


def _rise(level: np.ndarray) -> np.ndarray:
    rise = level.copy()
    rise[..., LAG:] -= level[..., :-LAG]
    return np.maximum(rise, 0, out=rise)


def onset_strength(spectra: Spectra) -> np.ndarray:
    """Compute the onset curve of a signal, with one value every `spectra.hop` seconds.

    Returns
    -------
    ndarray of float64, shape (n_frames,)
        Mean over the mel bands of the half-wave rectified rise in log magnitude: dimensionless, ≥
        0, independent of gain. Peaks lie within a few ms of the attack.
    """
    return rise_of_mel(spectra).mean(axis=0, dtype=np.float64)


def region_strength(spectra: Spectra) -> dict[str, np.ndarray]:
    """Compute onset curves for three frequency regions that separate the parts of a drum kit.

    Unlike :func:`onset_strength`, these curves are linear in the magnitude, since on a log scale a
    snare is as strong as a bass drum at low frequencies.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_frames,)
        ``low`` (below 100 Hz: bass drum, bass), ``mid`` (100–3200 Hz) and ``high`` (above 3200 Hz:
        snare, cymbals). Each is the half-wave rectified rise of the region's magnitude over 25 ms,
        divided by the mean of the highest 2% of its values: about 1 for any strong stroke,
        whatever the gain of the signal.
    """
    return {name: level_rise(spectra, bands) for name, bands in REGIONS.items()}


def level_rise(spectra: Spectra, bands: slice = slice(None)) -> np.ndarray:
    """Compute the rise in magnitude of some octave bands over 25 ms, as in :func:`region_strength`.

    The rise over all bands serves as the onset curve of a stem with a single instrument, in which
    instruments cannot mask each other.
    """
    rise = _rise(np.sqrt((spectra.octaves[bands].astype(np.float64) ** 2).sum(axis=0)))
    strong = np.sort(rise)[-max(1, rise.size // 50) :].mean()
    return rise / strong if strong > 0 else rise


def detect_onsets(
    curve: np.ndarray,
    hop: float,
    *,
    threshold: float = THRESHOLD,
    min_gap: float = MIN_GAP,
) -> tuple[np.ndarray, np.ndarray]:
    """Detect onsets in an onset curve.

    A frame is an onset if its value is the largest within `min_gap` on either side and exceeds the
    moving median of 200 ms by `threshold` times the typical height ``Σh³ / Σh²`` of the peaks. The
    typical height is a mean in which high peaks count most, so it depends neither on a single crash
    nor on the many small peaks of a noise floor. Times are refined by a parabola through the peak
    and its neighbours, and shifted by 4.5 ms, since the peak of a 50 ms frame precedes a click by
    this time.

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Output of :func:`onset_strength` or :func:`region_strength`.
    hop : float
        Seconds between values of `curve`.
    threshold : float
        Fraction of the typical height by which an onset must exceed the moving median.
    min_gap : float
        Smallest distance between two onsets, in seconds.

    Returns
    -------
    times : ndarray of float64, shape (n_onsets,)
        Onset times in seconds, ascending.
    strengths : ndarray of float64, shape (n_onsets,)
        Height of the curve at the onsets.
    """
    curve = np.asarray(curve, dtype=np.float64)
    no_onsets = np.empty(0), np.empty(0)
    if curve.size < 3 or not curve.max() > 0:
        return no_onsets
    width = max(1, round(0.1 / hop))
    height = curve - ndimage.median_filter(curve, 2 * width + 1, mode="reflect")
    if not height.max() > 0:
        return no_onsets
    heights = height[signal.find_peaks(height)[0]]
    heights = heights[heights > 0] if (heights > 0).any() else np.array([height.max()])
    scale = (heights**3).sum() / (heights**2).sum()
    radius = max(1, round(min_gap / hop))
    highest = ndimage.maximum_filter1d(curve, 2 * radius + 1, mode="constant")
    peaks = np.flatnonzero((curve == highest) & (height > threshold * scale))
    # in a plateau, neighbouring frames are equal: keep the first
    peaks = peaks[np.diff(peaks, prepend=-radius - 1) > radius]
    times = _parabolic(curve, peaks) * hop + LATENCY
    return np.maximum(times, 0.0), curve[peaks]


def clear_onsets(times: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Return the times of onsets stronger than a quarter of the median strength."""
    return times[strengths > CLEAR * np.median(strengths)]


def find_kicks(low: np.ndarray, hop: float) -> np.ndarray:
    """Return the times of bass-drum strokes: strong onsets in the region below 100 Hz."""
    return detect_onsets(low, hop, threshold=KICK_THRESHOLD)[0]


def region_onsets(regions: dict[str, np.ndarray], hop: float) -> dict[str, np.ndarray]:
    """Return the onset times of each region; see :func:`region_strength`."""
    return {
        name: detect_onsets(curve, hop, threshold=REGION_THRESHOLDS[name])[0]
        for name, curve in regions.items()
    }


def _parabolic(curve: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Refine peak positions to fractional frames with a parabola through three values."""
    inner = (peaks > 0) & (peaks < curve.size - 1)
    position = peaks.astype(np.float64)
    at = peaks[inner]
    left, middle, right = curve[at - 1], curve[at], curve[at + 1]
    bend = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(bend), where=bend < 0)
    position[inner] += np.clip(shift, -0.5, 0.5)
    return position
