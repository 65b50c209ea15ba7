"""Pulse clarity and related measures of a signal's pulse.

Pulse clarity is defined as in Lartillot, Eerola, Toiviainen & Fornari (2008). Periodicity over time
is measured with a tempogram (Grosche, Müller & Kurth, 2010).
"""

from __future__ import annotations

import itertools

import librosa
import numpy as np
from scipy import ndimage, signal

from groove_utils.descriptors.beat import strength_at
from groove_utils.descriptors.tempo import autocorrelation
from groove_utils.rhythm.grid import STEPS, Grid
from groove_utils.rhythm.syncopation import metrical_weights

__all__ = [
    "attack_slopes",
    "beat_salience",
    "metrical_strength",
    "periodicity",
    "pulse_clarity",
    "pulse_clarity_attack",
]

TEMPO_RANGE = (40.0, 200.0)  # BPM, MIRtoolbox's range for tempo and pulse
ENVELOPE_S = 0.02  # MIRtoolbox's time constant for envelopes
CONTRAST = 0.1  # smallest rise of an attack, as a fraction of the envelope's maximum


def pulse_clarity(curve: np.ndarray, hop: float) -> float:
    """Compute pulse clarity: an onset curve's highest autocorrelation peak at lags of 0.3–1.5 s.

    This is MIRtoolbox's ``mirpulseclarity``, model ``MaxAutocor``: the largest local maximum of the
    normalised autocorrelation (see Notes) at lags of 0.3–1.5 s (200–40 BPM).

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve; see :func:`groove_utils.descriptors.onsets.onset_strength`.
    hop : float
        Seconds between values of `curve`.

    Returns
    -------
    float
        −1…1, independent of gain: near 1 for an isochronous click track, and near 0 for noise. 0 if
        the autocorrelation has no local maximum at these lags; NaN if the curve is constant or
        shorter than 3 s, twice the longest lag.

    Notes
    -----
    ``r(τ) = [Σ_t x(t) x(t+τ) / (N − τ)] / [Σ_t x(t)² / N]``, where ``x`` is the curve, smoothed
    over three frames (15 ms), minus its mean. Without smoothing, pulses whose period is not a whole
    number of frames would have lower autocorrelation peaks.
    """
    shortest, longest = (round(60 / bpm / hop) for bpm in TEMPO_RANGE[::-1])
    x = ndimage.uniform_filter1d(np.asarray(curve, dtype=np.float64), 3)
    x = x - x.mean()
    if len(curve) < 2 * longest or not np.any(np.abs(x) > 1e-12):
        return float("nan")
    r = autocorrelation(x, longest + 1)[shortest - 1 :]
    peaks = r[signal.find_peaks(r)[0]]
    return float(np.clip(peaks.max(), -1, 1)) if peaks.size else 0.0


def attack_slopes(y: np.ndarray, sr: int) -> np.ndarray:
    """Compute the slopes of all attacks in the amplitude envelope of a signal.

    The envelope is scaled to a maximum of 1. An attack leads from a valley to the next peak with a
    prominence of at least 0.1, and its slope is the rise divided by the duration (option 'Diff' of
    MIRtoolbox's ``mirattackslope``). As in MIRtoolbox, the slope is measured between 10% and 90% of
    the rise, since the valley may be long and flat.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    ndarray of float64, shape (n_attacks,)
        Slopes as fractions of the envelope's maximum per second, so they are independent of gain.
        Empty for silence.
    """
    envelope, hop = _amplitude_envelope(y, sr)
    if not envelope.max() > 0:
        return np.empty(0)
    # prepend a zero, so that a signal that starts at full level has an attack
    envelope = np.concatenate([[0.0], envelope / envelope.max()])
    peaks, _ = signal.find_peaks(np.append(envelope, 0.0), prominence=CONTRAST)
    slopes = []
    for before, peak in itertools.pairwise([0, *peaks]):
        valley = before + np.argmin(envelope[before : peak + 1])
        rise = envelope[peak] - envelope[valley]
        if rise < CONTRAST:  # skip the second of two equal peaks
            continue
        steps = envelope[valley : peak + 1]
        first = np.flatnonzero(steps <= envelope[valley] + 0.1 * rise)[-1]
        last = first + np.flatnonzero(steps[first:] >= envelope[valley] + 0.9 * rise)[0]
        slopes.append((steps[last] - steps[first]) / ((last - first) * hop))
    return np.asarray(slopes)


