"""Create a study folder from a spreadsheet of ratings, optionally with audio or embeddings."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from groove_utils.audio.suffixes import AUDIO_SUFFIXES
from groove_utils.files import atomic_path
from groove_utils.study.problems import Problem, StudyError, problem
from groove_utils.study.sheets import MISSING_CODES, RatingsSheet, read_sheet
from groove_utils.study.tables import write_study
from groove_utils.study.text import as_label, plain_text

__all__ = ["start_study"]

TRACKS = ["track_id", "title", "artist", "style"]
SHOWN = 10  # maximum number of names in a message


def start_study(
    folder: str | os.PathLike,
    audio: str | os.PathLike | None,
    ratings: str | os.PathLike,
    *,
    embeddings: str | os.PathLike | None = None,
    title: str | None = None,
    scale: tuple[float, float] | None = None,
    query: str = "groove",
    listener: str | None = None,
    track: str | None = None,
    questions: Sequence[str] = (),
    worksheet: str | None = None,
    report: Callable[[str], object] | None = None,
) -> Path:
    """Create a study folder from a spreadsheet, with placeholders to fill in by hand.

    Parameters
    ----------
    folder : path-like
        The study folder to write; it must not already contain a study.
    audio : path-like or None
        Directory of sound files. Style, artist and title are read from paths such as
        ``STYLE/ARTIST - TITLE.ext``. If a file name contains no artist, the whole name is used as
        artist and title; files that are not in a subfolder have the style ``unknown``. Artists and
        styles can be corrected in ``tracks.csv``. Files without ratings are skipped. If None, the
        study has no audio.
    ratings : path-like
        CSV or XLSX file; see :func:`groove_utils.study.sheets.read_sheet`.
    embeddings : path-like, optional
        Directory of precomputed vectors, ``<model>/<track_id>.npz``, to copy into the study.
    title : str, optional
        Title of the study; by default, the name of the folder.
    scale : (float, float), optional
        Lowest and highest possible rating. If given, codes for missing answers (-9, -99, -999, 99,
        999) outside this scale are dropped. By default, the scale is the range of the ratings, and
        is separate for each question if their ranges differ by more than a factor of two.
    query : str
        Name of the query, if the spreadsheet does not contain it.
    listener, track : str, optional
        Columns that identify listeners and tracks, if they cannot be inferred.
    questions : sequence of str
        Columns that contain ratings; by default, all columns that could be ratings.
    worksheet : str, optional
        Worksheet to read; by default, the largest worksheet that contains ratings.
    report : callable, optional
        Function called with messages about how the input was interpreted and what was skipped.

    Returns
    -------
    pathlib.Path
        The study folder.

    Raises
    ------
    StudyError
        If `folder` already contains a study, `audio` contains no sound files, the spreadsheet
        cannot be interpreted, or a rated track has no sound file.
    """
    folder = Path(folder)
    if (folder / "study.yml").exists():
        raise StudyError(folder, [problem("existing_study", "study.yml")])
    _check_scale(folder, scale)
    files = None if audio is None else _tracks_from_files(Path(audio))
    options = {"listener": listener, "track": track, "questions": questions, "worksheet": worksheet}
    options["missing"] = _codes_outside(scale) if scale else ()
    sheet = read_sheet(Path(ratings), _known_tracks(files, embeddings), query=query, **options)
    wording = _label_queries(sheet)
    tracks = _join_tracks(folder, sheet, files, audio, Path(ratings))
    scales = _find_scales(folder, sheet, scale, Path(ratings))
    for source, target in zip(tracks.pop("source"), tracks.get("audio", ())):
        with atomic_path(folder / target) as part:
            shutil.copyfile(source, part)
    if embeddings is not None:
        _copy_vectors(folder, Path(embeddings), tracks["track_id"].tolist(), sheet.notes)
    meta = _describe_study(title or folder.resolve().name, wording, scales, tracks)
    write_study(folder, meta, tracks=tracks, ratings=sheet.ratings, **_listeners(sheet))
    if report:
        _report(report, sheet, tracks, scales, scale)
    return folder


def _check_scale(folder: Path, scale: tuple[float, float] | None) -> None:
    if scale and not (all(map(math.isfinite, scale)) and scale[0] < scale[1]):
        value = f"{scale[0]:g} to {scale[1]:g}"
        raise StudyError(folder, [problem("reversed_scale", "--scale", value=value)])


def _codes_outside(scale: tuple[float, float]) -> list[float]:
    """Return the common missing-answer codes that are outside a scale."""
    return [code for code in MISSING_CODES if not scale[0] <= code <= scale[1]]


def _known_tracks(files: pd.DataFrame | None, embeddings) -> list[str]:
    """Return the names of the sound files or, if there is no audio, of the embedding files."""
    if files is not None:
        return files["track_id"].tolist()
    vectors = [] if embeddings is None else Path(embeddings).rglob("[!.]*.npz")
    return sorted({plain_text(file.stem) for file in vectors})


def _describe_study(title: str, wording: dict, scales: dict, tracks: pd.DataFrame) -> dict:
    """Return the content of ``study.yml``, with placeholders to complete by hand."""
    return {
        "title": plain_text(title),
        "queries": _with_scales(wording, scales),
        "scale": _common_scale(scales),
        "styles": sorted(tracks["style"].unique()),
        "licence": "state who may use this data and how",
        "citation": "state what to cite",
        "simulated": False,
    }


def _listeners(sheet: RatingsSheet) -> dict[str, pd.DataFrame]:
    """Return a table of listeners who rated at least one track, if listeners are known."""
    if "listener_id" not in sheet.ratings:
        return {}
    ids = sheet.ratings["listener_id"]
    if sheet.listeners is None:
        return {"listeners": ids.drop_duplicates().to_frame()}
    return {"listeners": sheet.listeners[sheet.listeners["listener_id"].isin(ids)]}


def _label_queries(sheet: RatingsSheet) -> dict[str, str]:
    """Rename questions to names that are valid in captions; return their wordings."""
    names = {name: as_label(name) or f"question {k}"
             for k, name in enumerate(sheet.ratings["query"].unique(), 1)}  # fmt: skip
    sheet.ratings = sheet.ratings.assign(query=sheet.ratings["query"].map(names))
    sheet.answers = sheet.answers.assign(query=sheet.answers["query"].map(names))
    return {
        label: sheet.wordings.get(name) or (name if label != name else f"Wording of “{name}”")
        for name, label in names.items()
    }


def _join_tracks(
    folder: Path, sheet: RatingsSheet, files: pd.DataFrame | None, audio, ratings: Path
) -> pd.DataFrame:
    """Return a table of the rated tracks, including the sheet's columns about tracks."""
    rated = sheet.ratings["track_id"].unique().tolist()
    if files is None:
        tracks = pd.DataFrame([_describe_track(name, "unknown") for name in rated])
        tracks["source"] = None
    else:
        names = files["track_id"].tolist()
        StudyError.raise_any(folder, _unknown_tracks(rated, names, Path(audio), ratings))
        if unrated := [name for name in names if name not in set(rated)]:
            sheet.notes.append(f"Skipped tracks without ratings: {_shorten(unrated)}.")
        tracks = files[files["track_id"].isin(rated)].reset_index(drop=True)
    if sheet.tracks is None:
        return tracks
    facts = sheet.tracks.set_index("track_id").reindex(tracks["track_id"]).reset_index(drop=True)
    for name in facts:
        column = facts[name]
        tracks[name] = column if name not in tracks else column.fillna(tracks[name]).map(plain_text)
    if "style" in facts:
        tracks["style"] = tracks["style"].map(as_label)
    return tracks


