"""Encode signals and write audio files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import soundfile

from groove_utils.files import atomic_path

__all__ = ["stream_to_file", "write_audio"]


def write_audio(path: str | os.PathLike, y: np.ndarray, sr: int, **form: object) -> None:
    """Encode a signal with libsndfile and write it to a file.

    Parameters
    ----------
    path : path-like
        Output file.
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1.
    sr : int
        Sample rate in Hz.
    **form
        Keyword arguments for :func:`soundfile.write`, such as ``format`` and ``subtype``.

    Raises
    ------
    OSError
        If the file cannot be written.

    Notes
    -----
    The signal is encoded in memory and then written by Python, because libsndfile's only error
    message for a full disk is "System error.".

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "silence.flac"
    >>> write_audio(path, np.zeros((2, 8000)), 8000, format="FLAC", subtype="PCM_16")
    >>> soundfile.info(path).channels
    2
    """
    encoded = io.BytesIO()
    soundfile.write(encoded, np.asarray(y).T, sr, **form)
    with atomic_path(path) as part:
        part.write_bytes(encoded.getbuffer())


@contextmanager
def stream_to_file(
    path: str | os.PathLike, sr: int, n_channels: int, **form: object
) -> Iterator[soundfile.SoundFile]:
    """Open an audio file for writing block by block.

    Parameters
    ----------
    path : path-like
        Output file.
    sr : int
        Sample rate in Hz.
    n_channels : int
        Number of channels.
    **form
        Keyword arguments for :class:`soundfile.SoundFile`, such as ``format`` and ``subtype``.

    Yields
    ------
    soundfile.SoundFile
        File that is open for writing inside the ``with`` block.

    Raises
    ------
    OSError
        If the file cannot be written. The message contains the path and the cause, unlike
        libsndfile's own message, "System error.".

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "silence.wav"
    >>> with stream_to_file(path, 8000, 1, format="WAV") as file:
    ...     file.write(np.zeros(100))
    >>> soundfile.info(path).frames
    100
    """
    with _Sink(path) as sink:
        try:
            with soundfile.SoundFile(sink, "w", sr, n_channels, **form) as file:
                yield file
        except (soundfile.LibsndfileError, AssertionError):  # incomplete writes raise the latter
            if sink.error is None:
                raise
        if sink.error is not None:
            raise sink.error


class _Sink(io.FileIO):
    """File object that stores write errors, because libsndfile's callbacks cannot raise them."""

    def __init__(self, path: str | os.PathLike):
        super().__init__(os.fspath(path), "w+")  # libsndfile reads the header before completing it
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write all bytes and return their number, or 0 if writing fails."""
        view = memoryview(data)
        try:
            while view and self.error is None:
                view = view[os.write(self.fileno(), view) :]
        except OSError as error:
            self.error = OSError(error.errno, error.strerror, self.name)
        return 0 if self.error else len(data)
