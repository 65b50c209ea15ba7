"""Tempo, beats and the metrical grid (chapters 02 and 04).

Tempo comes from the autocorrelation of the onset curve at a beat's half, one, two and four
periods, under the preferred tempo of listeners (Moelants, 2002); beats from librosa's dynamic
programming (Ellis, 2007) at that tempo; the place of the downbeat from what drums do in most
popular music: bass drum on one and three, snare on two and four. Music without that habit gets a
grid all the same, and a wrong one: the book says so where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import librosa
import numpy as np
import pandas as pd
from scipy import ndimage, signal

from groove_utils.descriptors.onsets import LATENCY, detect_onsets

__all__ = ["Grid", "bar_profile", "estimate_grid", "estimate_tempo", "strength_at"]

PREFERRED_BPM = 120.0
TEMPO_SD = 0.4  # octaves
CLEAR_SWING = 0.12  # of a sixteenth; less may be mere looseness
TEMPO_RANGE = (55.0, 210.0)
STEPS = 16  # sixteenths of a bar of 4/4
MULTIPLES = ((0.5, 1.0), (1.0, 2.0), (2.0, 2.0), (4.0, 2.0))  # of the beat, and their weights
WINDOW_BEATS = 16  # over which the tempo is taken as steady
PLAIN = 0.25  # of the median strength: onsets weaker than that say little of when they are
MIN_SWUNG = 4  # odd sixteenths from which swing can be told
MIN_BEATS = 8  # two bars: fewer do not show a pattern


@dataclass(frozen=True)
class Grid:
    """A metrical grid of sixteenths laid over a signal.

    Attributes
    ----------
    tempo : float
        Beats per minute: 60 over the median beat.
    beats : ndarray of float64, shape (n_beats,)
        Seconds of the beats.
    downbeat : int
        Index in `beats` of the first downbeat, 0…3.
    late : float
        By how many sixteenths the second sixteenth of each quaver comes late: 0 is straight,
        1/3 is a triplet feel.
    swung : bool
        Whether there were onsets enough on odd sixteenths to tell; otherwise `late` is 0.
    """

    tempo: float
    beats: np.ndarray
    downbeat: int
    late: float = 0.0
    swung: bool = False

    @property
    def steps(self) -> np.ndarray:
        """Seconds of every sixteenth, swung, from the first beat to the last: (4 n_beats − 3,)."""
        steps = _divide(self.beats)
        steps[1::2] += self.late * np.diff(steps)[::2]
        return steps

    @property
    def places(self) -> np.ndarray:
        """Place in the bar (0…15) of each of `steps`."""
        return (np.arange(4 * self.beats.size - 3) - 4 * self.downbeat) % STEPS


def _autocorrelation(curve: np.ndarray, hop: float, longest: float) -> np.ndarray:
    """Normalised autocorrelation up to `longest` seconds of a smoothed curve without its drift."""
    x = ndimage.gaussian_filter1d(curve, 0.01 / hop)
    x = x - ndimage.uniform_filter1d(x, round(2 / hop))
    n = min(x.size - 1, round(longest / hop))
    r = signal.correlate(x, x, method="fft")[x.size - 1 : x.size + n]
    r = r / np.arange(x.size, x.size - r.size, -1)
    return r / r[0] if r[0] > 0 else np.zeros_like(r)


def estimate_tempo(curve: np.ndarray, hop: float) -> float:
    """Tempo of an onset curve.

    The beat period P maximises ``r(P/2) + 2 r(P) + 2 r(2P) + 2 r(4P) − ½ z²``, with the curve's
    autocorrelation r and the distance z of the tempo from 120 BPM, in standard deviations of 0.4
    octaves. Lags beyond half the signal count as 0.

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        See :func:`groove_utils.descriptors.onsets.onset_strength`.
    hop : float
        Seconds between its values.

    Returns
    -------
    float
        Beats per minute, 55…210; NaN where nothing pulses (a constant curve, or no positive
        correlation at any candidate).
    """
    r = _autocorrelation(np.asarray(curve, dtype=np.float64), hop, 4 * 60 / TEMPO_RANGE[0])
    r[len(curve) // 2 :] = 0
    bpm = TEMPO_RANGE[0] * 2 ** np.arange(0, np.log2(TEMPO_RANGE[1] / TEMPO_RANGE[0]), 0.005)
    period = 60 / bpm / hop
    lags = np.arange(r.size)
    support = sum(weight * np.interp(m * period, lags, r, right=0) for m, weight in MULTIPLES)
    if not support.max() > 0:
        return float("nan")
    distance = np.log2(bpm / PREFERRED_BPM) / TEMPO_SD
    best = period[np.argmax(support - 0.5 * distance**2)]
    # the long lags know the period more finely than the candidates are spaced
    near = best * 2 ** np.linspace(-0.01, 0.01, 81)
    fine = sum(weight * np.interp(m * near, lags, r, right=0) for m, weight in MULTIPLES)
    return float(60 / (near[np.argmax(fine)] * hop))


# What drums do in most popular music, at the sixteenths of a bar: bass drum on one and three and
# not on two and four, snare on two and four, and everything together on the beats.
_BEATS = np.arange(0, STEPS, 4)
EXPECTED = {name: np.zeros(STEPS) for name in ("low", "snare", "all")}
EXPECTED["low"][_BEATS] = 3, -1, 1, -1
EXPECTED["snare"][_BEATS] = 0, 2, 0, 2
EXPECTED["all"][_BEATS] = 3, 1, 2, 1
EXPECTED["all"][_BEATS + 2] = 0.5


def estimate_grid(
    curve: np.ndarray, regions: dict[str, np.ndarray], hop: float, tempo: float | None = None
) -> Grid | None:
    """Lay a metrical grid over a signal.

    Beats are tracked at the tempo, the place of the downbeat is chosen by what drums do in most
    popular music, and the clock is then fitted to all onsets near sixteenths, the second of each
    pair being allowed to come late (swing).

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset curve.
    regions : dict of str to ndarray, shape (n_frames,)
        See :func:`groove_utils.descriptors.onsets.region_strength`.
    hop : float
        Seconds between their values.
    tempo : float, optional
        Beats per minute; :func:`estimate_tempo` by default.

    Returns
    -------
    Grid or None
        None where there is no tempo, or there are onsets over fewer than eight beats.
    """
    tempo = estimate_tempo(curve, hop) if tempo is None else tempo
    times, strengths = detect_onsets(curve, hop)
    if np.isnan(tempo) or times.size < MIN_BEATS or np.ptp(times) * tempo / 60 < MIN_BEATS - 1:
        return None
    _, frames = librosa.beat.beat_track(
        onset_envelope=curve, sr=1 / hop, hop_length=1, bpm=tempo, trim=False, tightness=400
    )
    if len(frames) < MIN_BEATS:
        return None
    played = times[strengths > PLAIN * np.median(strengths)]  # without the rustle at the ends
    beats = _span(_smooth(np.asarray(frames) * hop + LATENCY), played[0], played[-1])
    if beats.size < MIN_BEATS:
        return None
    plain = times[strengths > PLAIN * np.median(strengths)]
    beats, late = _fit_clock(beats, plain)
    steps = _divide(beats)
    allowed = np.arange(STEPS)
    if late < -CLEAR_SWING and _is_odd(beats, plain).mean() > 0.3:
        # long–short, never short–long: the beats are among what was taken for the odd steps
        steps = steps + late * np.gradient(steps)
        allowed = allowed[1::2]
    heard = steps[steps < played[-1] + np.median(np.diff(steps)) / 2]
    shift = _find_downbeat(curve, regions, heard, hop, allowed)
    # the beats are every fourth step from the one that was chosen
    beats, late = _fit_clock(steps[shift % 4 :: 4], plain)
    odd = _is_odd(beats, plain).sum()
    return Grid(
        float(60 / np.median(np.diff(beats))), beats, shift // 4, late, bool(odd >= MIN_SWUNG)
    )


def _find_downbeat(
    curve: np.ndarray,
    regions: dict[str, np.ndarray],
    steps: np.ndarray,
    hop: float,
    allowed: np.ndarray,
) -> int:
    """Which of the first sixteen steps is a downbeat, of those allowed."""
    # a snare is loud in the highs without the lows; a bass drum's click is in the highs too
    snare = np.maximum(regions["high"] - regions["low"], 0)
    curves = {"low": regions["low"], "snare": snare, "all": curve}
    profile = {
        name: _standardised(_fold(strength_at(values, steps, hop)))
        for name, values in curves.items()
    }
    fit = [
        sum(profile[name] @ np.roll(EXPECTED[name], shift) for name in EXPECTED)
        for shift in allowed
    ]
    return int(allowed[np.argmax(fit)])


def _is_odd(beats: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Whether the sixteenth nearest to each onset is an odd one."""
    return np.round(4 * np.interp(times, beats, np.arange(beats.size))) % 2 == 1


