"""Decode audio files with libsndfile and resample with soxr."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

__all__ = ["AudioError", "load_audio", "mix_down", "open_audio", "resample", "stream_audio"]


class AudioError(ValueError):
    """An audio file that cannot be used; the message says which, why, and how to mend it."""


def load_audio(
    path: str | os.PathLike, sr: int | None = None, mono: bool = True
) -> tuple[np.ndarray, int]:
    """Decode a whole audio file.

    Parameters
    ----------
    path : path-like
        WAV, FLAC, OGG, MP3 or any other format that libsndfile reads.
    sr : int, optional
        Sample rate in Hz to resample to; the file's own by default.
    mono : bool
        Average the channels.

    Returns
    -------
    y : ndarray of float32, shape (n_samples,) or (n_channels, n_samples)
        The signal; full scale is −1…1.
    sr : int
        Its sample rate in Hz.

    Raises
    ------
    AudioError
        If the file is missing, cannot be decoded, is empty, or holds NaN or infinite samples.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path}: no such audio file. Check the path in tracks.csv.")
    try:
        y, native_sr = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise _undecodable(path, error) from error
    if len(y) == 0:
        raise AudioError(f"{path}: holds no samples. Export it again.")
    if not np.isfinite(y).all():
        bad = int((~np.isfinite(y)).sum())
        raise AudioError(f"{path}: {bad} of {y.size} samples are NaN or infinite. Export it again.")
    y = mix_down(y) if mono else np.ascontiguousarray(y.T)
    if sr is not None and sr != native_sr:
        return resample(y, native_sr, sr), sr
    return y, native_sr


def mix_down(y: np.ndarray) -> np.ndarray:
    """The mean of the channels, as ``y.mean(axis=1)`` but twenty times faster for stereo.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples, n_channels)

    Returns
    -------
    ndarray of float32, shape (n_samples,)
    """
    if y.shape[1] == 1:
        return y[:, 0]
    total = y[:, 0] + y[:, 1]
    for channel in range(2, y.shape[1]):
        total += y[:, channel]
    total /= y.shape[1]
    return total


def _undecodable(path: str | os.PathLike, error: Exception) -> AudioError:
    return AudioError(
        f"{path}: cannot be decoded ({error}). Expected WAV, FLAC, OGG or MP3; "
        "convert it, for instance with `ffmpeg -i IN OUT.flac`."
    )


def open_audio(path: str | os.PathLike) -> soundfile.SoundFile:
    """Open an audio file, to be closed by the caller.

    Raises
    ------
    AudioError
        If it cannot be decoded.
    """
    try:
        return soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise _undecodable(path, error) from error


def stream_audio(
    path: str | os.PathLike, n_block: int, start: float = 0.0, duration: float | None = None
) -> Iterator[np.ndarray]:
    """Decode an audio file, or an excerpt of it, a block at a time.

    It reads on until nothing more decodes: the length that a file states may be wrong.

    Parameters
    ----------
    path : path-like
    n_block : int
        Samples of a block, over all channels.
    start : float
        Seconds from the file's beginning.
    duration : float, optional
        Seconds; to the file's end by default.

    Yields
    ------
    ndarray of float32, shape (n, n_channels)

    Raises
    ------
    AudioError
        If the file cannot be decoded, holds no samples there, or NaN or infinite ones.
    """
    n_samples = 0
    with open_audio(path) as file:
        size = max(1, n_block // file.channels)
        left = math.inf if duration is None else round(duration * file.samplerate)
        try:
            if start:
                file.seek(min(file.frames, round(start * file.samplerate)))
            while left > n_samples:
                block = file.read(int(min(size, left - n_samples)), "float32", always_2d=True)
                if len(block) == 0:
                    break
                if n_bad := int((~np.isfinite(block)).sum()):
                    raise AudioError(
                        f"{path}: {n_bad} samples are NaN or infinite, the first within "
                        f"{len(block)} samples of sample {n_samples}. Export it again."
                    )
                n_samples += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"{path}: cannot be decoded after {n_samples} samples ({error}). "
                "The file is damaged or cut short; export it again."
            ) from error
    if n_samples == 0:
        raise AudioError(f"{path}: holds no samples. Export it again.")


def resample(y: np.ndarray, sr_in: int, sr_out: int) -> np.ndarray:
    """Resample with soxr at its high quality.

    Parameters
    ----------
    y : ndarray, shape (..., n_samples)
        Mono or (n_channels, n_samples).
    sr_in, sr_out : int
        Sample rates in Hz.

    Returns
    -------
    ndarray of float32, shape (..., about n_samples * sr_out / sr_in)
    """
    y = np.asarray(y, dtype=np.float32)
    if sr_in == sr_out:
        return y
    # soxr wants (n_samples, n_channels)
    return np.ascontiguousarray(soxr.resample(y.T, sr_in, sr_out, quality="HQ").T)
