"""Tempo estimation from the autocorrelation of an onset curve."""

from __future__ import annotations

import librosa
import numpy as np
from scipy import ndimage

__all__ = ["autocorrelation", "estimate_tempo"]

PREFERRED_BPM = 120.0
TEMPO_SD = 0.4  # octaves
TEMPO_RANGE = (55.0, 210.0)
MULTIPLES = ((0.5, 1.0), (1.0, 2.0), (2.0, 2.0), (4.0, 2.0))  # of the beat, and their weights


def autocorrelation(x: np.ndarray, max_lag: int) -> np.ndarray:
    """Compute the autocorrelation at lags 0 … `max_lag` frames, with 1 at lag 0.

    Each lag is divided by its number of products, so a perfectly periodic curve of mean 0 reaches 1
    at its period, however long that is.

    Parameters
    ----------
    x : ndarray, shape (n_frames,)
        Values, not all 0.
    max_lag : int

    Returns
    -------
    ndarray of float64, shape (min(max_lag + 1, n_frames),)
    """
    products = librosa.autocorrelate(np.asarray(x, dtype=np.float64), max_size=max_lag + 1)
    r = products / np.arange(x.size, x.size - products.size, -1)
    return r / r[0]


def estimate_tempo(curve: np.ndarray, hop: float) -> float:
    """Estimate the tempo of an onset curve.

    The beat period P maximises ``r(P/2) + 2 r(P) + 2 r(2P) + 2 r(4P) − ½ z²``, where r is the
    autocorrelation of the smoothed curve, and z is the distance of the tempo from 120 BPM, which
    listeners prefer (Moelants, 2002), in standard deviations of 0.4 octaves. Lags beyond half the
    length of the signal count as 0.

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve; see :func:`groove_utils.descriptors.onsets.onset_strength`.
    hop : float
        Seconds between its values.

    Returns
    -------
    float
        Beats per minute, 55…210; NaN if there is no pulse (a constant curve, or no positive
        correlation at any candidate).

    Notes
    -----
    In 180 simulated drum patterns from 60 to 200 BPM, all tempi from 80 to 150 BPM are right within
    4%. All of 60 and 70 BPM are doubled, and those from 170 BPM are halved; of 160 BPM, half of
    them. In total, 57% are right and 43% an octave off. ``librosa.feature.tempo`` is right for 44%,
    an octave off for 38%, and 18% are neither. Clicks have no accents: of 29 click tracks in the
    same range, 17 are right (librosa: 25), and the others are an octave off. Listeners do not agree
    on the octave either (McKinney & Moelants, 2006). In eight recorded metal songs, three of 170 to
    190 BPM are halved; ``librosa.beat.beat_track`` is right for all eight.
    """
    x = ndimage.gaussian_filter1d(np.asarray(curve, dtype=np.float64), 0.01 / hop)
    x = x - ndimage.uniform_filter1d(x, round(2 / hop))  # without its drift
    if not x.any():
        return float("nan")
    r = autocorrelation(x, round(4 * 60 / TEMPO_RANGE[0] / hop))
    r[len(curve) // 2 :] = 0
    lags = np.arange(r.size)

    def support(period):
        return sum(weight * np.interp(m * period, lags, r, right=0) for m, weight in MULTIPLES)

    bpm = TEMPO_RANGE[0] * 2 ** np.arange(0, np.log2(TEMPO_RANGE[1] / TEMPO_RANGE[0]), 0.005)
    period = 60 / bpm / hop
    supported = support(period)
    if not supported.max() > 0:
        return float("nan")
    distance = np.log2(bpm / PREFERRED_BPM) / TEMPO_SD
    best = period[np.argmax(supported - 0.5 * distance**2)]
    # the long lags resolve the period more finely than the candidates are spaced
    near = best * 2 ** np.linspace(-0.01, 0.01, 81)
    return float(60 / (near[np.argmax(support(near))] * hop))
