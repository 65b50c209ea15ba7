"""Reconstruct sounds from their representations.

Each function computes a representation of a signal and reconstructs a plausible signal from it.
What is missing from the result is what the representation discarded. Signals `y` are mono,
(n_samples,), at the rate `sr` in Hz; results are float32 of the same length. `n_iter` is the number
of iterations of the phase estimation, and `seed` seeds the random numbers.
"""

from __future__ import annotations

import librosa
import numpy as np

from groove_utils.audio.validation import AudioError, check_mono
from groove_utils.memoisation import memoised

__all__ = [
    "from_chroma",
    "from_cqt",
    "from_mel",
    "from_onsets",
    "from_stft",
    "invert",
    "randomise_phase",
    "reconstruction_error",
]

BINS_PER_OCTAVE = 12
SHEPARD_CENTRE, SHEPARD_WIDTH = 60.0, 10.0  # MIDI note (C4), semitones
SHEPARD_RANGE = (28, 100)  # range of MIDI notes; outside it the weight is negligible
EDGE = 1e-10  # power below which a representation counts as silent


def from_stft(
    y: np.ndarray, *, n_fft: int = 2048, hop_length: int = 512, n_iter: int = 32, seed: int = 0
) -> np.ndarray:
    """Reconstruct a signal from the magnitudes of its STFT by the Griffin–Lim algorithm.

    Phases are estimated as in Griffin & Lim (1984), with the momentum of Perraudin et al. (2013).
    """
    y = check_mono(y)
    magnitude = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length))
    return _griffin_lim(magnitude, y.size, n_fft, hop_length, n_iter, seed)


def from_mel(
    y: np.ndarray,
    sr: int,
    *,
    n_mels: int = 96,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_iter: int = 32,
    seed: int = 0,
) -> np.ndarray:
    """Reconstruct a signal from its mel spectrogram: map bands to bins, then estimate the phases.

    The transposed filter bank distributes each band's power over its bins. Unlike a non-negative
    least-squares fit, this is a single matrix product and adds no fine structure that is not in the
    bands.
    """
    y = check_mono(y)
    power = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length)) ** 2
    filters = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels)
    bands = filters @ power
    width = filters.sum(axis=1, keepdims=True)
    cover = filters.sum(axis=0)
    spread = filters.T @ (bands / np.maximum(width, EDGE))
    spread /= np.maximum(cover, EDGE)[:, None]
    spread[cover <= EDGE] = 0.0
    return _griffin_lim(np.sqrt(spread), y.size, n_fft, hop_length, n_iter, seed)


def from_cqt(
    y: np.ndarray,
    sr: int,
    *,
    magnitude_only: bool = False,
    n_octaves: int = 7,
    hop_length: int = 256,
    n_iter: int = 24,
    seed: int = 0,
) -> np.ndarray:
    """Reconstruct a signal from its constant-Q transform, one bin per semitone from C1 (32.7 Hz).

    Parameters
    ----------
    y, sr
        The highest octave must lie below half the sample rate.
    magnitude_only : bool
        Discard the phases, and estimate them (Griffin–Lim for the CQT).
    n_octaves : int
    hop_length : int
        A multiple of ``2 ** (n_octaves - 1)``.
    n_iter, seed
        Used only with `magnitude_only`.
    """
    y = check_mono(y)
    settings = {"sr": sr, "hop_length": hop_length, "bins_per_octave": BINS_PER_OCTAVE}
    bins = librosa.cqt(y, n_bins=BINS_PER_OCTAVE * n_octaves, **settings)
    if not magnitude_only:
        return _fit(librosa.icqt(bins, length=y.size, **settings), y.size)
    guessed = librosa.griffinlim_cqt(
        np.abs(bins), n_iter=n_iter, length=y.size, random_state=seed, **settings
    )
    return _fit(guessed, y.size)


def from_chroma(y: np.ndarray, sr: int, *, hop_length: int = 512) -> np.ndarray:
    """Reconstruct a signal from its chromagram, with Shepard tones for the pitch classes.

    A Shepard tone (Shepard 1964) sounds in all octaves at once, which a chromagram does not
    distinguish. The octaves are weighted by a fixed bell-shaped curve around C4.
    """
    y = check_mono(y)
    if not y.any():
        return np.zeros_like(y)
    chroma = librosa.feature.chroma_stft(y=y, sr=sr, n_fft=4096, hop_length=hop_length, norm=None)
    level = np.sqrt(chroma / max(float(chroma.max()), EDGE))
    frames = np.arange(level.shape[1]) * hop_length
    samples = np.arange(y.size)
    notes = np.arange(*SHEPARD_RANGE)
    weights = np.exp(-0.5 * ((notes - SHEPARD_CENTRE) / SHEPARD_WIDTH) ** 2)
    sound = np.zeros(y.size)
    for pitch_class in range(BINS_PER_OCTAVE):
        tone = np.zeros(y.size)
        for note, weight in zip(notes, weights):
            frequency = 440.0 * 2 ** ((note - 69) / 12)
            if note % BINS_PER_OCTAVE == pitch_class and frequency < sr / 2:
                tone += weight * np.sin(2 * np.pi * frequency * samples / sr)
        sound += np.interp(samples, frames, level[pitch_class]) * tone
    return _fit(sound * 0.5 / max(np.abs(sound).max(), EDGE), y.size)


