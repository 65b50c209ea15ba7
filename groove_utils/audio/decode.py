"""Decode audio files, either whole or block by block, and resample signals.

libsndfile decodes WAV, AIFF, FLAC and Ogg. FFmpeg, through PyAV, decodes all other formats, such as
M4A and WebM. FFmpeg also decodes MP3, because python-soundfile seeks after each block, and seeking
in MP3 files is not exact.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from groove_utils.audio.validation import AudioError, check_samples

__all__ = [
    "audio_duration",
    "check_excerpt",
    "load_audio",
    "mix_down",
    "open_audio",
    "resample",
    "stream_audio",
]

BLOCK = 1 << 18  # samples, summed over channels: 3 s of stereo at 44.1 kHz
TOLERANCE = 0.1  # seconds by which a file may be shorter than its declared length
UNKNOWN = 0x7FFF0000  # bytes; programs that write a file of unknown length declare this or more
# libsndfile's note on a WAV, AIFF, AU, W64 or RF64 file with fewer bytes of audio than declared
CUT_SHORT = re.compile(r"(?:data|SSND|Data Size|[Rr]iff(?: size)?) *: (\d+) \(should be (\d+)\)")
GUESSED = {"aac", "mp3"}  # files may not declare their length; FFmpeg then estimates it
WEB_PAGE = re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE)
POINTER = b"version https://git-lfs.github.com/spec/"
PAGE = 1 << 16  # maximum size of a page in an Ogg file, in bytes


def load_audio(
    path: str | os.PathLike, sr: int | None = None, mono: bool = True
) -> tuple[np.ndarray, int]:
    """Decode a complete audio file.

    Parameters
    ----------
    path : path-like
        WAV, AIFF, FLAC, MP3, Ogg, Opus, M4A, WebM or any other format that libsndfile or FFmpeg
        can decode.
    sr : int, optional
        Sample rate in Hz to resample to; by default, the sample rate of the file.
    mono : bool
        If True, average the channels.

    Returns
    -------
    y : ndarray of float32, shape (n_samples,) or (n_channels, n_samples)
        The signal, scaled so that full scale is ±1; one-dimensional if `mono` is True.
    sr : int
        Sample rate of `y` in Hz.

    Raises
    ------
    AudioError
        If the file is missing or its audio is not usable; see :func:`stream_audio`.
    """
    with closing(open_audio(path)) as file:
        blocks = [mix_down(block) if mono else block for block in _checked(file, 16 * BLOCK)]
        y, native = np.ascontiguousarray(np.concatenate(blocks).T), file.sr
    return (resample(y, native, sr), sr) if sr else (y, native)


def stream_audio(
    path: str | os.PathLike, n_block: int = BLOCK, start: float = 0.0, duration: float | None = None
) -> Iterator[np.ndarray]:
    """Decode an audio file, or an excerpt of it, block by block.

    Parameters
    ----------
    path : path-like
        Audio file.
    n_block : int
        Maximum number of samples per block, counting all channels.
    start : float
        Start of the excerpt, in seconds from the beginning of the file.
    duration : float, optional
        Length of the excerpt in seconds; by default, it extends to the end of the file.

    Yields
    ------
    ndarray of float32, shape (n, n_channels)
        One block, at the sample rate of the file.

    Raises
    ------
    AudioError
        If the file does not exist (``kind="missing_file"``), has no decodable audio
        (``"undecodable"``, ``"web_page"``, ``"pointer"`` for a Git LFS pointer file,
        ``"empty_file"``, ``"no_audio"``, ``"no_samples"``), is damaged (``"damaged"``), is more
        than 0.1 s shorter than its declared length (``"cut_short"``), or has invalid samples
        (``"not_finite"``, ``"wrong_scale"``); or if the excerpt is empty or starts after the end of
        the file (``"out_of_range"``).
    """
    check_excerpt(path, start, duration)
    with closing(open_audio(path)) as file:
        length = math.inf if duration is None else round(duration * file.sr)
        yield from _checked(file, n_block, round(start * file.sr), length)


def audio_duration(path: str | os.PathLike) -> float:
    """Return the exact duration of an audio file in seconds.

    A file that FFmpeg decodes, such as an MP3 file, is decoded completely to count its samples.

    Raises
    ------
    AudioError
        If the file is missing or its audio is not usable; see :func:`stream_audio`.
    """
    with closing(open_audio(path)) as file:
        return (file.n_samples or sum(map(len, _checked(file, BLOCK)))) / file.sr


def open_audio(path: str | os.PathLike) -> _SoundFile | _MediaFile:
    """Open an audio file; the caller must close it.

    Returns
    -------
    _SoundFile or _MediaFile
        Object with the attributes ``sr`` (in Hz), ``n_channels`` and ``n_samples`` (0 if unknown),
        and the methods ``blocks(n, start)`` and ``close()``.

    Raises
    ------
    AudioError
        If the file is missing, cannot be decoded, or is found to be incomplete.
    """
    path = Path(path)
    if not path.is_file():
        raise _error(path, "missing_file", "no such audio file. Check the path in tracks.csv.")
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError:
        return _MediaFile(path)
    # libsndfile reports an unknown length as 0 or 2⁶³ − 1
    if file.subtype.startswith("MPEG") or not 0 < file.frames < 1 << 62:
        file.close()
        return _MediaFile(path)
    return _SoundFile(path, file)


class _SoundFile:
    """Audio file decoded by libsndfile."""

    def __init__(self, path: Path, file: soundfile.SoundFile):
        self.path, self.file, self.close = path, file, file.close
        self.sr, self.n_channels, self.n_samples = file.samplerate, file.channels, file.frames
        if note := CUT_SHORT.search(file.extra_info):
            declared, present = map(int, note.groups())
            seconds = self.n_samples / self.sr
            if declared < UNKNOWN and seconds * declared / present - seconds > TOLERANCE:
                file.close()
                raise _cut_short(path, seconds, f"declares {seconds * declared / present:.2f} s")
        if file.format == "OGG" and not _ends_with_a_page(path):
            file.close()
            raise _cut_short(path, self.n_samples / self.sr, "ends in the middle of a page")

    def blocks(self, n: int, start: int) -> Iterator[np.ndarray]:
        """Decode the file from sample `start` on, and yield blocks of shape (≤ n, n_channels)."""
        # libsndfile does not seek exactly in Ogg, and not at all in GSM
        exact = self.file.seekable() and self.file.format != "OGG"
        n_decoded = min(start, self.n_samples) if exact else 0
        try:
            if n_decoded:
                self.file.seek(n_decoded)
            while len(block := self.file.read(n, "float32", always_2d=True)):
                if start < n_decoded + len(block):
                    yield block[max(0, start - n_decoded) :]
                n_decoded += len(block)
        except soundfile.LibsndfileError as error:
            raise _damaged(self.path, n_decoded / self.sr, error) from error
        if self.n_samples - n_decoded > TOLERANCE * self.sr:
            raise _damaged(self.path, n_decoded / self.sr, "samples are missing")


class _MediaFile:
    """Audio file decoded by FFmpeg."""

    n_samples = 0

    def __init__(self, path: Path):
        self.path = path
        with path.open("rb") as file:
            head = file.read(1024)
        if WEB_PAGE.match(head):
            fault = "is a web page, not audio. Download the audio file that it links to."
            raise _error(path, "web_page", fault)
        if head.startswith(POINTER):
            fault = "is only a pointer to a file in Git LFS. Run `git lfs pull` to download it."
            raise _error(path, "pointer", fault)
        if not head:
            fault = (
                "is empty (0 bytes). Download or copy it again; cloud drives may leave empty files."
            )
            raise _error(path, "empty_file", fault)
        try:
            self.container = av.open(f"file:{path}", metadata_errors="replace")
        except av.FFmpegError as error:
            raise _undecodable(path, error) from error
        self.close = self.container.close
        if not self.container.streams.audio:
            self.close()
            raise _error(path, "no_audio", "has no audio track. Choose a file that has one.")
        self.stream = self.container.streams.audio[0]
        if self.stream.codec_context is None:
            self.close()
            raise _undecodable(path, "its codec is unknown")
        self.sr, self.n_channels = self.stream.sample_rate, self.stream.layout.nb_channels
        if not (self.sr and self.n_channels):  # the format was guessed from the suffix
            self.close()
            raise _undecodable(path, "no audio was recognised")

    def blocks(self, n: int, start: int) -> Iterator[np.ndarray]:
        """Decode the file from sample `start` on, and yield blocks of shape (≤ n, n_channels)."""
        # use interleaved samples, because PyAV's conversion of planar frames fails for 8 channels
        converter = av.AudioResampler("flt", self.stream.layout, self.sr, n)
        for frame in itertools.chain(self._frames(), [None]):
            for block in converter.resample(frame):
                y = block.to_ndarray().reshape(-1, self.n_channels)[start:]
                start = max(0, start - block.samples)
                if len(y):
                    yield y

    def _frames(self) -> Iterator[av.AudioFrame]:
        n_decoded, begin, declared = 0, None, self._declared_seconds()
        for packet in self.container.demux(self.stream):
            begin = packet.pos if begin is None else begin
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                if bytes(packet)[:3] == b"ID3":  # a tag between two concatenated files
                    continue
                if declared and n_decoded / self.sr > declared - TOLERANCE:  # a tag at the end
                    continue
                raise _damaged(self.path, n_decoded / self.sr, error) from error
            for frame in frames:
                n_decoded += frame.samples
                yield frame
        seconds = n_decoded / self.sr
        if declared - seconds > TOLERANCE and not self._is_guess(declared, begin):
            raise _cut_short(self.path, seconds, f"declares {declared:.2f} s")

    def _declared_seconds(self) -> float:
        """Return the declared duration in seconds, FFmpeg's estimate, or 0 if neither is known."""
        if self.stream.duration:
            return float(self.stream.duration * self.stream.time_base)
        duration = self.container.duration if len(self.container.streams) == 1 else None
        return duration / av.time_base if duration else 0.0

    def _is_guess(self, seconds: float, begin: int) -> bool:
        """Return True if FFmpeg only estimated the duration from the bit rate and file size."""
        if self.container.format.name not in GUESSED:
            return False
        guess = 8 * (self.container.size - begin) / self.stream.codec_context.bit_rate
        return seconds < guess + TOLERANCE


