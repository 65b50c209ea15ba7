"""Harmonic–percussive source separation (HPSS) by median filtering, which needs no weights.

In a spectrogram, drum strokes appear as vertical lines, and tones as horizontal lines. A median
filter over time keeps the tones, and a median filter over frequency keeps the strokes. Each bin is
divided between the harmonic and the percussive part in proportion to the squared medians
(Fitzgerald 2010). Chapter 08-stem-ablation uses HPSS as its second separator.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

import numpy as np
from scipy.ndimage import median_filter

from groove_utils.audio.streams import Source, map_pieces

__all__ = ["Hpss", "hpss"]

N_FFT = 2048
HOP = 512
KERNEL = 31
SHORTEST = 2 * N_FFT  # samples; for fewer, librosa's istft leaves some samples uninitialised
PIECE = 2048 * HOP  # 24 s at 44.1 kHz
# An output sample depends on frames up to n_fft/2 samples away. Their masks depend on 15 more
# frames on each side, and these on n_fft/2 more samples: 19 hops in total. More context has no
# effect.
CONTEXT = 24 * HOP


class Hpss:
    """Harmonic–percussive separator like :func:`librosa.effects.hpss`, but using less memory."""

    stems = ("percussive", "harmonic")
    uses_all_cores = False

    def recipe(self) -> dict:
        """Return the version and the settings of the separator, which determine the cache key."""
        version = importlib.metadata.version("librosa")
        return {"separator": f"hpss 1, librosa {version}, {N_FFT}/{HOP}/{KERNEL}"}

    def check(self) -> None:
        """Do nothing, because the separator has no settings and no weights."""

    def stream(self, source: Source) -> Iterator[np.ndarray]:
        """Yield the stems of the whole source in blocks of shape (2, n_channels, n)."""
        return map_pieces(hpss, source.blocks(mono=False), PIECE, CONTEXT)


def hpss(y: np.ndarray) -> np.ndarray:
    """Separate a signal into its percussive and harmonic parts.

    Parameters
    ----------
    y : ndarray of float32, shape (n_channels, n_samples)
        Signal.

    Returns
    -------
    ndarray of float32, shape (2, n_channels, n_samples)
        The percussive part, then the harmonic part. The two parts add up to the signal.
    """
    import librosa

    n = y.shape[-1]
    y = np.pad(y, [(0, 0), (0, max(0, SHORTEST - n))])
    spectrum = librosa.stft(y, n_fft=N_FFT, hop_length=HOP)
    level = np.abs(spectrum)
    tones = _running_median(level)
    strokes = _running_median(level.swapaxes(-1, -2)).swapaxes(-1, -2)
    # bins without energy are divided equally, so that the parts always add up to the signal
    share = librosa.util.softmask(strokes, tones, power=2, split_zeros=True)
    percussive = spectrum * share
    parts = np.stack([percussive, spectrum - percussive])
    return librosa.istft(parts, hop_length=HOP, length=y.shape[-1])[..., :n].astype(np.float32)


def _running_median(level: np.ndarray) -> np.ndarray:
    """Compute the running median of 31 values along the last axis, which is mirrored at both ends.

    Filtering all rows as one long vector gives the same values as librosa's two-dimensional filter,
    but is much faster, because SciPy then only updates a sorted window at each step.
    """
    half = KERNEL // 2
    margins = [(0, 0)] * (level.ndim - 1) + [(half, half)]
    padded = np.pad(level, margins, mode="symmetric")
    return median_filter(padded.ravel(), size=KERNEL).reshape(padded.shape)[..., half:-half]