def from_onsets(
    curve: np.ndarray, hop: float, n_samples: int, sr: int, seed: int = 0
) -> np.ndarray:
    """Synthesise noise whose amplitude follows an onset curve.

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Non-negative, for instance from :func:`groove_utils.descriptors.onset_strength`.
    hop : float
        Seconds from one value to the next.
    n_samples : int
        Length of the result.
    sr, seed : int
    """
    curve = np.maximum(np.asarray(curve, dtype=np.float64), 0)
    noise = np.random.default_rng(seed).standard_normal(n_samples)
    times = np.arange(n_samples) / sr
    envelope = np.interp(times, np.arange(curve.size) * hop, curve)
    return _fit(noise * envelope * 0.25 / max(curve.max(initial=0), EDGE), n_samples)


def randomise_phase(
    y: np.ndarray, *, n_fft: int | None = 2048, hop_length: int | None = None, seed: int = 0
) -> np.ndarray:
    """Replace the phases of a signal's STFT with random ones and keep the magnitudes.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
    n_fft : int, optional
        Window length in samples. None treats the whole signal as one window, which keeps the
        magnitudes exactly.
    hop_length : int, optional
        A quarter of the window by default.
    seed : int
    """
    y = check_mono(y)
    rng = np.random.default_rng(seed)
    if n_fft is None:
        bins = np.fft.rfft(y)
        turns = np.exp(2j * np.pi * rng.random(bins.size))
        turns[0] = 1.0  # the bins at 0 Hz and at half the sample rate have no phase
        if y.size % 2 == 0:
            turns[-1] = 1.0
        return _fit(np.fft.irfft(bins * turns, n=y.size), y.size)
    hop_length = n_fft // 4 if hop_length is None else hop_length
    bins = librosa.stft(y, n_fft=n_fft, hop_length=hop_length)
    turned = np.abs(bins) * np.exp(2j * np.pi * rng.random(bins.shape))
    return _fit(librosa.istft(turned, hop_length=hop_length, length=y.size), y.size)


@memoised("inversions")
def invert(y: np.ndarray, sr: int, *, n_iter: int = 32, seed: int = 0) -> dict[str, np.ndarray]:
    """Reconstruct a signal from each representation that keeps a spectrum.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_samples,)
        Reconstructed signals by name of the representation.
    """
    return {
        "STFT": from_stft(y, n_iter=n_iter, seed=seed),
        "mel (96 bands)": from_mel(y, sr, n_iter=n_iter, seed=seed),
        "mel (24 bands)": from_mel(y, sr, n_mels=24, n_iter=n_iter, seed=seed),
        "CQT with phase": from_cqt(y, sr),
        "CQT": from_cqt(y, sr, magnitude_only=True, n_iter=max(1, n_iter // 2), seed=seed),
        "chroma": from_chroma(y, sr),
    }


def reconstruction_error(y: np.ndarray, made: np.ndarray, sr: int) -> dict[str, float]:
    """Measure the error of a reconstructed signal in four ways.

    Parameters
    ----------
    y, made : ndarray, shape (n_samples,)
        Original and reconstruction. Both are first scaled to the same root mean square, since some
        representations do not keep the level.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    dict of str to float
        ``waveform_db``: signal-to-error ratio of the samples in dB; about −3 for two unrelated
        sounds, infinite for identical ones. ``spectrum``: spectral convergence ‖S − Ŝ‖ / ‖S‖ of
        STFT magnitudes; 0 for identical ones. ``rhythm``: correlation of the onset curves.
        ``harmony``: correlation of the chroma vectors after scaling to length 1 and centring. NaN
        where one of the sounds is silent.
    """
    y, made = check_mono(y).astype(np.float64), check_mono(made).astype(np.float64)
    if y.shape != made.shape:
        message = f"the sounds have {y.size} and {made.size} samples; expected equal lengths."
        raise AudioError(message, kind="different_lengths")
    if not y.any() or not made.any():
        return dict.fromkeys(("waveform_db", "spectrum", "rhythm", "harmony"), float("nan"))
    made = made * np.sqrt((y**2).mean() / (made**2).mean())
    error = ((y - made) ** 2).sum()
    magnitudes = [np.abs(librosa.stft(one, n_fft=2048, hop_length=512)) for one in (y, made)]
    curves = [librosa.onset.onset_strength(y=one, sr=sr, hop_length=256) for one in (y, made)]
    tones = [librosa.feature.chroma_stft(S=one**2, sr=sr, norm=2) for one in magnitudes]
    tones = [(one - one.mean(axis=0)).ravel() for one in tones]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "waveform_db": float(10 * np.log10((y**2).sum() / error)) if error else float("inf"),
            "spectrum": float(
                np.linalg.norm(magnitudes[0] - magnitudes[1]) / np.linalg.norm(magnitudes[0])
            ),
            "rhythm": float(np.corrcoef(*curves)[0, 1]),
            "harmony": float(np.corrcoef(*tones)[0, 1]),
        }


def _griffin_lim(magnitude, n_samples, n_fft, hop_length, n_iter, seed):
    sound = librosa.griffinlim(
        magnitude,
        n_iter=n_iter,
        n_fft=n_fft,
        hop_length=hop_length,
        length=n_samples,
        random_state=seed,
    )
    return _fit(sound, n_samples)


def _fit(sound: np.ndarray, n_samples: int) -> np.ndarray:
    return librosa.util.fix_length(np.asarray(sound, dtype=np.float32), size=n_samples)
