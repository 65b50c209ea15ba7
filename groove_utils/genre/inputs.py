"""Log-mel spectrograms of clips, cached per corpus, and their conversion to colour images."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from matplotlib import colormaps
from scipy import ndimage

from groove_utils.audio import load_audio
from groove_utils.audio.streams import FileSource
from groove_utils.cache import ArrayCache, cache_key, describe_function
from groove_utils.errors import DetailedError
from groove_utils.files import hash_file

__all__ = ["MEL_SETTINGS", "Clips", "clip_mels", "clip_sources", "log_mels", "mel_picture"]

MEL_SETTINGS = {
    "seconds": 3.0, "hop_seconds": 4.0, "sr": 16000, "n_mels": 48, "n_fft": 1024, "hop_length": 512,
}  # fmt: skip
"""Default settings for :func:`log_mels`."""
RANGE_DB = 80.0  # levels are clipped at this distance below the maximum


@dataclass(frozen=True)
class Clips:
    """Spectrograms of clips, with information about the songs that the clips are taken from.

    Attributes
    ----------
    X : ndarray of float32, shape (n, n_mels, n_frames)
        Log-mel spectrograms in dB relative to the maximum of the song, from −80 to 0.
    table : DataFrame
        One row per clip: ``clip_id, song_id, artist, style, start`` (in seconds), and the other
        columns of the corpus's table ``songs``.
    styles : list of str
        Names of the classes, in alphabetical order.
    """

    X: np.ndarray
    table: pd.DataFrame
    styles: list[str]

    @property
    def y(self) -> np.ndarray:
        """Style of each clip, as an index into `styles`; int64, shape (n,)."""
        return pd.Categorical(self.table["style"], self.styles).codes.astype(np.int64)


def log_mels(
    corpus,
    *,
    seconds: float = 3.0,
    hop_seconds: float = 4.0,
    sr: int = 16000,
    n_mels: int = 48,
    n_fft: int = 1024,
    hop_length: int = 512,
    change: Callable[[np.ndarray, int, str], np.ndarray] | None = None,
    cache: ArrayCache | None = None,
    n_jobs: int = 1,
) -> Clips:
    """Compute the log-mel spectrograms of all clips in a corpus, or read them from the cache.

    Parameters
    ----------
    corpus : Corpus
        Corpus whose table ``songs`` has the columns ``song_id, style, artist, audio``.
    seconds, hop_seconds : float
        Length of a clip, and time from the start of one clip to the start of the next, in seconds.
        By default, there is a gap of one second between clips. An incomplete clip at the end of a
        song is dropped.
    sr : int
        Sample rate in Hz to which songs are resampled.
    n_mels, n_fft, hop_length : int
        Number of mel bands (from 0 Hz to ``sr / 2``), window length in samples, and hop length in
        samples.
    change : callable, optional
        Function ``change(y, sr, style)`` that returns a modified signal of the same length. It must
        be a module-level function, or a `functools.partial` of one. For examples, see
        :mod:`groove_utils.genre.planted_cues`.
    cache : ArrayCache, optional
        Cache to use; by default, the project's cache ``mels``.
    n_jobs : int
        Number of processes.

    Returns
    -------
    Clips

    Raises
    ------
    DetailedError
        If all songs are shorter than a clip.
    """
    settings = {
        "seconds": seconds, "hop_seconds": hop_seconds, "sr": sr, "n_mels": n_mels,
        "n_fft": n_fft, "hop_length": hop_length,
    }  # fmt: skip
    songs = corpus.songs.reset_index(drop=True)
    paths = [Path(corpus.folder) / audio for audio in songs["audio"]]
    styles = songs["style"].tolist()
    cache = ArrayCache(namespace="mels") if cache is None else cache
    facts = json.dumps([settings, describe_function(change), change and styles])
    key = cache_key("mels", facts, *(hash_file(path) for path in paths))
    if (entry := cache.get(key)) is None:
        blocks = Parallel(n_jobs=n_jobs, batch_size=8)(
            delayed(_song_clips)(path, style, change, settings)
            for path, style in zip(paths, styles, strict=True)
        )
        entry = {"X": np.concatenate(blocks), "n_clips": np.array([len(block) for block in blocks])}
        cache.put(key, entry)
    if len(entry["X"]) == 0:
        raise DetailedError(
            f"all {len(songs)} songs are shorter than one clip ({seconds:g} s); use shorter clips.",
            kind="out_of_range", column="seconds", value=seconds, path=corpus.folder,
        )  # fmt: skip
    return Clips(entry["X"], _clip_table(songs, entry["n_clips"], hop_seconds), corpus.styles)


def clip_sources(corpus, table: pd.DataFrame, seconds: float = 3.0) -> dict[str, FileSource]:
    """Return clips as audio sources for embedding models; files are decoded only when needed.

    Parameters
    ----------
    corpus : Corpus
    table : DataFrame
        Table with the columns ``clip_id, song_id, start``, as in :attr:`Clips.table`.
    seconds : float
        Length of a clip in seconds.

    Returns
    -------
    dict of str to FileSource
        Excerpts of audio files, keyed by clip ID, in the order of `table`. The dict can be passed
        to :func:`groove_utils.embed.embed_tracks`.
    """
    clips = zip(table["clip_id"], table["song_id"], table["start"].tolist(), strict=True)
    return {clip: FileSource(corpus.path(song), start, seconds) for clip, song, start in clips}


def mel_picture(clip: np.ndarray, size: int = 224) -> np.ndarray:
    """Convert a log-mel spectrogram to a colour image, as in arXiv:2307.10773.

    Parameters
    ----------
    clip : ndarray, shape (n_mels, n_frames)
        Log-mel spectrogram in dB.
    size : int
        Height and width in pixels.

    Returns
    -------
    ndarray of float32, shape (size, size, 3)
        RGB image in viridis colours, with values between 0 and 1 and low frequencies at the bottom.

    Examples
    --------
    >>> mel_picture(np.zeros((48, 94))).shape
    (224, 224, 3)
    """
    level = np.clip((clip - clip.max()) / RANGE_DB + 1, 0, 1)
    zoom = size / clip.shape[0], size / clip.shape[1]
    level = ndimage.zoom(level, zoom, order=1, grid_mode=True, mode="nearest")
    return colormaps["viridis"](level[::-1])[..., :3].astype(np.float32)


def clip_mels(
    y: np.ndarray, *, seconds: float, hop_seconds: float, sr: int, n_mels: int, n_fft: int,
    hop_length: int, loudest: float | None = None,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Extract clips from a signal and compute their log-mel spectrograms.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal with the sample rate `sr`.
    seconds, hop_seconds, sr, n_mels, n_fft, hop_length
        As in :func:`log_mels`. For the default settings, pass ``**MEL_SETTINGS``.
    loudest : float, optional
        Reference power for 0 dB; by default, the highest power in the spectrograms.

    Returns
    -------
    clips : ndarray of float32, shape (n_clips, n_mels, n_frames)
        Log-mel spectrograms in dB, from −80 to 0.
    loudest : float
        Reference power that was used.

    Examples
    --------
    >>> clip_mels(np.zeros(112_000), **MEL_SETTINGS)[0].shape
    (2, 48, 94)
    """
    length, hop = round(seconds * sr), round(hop_seconds * sr)
    if len(y) < length:
        return np.zeros((0, n_mels, 1 + length // hop_length), np.float32), loudest or 0.0
    clips = np.stack([y[start : start + length] for start in range(0, len(y) - length + 1, hop)])
    power = librosa.feature.melspectrogram(
        y=clips.astype(np.float32), sr=sr, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels
    )
    loudest = max(power.max(), 1e-10) if loudest is None else loudest
    level = librosa.power_to_db(power, ref=loudest, amin=1e-12, top_db=None)
    return np.clip(level, -RANGE_DB, 0).astype(np.float32), float(loudest)


def _song_clips(path, style, change, settings) -> np.ndarray:
    """Compute spectrograms of a song's clips; float32, shape (n_clips, n_mels, n_frames)."""
    y, sr = load_audio(path, settings["sr"])
    if change is not None:
        y = np.asarray(change(y, sr, style), dtype=np.float32)
    return clip_mels(y, **settings)[0]


def _clip_table(songs: pd.DataFrame, n_clips: np.ndarray, hop_seconds: float) -> pd.DataFrame:
    table = songs.loc[songs.index.repeat(n_clips)].drop(columns="audio")
    number = table.groupby(level=0).cumcount()
    clip_id = table["song_id"].astype(str) + "-" + number.astype(str)
    table.insert(0, "clip_id", clip_id)
    table.insert(4, "start", hop_seconds * number)
    return table.reset_index(drop=True)