def _divide(beats: np.ndarray) -> np.ndarray:
    """Times of every sixteenth between the first and the last beat."""
    return np.interp(np.arange(4 * beats.size - 3) / 4, np.arange(beats.size), beats)


def _smooth(beats: np.ndarray) -> np.ndarray:
    """Beats on a line fitted to their neighbours, so that no single stroke moves the clock.

    Local linear regression over eight beats to either side (tricube weights): exact for a steady
    tempo, and able to follow one that drifts over some bars.
    """
    index = np.arange(beats.size, dtype=np.float64)
    smooth = np.empty_like(beats)
    for i in range(beats.size):
        weight = np.clip(1 - (np.abs(index - i) / 9) ** 3, 0, None) ** 3
        smooth[i] = np.polyfit(index - i, beats, 1, w=np.sqrt(weight))[1]
    return smooth


def _span(beats: np.ndarray, first: float, last: float) -> np.ndarray:
    """Beats from the first onset to the last, continued at their own pace where they fall short.

    Silence beyond them would count as unaccented beats.
    """
    pace = np.median(np.diff(beats[:5])), np.median(np.diff(beats[-5:]))
    before = beats[0] - pace[0] * np.arange(max(0, int((beats[0] - first) / pace[0] + 1)), 0, -1)
    after = beats[-1] + pace[1] * np.arange(1, max(0, int((last - beats[-1]) / pace[1] + 1)) + 1)
    every = np.concatenate([before, beats, after])
    near = 0.3 * np.median(np.diff(beats))
    return every[(every >= first - near) & (every <= last + near)]


