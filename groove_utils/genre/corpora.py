"""Corpora: collections of songs with known styles and artists, rendered or loaded from a folder.

Used in the chapters on genre.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
import yaml

from groove_utils.audio.suffixes import AUDIO_SUFFIXES
from groove_utils.cache import cache_key
from groove_utils.errors import DetailedError
from groove_utils.paths import cache_folder
from groove_utils.study.text import is_label
from groove_utils.synth.genre_corpus import make_genre_corpus

__all__ = ["Corpus", "CorpusError", "load_corpus", "rendered_corpus"]

REQUIRED = ("song_id", "style", "artist", "audio")


class CorpusError(DetailedError):
    """Error raised for a corpus that is incomplete, malformed or not available on this machine."""


@dataclass(frozen=True)
class Corpus:
    """Collection of songs with known styles and artists.

    Attributes
    ----------
    name : str
    folder : pathlib.Path
        Folder to which the paths in `songs` are relative.
    songs : DataFrame
        One row per song, with columns ``song_id, style, artist, audio`` (relative path) and,
        optionally, others.
    tree : dict of str to str
        Genre tree, as a mapping from child to parent; see :mod:`groove_utils.genre.trees`. Empty if
        the styles are not organised in a hierarchy.
    licence : str
        Terms of use, if known.
    """

    name: str
    folder: Path
    songs: pd.DataFrame = field(repr=False)
    tree: dict[str, str] = field(default_factory=dict, repr=False)
    licence: str = ""

    @property
    def styles(self) -> list[str]:
        """Names of all styles in the corpus, in alphabetical order."""
        return sorted(self.songs["style"].unique())

    def path(self, song_id: str) -> Path:
        """Return the path to a song's audio file; raise CorpusError if the song is unknown."""
        if song_id not in self._audio:
            raise CorpusError(
                f"{self.name}: there is no song {song_id!r}.", kind="unknown_song", value=song_id
            )
        return self.folder / self._audio[song_id]

    @cached_property
    def _audio(self) -> dict[str, str]:
        """Relative paths of the audio files, by song ID."""
        return dict(zip(self.songs["song_id"], self.songs["audio"], strict=True))


