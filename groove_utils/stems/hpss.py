"""Percussive and harmonic parts by median filtering: a separator that needs no weights.

In a spectrogram, drum strokes are vertical and tones horizontal lines. A median over time keeps
the latter, a median over frequency the former, and the two share out each bin's energy
(Fitzgerald 2010). Chapter 07 uses it as the second separator.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import median_filter

from groove_utils.stems.signals import StreamBuffer

__all__ = ["HPSS_STEMS", "Hpss"]

HPSS_STEMS = ("percussive", "harmonic")
N_FFT = 2048
HOP = 512
KERNEL = 31
SHORTEST = 2 * N_FFT  # of a few frames alone, librosa's istft leaves samples unset
# A sample depends on the frames within n_fft/2 of it, their masks on 15 more frames to each side,
# and these on n_fft/2 more samples: 19 hops. With more context than that, cutting changes nothing.
CONTEXT = 24 * HOP
BLOCK = 2048 * HOP  # 24 s at 44.1 kHz


class Hpss:
    """Harmonic–percussive separation with librosa's parameters, in blocks.

    Notes
    -----
    Blocks of 2048 hops (24 s at 44.1 kHz) are computed with 24 hops (0.28 s) of context on either
    side, more than any sample of them depends on: the result is that of
    :func:`librosa.effects.hpss` for the whole signal.
    """

    stems = HPSS_STEMS
    uses_all_cores = False

    def fingerprint(self) -> str:
        """What the result depends on, besides the signal."""
        import librosa

        return f"hpss 1, librosa {librosa.__version__}, {N_FFT}/{HOP}/{KERNEL}"

    def settings(self) -> dict:
        """Parameters of :func:`groove_utils.stems.separate` that matter to this separator."""
        return {}

    def check(self) -> None:
        """There is nothing that could be set wrongly."""

    def stream(self, signal) -> Iterator[np.ndarray]:
        """The stems in blocks, (2, n_channels, n), as long as the signal in all."""
        tape = StreamBuffer(signal.blocks(), signal.n_channels)
        start = 0
        while (stop := tape.reaches(start + BLOCK)) > start:
            low = max(0, start - CONTEXT)
            high = tape.reaches(start + BLOCK + CONTEXT)
            block = hpss(tape.read(low, high))
            yield block[..., start - low : stop - low]
            start = stop
            tape.forget(start - CONTEXT)


def hpss(y: np.ndarray) -> np.ndarray:
    """Percussive and harmonic part of a signal, (2, n_channels, n_samples)."""
    import librosa

    n = y.shape[-1]
    if n < SHORTEST:
        y = np.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, SHORTEST - n)])
    spectrum = librosa.stft(y, n_fft=N_FFT, hop_length=HOP)
    level = np.abs(spectrum)
    tones = _running_median(level)
    strokes = _running_median(level.swapaxes(-1, -2)).swapaxes(-1, -2)
    # where neither has energy, the two share equally, so that they always add up to the whole
    share = librosa.util.softmask(strokes, tones, power=2, split_zeros=True)
    percussive = spectrum * share
    parts = np.stack([percussive, spectrum - percussive])
    return librosa.istft(parts, hop_length=HOP, length=y.shape[-1])[..., :n].astype(np.float32)


def _running_median(level: np.ndarray) -> np.ndarray:
    """Median over 31 neighbours along the last axis, with rows mirrored at their ends.

    All rows are one long line to scipy, which slides an ordered window along it: the same numbers
    as from librosa's one call for the whole image, more than ten times sooner.
    """
    half = KERNEL // 2
    margins = [(0, 0)] * (level.ndim - 1) + [(half, half)]
    line = np.pad(level, margins, mode="symmetric")
    return median_filter(line.ravel(), size=KERNEL).reshape(line.shape)[..., half:-half]
