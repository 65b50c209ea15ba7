"""Published corpora of real music: GTZAN with its fault-filtered split, and FMA-small.

By default, missing files are downloaded and checked against known hashes. Audio files that are
already in the given folder are used without being checked. The corpora are not redistributed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pooch

from groove_utils.audio.suffixes import AUDIO_SUFFIXES
from groove_utils.files import hash_file
from groove_utils.genre.corpora import Corpus, CorpusError
from groove_utils.paths import cache_folder
from groove_utils.study.download import TIMEOUT

__all__ = ["fma_corpus", "gtzan_corpus"]


class Remote(NamedTuple):
    """URL, file name, hash (in pooch's format), size and licence of a published file.

    The hash, size and licence may be empty.
    """

    url: str
    file: str
    checksum: str = ""
    size: str = ""
    licence: str = ""


GTZAN_LICENCE = "None specified; collected for research by G. Tzanetakis. Do not redistribute."
GTZAN_AUDIO = Remote(
    "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz",
    "genres.tar.gz", "md5:5b3d6dddb579ab49814ab86dba69e7c7", "1.2 GB",
    GTZAN_LICENCE,
)  # fmt: skip
GTZAN_LISTS = "https://raw.githubusercontent.com/coreyker/dnn-mgr/master/gtzan/"
# first 16 digits of each list's SHA-256 (we do not know the others), and number of songs
GTZAN_SPLIT = {
    "train": ("2b04966cef1486f1", 443),
    "valid": ("f8fbee7c52397a0e", 197),
    "test": ("09cafa6a89ce0a27", 290),
}
GTZAN_BROKEN = {"jazz.00054"}  # unreadable in commonly distributed copies

FMA_LICENCE = "Metadata CC BY 4.0; each track has its own Creative Commons licence (`licence`)."
FMA_URL = "https://os.unil.cloud.switch.ch/fma/"
FMA_METADATA = Remote(
    f"{FMA_URL}fma_metadata.zip", "fma_metadata.zip",
    "sha1:f0df49ffe5f2a6008d7dc83c6915b31835dfe733", "342 MiB", FMA_LICENCE,
)  # fmt: skip
FMA_AUDIO = Remote(
    f"{FMA_URL}fma_small.zip", "fma_small.zip",
    "sha1:ade154f733639d52e35e32f5593efe5be76c6d70", "7.2 GiB", FMA_LICENCE,
)  # fmt: skip
# tracks that have no audio or are much shorter than 30 s (github.com/mdeff/fma, issues 8 and 44)
FMA_BROKEN = {98565, 98567, 98569, 99134, 108925, 133297}


def gtzan_corpus(folder: str | os.PathLike | None = None, *, download: bool = True) -> Corpus:
    """Load the GTZAN genre corpus with its fault-filtered split.

    The split excludes duplicate, mislabelled and distorted songs.

    Parameters
    ----------
    folder : path-like, optional
        Folder with the three lists ``{train,valid,test}_filtered.txt`` and the audio files
        (``blues/blues.00000.wav`` …), which may also be in subfolders, up to two levels deeper. By
        default, the folder ``gtzan`` in the cache.
    download : bool
        Download missing files (1.2 GB).

    Returns
    -------
    Corpus
        929 of the 930 songs in the split (443 training, 197 validation and 290 test songs);
        ``jazz.00054`` is excluded, because it is unreadable. The column ``split`` is ``train``,
        ``valid`` or ``test``. The artists were not published with the data, so each song is treated
        as having a different artist. Instead of splitting by artist, use ``split``, which was
        designed to keep all songs by an artist, if known, in one set.

    Raises
    ------
    CorpusError
        If a file is missing and cannot be downloaded, or a list has unexpected content.

    References
    ----------
    Tzanetakis & Cook (2002), "Musical genre classification of audio signals"; Kereliuk, Sturm &
    Larsen (2015), "Deep learning and music adversaries" (the split); Sturm (2013), "The GTZAN
    dataset: its contents, its faults", arXiv:1306.1461.
    """
    folder = cache_folder() / "gtzan" if folder is None else Path(folder)
    advice = (
        f"download {GTZAN_AUDIO.url} ({GTZAN_AUDIO.size}) and unpack it into {folder}, so that "
        f"{folder / 'genres' / 'blues' / 'blues.00000.wav'} exists; then download "
        f"{', '.join(f'{name}_filtered.txt' for name in GTZAN_SPLIT)} from {GTZAN_LISTS} into "
        f"{folder}"
    )
    rows = []
    for split, (prefix, n_songs) in GTZAN_SPLIT.items():
        path = folder / f"{split}_filtered.txt"
        if not path.is_file():
            _fetch(Remote(GTZAN_LISTS + path.name, path.name), folder, advice, download)
        lines = _read_list(path, prefix, n_songs)
        rows += [(line, line.partition(".")[0], split) for line in lines]
    paths = _gtzan_files(folder)
    if not paths:
        _fetch_archive(GTZAN_AUDIO, folder, advice, download)
        paths = _gtzan_files(folder)
    songs = pd.DataFrame(rows, columns=["song_id", "style", "split"])
    songs = songs[~songs["song_id"].isin(GTZAN_BROKEN)].reset_index(drop=True)
    missing = sorted(set(songs["song_id"]) - set(paths))
    if missing:
        raise CorpusError(
            f"{folder}: {len(missing)} songs in the split are missing, such as {missing[0]!r}. To "
            f"get them, {advice}.",
            kind="missing_file", path=folder, value=missing[0],
        )  # fmt: skip
    songs.insert(2, "artist", songs["song_id"])
    songs.insert(3, "audio", songs["song_id"].map(paths))
    return Corpus("gtzan", folder, songs, licence=GTZAN_LICENCE)


def _gtzan_files(folder: Path) -> dict[str, str]:
    """Find the audio files of GTZAN; return relative paths by song ID (such as ``blues.00000``)."""
    patterns = ("*/*", "*/*/*", "*/*/*/*")
    files = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return {
        path.stem: path.relative_to(folder).as_posix()
        for path in reversed(files)
        if path.suffix in AUDIO_SUFFIXES and path.name.startswith(f"{path.parent.name}.")
    }


def _read_list(path: Path, prefix: str, n_songs: int) -> list[str]:
    """Read a list of song IDs; raise an error if it differs from the published list."""
    digest = hash_file(path)
    names = [Path(line.strip()).stem for line in path.read_text().splitlines() if line.strip()]
    if not digest.startswith(prefix) or len(names) != n_songs:
        raise CorpusError(
            f"{path}: this is not the published list. It has {len(names)} songs and SHA-256 "
            f"{digest[:16]}…; expected {n_songs} songs and {prefix}…. Delete the file to download "
            "it again.",
            kind="wrong_hash", path=path, value=digest,
        )  # fmt: skip
    return names


def fma_corpus(
    folder: str | os.PathLike | None = None, *, level: str = "top", download: bool = True
) -> Corpus:
    """Load FMA-small: 8,000 clips of 30 s from eight genres, with FMA's own genre tree.

    Parameters
    ----------
    folder : path-like, optional
        Folder that contains ``fma_metadata/`` and ``fma_small/``; by default, the folder ``fma`` in
        the cache.
    level : {"top", "fine"}
        Genre to use as the style of a song: its top-level genre (one of eight) or its most specific
        genre.
    download : bool
        Download missing files (7.5 GiB).

    Returns
    -------
    Corpus
        The column ``split`` contains FMA's own split, in which no artist appears in more than one
        set. The column ``licence`` contains the licence of each track. Six clips with little or no
        audio are excluded.

    Raises
    ------
    CorpusError
        If `level` is unknown, or a file is missing and cannot be downloaded.

    References
    ----------
    Defferrard, Benzi, Vandergheynst & Bresson (2017), "FMA: a dataset for music analysis",
    arXiv:1612.01840.
    """
    if level not in ("top", "fine"):
        raise CorpusError(
            f"level is {level!r}; expected 'top' or 'fine'.",
            kind="unknown_level", column="level", value=level,
        )  # fmt: skip
    folder = cache_folder() / "fma" if folder is None else Path(folder)
    for remote in (FMA_METADATA, FMA_AUDIO):
        if not (folder / Path(remote.file).stem).is_dir():
            advice = f"download {remote.url} ({remote.size}) and unpack it into {folder}"
            _fetch_archive(remote, folder, advice, download)
    genres = pd.read_csv(folder / "fma_metadata" / "genres.csv", index_col="genre_id")
    tracks = pd.read_csv(
        folder / "fma_metadata" / "tracks.csv", index_col=0, header=[0, 1], low_memory=False
    )
    tracks = tracks[(tracks["set", "subset"] == "small") & ~tracks.index.isin(FMA_BROKEN)]
    titles, parents = _genre_titles(genres), genres["parent"]
    depth = {genre: _depth(genre, parents) for genre in genres.index}
    styles = tracks["track", "genre_top"]
    if level == "fine":
        listed = tracks["track", "genres"].str.findall(r"\d+")
        deepest = listed.map(lambda ids: max(map(int, ids), key=depth.__getitem__))
        styles = deepest.map(titles)
    number = tracks.index.map("{:06d}".format)
    songs = pd.DataFrame(
        {
            "song_id": number,
            "style": styles.to_numpy(),
            "artist": tracks["artist", "id"].map("artist-{}".format).to_numpy(),
            "audio": [f"fma_small/{name[:3]}/{name}.mp3" for name in number],
            "split": tracks["set", "split"].replace(
                {"training": "train", "validation": "valid"}
            ).to_numpy(),
            "licence": tracks["track", "license"].to_numpy(),
        }
    )  # fmt: skip
    tree = {titles[g]: titles[p] for g, p in parents.items() if p in titles}
    missing = [audio for audio in songs["audio"] if not (folder / audio).is_file()]
    if missing:
        raise CorpusError(
            f"{folder}: {len(missing)} clips are missing, such as {missing[0]}. Delete "
            f"{folder / 'fma_small'}, so that it is unpacked or downloaded again.",
            kind="missing_file", path=folder / missing[0], value=missing[0],
        )  # fmt: skip
    return Corpus(f"fma-small-{level}", folder, songs, tree, FMA_LICENCE)


def _genre_titles(genres: pd.DataFrame) -> dict[int, str]:
    """Return genre titles by genre ID; titles that are not unique are followed by the ID."""
    duplicated = genres["title"].duplicated(keep=False)
    numbered = genres["title"] + " (" + genres.index.astype(str) + ")"
    return genres["title"].where(~duplicated, numbered).to_dict()


def _depth(genre: int, parents: pd.Series) -> int:
    depth = 0
    while parents.get(genre, 0) and depth < len(parents):
        genre, depth = parents[genre], depth + 1
    return depth


def _fetch(remote: Remote, folder: Path, advice: str, download: bool) -> Path:
    """Download a file; if this fails, raise an error that explains how to get the file manually."""
    reason = "downloads are disabled"
    if download:
        if remote.size:
            print(f"Downloading {remote.url} ({remote.size}). Licence: {remote.licence}")
        try:
            pooch.retrieve(
                remote.url,
                known_hash=remote.checksum or None,
                fname=remote.file,
                path=folder,
                downloader=pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=bool(remote.size)),
            )
            return folder / remote.file
        except (OSError, ValueError) as error:  # no network connection, or wrong content
            reason = f"{type(error).__name__}: {error}"
    raise CorpusError(
        f"{remote.file} is not in {folder} and could not be downloaded ({reason}). To get it, "
        f"{advice}.",
        kind="not_downloaded", path=folder / remote.file, value=remote.url,
    )  # fmt: skip


def _fetch_archive(remote: Remote, folder: Path, advice: str, download: bool) -> None:
    """Download and unpack an archive without leaving incomplete folders if interrupted."""
    path = folder / remote.file
    if not path.is_file():
        _fetch(remote, folder, advice, download)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking-") as temporary:
        shutil.unpack_archive(
            path, temporary, **({"filter": "data"} if ".tar" in path.name else {})
        )
        for unpacked in Path(temporary).iterdir():
            if not (folder / unpacked.name).exists():
                unpacked.rename(folder / unpacked.name)
