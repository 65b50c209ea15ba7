"""Check a study folder, and report all of its problems at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from groove_utils import audio
from groove_utils.files import hash_bytes
from groove_utils.study.containment import check_file, check_folder, find_file
from groove_utils.study.metadata import check_metadata
from groove_utils.study.precomputed import check_descriptors, check_embeddings
from groove_utils.study.problems import Problem, limit_problems, problem
from groove_utils.study.schemas import check_table
from groove_utils.study.stem_names import STEMS
from groove_utils.study.tables import query_scales
from groove_utils.study.text import plain_text
from groove_utils.study.unused_files import describe_unused

__all__ = ["validate_study"]

MIN_ARTISTS = 4  # one for each fold of the cross-validation in the paper
SILENCE_PEAK = 1e-4  # −80 dB full scale
# channels cancel each other out if their mean is more than 40 dB quieter than they are
CANCELLED = 0.01
LENGTH_TOLERANCE = 0.01  # largest accepted difference in seconds between a stem and its mix


def validate_study(
    folder: str | os.PathLike,
    *,
    check_audio: bool = True,
    n_jobs: int = 2,
    report: Callable[[str], object] | None = None,
) -> list[Problem]:
    """Find all problems that prevent a study folder from being analysed.

    Parameters
    ----------
    folder : path-like
        The study folder.
    check_audio : bool
        If True, also decode all audio, compare the lengths of stems and mixes, and read the vectors
        in ``embeddings/``.
    n_jobs : int
        Number of threads that decode audio.
    report : callable, optional
        Function called with messages about content that is accepted but may be unintended, such as
        columns that are not read.

    Returns
    -------
    list of Problem
        Empty if the study can be used. At most 20 problems of each kind are listed; the rest are
        counted.
    """
    folder = Path(folder)
    meta, problems = check_metadata(folder)
    tables = {}
    for file in ("tracks.csv", "ratings.csv", "listeners.csv"):
        if file == "listeners.csv" and not os.path.lexists(folder / file):
            continue
        tables[file], table_problems = check_table(folder, file)
        problems += table_problems
    tracks, ratings = tables["tracks.csv"], tables["ratings.csv"]
    if ratings is not None:
        if meta is not None:
            problems += _check_ratings(ratings, meta)
        problems += _check_duplicates(ratings)
        problems += _check_references(ratings, tables)
    problems += [
        problem("not_a_folder", name)
        for name in ("embeddings", "stems", "truth")
        if os.path.lexists(folder / name) and not (folder / name).is_dir()
    ]
    problems += [
        each
        for path in sorted((folder / "truth").rglob("*"))
        if path.is_symlink() or not path.is_dir()
        for each in check_file(folder, path.relative_to(folder).as_posix())
    ]
    if tracks is not None:
        problems += _check_artists(tracks)
        ids = tracks["track_id"].dropna().tolist() if "track_id" in tracks else []
        if ids and os.path.lexists(folder / "descriptors.csv"):
            problems += check_descriptors(folder, set(ids), report)
        if ids and check_audio:
            problems += check_embeddings(folder, ids, report)
        if ids:
            problems += _check_stem_folders(folder, ids)
        if {"track_id", "audio"} <= set(tracks):
            check = _check_audio if check_audio else _check_paths
            problems += check(folder, tracks, n_jobs)
    if report:
        for note in [*_unrated_queries(ratings, meta), *describe_unused(folder, tables)]:
            report(note)
    return limit_problems(problems)


def _check_ratings(ratings: pd.DataFrame, meta: dict) -> Iterator[Problem]:
    if not {"query", "rating"} <= set(ratings):
        return
    scales = query_scales(meta)
    yield from _unknown(ratings, "query", list(scales), "study.yml")
    low, high = (ratings["query"].map({q: s[end] for q, s in scales.items()}) for end in (0, 1))
    value = pd.to_numeric(ratings["rating"], errors="coerce")
    slack = 1e-5 * (high - low)  # derived scores may have been rounded
    for row in ratings.index[(value < low - slack) | (value > high + slack)]:
        details = {"value": ratings.at[row, "rating"], "query": ratings.at[row, "query"]}
        details |= {"low": low[row], "high": high[row]}
        yield problem("out_of_range", "ratings.csv", row + 2, "rating", **details)


def _unknown(ratings: pd.DataFrame, key: str, listed: list, source: str) -> Iterator[Problem]:
    """Yield a problem for each identifier in the ratings that another file does not list."""
    unknown = ratings.loc[~ratings[key].isin(listed), key].dropna()
    for value, rows in unknown.groupby(unknown):
        row, details = rows.index[0] + 2, {"value": value, "count": len(rows), "source": source}
        yield problem("unknown_name", "ratings.csv", row, key, **details)


def _check_duplicates(ratings: pd.DataFrame) -> Iterator[Problem]:
    keys = [name for name in ("track_id", "query", "listener_id") if name in ratings]
    if keys[:2] == ["track_id", "query"]:
        for row in ratings.index[ratings.duplicated(keys) & ratings[keys].notna().all(axis=1)]:
            details = {"value": ", ".join(ratings.loc[row, keys]), "keys": ", ".join(keys)}
            yield problem("duplicate_rating", "ratings.csv", row + 2, **details)


def _unrated_queries(ratings: pd.DataFrame | None, meta: dict | None) -> Iterator[str]:
    """Describe queries that are listed in ``study.yml`` but have no ratings."""
    if meta is None or ratings is None or "query" not in ratings:
        return
    for query in meta["queries"]:
        if query not in set(ratings["query"]):
            yield f"study.yml: not used: the query {query}, which has no ratings."


def _check_references(ratings: pd.DataFrame, tables: dict) -> Iterator[Problem]:
    for key, file in (("track_id", "tracks.csv"), ("listener_id", "listeners.csv")):
        table = tables.get(file)
        if table is not None and key in ratings and key in table and len(table):
            yield from _unknown(ratings, key, table[key].tolist(), file)
    tracks = tables["tracks.csv"]
    if tracks is not None and "track_id" in tracks and "track_id" in ratings:
        unrated = tracks.loc[~tracks["track_id"].isin(ratings["track_id"]), "track_id"]
        for row, track in unrated.items():
            yield problem("unrated_track", "tracks.csv", row + 2, "track_id", value=track)


def _check_artists(tracks: pd.DataFrame) -> Iterator[Problem]:
    if "artist" in tracks and len(tracks) and (n := tracks["artist"].nunique()) < MIN_ARTISTS:
        yield problem("too_few_artists", "tracks.csv", column="artist", value=n, least=MIN_ARTISTS)


def _check_paths(folder: Path, tracks: pd.DataFrame, _n_jobs: int) -> Iterator[Problem]:
    """Check the paths of sound files without decoding the files."""
    for row, file in tracks["audio"].dropna().items():
        yield from check_file(folder, file, row + 2, "audio", source="tracks.csv", largest=None)


def _check_audio(folder: Path, tracks: pd.DataFrame, n_jobs: int) -> list[Problem]:
    if tracks["audio"].isna().all():
        return []
    sounds: dict[int, str] = {}  # row → hash of its samples

    def check(row: int, track_id: object, file: object) -> list[Problem]:
        return list(_check_track_audio(folder, row, track_id, file, sounds))

    work = [
        delayed(check)(int(row), track_id, file)
        for row, track_id, file in zip(tracks.index + 2, tracks["track_id"], tracks["audio"])
    ]
    # threads are enough, because decoding releases the global interpreter lock
    results = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(work)
    progress = tqdm(results, total=len(work), desc="Checking audio", leave=False)
    problems = [each for problems in progress for each in problems]
    return [*problems, *_check_repeated_audio(tracks, sounds)]


def _check_repeated_audio(tracks: pd.DataFrame, sounds: dict[int, str]) -> Iterator[Problem]:
    """Find tracks that have the same audio but different artists and would leak between folds."""
    if "artist" not in tracks:
        return
    first: dict[str, int] = {}
    for row in sorted(sounds):
        other = first.setdefault(sounds[row], row)
        if tracks.at[row - 2, "artist"] != tracks.at[other - 2, "artist"]:
            details = {"value": tracks.at[row - 2, "audio"], "other": tracks.at[other - 2, "audio"]}
            yield problem("repeated_audio", "tracks.csv", row, "audio", **details)


def _check_track_audio(
    folder: Path, row: int, track_id: object, file: object, sounds: dict[int, str]
) -> Iterator[Problem]:
    place = ("tracks.csv", row, "audio")
    if pd.isna(file):
        yield problem("missing_audio", *place)
        return
    if problems := check_file(folder, str(file), row, "audio", source="tracks.csv", largest=None):
        yield from problems
        return
    path = find_file(folder, str(file))
    try:
        channels, sr = audio.load_audio(path, mono=False)
    except audio.AudioError as error:
        yield problem("unusable_audio", *place, value=file, **_split_message(error, path))
        return
    y = audio.mix_down(channels.T) if channels.ndim > 1 else channels
    if np.ptp(channels) > SILENCE_PEAK and y.std() < CANCELLED * channels.std():
        yield problem("cancelled_audio", *place, value=file)
        return
    if np.ptp(y) < SILENCE_PEAK:  # also if the signal is constant
        yield problem("silent_audio", *place, value=file)
        return
    sounds[row] = hash_bytes(str(sr), y.tobytes())
    if pd.notna(track_id):
        yield from _check_stems(folder, f"stems/{track_id}", len(y) / sr)


def _check_stem_folders(folder: Path, tracks: list[str]) -> Iterator[Problem]:
    """Check that each folder in ``stems/`` belongs to a track, and that no track lacks a folder.

    A study in which no track has a folder is valid.
    """
    paths = [path for path in sorted((folder / "stems").glob("[!.]*")) if path.is_dir()]
    names = {plain_text(path.name) for path in paths}
    for path in paths:
        if plain_text(path.name) not in tracks:
            yield problem("unknown_stems", f"stems/{path.name}", value=path.name)
    missing = [track for track in tracks if track not in names]
    if missing and names.intersection(tracks):
        yield problem("missing_stems", "stems", value=missing[0], count=len(missing))


def _check_stems(folder: Path, stem_folder: str, duration: float) -> Iterator[Problem]:
    stem_folder = find_file(folder, stem_folder).relative_to(folder).as_posix()
    if not (folder / stem_folder).is_dir():
        return
    if problems := check_folder(folder, stem_folder):
        yield from problems
        return
    names = [file.stem for file in (folder / stem_folder).glob("[!.]*")]
    for stem in STEMS:
        if names.count(stem) > 1:
            count = f"{names.count(stem)} files named {stem}"
            place = f"{stem_folder}/{stem}"
            yield problem("several_files", place, names=count, expected="one file per stem")
    files = {file.stem: file for file in sorted((folder / stem_folder).glob("[!.]*"))}
    for stem in STEMS:
        name = f"{stem_folder}/{stem}"
        if problems := stem in files and check_file(
            folder, f"{stem_folder}/{files[stem].name}", largest=None
        ):
            yield from problems
            continue
        if stem not in files:
            yield problem("missing_stem", name, expected=", ".join(STEMS))
            continue
        try:
            y, sr = audio.load_audio(files[stem])  # also detects NaN samples
            length = len(y) / sr
        except audio.AudioError as error:
            yield problem("unusable_stem", name, **_split_message(error, files[stem]))
            continue
        if abs(length - duration) > LENGTH_TOLERANCE:
            yield problem("wrong_stem_length", name, value=length, expected=duration)


def _split_message(error: audio.AudioError, path: Path) -> dict[str, str]:
    """Split an error message about a sound file into the fault and its remedy."""
    fault, _, remedy = str(error).removeprefix(f"{path}: ").partition(". ")
    return {"error": fault.rstrip("."), "remedy": remedy or "Export it again."}
