"""Ground-truth stems and note onsets for clips from the rendered corpus.

Stems and onsets are used to evaluate explanations. Stems are also used in contrastive pretraining,
where the stems of a song serve as its views.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed

from groove_utils.audio import resample
from groove_utils.cache import ArrayCache, cache_key
from groove_utils.genre.corpora import Corpus
from groove_utils.genre.inputs import MEL_SETTINGS, RANGE_DB, clip_mels
from groove_utils.study.stem_names import STEMS
from groove_utils.synth.genre_corpus import GenreSong, render_genre_song

__all__ = ["StemClips", "make_stem_clips", "render_song"]


@dataclass(frozen=True)
class StemClips:
    """Spectrograms and note onsets of each stem in a set of clips.

    Attributes
    ----------
    X : ndarray of float32, shape (n_stems, n, n_mels, n_frames)
        Log-mel spectrogram of each stem in dB relative to the maximum of the song's complete mix,
        from −80 to 0.
    without : ndarray of float32, shape (n_stems, n, n_mels, n_frames)
        Log-mel spectrogram of the mix after removing each stem in turn, also in dB relative to the
        maximum of the complete mix, so that removing a stem does not change the levels of the other
        stems.
    onsets : ndarray of bool, shape (n_stems, n, n_frames)
        True for frames in which a note of the stem begins.
    song_ids : ndarray of str, shape (n,)
        ID of the song that each clip is taken from.
    stems : tuple of str
        Names of the stems.
    """

    X: np.ndarray
    without: np.ndarray
    onsets: np.ndarray
    song_ids: np.ndarray
    stems: tuple[str, ...] = tuple(STEMS)

    def sums(self, groups: Sequence[Sequence[str]]) -> np.ndarray:
        """Return spectrograms of groups of stems in dB, shape (n_groups, n, n_mels, n_frames).

        The powers of the stems in each group are added, which assumes that their phases are
        independent.
        """
        power = 10 ** (self.X / 10)
        rows = [[self.stems.index(stem) for stem in group] for group in groups]
        sums = np.stack([power[row].sum(axis=0) for row in rows])
        return np.clip(10 * np.log10(sums), -RANGE_DB, 0).astype(np.float32)

    def shares(self) -> np.ndarray:
        """Return each stem's share of the power in each spectrogram cell; same shape as `X`."""
        power = 10 ** (self.X / 10)
        return power / power.sum(axis=0)


def render_song(song_id: str, **options) -> GenreSong:
    """Re-render a song from the genre corpus, given its ID.

    Parameters
    ----------
    song_id : str
        ID such as ``bossa-nova-07-2``, which consists of the style, the number of the band and the
        number of the song (both counted from 1).
    **options
        Options passed to :func:`groove_utils.synth.genre_corpus.render_genre_song`. To reproduce
        the song exactly, pass the ``seconds`` and ``seed`` with which the corpus was rendered.

    Returns
    -------
    GenreSong

    Examples
    --------
    >>> sorted(render_song("techno-01-1", seconds=1).stems)
    ['bass', 'drums', 'other', 'vocals']
    """
    style, band, song = song_id.rsplit("-", 2)
    return render_genre_song(style, int(band) - 1, int(song) - 1, **options)


def make_stem_clips(
    corpus: Corpus, song_ids: Sequence[str], *, seconds: float = 12.0, seed: int = 0,
    settings: Mapping = MEL_SETTINGS, n_jobs: int = 1, cache: ArrayCache | None = None,
) -> StemClips:  # fmt: skip
    """Re-render songs from the genre corpus and compute spectrograms of their stems.

    Parameters
    ----------
    corpus : Corpus
        Corpus returned by :func:`groove_utils.genre.rendered_corpus`.
    song_ids : sequence of str
        IDs of the songs to render.
    seconds, seed
        Values with which the corpus was rendered.
    settings : mapping
        Settings to pass to :func:`groove_utils.genre.inputs.clip_mels`.
    n_jobs : int
        Number of processes.
    cache : ArrayCache, optional
        Cache to use; by default, the project's cache ``mels``.

    Returns
    -------
    StemClips
        Stems of all clips, in the order of `song_ids` and, within each song, in chronological
        order.
    """
    cache = ArrayCache(namespace="mels") if cache is None else cache
    render = {"seconds": seconds, "seed": seed}
    rendering = (corpus.folder / "rendered.txt").read_text()
    facts = json.dumps(
        ["stems below the loudest of the mix", rendering, render, dict(settings), list(song_ids)]
    )
    key = cache_key("mels", facts)
    if (entry := cache.get(key)) is None:
        songs = Parallel(n_jobs=n_jobs, batch_size=4)(
            delayed(_song_arrays)(song_id, dict(settings), render) for song_id in song_ids
        )
        names = "X", "without", "onsets"
        entry = {name: np.concatenate([s[name] for s in songs], axis=1) for name in names}
        entry["n_clips"] = np.array([s["X"].shape[1] for s in songs])
        cache.put(key, entry)
    ids = np.repeat(np.array(song_ids), entry.pop("n_clips"))
    return StemClips(**entry, song_ids=ids)


def _song_arrays(song_id: str, settings: dict, render: dict) -> dict[str, np.ndarray]:
    song, sr = render_song(song_id, **render), settings["sr"]
    mix = resample(song.mix, song.sr, sr)
    stems = [resample(song.stems[stem], song.sr, sr) for stem in STEMS]
    _, loudest = clip_mels(mix, **settings)
    X = np.stack([clip_mels(stem, loudest=loudest, **settings)[0] for stem in stems])
    without = np.stack([clip_mels(mix - stem, loudest=loudest, **settings)[0] for stem in stems])
    onsets = np.zeros((len(STEMS), X.shape[1], X.shape[3]), dtype=bool)
    for number, stem in enumerate(STEMS):
        times = song.onsets.loc[song.onsets["stem"] == stem, "time"].to_numpy()
        for clip in range(X.shape[1]):
            frames = np.round(
                (times - clip * settings["hop_seconds"]) * sr / settings["hop_length"]
            )
            inside = frames[(frames >= 0) & (frames < X.shape[3])].astype(int)
            onsets[number, clip, inside] = True
    return {"X": X, "without": without, "onsets": onsets}