def _unknown_tracks(rated, track_ids, audio: Path, ratings: Path) -> list[Problem]:
    """Return problems for rated tracks that have no sound file in a known format."""
    unknown = sorted(set(rated) - set(track_ids))
    others = {plain_text(f.stem): f.name for f in audio.rglob("[!.]*") if f.is_file()}
    # iCloud stores .song.wav.icloud in place of song.wav
    clouds = {plain_text(Path(f.stem[1:]).stem): f.name for f in audio.rglob(".*.icloud")}
    problems = [
        problem("unknown_format", ratings, value=name, other=others[name],
                expected=", ".join(AUDIO_SUFFIXES))
        for name in unknown
        if name in others
    ]  # fmt: skip
    problems += [
        problem("not_downloaded", ratings, value=name, other=clouds[name])
        for name in unknown
        if name in clouds
    ]
    if absent := [name for name in unknown if name not in others and name not in clouds]:
        problems.append(problem("unknown_tracks", ratings, value=_shorten(absent), audio=audio))
    return problems


def _find_scales(folder, sheet: RatingsSheet, scale, path: Path) -> dict[str, tuple[float, float]]:
    """Return the scale of each question: the given scale or, by default, the range of the ratings.

    The range over all questions is used, unless their ranges differ by more than a factor of two.
    """
    ratings, queries = sheet.answers, sheet.ratings["query"].unique()
    if scale:
        if len(ratings) > len(sheet.ratings):  # averaging may hide ratings outside the scale
            StudyError.raise_any(folder, list(_outside(ratings, *scale, path)))
        return dict.fromkeys(queries, tuple(map(float, scale)))
    ends = ratings.groupby("query")["rating"].agg(["min", "max"])
    low, high = float(ends["min"].min()), float(ends["max"].max())
    if low == high:
        raise StudyError(folder, [problem("unknown_scale", path.name, value=low)])
    if (code := _outlier(ratings["rating"])) is not None:
        raise StudyError(folder, [problem("missing_code", path.name, value=code)])
    spans = ends["max"] - ends["min"]
    if spans.min() > 0 and spans.max() > 2 * spans.min():
        return {query: tuple(map(float, ends.loc[query])) for query in queries}
    return dict.fromkeys(queries, (low, high))