def _amplitude_envelope(y: np.ndarray, sr: int) -> tuple[np.ndarray, float]:
    """Compute the RMS in 20 ms Hann windows every 2.5 ms; return it and the hop in seconds."""
    hop = max(1, round(sr / 400))
    window = signal.get_window("hann", max(3, round(ENVELOPE_S * sr)), fftbins=False)
    power = signal.oaconvolve(np.asarray(y, dtype=np.float64) ** 2, window / window.sum(), "same")
    return np.sqrt(np.maximum(power[::hop], 0.0)), hop / sr


def pulse_clarity_attack(y: np.ndarray, sr: int) -> float:
    """Compute the mean slope of the attacks (MIRtoolbox's ``mirpulseclarity``, model ``Attack``).

    Parameters
    ----------
    y, sr
        See :func:`attack_slopes`.

    Returns
    -------
    float
        Mean of the slopes returned by :func:`attack_slopes`, in the same unit: about 10 for a
        linear fade-in of 100 ms. NaN if there is no attack.
    """
    slopes = attack_slopes(y, sr)
    return float(slopes.mean()) if slopes.size else float("nan")


def beat_salience(curve: np.ndarray, hop: float, grid: Grid) -> float:
    """Compute the contrast in onset strength between the beats and the other sixteenths.

    The result is ``(B − O) / (B + O)``, where B is the mean onset strength on the beats, and O that
    on the other sixteenths. It is 1 if all onsets are on beats, 0 if beats are not accented,
    negative if onsets avoid the beats, and NaN if B and O are both 0. The measure is inspired by
    Madison, Gouyon, Ullén & Hörnström (2011), who derive beat salience from an autocorrelation.
    """
    strength = strength_at(curve, grid.steps, hop)
    on = np.arange(strength.size) % 4 == 0
    beat, other = strength[on].mean(), strength[~on].mean()
    return float((beat - other) / (beat + other)) if beat + other > 0 else float("nan")


def metrical_strength(curve: np.ndarray, hop: float, grid: Grid) -> float:
    """Correlate the mean accents within a bar with the metrical hierarchy.

    The result is Pearson's r between mean onset strength and metrical weight, over the sixteen
    positions of a bar. The weights are 0 on the downbeat, −1 on the third beat, … and −4 on the
    second and fourth sixteenths of each beat (Lerdahl & Jackendoff, 1983). The result is NaN if the
    onset strength is the same at all positions.
    """
    strength = strength_at(curve, grid.steps, hop)
    profile = np.array([strength[grid.places == place].mean() for place in range(STEPS)])
    if not profile.std() > 0:
        return float("nan")
    return float(np.corrcoef(profile, metrical_weights(STEPS))[0, 1])


def periodicity(curve: np.ndarray, hop: float) -> float:
    """Compute the strength of the strongest periodicity in the tempogram, averaged over time.

    The tempogram is the normalised autocorrelation of the onset curve in Hann windows of 8 s
    (Grosche, Müller & Kurth, 2010). Its highest value at lags of 0.3–1.5 s is averaged over time.
    The result measures local periodicity: a drifting tempo lowers pulse clarity, but not this
    measure.

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve.
    hop : float
        Seconds between values of `curve`.

    Returns
    -------
    float
        At most 1, independent of gain; NaN if the curve is constant or shorter than 3 s.
    """
    every = max(1, round(0.02 / hop))
    n = len(curve) // every
    shortest, longest = (round(60 / bpm / (hop * every)) for bpm in TEMPO_RANGE[::-1])
    if n < 2 * longest:
        return float("nan")
    coarse = np.asarray(curve[: n * every], dtype=np.float64).reshape(n, every).mean(axis=1)
    if not np.ptp(coarse) > 1e-12:
        return float("nan")
    tempogram = librosa.feature.tempogram(
        onset_envelope=coarse - coarse.mean(),
        win_length=min(round(8 / (hop * every)), n),
        hop_length=1,
        sr=1,
        norm=np.inf,
    )
    return float(tempogram[shortest : longest + 1].max(axis=0).mean())
