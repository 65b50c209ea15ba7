"""Reconstruct signals from their representations.

Each ``from_…`` function computes a representation of a signal (except :func:`from_onsets`, which
takes an onset curve) and reconstructs a plausible signal from it, so that a listener can hear what
information the representation discards. Input signals `y` are mono, of shape (n_samples,), with a
sample rate of `sr` Hz. The results are float32 arrays of the same length. `n_iter` is the number of
iterations of the phase estimation, and `seed` seeds the random number generator.
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
SHEPARD_CENTRE, SHEPARD_WIDTH = 60.0, 10.0  # centre as MIDI note (C4), width in semitones
SHEPARD_RANGE = (28, 100)  # MIDI notes; outside this range the weights are negligible
EDGE = 1e-10  # smallest divisor, so that silence does not lead to a division by zero


def from_stft(
    y: np.ndarray, *, n_fft: int = 2048, hop_length: int = 512, n_iter: int = 32, seed: int = 0
) -> np.ndarray:
    """Reconstruct a mono signal from the magnitudes of its STFT.

    The phases are estimated by the fast Griffin–Lim algorithm (Griffin & Lim 1984; Perraudin et al.
    2013).
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
    """Reconstruct a signal from its mel spectrogram.

    The transposed filter bank distributes the power of each band over frequency bins, and the
    phases are estimated as in :func:`from_stft`. Unlike a non-negative least-squares fit, this
    method needs only one matrix product, and adds no spectral detail that is not in the bands.
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
    """Reconstruct a signal from its constant-Q transform, with one bin per semitone.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal.
    sr : int
        Sample rate in Hz. The highest octave must lie below half the sample rate.
    magnitude_only : bool
        If True, discard the phases and estimate them from the magnitudes, with the Griffin–Lim
        algorithm for the CQT.
    n_octaves : int
        Number of octaves from C1 (32.7 Hz) upwards.
    hop_length : int
        Hop length in samples, a multiple of ``2 ** (n_octaves - 1)``.
    n_iter, seed : int
        Number of iterations and random seed of the phase estimation; ignored unless
        `magnitude_only` is True.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Reconstructed signal.
    """
    y = check_mono(y)
    settings = {"sr": sr, "hop_length": hop_length, "bins_per_octave": BINS_PER_OCTAVE}
    bins = librosa.cqt(y, n_bins=BINS_PER_OCTAVE * n_octaves, **settings)
    if not magnitude_only:
        return _fit(librosa.icqt(bins, length=y.size, **settings), y.size)
    sound = librosa.griffinlim_cqt(
        np.abs(bins), n_iter=n_iter, length=y.size, random_state=seed, **settings
    )
    return _fit(sound, y.size)


def from_chroma(y: np.ndarray, sr: int, *, hop_length: int = 512) -> np.ndarray:
    """Reconstruct a signal from its chromagram, with one Shepard tone per pitch class.

    A chromagram does not distinguish octaves. Each pitch class is therefore rendered as a Shepard
    tone (Shepard 1964), which contains all octaves of a note, weighted by a Gaussian curve around
    C4.
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
    """Synthesise noise whose amplitude envelope follows an onset-strength curve.

    Parameters
    ----------
    curve : ndarray, shape (n_frames,)
        Onset strength, for instance from :func:`groove_utils.descriptors.onset_strength`. Negative
        values are treated as 0.
    hop : float
        Time in seconds between consecutive values of `curve`.
    n_samples : int
        Length of the result in samples.
    sr : int
        Sample rate of the result in Hz.
    seed : int
        Seed of the noise.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Gaussian noise whose standard deviation is proportional to the curve and at most 0.25.
    """
    curve = np.maximum(np.asarray(curve, dtype=np.float64), 0)
    noise = np.random.default_rng(seed).standard_normal(n_samples)
    times = np.arange(n_samples) / sr
    envelope = np.interp(times, np.arange(curve.size) * hop, curve)
    return _fit(noise * envelope * 0.25 / max(curve.max(initial=0), EDGE), n_samples)