def _outside(ratings: pd.DataFrame, low: float, high: float, path: Path) -> Iterator[Problem]:
    """Yield a problem for each rating outside a scale."""
    for row, query, value in ratings[~ratings["rating"].between(low, high)].itertuples():
        details = {"value": value, "query": query, "low": low, "high": high}
        yield problem("out_of_range", path.name, row, "the ratings", **details)


def _outlier(ratings: pd.Series) -> float | None:
    """Return the lowest or highest rating if its distance from the others exceeds their range.

    Return None if there is no such rating. There must be at least three other values, or two if the
    rating is a common code for missing answers, such as -9.
    """
    values = np.unique(ratings)
    ends = ((values[0], values[1:]), (values[-1], values[:-1]))
    for end, rest in ends if len(values) > 2 else ():
        enough = len(rest) > 2 or end in MISSING_CODES
        if enough and np.abs(rest - end).min() > np.ptp(rest):
            return float(end)
    return None


def _common_scale(scales: dict[str, tuple[float, float]]) -> list[float]:
    return list(max(scales.values(), key=lambda ends: ends[1] - ends[0]))


def _with_scales(wording: dict[str, str], scales: dict[str, tuple[float, float]]) -> dict:
    common = tuple(_common_scale(scales))
    return {
        query: text if scales[query] == common else {"wording": text, "scale": list(scales[query])}
        for query, text in wording.items()
    }


def _copy_vectors(folder: Path, source: Path, tracks: list[str], notes: list[str]) -> None:
    """Copy the vectors of the tracks, and add a note about vectors that are not copied."""
    files = [
        file
        for model in sorted(source.glob("[!.]*"))
        if model.is_dir()
        for file in sorted(model.rglob("*.npz"))
    ]
    used = [file for file in files if plain_text(file.stem) in set(tracks)]
    if not used:
        raise StudyError(folder, [problem("no_vectors", source)])
    for file in used:
        place = folder / "embeddings" / file.relative_to(source).parent
        with atomic_path(place / f"{plain_text(file.stem)}.npz") as part:
            shutil.copyfile(file, part)
    if unused := [str(file.relative_to(source)) for file in files if file not in set(used)]:
        notes.append(f"Skipped vectors that are not named after a track: {_shorten(unused)}.")


def _report(report, sheet: RatingsSheet, tracks: pd.DataFrame, scales, given) -> None:
    """Report what was skipped, and then how the input was interpreted."""
    for note in sheet.notes:
        report(note)
    for name, facts in (("listeners", sheet.listeners), ("tracks", sheet.tracks)):
        if facts is not None and len(names := list(facts.columns[1:])):
            report(f"Columns about {name}: {', '.join(names)}.")
    listeners = sheet.ratings.get("listener_id", pd.Series(dtype=str)).nunique()
    by = f" by {_count(listeners, 'listener')}" if listeners else ", without listeners"
    ends = {f"{low:g} to {high:g}" for low, high in scales.values()}
    if len(ends) > 1:
        ends = {f"{query} {low:g} to {high:g}" for query, (low, high) in scales.items()}
    hint = "" if given else " (range of the ratings; set it with --scale)"
    names = ", ".join(scales)
    report(
        f"{_count(len(sheet.ratings), 'rating')} of {_count(len(tracks), 'track')}{by}, "
        f"{_count(len(scales), 'question')} ({names}), scale {'; '.join(sorted(ends))}{hint}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _shorten(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" … ({len(names)} in all)" if len(names) > SHOWN else "")


def _describe_track(name: str, style: str) -> dict[str, str]:
    artist, dash, title = name.partition(" - ")
    return {
        "track_id": name,
        "title": title if dash else name,
        "artist": artist if dash else name,
        "style": style,
    }


def _decode_name(name: str) -> str:
    """Decode a file's name as UTF-8 or, if that fails, as Windows-1252."""
    try:
        return name.encode() and name
    except UnicodeEncodeError:  # surrogates replace bytes that are not UTF-8
        return os.fsencode(name).decode("cp1252", "replace")


def _tracks_from_files(audio: Path) -> pd.DataFrame:
    if not audio.is_dir():
        raise StudyError(audio, [problem("missing_folder", audio, expected="sound files")])
    rows = []
    for file in sorted(audio.rglob("*")):
        if file.suffix.lower() in AUDIO_SUFFIXES and file.name[0] != "." and file.is_file():
            parent = _decode_name(file.parent.name)
            style = as_label(parent) if file.parent != audio else "unknown"
            name = Path(_decode_name(file.name))
            row = _describe_track(plain_text(name.stem), style)
            rows.append(row | {"audio": f"audio/{name}", "source": file})
    tracks = pd.DataFrame(rows, columns=[*TRACKS, "audio", "source"])
    names = tracks["track_id"]
    problems = [problem("several_audio", audio, value=name) for name in names[names.duplicated()]]
    if not rows:
        problems.append(problem("no_audio", audio, expected=", ".join(AUDIO_SUFFIXES)))
    StudyError.raise_any(audio, problems)
    return tracks
