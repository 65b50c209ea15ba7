"""Start a study folder from a directory of audio and a spreadsheet of ratings."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
import zipfile
from csv import Error as SniffError
from pathlib import Path

import pandas as pd
import yaml

from groove_utils.files import atomic_path
from groove_utils.study.problems import Problem, StudyError

__all__ = ["read_ratings_sheet", "start_study"]

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}
# what columns may be called; the first that is there counts
HEADERS = {
    "track_id": ["track_id", "track", "song_id", "song", "stimulus", "clip", "file", "id"],
    "listener_id": [
        "listener_id", "listener", "participant_id", "participant", "subject", "rater", "id",
    ],
    "query": ["query", "question", "item", "measure"],
    "rating": ["rating", "score", "response", "value", "answer"],
}  # fmt: skip
MAX_ROWS_TOLD = 20


def start_study(
    folder: str | os.PathLike,
    audio: str | os.PathLike,
    ratings: str | os.PathLike,
    *,
    title: str | None = None,
    scale: tuple[float, float] | None = None,
    query: str = "groove",
) -> Path:
    """Write a study folder that can be checked, completed by hand, and built.

    Parameters
    ----------
    folder : path-like
        The study folder to write; must not hold a study already.
    audio : path-like
        Directory of sound files. A file ``STYLE/ARTIST - TITLE.ext`` tells its style, artist and
        title; where the name tells no artist, the file counts as its own artist, and where there
        is no sub-folder the style is ``unknown``: complete ``tracks.csv`` by hand.
    ratings : path-like
        CSV or XLSX, see :func:`read_ratings_sheet`.
    title : str, optional
        The study's title; the folder's name by default.
    scale : (float, float), optional
        Lowest and highest possible rating; the lowest and highest found by default.
    query : str
        What was asked, where the spreadsheet does not say.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    StudyError
        If the audio directory holds no sound files, the spreadsheet's form is not understood, or
        it names tracks for which there is no file.
    """
    folder, audio = Path(folder), Path(audio)
    if (folder / "study.yml").exists():
        mend = "Choose another folder, or delete that one."
        raise StudyError(folder, [Problem("study.yml", "a study", "an empty folder", mend)])
    tracks = _tracks_from_files(audio)
    long = read_ratings_sheet(ratings, tracks["track_id"].tolist(), query=query)
    unknown = sorted(set(long["track_id"]) - set(tracks["track_id"]))
    if unknown:
        found = f"ratings of {', '.join(unknown[:10])}{' …' if len(unknown) > 10 else ''}"
        expected = f"names of files in {audio}, without their suffix"
        mend = "Rename the files or correct the spreadsheet."
        raise StudyError(folder, [Problem(str(ratings), found, expected, mend)])
    for source, target in zip(tracks.pop("source"), tracks["audio"]):
        with atomic_path(folder / target) as part:
            shutil.copyfile(source, part)
    low, high = scale or (float(long["rating"].min()), float(long["rating"].max()))
    meta = {
        "title": title or folder.name,
        "queries": {name: f"Wording of «{name}»" for name in long["query"].unique()},
        "scale": [low, high],
        "styles": sorted(tracks["style"].unique()),
        "licence": "state who may use this data and how",
        "citation": "state what to cite",
        "simulated": False,
    }
    _write_csv(tracks, folder / "tracks.csv")
    _write_csv(long, folder / "ratings.csv")
    if "listener_id" in long:
        _write_csv(long[["listener_id"]].drop_duplicates(), folder / "listeners.csv")
    with atomic_path(folder / "study.yml") as part:
        part.write_text(yaml.safe_dump(meta, sort_keys=False, allow_unicode=True))
    return folder


def read_ratings_sheet(
    path: str | os.PathLike, track_ids: list[str], *, query: str = "groove"
) -> pd.DataFrame:
    """Read a spreadsheet of ratings, wide or long, as one row a rating.

    Parameters
    ----------
    path : path-like
        CSV (any separator) or XLSX with one of three forms. *Long*: a column of tracks, one of
        ratings, and optionally one of listeners and one of queries. *A row a track*: a column of
        tracks, every other numeric column being a query. *A row a listener*: every column that is
        named by a track, or by a track and a query (``song1 liking``), holds ratings; the first
        other column names the listener.
    track_ids : list of str
        The known tracks, by which the third form is recognised.
    query : str
        What was asked, where the spreadsheet does not say.

    Returns
    -------
    pandas.DataFrame
        Columns track_id, query, rating and, where known, listener_id; unanswered cells dropped.

    Raises
    ------
    StudyError
        If none of the forms fits; the message lists the columns that were found.
    """
    path = Path(path)
    sheet = _read_sheet(path)
    sheet.columns = [_plain_text(name) for name in sheet.columns]
    names = {}
    for key, known in HEADERS.items():
        free = [name for name in sheet.columns if name not in names.values()]
        names[key] = _find_header(free, known)
    by_track = _columns_by_track(sheet, track_ids)
    if names["track_id"] and names["rating"]:
        long = sheet.rename(columns={name: key for key, name in names.items() if name})
        if "query" not in long:
            long["query"] = query
    elif by_track:
        long = _from_listener_rows(sheet, by_track, names["listener_id"], query)
    elif names["track_id"]:
        long = _from_track_rows(sheet, names["track_id"])
    else:
        found = f"columns {', '.join(sheet.columns)}"
        expected = (
            "columns track and rating (long), a column track and a column a query (a row a "
            "track), or columns named by the audio files (a row a listener)"
        )
        raise StudyError(path.parent, [Problem(path.name, found, expected, "Rename the columns.")])
    columns = [c for c in ("track_id", "query", "rating", "listener_id") if c in long]
    long = long[columns].dropna(subset=["rating"])
    numbers = pd.to_numeric(long["rating"], errors="coerce")
    problems = [
        Problem(path.name, f"the rating {value!r}", "a number", "Correct the cell.", int(row) + 2)
        for row, value in long.loc[numbers.isna(), "rating"].items()
    ]
    for column in columns:
        problems += [
            Problem(
                path.name,
                f"an empty cell in {names[column] or 'the column of listeners'}",
                f"a {column}",
                "Fill the cell in, or delete the row.",
                int(row) + 2,
            )
            for row in dict.fromkeys(long.index[long[column].isna()])
        ]
    if problems:
        raise StudyError(path.parent, problems[:MAX_ROWS_TOLD])
    texts = {c: long[c].map(_plain_text) for c in columns if c != "rating"}
    texts["track_id"] = texts["track_id"].map(_without_audio_suffix)
    return long.assign(rating=numbers, **texts).reset_index(drop=True)


def _read_sheet(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() in {".xlsx", ".xlsm"}:
            return pd.read_excel(path, dtype=object)
        return pd.read_csv(
            path,
            sep=None,
            engine="python",
            dtype=object,
            encoding="utf-8-sig",
            skip_blank_lines=False,  # so that the index tells the row
        )
    except FileNotFoundError:
        raise
    except (ValueError, SniffError, zipfile.BadZipFile) as error:
        found = f"what cannot be read ({error})"
        expected = "a workbook, or separated UTF-8 text with a header"
        problem = Problem(path.name, found, expected, "Save it again as XLSX or CSV.")
        raise StudyError(path.parent, [problem]) from error


def _tracks_from_files(audio: Path) -> pd.DataFrame:
    files = sorted(
        f
        for f in audio.rglob("*")
        if f.suffix.lower() in AUDIO_SUFFIXES and not f.name.startswith(".") and f.is_file()
    )
    if not files:
        expected = f"sound files ({', '.join(sorted(AUDIO_SUFFIXES))})"
        problem = Problem(str(audio), "none", expected, "Name the directory that holds them.")
        raise StudyError(audio, [problem])
    rows = []
    for file in files:
        name = _plain_text(file.stem)
        artist, dash, title = name.partition(" - ")
        rows.append(
            {
                "track_id": name,
                "title": title if dash else name,
                "artist": artist if dash else name,
                "style": file.parent.name if file.parent != audio else "unknown",
                "audio": f"audio/{file.name}",
                "source": file,
            }
        )
    tracks = pd.DataFrame(rows)
    again = tracks.loc[tracks["track_id"].duplicated(), "track_id"].tolist()
    if again:
        problem = Problem(
            str(audio), f"several files {again[0]!r}", "each name once", "Rename one of them."
        )
        raise StudyError(audio, [problem])
    return tracks


def _plain_text(value: object) -> str:
    # macOS writes accents of file names apart from their letters, spreadsheets do not
    return unicodedata.normalize("NFC", str(value)).strip()


def _find_header(columns: list[str], known: list[str]) -> str | None:
    plain = {re.sub(r"[\s-]+", "_", name.lower()): name for name in columns}
    return next((plain[key] for key in known if key in plain), None)


def _columns_by_track(sheet: pd.DataFrame, track_ids: list[str]) -> dict[str, tuple[str, str]]:
    """Column → (track, query), for the columns that are named by a track."""
    found = {}
    for column in sheet.columns:
        # the longest name first: «song1» is also the beginning of «song10 liking»
        for track in sorted(track_ids, key=len, reverse=True):
            rest = column[len(track) :]
            if column.startswith(track) and (not rest or not rest[0].isalnum()):
                found[column] = (track, rest.strip(" _-:;."))
                break
    return found


def _from_listener_rows(sheet, by_track, listener: str | None, query: str) -> pd.DataFrame:
    others = [c for c in sheet.columns if c not in by_track]
    listener = listener or (others[0] if others else None)
    ids = sheet[listener] if listener else pd.Series([f"L{k + 1:03d}" for k in range(len(sheet))])
    parts = [
        pd.DataFrame(
            {"track_id": t, "query": q or query, "rating": sheet[column], "listener_id": ids}
        )
        for column, (t, q) in by_track.items()
    ]
    # the index stays the row of the sheet, so that a message can name it
    return pd.concat(parts)


def _from_track_rows(sheet: pd.DataFrame, track: str) -> pd.DataFrame:
    numeric = [
        c
        for c in sheet.columns
        if c != track and pd.to_numeric(sheet[c], errors="coerce").notna().any()
    ]
    parts = [
        pd.DataFrame({"track_id": sheet[track], "query": c, "rating": sheet[c]}) for c in numeric
    ]
    if not parts:
        return pd.DataFrame(columns=["track_id", "query", "rating"])
    return pd.concat(parts)


def _without_audio_suffix(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix.lower() in AUDIO_SUFFIXES else name


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as part:
        frame.to_csv(part, index=False)
