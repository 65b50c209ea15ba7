"""Start a study folder from a directory of audio and a spreadsheet of ratings."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd

from groove_utils.files import atomic_path
from groove_utils.study.problems import StudyError, problem, reading
from groove_utils.study.tables import write_study

__all__ = ["read_ratings_sheet", "start_study"]

AUDIO_SUFFIXES = (".aif", ".aiff", ".flac", ".mp3", ".ogg", ".wav")
_SUFFIX = re.compile(rf"\.({'|'.join(s[1:] for s in AUDIO_SUFFIXES)})\b", re.I)
# accepted names of columns, the preferred one first
HEADERS = {
    "track_id": ["track_id", "track", "song_id", "song", "stimulus", "clip", "file", "id"],
    "listener_id": [
        "listener_id", "listener", "participant_id", "participant", "subject", "rater", "id",
    ],
    "query": ["query", "question", "item", "measure"],
    "rating": ["rating", "score", "response", "value", "answer"],
}  # fmt: skip


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
        Directory of sound files. ``STYLE/ARTIST - TITLE.ext`` gives the style, artist and title;
        without an artist in its name, a file counts as its own artist, and without a sub-folder
        the style is ``unknown``: complete ``tracks.csv`` by hand.
    ratings : path-like
        CSV or XLSX, see :func:`read_ratings_sheet`.
    title : str, optional
        The study's title; the folder's name by default.
    scale : (float, float), optional
        Lowest and highest possible rating; by default those of the spreadsheet.
    query : str
        What was asked, if the spreadsheet does not say it.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    StudyError
        If the directory holds no sound files, the form of the spreadsheet is not recognised, or it
        names tracks for which there is no file.
    """
    folder, audio = Path(folder), Path(audio)
    if (folder / "study.yml").exists():
        raise StudyError(folder, [problem("existing_study", "study.yml")])
    tracks = _tracks_from_files(audio)
    table = read_ratings_sheet(ratings, tracks["track_id"].tolist(), query=query)
    if unknown := sorted(set(table["track_id"]) - set(tracks["track_id"])):
        names = ", ".join(unknown[:10]) + (" …" if len(unknown) > 10 else "")
        raise StudyError(folder, [problem("unknown_tracks", ratings, value=names, audio=audio)])
    for source, target in zip(tracks.pop("source"), tracks["audio"]):
        with atomic_path(folder / target) as part:
            shutil.copyfile(source, part)
    tables = {"tracks": tracks, "ratings": table}
    if "listener_id" in table:
        tables["listeners"] = table[["listener_id"]].drop_duplicates()
    meta = {
        "title": title or folder.name,
        "queries": {name: f"Wording of «{name}»" for name in table["query"].unique()},
        "scale": list(scale or (float(table["rating"].min()), float(table["rating"].max()))),
        "styles": sorted(tracks["style"].unique()),
        "licence": "state who may use this data and how",
        "citation": "state what to cite",
        "simulated": False,
    }
    return write_study(folder, meta, **tables)


def read_ratings_sheet(
    path: str | os.PathLike, track_ids: list[str], *, query: str = "groove"
) -> pd.DataFrame:
    """Read a spreadsheet of ratings, wide or long, as one row per rating.

    Parameters
    ----------
    path : path-like
        CSV (any separator) or XLSX in one of three forms. *Long*: a column of tracks, one of
        ratings, and optionally one of listeners and one of queries. *One row per track*: a column
        of tracks; every other numeric column is a query. *One row per listener*: every column
        named by a track, or by a track and a query (``song1 liking``), holds ratings; the first
        other column names the listener.
    track_ids : list of str
        The known tracks, by which the third form is recognised.
    query : str
        What was asked, if the spreadsheet does not say it.

    Returns
    -------
    pandas.DataFrame
        Columns track_id, query, rating and, if known, listener_id; unanswered cells dropped.

    Raises
    ------
    StudyError
        If the spreadsheet has none of these forms, or cells that are not understood.
    """
    path = Path(path)
    sheet = _read_sheet(path)
    names = {}
    for key, accepted in HEADERS.items():
        free = [name for name in sheet.columns if name not in names.values()]
        names[key] = _find_header(free, accepted)
    by_track = _columns_by_track(sheet, track_ids)
    if names["track_id"] and names["rating"]:
        table = sheet.rename(columns={name: key for key, name in names.items() if name})
        if "query" not in table:
            table["query"] = query
    elif by_track:
        table = _from_listener_rows(sheet, by_track, names["listener_id"], query)
    elif names["track_id"]:
        table = _from_track_rows(sheet, names["track_id"])
    else:
        columns = ", ".join(sheet.columns)
        raise StudyError(path.parent, [problem("unknown_form", path.name, columns=columns)])
    # the index is still the line of the sheet
    columns = [c for c in ("track_id", "query", "rating", "listener_id") if c in table]
    table = table[columns].dropna(subset=["rating"])
    boolean = table["rating"].map(lambda value: isinstance(value, bool))  # TRUE is no rating
    numbers = pd.to_numeric(table["rating"].mask(boolean), errors="coerce")
    problems = [
        problem("not_a_number", path.name, row, names["rating"] or "a rating", value=value)
        for row, value in table.loc[~np.isfinite(numbers), "rating"].items()
    ]
    problems += [
        problem("empty_cell", path.name, row, names[column] or f"the column of {column}")
        for column in columns
        for row in table.index[table[column].isna()].unique()
    ]
    if table.empty:
        problems.append(problem("empty_table", path.name, expected="ratings"))
    StudyError.raise_any(path.parent, problems)
    texts = {c: table[c].map(_plain_text) for c in columns if c != "rating"}
    texts["track_id"] = texts["track_id"].str.replace(
        rf"{_SUFFIX.pattern}$", "", regex=True, case=False
    )
    return table.assign(rating=numbers, **texts).reset_index(drop=True)


