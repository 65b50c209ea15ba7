"""Clips of songs from the rendered corpus, re-rendered at different tempi."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from joblib import Parallel, delayed

from groove_utils.audio import resample
from groove_utils.cache import ArrayCache, cache_key
from groove_utils.genre.corpora import Corpus
from groove_utils.genre.inputs import MEL_SETTINGS, Clips, clip_mels
from groove_utils.genre.stem_clips import render_song

__all__ = ["clips_at_tempo"]


def clips_at_tempo(
    corpus: Corpus, tempi: Mapping[str, float], *, seed: int = 0, settings: Mapping = MEL_SETTINGS,
    n_jobs: int = 1, cache: ArrayCache | None = None,
) -> Clips:  # fmt: skip
    """Re-render the beginnings of songs at given tempi and compute their spectrograms.

    The notes, instruments and mix of a song do not depend on the tempo.

    Parameters
    ----------
    corpus : Corpus
        Corpus returned by :func:`groove_utils.genre.rendered_corpus`.
    tempi : mapping of str to float, or Series
        Tempo of each song to render, keyed by song ID, in BPM (from 56 to 176).
    seed : int
        Seed with which the corpus was rendered.
    settings : mapping
        Settings to pass to :func:`groove_utils.genre.inputs.clip_mels`.
    n_jobs : int
        Number of processes.
    cache : ArrayCache, optional
        Cache to use; by default, the project's cache ``mels``.

    Returns
    -------
    Clips
        One clip per song, in the order of the corpus. The table of the clips has an additional
        column ``tempo`` with the given tempo.

    Raises
    ------
    CorpusError
        If a song is not in the corpus.
    DetailedError
        If a tempo is out of range.
    """
    cache = ArrayCache(namespace="mels") if cache is None else cache
    names = list(tempi.keys())
    for name in names:
        corpus.path(name)  # raises an error if there is no such song
    songs = corpus.songs[corpus.songs["song_id"].isin(names)].reset_index(drop=True)
    beats = [float(tempi[song]) for song in songs["song_id"]]
    rendering = (corpus.folder / "rendered.txt").read_text()
    facts = ["at tempo", rendering, seed, dict(settings), songs["song_id"].tolist(), beats]
    key = cache_key("mels", json.dumps(facts))
    if (entry := cache.get(key)) is None:
        jobs = zip(songs["song_id"], beats, strict=True)
        clips = Parallel(n_jobs=n_jobs, batch_size=8)(
            delayed(_first_clip)(song, tempo, seed, dict(settings)) for song, tempo in jobs
        )
        entry = {"X": np.stack(clips)}
        cache.put(key, entry)
    table = songs.drop(columns="audio").assign(tempo=beats)
    table.insert(0, "clip_id", table["song_id"] + "-0")
    table.insert(4, "start", 0.0)
    return Clips(entry["X"], table, corpus.styles)


def _first_clip(song_id: str, tempo: float, seed: int, settings: dict) -> np.ndarray:
    song = render_song(song_id, seconds=settings["seconds"], seed=seed, tempo=tempo)
    y = resample(song.mix, song.sr, settings["sr"])
    return clip_mels(y, **settings)[0][0]
