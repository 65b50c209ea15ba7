"""Encode sound into files."""

from __future__ import annotations

import io
import os

import numpy as np
import soundfile

from groove_utils.files import atomic_path

__all__ = ["write_audio"]


def write_audio(path: str | os.PathLike, y: np.ndarray, sr: int, **form: object) -> None:
    """Encode a signal with libsndfile and write the file at once.

    Parameters
    ----------
    path : path-like
        Where to.
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
    sr : int
        Sample rate in Hz.
    **form
        Passed to :func:`soundfile.write`: ``format``, ``subtype`` and so on.

    Raises
    ------
    OSError
        If the file cannot be written. The signal is encoded in memory first, since libsndfile says
        no more than "System error." on a full disk.

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