def _read_sheet(path: Path) -> pd.DataFrame:
    """Read a spreadsheet as it is written, indexed by its lines from 2 on."""
    with reading(path.parent, path.name, "a workbook, or separated UTF-8 text with a header"):
        if path.suffix.lower() in {".xlsx", ".xlsm"}:
            sheet = pd.read_excel(path, dtype=object, header=None)
        else:
            text = path.read_text(encoding="utf-8-sig")
            options = {"header": None, "skip_blank_lines": False, "engine": "python"}
            sheet = pd.read_csv(io.StringIO(text), sep=_separator(text), dtype=object, **options)
        names = sheet.iloc[0]
    sheet.index += 1
    sheet.columns = [
        f"column {k}" if pd.isna(name) else _plain_text(name) for k, name in enumerate(names, 1)
    ]
    repeated = sheet.columns[sheet.columns.duplicated()].unique()
    problems = [problem("duplicate_column", path.name, 1, name) for name in repeated]
    StudyError.raise_any(path.parent, problems)
    return sheet.iloc[1:]


def _separator(text: str) -> str | None:
    """Separator that gives most columns, the same number in each line; None if unclear."""
    lines = text.splitlines()[:100]
    widths = {s: {len(row) for row in csv.reader(lines, delimiter=s) if row} for s in ",;\t|"}
    even = {max(width): s for s, width in widths.items() if len(width) == 1}
    return even[max(even)] if even and max(even) > 1 else None


def _tracks_from_files(audio: Path) -> pd.DataFrame:
    rows = []
    for file in sorted(audio.rglob("*")):
        if file.suffix.lower() in AUDIO_SUFFIXES and file.name[0] != "." and file.is_file():
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
    tracks = pd.DataFrame(rows, columns=["track_id", "title", "artist", "style", "audio", "source"])
    names = tracks["track_id"]
    problems = [problem("several_audio", audio, value=name) for name in names[names.duplicated()]]
    if not rows:
        problems.append(problem("no_audio", audio, expected=", ".join(AUDIO_SUFFIXES)))
    StudyError.raise_any(audio, problems)
    return tracks


def _plain_text(value: object) -> str:
    # macOS separates accents from letters in file names, spreadsheets do not
    return unicodedata.normalize("NFC", str(value)).strip()


def _find_header(columns: list[str], accepted: list[str]) -> str | None:
    plain = {re.sub(r"[\s-]+", "_", name.lower()): name for name in columns}
    return next((plain[key] for key in accepted if key in plain), None)


def _columns_by_track(sheet: pd.DataFrame, track_ids: list[str]) -> dict[str, tuple[str, str]]:
    """Column → (track, query), for the columns that are named by a track."""
    columns = {}
    for column in sheet.columns:
        # longest names first: «song1» is also the beginning of «song10 liking»
        for track in sorted(track_ids, key=len, reverse=True):
            rest = column[len(track) :]
            if column.startswith(track) and (not rest or not rest[0].isalnum()):
                suffix = _SUFFIX.match(rest)
                columns[column] = (track, rest[suffix.end() if suffix else 0 :].strip(" _-:;."))
                break
    return columns


def _from_listener_rows(sheet, by_track, listener: str | None, query: str) -> pd.DataFrame:
    others = [c for c in sheet.columns if c not in by_track]
    if listener := listener or next(iter(others), None):
        ids = sheet[listener]
    else:
        ids = [f"L{k + 1:03d}" for k in range(len(sheet))]
    return pd.concat(
        pd.DataFrame(
            {"track_id": track, "query": q or query, "rating": sheet[column], "listener_id": ids}
        )
        for column, (track, q) in by_track.items()
    )


def _from_track_rows(sheet: pd.DataFrame, track: str) -> pd.DataFrame:
    queries = [
        name
        for name in sheet.columns
        if name != track and pd.to_numeric(sheet[name], errors="coerce").notna().any()
    ]
    table = sheet.melt(track, queries, "query", "rating", ignore_index=False)
    return table.rename(columns={track: "track_id"})
