"""Write loudness-matched MP3 files for the audio players on the book's pages."""

from __future__ import annotations

import os

import numpy as np

from groove_utils.audio.decode import resample
from groove_utils.audio.encode import write_audio
from groove_utils.audio.loudness import match_loudness

__all__ = ["write_mp3"]

MP3_RATES = (32000, 44100, 48000)


def write_mp3(
    path: str | os.PathLike,
    y: np.ndarray,
    sr: int,
    *,
    match: bool = True,
    quality: float = 0.6,
) -> None:
    """Write a signal to an MP3 file with a variable bit rate.

    Parameters
    ----------
    path : path-like
        Output file; its suffix should be ``.mp3``.
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1.
    sr : int
        Sample rate in Hz. If MPEG-1 Layer III does not support it, the signal is resampled to
        44.1 kHz.
    match : bool
        If True, first scale the signal to a common loudness; see
        :func:`groove_utils.audio.match_loudness`.
    quality : float
        Compression level, from 0 (best quality, largest file) to 1 (smallest file).
    """
    if sr not in MP3_RATES:
        y, sr = resample(y, sr, 44100), 44100
    if match:
        y = match_loudness(y, sr)
    write_audio(
        path,
        np.asarray(y, dtype=np.float32),
        sr,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=quality,
    )
