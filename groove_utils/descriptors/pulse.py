"""Pulse clarity and its relatives: how plainly a signal pulses (chapter 04).

Pulse clarity follows Lartillot, Eerola, Toiviainen & Fornari (2008); periodicity over time is a
tempogram (Grosche, Müller & Kurth, 2010).
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

TEMPO_RANGE = (40.0, 200.0)  # BPM, MIRtoolbox's for tempo and pulse
ENVELOPE_S = 0.02  # MIRtoolbox's time constant for envelopes
CONTRAST = 0.1  # smallest rise, in shares of the whole range, that counts as an attack


def pulse_clarity(curve: np.ndarray, hop: float) -> float:
    """Height of the highest autocorrelation peak of an onset curve at tempo lags.

    MIRtoolbox's ``mirpulseclarity``, model ``MaxAutocor``: the largest local maximum of the
    normalised autocorrelation (see Notes) at lags of 0.3–1.5 s (200–40 BPM).

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve, see :func:`groove_utils.descriptors.onsets.onset_strength`.
    hop : float
        Seconds between its values.

    Returns
    -------
    float
        −1…1: near 1 for an isochronous click track, near 0 for noise; unchanged by gain. 0 where
        the autocorrelation has no local maximum there, NaN for a constant curve and for one
        shorter than two of the longest lags (3 s).

    Notes
    -----
    ``r(τ) = [Σ_t x(t) x(t+τ) / (N − τ)] / [Σ_t x(t)² / N]`` of ``x`` minus its mean. The curve is
    smoothed by 15 ms first, so that a pulse that falls between frames is not lost.
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
    """Slopes of all attacks in the amplitude envelope.

    The envelope is scaled to a maximum of 1. An attack leads from a valley to the next peak that
    rises by at least 0.1 above both its sides; its slope is the rise divided by its duration
    (MIRtoolbox ``mirattackslope``, 'Diff'). As there, the attack is taken between 10% and 90% of
    the rise, since the valley itself may be long and flat.

    Returns
    -------
    ndarray of float64, shape (n_attacks,)
        In full scales per second; unchanged by gain. Empty for silence.
    """
    envelope, hop = _amplitude_envelope(y, sr)
    if not envelope.max() > 0:
        return np.empty(0)
    # a zero before the first sample: a signal that starts at full level has an attack there
    envelope = np.concatenate([[0.0], envelope / envelope.max()])
    peaks, _ = signal.find_peaks(np.append(envelope, 0.0), prominence=CONTRAST)
    slopes = []
    for before, peak in itertools.pairwise([0, *peaks]):
        valley = before + np.argmin(envelope[before : peak + 1])
        rise = envelope[peak] - envelope[valley]
        if rise < CONTRAST:  # the second of two equal peaks
            continue
        steps = envelope[valley : peak + 1]
        first = np.flatnonzero(steps <= envelope[valley] + 0.1 * rise)[-1]
        last = first + np.flatnonzero(steps[first:] >= envelope[valley] + 0.9 * rise)[0]
        slopes.append((steps[last] - steps[first]) / ((last - first) * hop))
    return np.asarray(slopes)


def _amplitude_envelope(y: np.ndarray, sr: int) -> tuple[np.ndarray, float]:
    """RMS in Hann windows of 20 ms every 2.5 ms, and the hop in seconds."""
    hop = max(1, round(sr / 400))
    window = signal.get_window("hann", max(3, round(ENVELOPE_S * sr)), fftbins=False)
    power = signal.oaconvolve(np.asarray(y, dtype=np.float64) ** 2, window / window.sum(), "same")
    return np.sqrt(np.maximum(power[::hop], 0.0)), hop / sr


def pulse_clarity_attack(y: np.ndarray, sr: int) -> float:
    """Mean slope of the attacks (MIRtoolbox's ``mirpulseclarity``, model ``Attack``).

    Returns
    -------
    float
        Mean of :func:`attack_slopes`, in full scales per second: about 10 for a linear fade-in of
        100 ms. NaN where there is no attack.
    """
    slopes = attack_slopes(y, sr)
    return float(slopes.mean()) if slopes.size else float("nan")


def beat_salience(curve: np.ndarray, hop: float, grid: Grid) -> float:
    """Contrast of onset strength between the beats and the other sixteenths.

    ``(B − O) / (B + O)`` with the mean onset strength B on the beats and O on the other
    sixteenths: 1 if all is on the beats, 0 if nothing sets them apart, negative if the beats are
    avoided. After Madison, Gouyon, Ullén & Hörnström (2011), who take it from an autocorrelation.
    """
    strength = strength_at(curve, grid.steps, hop)
    on = np.arange(strength.size) % 4 == 0
    beat, other = strength[on].mean(), strength[~on].mean()
    return float((beat - other) / (beat + other)) if beat + other > 0 else float("nan")


def metrical_strength(curve: np.ndarray, hop: float, grid: Grid) -> float:
    """Correlation of the accents of a bar with the metrical hierarchy.

    Pearson's r, over the sixteen places of a bar, of the mean onset strength and the metrical
    weight (0 on the downbeat, −1 on the third beat, … −4 on odd sixteenths; Lerdahl & Jackendoff,
    1983). −1…1; NaN where all places are alike.
    """
    strength = strength_at(curve, grid.steps, hop)
    profile = np.array([strength[grid.places == place].mean() for place in range(STEPS)])
    if not profile.std() > 0:
        return float("nan")
    return float(np.corrcoef(profile, metrical_weights(STEPS))[0, 1])


def periodicity(curve: np.ndarray, hop: float) -> float:
    """Mean height of the strongest periodicity of the tempogram.

    In windows of 8 s (Hann), the autocorrelation of the onset curve, 1 at lag 0, is searched for
    its highest value between 0.3 and 1.5 s (Grosche, Müller & Kurth, 2010). The mean over time is
    a local periodicity: a drifting tempo does not lower it as it lowers pulse clarity.

    Returns
    -------
    float
        0…1, unchanged by gain; NaN for a constant curve and for one shorter than 3 s.
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