def load_corpus(folder: str | os.PathLike) -> Corpus:
    """Load a corpus from a folder that contains audio files in ``<style>/<artist>/``.

    Parameters
    ----------
    folder : path-like
        Folder with the audio files. If it also contains a table ``songs.csv`` with at least the
        columns ``song_id, style, artist, audio``, this table is used, and the folder is not
        searched for audio files. If it contains a file ``tree.yml`` with lines of the form ``style:
        parent``, the genre tree is read from this file.

    Returns
    -------
    Corpus

    Raises
    ------
    CorpusError
        If the folder is missing or contains no songs; if ``songs.csv`` or ``tree.yml`` is invalid;
        if an audio file is missing; or if the name of a style contains markup, which would corrupt
        figure captions.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "ska" / "The Band").mkdir(parents=True)
    >>> (folder / "ska" / "The Band" / "song.wav").touch()
    >>> load_corpus(folder).songs.to_dict("records")[0]["style"]
    'ska'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CorpusError(
            f"{folder}: folder not found; expected audio files in <style>/<artist>/.",
            kind="missing_folder",
            path=folder,
        )
    songs = _read_table(folder) if (folder / "songs.csv").is_file() else _scan(folder)
    if songs.empty:
        raise CorpusError(
            f"{folder}: no audio in <style>/<artist>/ (suffixes: {' '.join(AUDIO_SUFFIXES)}).",
            kind="no_songs",
            path=folder,
        )
    if markup := [style for style in songs["style"].unique() if not is_label(style)]:
        raise CorpusError(
            f"{folder}: the style name {markup[0]!r} contains markup (such as ` {{ }} \\ ]( or "
            "a tag). Rename the style.",
            kind="not_a_label", path=folder, column="style", value=markup[0],
        )  # fmt: skip
    return Corpus(folder.name, folder, songs, _read_tree(folder, set(songs["style"])))


def _scan(folder: Path) -> pd.DataFrame:
    files = [
        path
        for path in sorted(folder.glob("*/*/*"))
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file() and path.name[0] != "."
    ]
    rows = []
    for path in files:
        style, artist, name = path.relative_to(folder).parts
        rows.append(
            (f"{style}/{artist}/{Path(name).stem}", style, artist, f"{style}/{artist}/{name}")
        )
    songs = pd.DataFrame(rows, columns=list(REQUIRED))
    duplicated = songs.duplicated("song_id", keep=False)  # files that differ only in their suffix
    songs.loc[duplicated, "song_id"] = songs["audio"]
    return songs


def _read_table(folder: Path) -> pd.DataFrame:
    path = folder / "songs.csv"
    try:
        songs = pd.read_csv(path, dtype=dict.fromkeys(REQUIRED, str), keep_default_na=False)
    except ValueError as error:  # includes parsing errors from pandas and invalid UTF-8
        raise CorpusError(
            f"{path}: cannot be read as a UTF-8 CSV table ({error}).",
            kind="unreadable", path=path,
        ) from error  # fmt: skip
    for column in REQUIRED:
        if column not in songs:
            raise CorpusError(
                f"{path}: column {column!r} is missing; expected {', '.join(REQUIRED)}.",
                kind="missing_column", path=path, column=column,
            )  # fmt: skip
        empty = songs.index[songs[column].str.strip() == ""]
        if empty.size:
            raise CorpusError(
                f"{path}, line {empty[0] + 2}: {column} is empty.",
                kind="empty_value", path=path, row=int(empty[0]) + 2, column=column,
            )  # fmt: skip
    duplicated = songs.index[songs.duplicated("song_id")]
    if duplicated.size:
        name, line = songs["song_id"][duplicated[0]], int(duplicated[0]) + 2
        raise CorpusError(
            f"{path}, line {line}: song_id {name!r} appears more than once.",
            kind="duplicate", path=path, row=line, column="song_id", value=name,
        )  # fmt: skip
    for row, audio in enumerate(songs["audio"], start=2):
        if not (folder / audio).is_file():
            raise CorpusError(
                f"{path}, line {row}: audio file {audio!r} not found in {folder}.",
                kind="missing_file", path=folder / audio, row=row, column="audio", value=audio,
            )  # fmt: skip
    return songs


def _read_tree(folder: Path, styles: set[str]) -> dict[str, str]:
    path = folder / "tree.yml"
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        tree = {str(child): str(parent) for child, parent in content.items()}
    except (yaml.YAMLError, AttributeError, ValueError) as error:
        raise CorpusError(
            f"{path}: expected lines of the form `style: parent` ({error}).",
            kind="unreadable", path=path,
        ) from error  # fmt: skip
    for style in sorted(styles):
        node, steps = style, 0
        while node in tree:
            node, steps = tree[node], steps + 1
            if steps > len(tree):
                raise CorpusError(
                    f"{path}: the ancestors of {style!r} form a cycle; expected a tree.",
                    kind="not_a_tree", path=path, value=style,
                )  # fmt: skip
    return tree


def rendered_corpus(
    *,
    n_bands: int = 24,
    songs_per_band: int = 2,
    seconds: float = 12.0,
    seed: int = 0,
    n_jobs: int = 2,
    progress: bool = True,
) -> Corpus:
    """Render the genre corpus into the cache, or load it if it is already cached.

    For the parameters, see :func:`groove_utils.synth.genre_corpus.make_genre_corpus`.

    Returns
    -------
    Corpus

    Examples
    --------
    >>> corpus = rendered_corpus(n_bands=1, songs_per_band=1, seconds=1, n_jobs=1, progress=False)
    >>> len(corpus.songs), corpus.tree["techno"]
    (8, 'club')
    """
    sizes = dict(n_bands=n_bands, songs_per_band=songs_per_band, seconds=float(seconds), seed=seed)
    folder = cache_folder() / "genre-corpus" / cache_key("genre-corpus", repr(sizes))[:12]
    make_genre_corpus(folder, **sizes, n_jobs=n_jobs, progress=progress)
    corpus = load_corpus(folder)
    return Corpus("rendered", corpus.folder, corpus.songs, corpus.tree)
