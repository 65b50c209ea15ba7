"""Decode audio files with libsndfile and resample with soxr."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

__all__ = [
    "AudioError",
    "check_excerpt",
    "load_audio",
    "mix_down",
    "open_audio",
    "resample",
    "stream_audio",
]

TOLERANCE = 0.1  # seconds by which a file may be shorter than it says
UNKNOWN = 0x7FFF0000  # bytes; a program that cannot know the length yet writes this or more
CHUNKS = {b"RIFF": ("little", b"data"), b"FORM": ("big", b"SSND")}  # of WAV and AIFF
# the first frame of an MP3 that says how long it is; behind it 4 bytes each: flags, frames, bytes
XING = re.compile(rb"\0*(\xff[\xe0-\xff].{11,36}?(?:Xing|Info))...(.).{4}(.{4})", re.DOTALL)
PAGE = 1 << 16  # bytes, which no page of an Ogg file exceeds


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
        If the file is missing, cannot be decoded, is cut short or empty, or holds NaN or infinite
        samples.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path}: no such audio file. Check the path in tracks.csv.")
    with open_audio(path) as file:
        native_sr = file.samplerate
        try:
            y = file.read(dtype="float32", always_2d=True)
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
        If it cannot be decoded, or is cut short: a WAV, AIFF or MP3 file that says how many bytes
        of audio it has and holds fewer, by more than 0.1 s, or an Ogg file whose last page is not
        whole. Of files that do not say it, as an MP3 file need not, it cannot be known.
    """
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise _undecodable(path, error) from error
    if fault := _cut_short(Path(path), file):
        file.close()
        raise AudioError(
            f"{path}: the file is cut short: {fault}. Download, copy or export it again. If "
            "nothing is missing, `ffmpeg -i IN -c copy OUT` writes a file that states its length."
        )
    return file


def _cut_short(path: Path, file: soundfile.SoundFile) -> str:
    """What a file lacks at its end, in words; empty where nothing is known to be missing.

    libsndfile itself takes what is there of these formats for the whole.
    """
    seconds = file.frames / file.samplerate
    size = path.stat().st_size
    with path.open("rb") as raw:
        head = raw.read(12)
        if head[:4] == b"OggS":
            whole = _ends_with_a_page(raw, size)
            return "" if whole else f"it breaks off in the middle of a page, after {seconds:.2f} s"
        mp3 = file.format == "MP3"
        stated, found = _xing_size(raw, size) if mp3 else _chunk_size(raw, size, head[:4])
    if found <= 0 or stated <= found or stated >= UNKNOWN:
        return ""
    # libsndfile goes by an MP3's first frame, and by what there is of the others
    there, said = (
        (seconds * found / stated, seconds) if mp3 else (seconds, seconds * stated / found)
    )
    if said - there <= TOLERANCE:
        return ""
    return f"it holds {there:.2f} s, but says that there are {said:.2f} s"


def _chunk_size(raw: BinaryIO, size: int, kind: bytes) -> tuple[int, int]:
    """Bytes of audio that a WAV or AIFF file says that it has, and those that there are."""
    order, name = CHUNKS.get(kind, ("little", b""))
    raw.seek(12)
    while name and len(head := raw.read(8)) == 8:
        stated = int.from_bytes(head[4:], order)
        if head[:4] == name:
            return stated, size - raw.tell()
        raw.seek(stated + stated % 2, os.SEEK_CUR)
    return 0, 0


def _xing_size(raw: BinaryIO, size: int) -> tuple[int, int]:
    """Bytes of audio that an MP3 file says that it has, and those that there are."""
    start = 0
    raw.seek(0)
    while (tag := raw.read(10))[:3] == b"ID3" and len(tag) == 10:  # its size has 7 bits a byte
        start += 10 + sum(byte << 7 * i for i, byte in enumerate(reversed(tag[6:])))
        raw.seek(start)
    raw.seek(start)
    found = XING.match(raw.read(1 << 14))
    if found is None or found[2][0] & 3 != 3:  # it need not say both
        return 0, 0
    return int.from_bytes(found[3], "big"), size - start - found.start(1)


def _ends_with_a_page(raw: BinaryIO, size: int) -> bool:
    raw.seek(max(0, size - 2 * PAGE))
    end = raw.read()
    page = end[end.rfind(b"OggS") :]
    n_segments = page[26] if len(page) > 26 else PAGE
    return len(page) >= 27 + n_segments + sum(page[27 : 27 + n_segments])


def check_excerpt(path: str | os.PathLike, start: float, duration: float | None) -> None:
    """Make sure that an excerpt may be one, of whatever file.

    Raises
    ------
    ValueError
        If `start` is negative, or `duration` is not positive.
    """
    if not start >= 0:
        raise ValueError(f"{path}: the excerpt starts at {start} s; expected 0 or later.")
    if duration is not None and not duration > 0:
        raise ValueError(f"{path}: the excerpt lasts {duration} s; expected more than 0.")


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
        If the file cannot be decoded, is cut short, ends before `start`, or holds no samples, or
        NaN or infinite ones.
    ValueError
        If `start` is negative, or `duration` is not positive.
    """
    check_excerpt(path, start, duration)
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
        seconds = file.frames / file.samplerate
    if n_samples == 0 and 0 < seconds <= start:
        raise AudioError(
            f"{path}: the excerpt starts at {start:g} s, but the file ends at {seconds:.2f} s. "
            "Start earlier."
        )
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