def randomise_phase(
    y: np.ndarray, *, n_fft: int | None = 2048, hop_length: int | None = None, seed: int = 0
) -> np.ndarray:
    """Replace the phases of a signal's STFT with random phases, keeping the magnitudes.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal.
    n_fft : int, optional
        Window length in samples. If None, the complete signal is treated as one window, and the
        magnitudes of its Fourier transform are preserved exactly. With overlapping windows, the
        magnitudes are preserved only approximately.
    hop_length : int, optional
        Hop length in samples; by default, a quarter of the window.
    seed : int
        Seed of the random phases.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Signal with random phases.
    """
    y = check_mono(y)
    rng = np.random.default_rng(seed)
    if n_fft is None:
        bins = np.fft.rfft(y)
        turns = np.exp(2j * np.pi * rng.random(bins.size))
        turns[0] = 1.0  # the bins at 0 Hz and at half the sample rate are real
        if y.size % 2 == 0:
            turns[-1] = 1.0
        return _fit(np.fft.irfft(bins * turns, n=y.size), y.size)
    hop_length = n_fft // 4 if hop_length is None else hop_length
    bins = librosa.stft(y, n_fft=n_fft, hop_length=hop_length)
    turned = np.abs(bins) * np.exp(2j * np.pi * rng.random(bins.shape))
    return _fit(librosa.istft(turned, hop_length=hop_length, length=y.size), y.size)


@memoised("inversions")
def invert(y: np.ndarray, sr: int, *, n_iter: int = 32, seed: int = 0) -> dict[str, np.ndarray]:
    """Reconstruct a signal from each of six spectral representations.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal.
    sr : int
        Sample rate in Hz.
    n_iter : int
        Number of iterations of the phase estimation; half this number is used for the CQT.
    seed : int
        Seed of the initial phases.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_samples,)
        Reconstructed signal for each representation, such as ``"mel (24 bands)"``.
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
    """Compare a reconstructed signal with the original, using four measures.

    Parameters
    ----------
    y, made : ndarray, shape (n_samples,)
        Original and reconstruction. The reconstruction is first scaled to have the same root mean
        square as the original, because some representations do not preserve the level.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    dict of str to float
        ``waveform_db`` is the ratio of signal power to error power in dB: about −3 for unrelated
        signals, infinite for identical signals. ``spectrum`` is the spectral convergence
        ‖S − Ŝ‖ / ‖S‖ of the STFT magnitudes: 0 for identical signals. ``rhythm`` is the correlation
        of the onset-strength curves. ``harmony`` is the correlation of the chroma vectors,
        normalised and centred in each frame. All values are NaN if one of the signals is silent.

    Raises
    ------
    AudioError
        If a signal is not usable, or the lengths differ (``kind="different_lengths"``).
    """
    y, made = check_mono(y).astype(np.float64), check_mono(made).astype(np.float64)
    if y.shape != made.shape:
        message = f"the signals have {y.size} and {made.size} samples; expected equal lengths."
        raise AudioError(message, kind="different_lengths")
    if not y.any() or not made.any():
        return dict.fromkeys(("waveform_db", "spectrum", "rhythm", "harmony"), float("nan"))
    made = made * np.sqrt((y**2).mean() / (made**2).mean())
    error = ((y - made) ** 2).sum()
    signals = y, made
    magnitudes = [np.abs(librosa.stft(x, n_fft=2048, hop_length=512)) for x in signals]
    curves = [librosa.onset.onset_strength(y=x, sr=sr, hop_length=256) for x in signals]
    chroma = [librosa.feature.chroma_stft(S=s**2, sr=sr, norm=2) for s in magnitudes]
    chroma = [(frames - frames.mean(axis=0)).ravel() for frames in chroma]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "waveform_db": float(10 * np.log10((y**2).sum() / error)) if error else float("inf"),
            "spectrum": float(
                np.linalg.norm(magnitudes[0] - magnitudes[1]) / np.linalg.norm(magnitudes[0])
            ),
            "rhythm": float(np.corrcoef(*curves)[0, 1]),
            "harmony": float(np.corrcoef(*chroma)[0, 1]),
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
