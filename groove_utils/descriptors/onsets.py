"""Onset curves and onset detection.

The onset curve is the increase in log mel magnitudes over half a frame, as in Böck & Widmer (2013),
but without their maximum filter over frequency, which masks notes that are played at the same time.
Magnitudes are relative to the signal's mean magnitude, so the curve does not depend on the gain.
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

# octave bands (rows of `Spectra.octaves`): below 100 Hz, 100–3200 Hz, above 3200 Hz
REGIONS = {"low": slice(0, 2), "mid": slice(2, 7), "high": slice(7, 10)}
# relative to the typical height of peaks: low enough to detect soft cymbals, but high enough to
# ignore bass and chords
REGION_THRESHOLDS = {"low": 0.1, "mid": 0.1, "high": 0.04}
KICK_THRESHOLD = 0.5  # high enough to exclude the bass guitar
LAG = 5  # hops (25 ms): half the length of a 50 ms frame
COMPRESSION = 3.0  # factor of magnitudes before taking the logarithm
THRESHOLD = 0.04  # relative to the typical height of peaks, see `detect_onsets`
MIN_GAP = 0.05  # s; strokes closer than this (flams, ensemble asynchrony) count as one event
LATENCY = 0.0045  # s by which the curve's peak precedes a click, measured with click tracks
CLEAR = 0.25  # fraction of the median strength; the times of weaker onsets are uncertain


def rise_of_mel(spectra: Spectra) -> np.ndarray:
    """Compute the rise in log magnitude of each mel band over 25 ms, shape (n_mels, n_frames).

    The signal is assumed to be preceded by silence.
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
        Mean over mel bands of the half-wave rectified rise in log magnitude. It is dimensionless,
        non-negative and independent of gain; its peaks lie within a few milliseconds of attacks.
    """
    return rise_of_mel(spectra).mean(axis=0, dtype=np.float64)


def region_strength(spectra: Spectra) -> dict[str, np.ndarray]:
    """Compute onset curves for three frequency regions that separate the parts of a drum kit.

    Unlike :func:`onset_strength`, these curves are linear in magnitude: on a log scale, a snare
    would be as strong as a bass drum at low frequencies.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_frames,)
        ``low`` (below 100 Hz: bass drum, bass), ``mid`` (100–3200 Hz) and ``high`` (above 3200 Hz:
        snare, cymbals). Each is the half-wave rectified rise of the region's magnitude over 25 ms,
        divided by the mean of the highest 2% of its values. The result is about 1 for any strong
        stroke, regardless of the signal's gain.
    """
    return {name: level_rise(spectra, bands) for name, bands in REGIONS.items()}


def level_rise(spectra: Spectra, bands: slice = slice(None)) -> np.ndarray:
    """Compute the rise in magnitude of octave bands over 25 ms, scaled as in `region_strength`.

    The rise in all bands together serves as the onset curve of a stem that contains only one
    instrument, whose onsets no other instrument can mask.
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

    A frame is an onset if its value is the largest within `min_gap` seconds on either side, and
    exceeds the moving median over 200 ms by more than `threshold` times the typical height of
    peaks. The typical height is a weighted mean of the peak heights h, ``Σh³ / Σh²``. It depends
    less on a single crash-cymbal stroke than the maximum would, and less on the many small peaks of
    a noise floor than an unweighted mean would. Onset times are refined by parabolic interpolation
    and delayed by 4.5 ms, since the peak of the curve precedes a click by this amount.

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve, such as the output of :func:`onset_strength`.
    hop : float
        Seconds between values of `curve`.
    threshold : float
        Minimum height of an onset above the moving median, as a fraction of the typical height.
    min_gap : float
        Minimum time between two onsets, in seconds.

    Returns
    -------
    times : ndarray of float64, shape (n_onsets,)
        Onset times in seconds, in ascending order.
    strengths : ndarray of float64, shape (n_onsets,)
        Values of the curve at the onsets.
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
    # on a plateau, neighbouring frames are equal: keep only the first
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
    """Return the onset times in each frequency region; see :func:`region_strength`."""
    return {
        name: detect_onsets(curve, hop, threshold=REGION_THRESHOLDS[name])[0]
        for name, curve in regions.items()
    }


def _parabolic(curve: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Refine peak positions to fractions of a frame by parabolic interpolation."""
    inner = (peaks > 0) & (peaks < curve.size - 1)
    position = peaks.astype(np.float64)
    at = peaks[inner]
    left, middle, right = curve[at - 1], curve[at], curve[at + 1]
    bend = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(bend), where=bend < 0)
    position[inner] += np.clip(shift, -0.5, 0.5)
    return position
