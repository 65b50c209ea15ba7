"""Tempo estimation from the autocorrelation of an onset curve."""

from __future__ import annotations

import librosa
import numpy as np
from scipy import ndimage

__all__ = ["autocorrelation", "estimate_tempo"]

PREFERRED_BPM = 120.0
TEMPO_SD = 0.4  # octaves
TEMPO_RANGE = (55.0, 210.0)
MULTIPLES = ((0.5, 1.0), (1.0, 2.0), (2.0, 2.0), (4.0, 2.0))  # of the beat period; their weights


def autocorrelation(x: np.ndarray, max_lag: int) -> np.ndarray:
    """Compute the autocorrelation at lags of 0 to `max_lag` frames, scaled to 1 at lag 0.

    The sum at each lag is divided by its number of terms, so the autocorrelation of a periodic
    curve with mean 0 is 1 at its period, even if the period is long.

    Parameters
    ----------
    x : ndarray, shape (n_frames,)
        Values, not all 0.
    max_lag : int
        Longest lag in frames.

    Returns
    -------
    ndarray of float64, shape (min(max_lag + 1, n_frames),)
        Autocorrelation by lag.
    """
    products = librosa.autocorrelate(np.asarray(x, dtype=np.float64), max_size=max_lag + 1)
    r = products / np.arange(x.size, x.size - products.size, -1)
    return r / r[0]


def estimate_tempo(curve: np.ndarray, hop: float) -> float:
    """Estimate the tempo from an onset curve.

    The beat period P maximises ``r(P/2) + 2 r(P) + 2 r(2P) + 2 r(4P) − ½ z²``, where r is the
    autocorrelation of the smoothed curve, and z is the difference in octaves between the tempo and
    120 BPM, divided by a standard deviation of 0.4 octaves. Listeners prefer tempi near 120 BPM
    (Moelants, 2002). At lags beyond half the length of the signal, r is set to 0.

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve; see :func:`groove_utils.descriptors.onsets.onset_strength`.
    hop : float
        Seconds between values of `curve`.

    Returns
    -------
    float
        Tempo in BPM, 55…210; NaN if there is no pulse (a constant curve, or no positive correlation
        at any candidate tempo).

    Notes
    -----
    Accuracy was measured on 180 simulated drum patterns at tempi from 60 to 200 BPM. From 80 to 150
    BPM, all estimates are correct to within 4%. At 60 and 70 BPM, all estimates are twice the true
    tempo. All estimates from 170 BPM upwards, and half of those at 160 BPM, are half the true
    tempo. In total, 57% of the estimates are correct and 43% are wrong by an octave. Of the
    estimates by ``librosa.feature.tempo``, 44% are correct and 38% are wrong by an octave. Of the
    estimates for 29 click tracks, which have no accents, 17 are correct (librosa: 25), and the
    others are wrong by an octave. Listeners do not agree on the octave either (McKinney & Moelants,
    2006). For three of eight recorded metal songs (170–190 BPM), the estimate is half the true
    tempo; ``librosa.beat.beat_track`` is correct for all eight.
    """
    x = ndimage.gaussian_filter1d(np.asarray(curve, dtype=np.float64), 0.01 / hop)
    x = x - ndimage.uniform_filter1d(x, round(2 / hop))  # remove slow drift
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
    # refine the period between candidates, which is possible because long lags are used
    near = best * 2 ** np.linspace(-0.01, 0.01, 81)
    return float(60 / (near[np.argmax(support(near))] * hop))