def _fit_clock(beats: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit beats, and how late every second sixteenth comes, to the onsets.

    In windows of 16 beats, overlapping and blended: ``time = a + b · step + late · odd`` by
    weighted least squares (bisquare), on onsets within 0.45 of a sixteenth of a step. `late`
    belongs to the whole signal.

    Returns
    -------
    beats : ndarray of float64, shape (n_beats,)
    late : float
        In sixteenths, −0.4…0.5; 0 where there are too few odd sixteenths to tell.
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
        beats = _blend(beats, step[near], times[near] - sixteenth * late * odd[near])
    return beats, late


def _blend(beats: np.ndarray, step: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Lines fitted to (step, time) in overlapping windows of beats, blended by Hann weights."""
    index = np.arange(beats.size)
    size = min(WINDOW_BEATS, beats.size)
    total, weights = np.zeros(beats.size), np.zeros(beats.size)
    starts = np.unique(np.append(np.arange(0, beats.size - size + 1, size // 2), beats.size - size))
    for start in starts:
        here = (step >= 4 * start) & (step <= 4 * (start + size - 1))
        window = np.hanning(size + 2)[1:-1]
        rows = slice(start, start + size)
        weights[rows] += window
        line = _robust_line(step[here] / 4, times[here])
        fitted = beats[rows] if line is None else line[0] * index[rows] + line[1]
        total[rows] += window * fitted
    return total / weights


def _robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """Slope and level by bisquare-weighted least squares; None for too few points."""
    if x.size < MIN_BEATS or np.ptp(x) < MIN_BEATS / 2:
        return None
    slope, level = _line(x, y, np.ones(x.size))
    for _ in range(5):
        error = y - (slope * x + level)
        scale = max(1.4826 * np.median(np.abs(error)), 1e-3)
        weight = np.clip(1 - (error / (4.685 * scale)) ** 2, 0, None) ** 2
        slope, level = _line(x, y, weight)
    return slope, level


def _line(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Slope and level by weighted least squares, as np.polyfit gives them, many times sooner."""
    total = weight.sum()
    centre, height = weight @ x / total, weight @ y / total
    lever = weight * (x - centre)
    slope = lever @ y / max(lever @ x, 1e-300)
    return slope, height - slope * centre


def strength_at(curve: np.ndarray, times: np.ndarray, hop: float) -> np.ndarray:
    """Largest value of an onset curve within 25 ms of each time."""
    highest = ndimage.maximum_filter1d(curve, 2 * round(0.025 / hop) + 1)
    frames = np.clip(np.round((times - LATENCY) / hop).astype(int), 0, curve.size - 1)
    return highest[frames]


def bar_profile(curves: Mapping[str, np.ndarray], grid: Grid | None, hop: float) -> pd.DataFrame:
    """Onset curves folded onto one bar (chapter 02).

    Parameters
    ----------
    curves : mapping of region to ndarray, shape (n_frames,)
        From :func:`groove_utils.descriptors.region_strength`.
    grid : Grid or None
        None, where no beat was found, gives no rows.
    hop : float
        Seconds from one frame to the next.

    Returns
    -------
    DataFrame
        Columns ``region``, ``step`` (0…15) and ``strength``: the mean over bars.
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


def _fold(values: np.ndarray) -> np.ndarray:
    """Mean of every sixteenth value: one bar."""
    return np.array([values[place::STEPS].mean() for place in range(STEPS)])


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