def _ends_with_a_page(path: Path) -> bool:
    """Return True if the last page of an Ogg file is complete."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2 * PAGE))
        end = file.read()
    page = end[end.rfind(b"OggS") :]
    n_segments = page[26] if len(page) > 26 else PAGE
    return len(page) >= 27 + n_segments + sum(page[27 : 27 + n_segments])


def _checked(
    file: _SoundFile | _MediaFile, n_block: int, start: int = 0, length: float = math.inf
) -> Iterator[np.ndarray]:
    """Yield up to `length` samples in blocks, starting at `start`, and check their values."""
    n = 0
    for block in file.blocks(max(1, n_block // file.n_channels), start):
        block = block[: int(min(len(block), length - n))]
        check_samples(block, str(file.path), start + n, file.path)
        yield block
        n += len(block)
        if n >= length:
            return
    if n == 0 and start:
        raise _bad_excerpt(file.path, "start", start / file.sr, "a time before the end of the file")
    if n == 0:
        raise _error(file.path, "no_samples", "contains no samples. Export it again.")


def _error(path: str | os.PathLike, kind: str, fault: str, **fields) -> AudioError:
    return AudioError(f"{path}: {fault}", kind=kind, path=path, **fields)


def _undecodable(path: Path, error: object) -> AudioError:
    fault = f"cannot be decoded ({error}). Expected WAV, FLAC, MP3, Ogg, M4A or similar; convert "
    return _error(path, "undecodable", fault + "it, for instance with `ffmpeg -i IN OUT.flac`.")


def _damaged(path: Path, seconds: float, error: object) -> AudioError:
    fault = f"cannot be decoded after {seconds:.2f} s ({error}). The file is damaged or cut short; "
    return _error(path, "damaged", f"{fault}download, copy or export it again.", value=seconds)


def _cut_short(path: Path, seconds: float, other: str) -> AudioError:
    fault = (
        f"the file is cut short: it contains {seconds:.2f} s, but {other}. Download, copy or "
        "export it again. If nothing is missing, `ffmpeg -i IN -c copy OUT` writes a copy with the "
        "correct length."
    )
    return _error(path, "cut_short", fault, value=seconds)


def _bad_excerpt(path: str | os.PathLike, column: str, value: float, expected: str) -> AudioError:
    fault = f"the excerpt's {column} is {value:g} s; expected {expected}."
    return _error(path, "out_of_range", fault, column=column, value=value)


def check_excerpt(path: str | os.PathLike, start: float, duration: float | None) -> None:
    """Check the start and duration of an excerpt, both in seconds.

    Raises
    ------
    AudioError
        If `start` is negative, or `duration` is not positive (``kind="out_of_range"``).
    """
    if not start >= 0:
        raise _bad_excerpt(path, "start", start, "0 or more")
    if duration is not None and not duration > 0:
        raise _bad_excerpt(path, "duration", duration, "more than 0")


def mix_down(y: np.ndarray) -> np.ndarray:
    """Average the channels, like ``y.mean(axis=1)``, but much faster if there are few channels.

    Parameters
    ----------
    y : ndarray of float32, shape (n_samples, n_channels)
        Signal.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Mean of the channels at each sample.
    """
    if y.shape[1] == 1:
        return y[:, 0]
    total = y[:, 0] + y[:, 1]
    for channel in range(2, y.shape[1]):
        total += y[:, channel]
    total /= y.shape[1]
    return total


def resample(y: np.ndarray, sr_in: int, sr_out: int) -> np.ndarray:
    """Resample a signal with soxr's high-quality setting.

    Parameters
    ----------
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
        Signal.
    sr_in, sr_out : int
        Sample rates of `y` and of the result, in Hz.

    Returns
    -------
    ndarray of float32, shape (n_out,) or (n_channels, n_out)
        The resampled signal; ``n_out`` is about ``n_samples * sr_out / sr_in``.
    """
    y = np.asarray(y, dtype=np.float32)
    if sr_in == sr_out:
        return y
    # soxr expects (n_samples, n_channels)
    return np.ascontiguousarray(soxr.resample(y.T, sr_in, sr_out, quality="HQ").T)
