"""Genre corpus: rendered songs in eight styles, with stems, onsets and known properties.

The chapters on genre use this corpus. The band of each song is known, so a network can be tested on
bands that it was not trained on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml
from joblib import Parallel, delayed
from tqdm import tqdm

from groove_utils.cache import cache_key
from groove_utils.errors import DetailedError
from groove_utils.files import atomic_path, hash_file, write_if_changed
from groove_utils.synth.features import score_features
from groove_utils.synth.genre_bands import GenreBand
from groove_utils.synth.genre_composition import TEMPO_RANGE, compose_genre_song
from groove_utils.synth.genre_rendering import render_stems
from groove_utils.synth.genre_styles import GENRE_TREE, GENRES, hash_styles
from groove_utils.synth.score import Song
from groove_utils.synth.soundfont import default_soundfont

__all__ = [
    "GENRES",
    "GENRE_TREE",
    "GenreSong",
    "list_causes",
    "make_genre_corpus",
    "render_genre_song",
]


@dataclass(frozen=True)
class GenreSong:
    """A rendered song from the genre corpus.

    Attributes
    ----------
    mix : ndarray of float32, shape (n_samples,)
        Mono mix: the sum of the stems.
    stems : dict of str to ndarray of float32, shape (n_samples,)
        Mono stems ``drums, bass, other, vocals``.
    onsets : DataFrame
        One row per note, with the columns ``time`` (in seconds), ``stem, instrument, pitch,
        velocity``.
    causes : dict
        Properties of the song that explain its sound; see :func:`list_causes`.
    sr : int
        Sample rate in Hz.
    """

    mix: np.ndarray = field(repr=False)
    stems: dict[str, np.ndarray] = field(repr=False)
    onsets: pd.DataFrame = field(repr=False)
    causes: dict
    sr: int


def render_genre_song(
    style: str, band: int, song: int, *, seconds: float = 12.0, sr: int = 22050, seed: int = 0,
    tempo: float | None = None,
) -> GenreSong:  # fmt: skip
    """Render one song from the genre corpus.

    Parameters
    ----------
    style : str
        One of :data:`GENRES`.
    band, song : int
        Index of the band within its style, and index of the song within the band (0, 1, …).
    seconds : float
        Length of the audio in seconds, 0.5…600.
    sr : int
        Sample rate in Hz, 8000…44100.
    seed : int
        Seed of the corpus.
    tempo : float, optional
        Tempo in BPM, 56…176. See :func:`groove_utils.synth.genre_composition.compose_genre_song`.

    Returns
    -------
    GenreSong
        Mix, stems, onsets, and the properties that explain the sound.

    Raises
    ------
    DetailedError
        If the style is unknown, or a number is out of range.

    Examples
    --------
    >>> song = render_genre_song("techno", 0, 0, seconds=2)
    >>> song.mix.shape, bool(np.all(song.mix == sum(song.stems.values())))
    ((44100,), True)
    """
    _check_range("seconds", seconds, 0.5, 600)
    _check_range("sr", sr, 8000, 44100)
    for name, value in {"band": band, "song": song}.items():
        _check_range(name, value, 0, 10**6)
    if tempo is not None:
        _check_range("tempo", tempo, *TEMPO_RANGE)
    score, group = compose_genre_song(style, band, song, seconds=seconds, seed=seed, tempo=tempo)
    stems = render_stems(score, group, seconds, sr)
    mix = sum(stems.values())
    onsets = pd.DataFrame(score.notes)
    onsets = onsets[onsets["time"] < seconds].rename(columns={"part": "instrument"})
    onsets = onsets[["time", "stem", "instrument", "pitch", "velocity"]].reset_index(drop=True)
    return GenreSong(mix, stems, onsets, list_causes(score, group), sr)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise DetailedError(
            f"{name} is {value}; expected a number from {low} to {high}.",
            kind="out_of_range",
            column=name,
            value=value,
        )


def list_causes(score: Song, group: GenreBand) -> dict:
    """List the properties of a song that explain its sound, such as tempo, swing and instruments.

    Rhythmic properties are computed by :func:`groove_utils.synth.features.score_features`; rim
    clicks count as snare strokes.
    """
    snare = np.maximum(score.drums["snare"], score.drums["rim"])
    counted = Song(**{**vars(score), "drums": score.drums | {"snare": snare}})
    borrowed = [role for role, source in group.sources.items() if source != score.band.style]
    return {
        **score_features(counted),
        "key": score.key,
        "loudness": score.loudness,
        "highs_hz": group.mix["highs"],
        "pump": group.mix["pump"],
        "echo": group.mix["echo"],
        "room_seconds": score.band.room_seconds,
        **{f"{name}_program": part.program for name, part in score.band.parts.items()},
        "sung": any(note.stem == "vocals" for note in score.notes),
        "crossover": group.crossover,
        "borrowed": "+".join(borrowed),
    }


def make_genre_corpus(
    folder: str | os.PathLike,
    *,
    n_bands: int = 24,
    songs_per_band: int = 2,
    seconds: float = 12.0,
    seed: int = 0,
    n_jobs: int = 2,
    progress: bool = True,
) -> Path:
    """Render the genre corpus, or complete or update an existing copy of it.

    Existing songs that were rendered with the same settings are kept. Files are written atomically,
    so an interrupted run can simply be restarted.

    Parameters
    ----------
    folder : path-like
        Output folder.
    n_bands, songs_per_band : int
        Number of bands per style, and number of songs per band, each 1…999. A smaller corpus is a
        subset of a larger one.
    seconds : float
        Length of each song in seconds, 0.5…600.
    seed : int
        Seed for all random draws.
    n_jobs : int
        Number of processes that render songs in parallel. It does not affect the result.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        The folder, which contains ``<style>/<band>/<song>.flac`` (22.05 kHz, mono), ``songs.csv``
        (with the columns ``song_id, style, artist, audio`` and one column for each property that
        :func:`list_causes` returns) and ``tree.yml`` (:data:`GENRE_TREE`).

    Raises
    ------
    DetailedError
        If a number is out of range.
    """
    for name, count in {"n_bands": n_bands, "songs_per_band": songs_per_band}.items():
        _check_range(name, count, 1, 999)
    _check_range("seconds", seconds, 0.5, 600)
    folder, table = Path(folder), Path(folder) / "songs.csv"
    settings = (f"{seconds} {seed}", hash_styles(), hash_file(default_soundfont()))
    key = cache_key("genre-corpus", *settings)
    stamp = folder / "rendered.txt"
    if not stamp.is_file() or stamp.read_text() != key:
        for path in [table, *folder.glob("*/*/*.flac")]:
            path.unlink(missing_ok=True)
        write_if_changed(stamp, key)
    elif _is_complete(folder, n_bands, songs_per_band):
        return folder
    bands = [(style, band) for style in GENRES for band in range(n_bands)]
    work = (delayed(_render_band)(folder, *b, songs_per_band, seconds, seed) for b in bands)
    done = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    bar = tqdm(total=len(bands) * songs_per_band, desc="Rendering songs", unit="song",
               disable=not progress)  # fmt: skip
    rows = []
    with bar:
        for new in done:
            rows += new
            bar.update(len(new))
    text = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_if_changed(table, text)
    write_if_changed(folder / "tree.yml", yaml.safe_dump(GENRE_TREE, sort_keys=False))
    return folder


def _is_complete(folder: Path, n_bands: int, songs_per_band: int) -> bool:
    """Return True if ``songs.csv`` lists exactly the expected songs and all their files exist."""
    if not (folder / "songs.csv").is_file():
        return False
    songs = pd.read_csv(folder / "songs.csv")
    wanted = [
        f"{style}-{band + 1:02d}-{song + 1}"
        for style in GENRES
        for band in range(n_bands)
        for song in range(songs_per_band)
    ]
    return list(songs["song_id"]) == wanted and all(
        (folder / audio).is_file() for audio in songs["audio"]
    )


def _render_band(folder: Path, style: str, band: int, n_songs: int, seconds, seed) -> list[dict]:
    """Render a band's missing songs, and return one table row for each of its songs."""
    rows = []
    for song in range(n_songs):
        score, group = compose_genre_song(style, band, song, seconds=seconds, seed=seed)
        audio = f"{style}/{score.band.name}/{score.track_id}.flac"
        if not (folder / audio).is_file():
            rendered = render_genre_song(style, band, song, seconds=seconds, seed=seed)
            with atomic_path(folder / audio) as part:
                soundfile.write(part, rendered.mix, rendered.sr, format="FLAC", subtype="PCM_16")
        names = {"song_id": score.track_id, "style": style, "artist": score.band.name}
        rows.append({**names, "audio": audio, **list_causes(score, group)})
    return rows
