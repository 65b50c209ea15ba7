"""Hold a study folder to its contract, and say everything that is wrong with it at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from groove_utils.audio import AudioError, load_audio
from groove_utils.study.problems import Problem
from groove_utils.study.tables import MAX_ROWS_TOLD, STEMS, table_problems

__all__ = ["query_scales", "validate_study"]

MIN_ARTISTS = 4  # one for each fold of the paper's protocol
SILENCE_PEAK = 1e-4  # −80 dB full scale


def validate_study(
    folder: str | os.PathLike, *, check_audio: bool = True, jobs: int = 2
) -> list[Problem]:
    """Find everything that keeps a study folder from being analysed.

    Parameters
    ----------
    folder : path-like
        The study folder.
    check_audio : bool
        Also decode every track's audio and compare the stems' lengths with it.
    jobs : int
        Processes that decode.

    Returns
    -------
    list of Problem
        Empty where the study can be used.
    """
    folder = Path(folder)
    meta, problems = _meta_problems(folder)
    tracks, found = table_problems(folder, "tracks.csv")
    problems += found
    ratings, found = table_problems(folder, "ratings.csv")
    problems += found
    listeners = None
    if (folder / "listeners.csv").exists():
        listeners, found = table_problems(folder, "listeners.csv")
        problems += found
    if meta is not None and ratings is not None:
        problems += _rating_problems(ratings, meta)
    if tracks is not None and ratings is not None:
        problems += _reference_problems(tracks, ratings, listeners)
    if tracks is not None and "artist" in tracks:
        problems += _design_problems(tracks)
    if check_audio and tracks is not None and "track_id" in tracks:
        problems += _audio_problems(folder, tracks, jobs)
    return problems


def query_scales(meta: dict) -> dict[str, tuple[float, float]]:
    """The lowest and highest possible rating of each query.

    A query in ``study.yml`` is either its wording, and then has the study's scale, or a mapping
    with ``wording`` and a ``scale`` of its own.
    """
    scales = {}
    for query, entry in meta["queries"].items():
        own = entry.get("scale") if isinstance(entry, dict) else None
        low, high = own or meta["scale"]
        scales[query] = (float(low), float(high))
    return scales


def _meta_problems(folder: Path) -> tuple[dict | None, list[Problem]]:
    file = "study.yml"
    try:
        meta = yaml.safe_load((folder / file).read_text(encoding="utf-8"))
    except FileNotFoundError:
        mend = "Start one with `python -m groove_utils.study new`."
        return None, [Problem(file, "no such file", "the study's description", mend)]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = str(error).replace("\n", " ")
        return None, [Problem(file, f"what is no YAML ({detail})", "YAML", "Correct the syntax.")]
    if not isinstance(meta, dict):
        return None, [Problem(file, repr(meta), "keys and values", "Write `title: …` and so on.")]
    problems = []
    examples = {
        "title": "title: My study",
        "queries": "queries: {dance: I would like to dance to this music}",
        "scale": "scale: [1, 100]",
    }
    for key, example in examples.items():
        if not meta.get(key):
            problems.append(Problem(file, f"no {key}", f"{key}", f"Write, say, `{example}`."))
    if problems:
        return None, problems
    try:
        scales = query_scales(meta)
        wrong = [query for query, (low, high) in scales.items() if not low < high]
    except (AttributeError, TypeError, ValueError):
        wrong = ["?"]
    if wrong:
        found = f"scale {meta['scale']!r} and queries {meta['queries']!r}"
        expected = "two rising numbers as scale, and a mapping of queries to their wording"
        return None, [Problem(file, found, expected, "Write, say, `scale: [1, 100]`.")]
    problems = _wording_problems(meta["queries"])
    if not isinstance(styles := meta.get("styles") or [], list):
        mend = "Write, say, `styles: [funk, pop]`."
        problems.append(Problem(file, f"styles {styles!r}", "a list of styles, in order", mend))
    return (None if problems else meta), problems


def _wording_problems(queries: dict) -> list[Problem]:
    problems = []
    for query, entry in queries.items():
        wording = entry.get("wording") if isinstance(entry, dict) else entry
        if not isinstance(query, str):
            mend = f"Put it in quotes: `'{query}': …`."
            problems.append(Problem("study.yml", f"the query {query!r}", "a text", mend))
        elif not isinstance(wording, str) or not wording.strip():
            found = f"the query {query!r} with {wording!r}"
            mend = f"Write, say, `{query}: I would like to …`."
            problems.append(Problem("study.yml", found, "its wording", mend))
    return problems


def _rating_problems(ratings: pd.DataFrame, meta: dict) -> list[Problem]:
    problems = []
    if "query" in ratings:
        known = ", ".join(meta["queries"])
        unknown = ratings.loc[~ratings["query"].isin(list(meta["queries"])), "query"].dropna()
        for query, rows in unknown.groupby(unknown):
            problems.append(
                Problem(
                    "ratings.csv",
                    f"query {query!r} in {len(rows)} rows",
                    f"one of study.yml's queries ({known})",
                    "Add it to study.yml with its wording, or correct the rows.",
                    int(rows.index[0]) + 2,
                )
            )
    if {"query", "rating"} <= set(ratings):
        scales = query_scales(meta)
        low = ratings["query"].map({q: s[0] for q, s in scales.items()})
        high = ratings["query"].map({q: s[1] for q, s in scales.items()})
        value = pd.to_numeric(ratings["rating"], errors="coerce")
        slack = 1e-5 * (high - low)  # derived scores are stored rounded
        outside = ratings.index[(value < low - slack) | (value > high + slack)]
        problems += _each_row(
            outside,
            lambda row: Problem(
                "ratings.csv",
                f"rating {ratings.at[row, 'rating']}",
                f"a number from {low[row]:g} to {high[row]:g} for {ratings.at[row, 'query']}",
                "Correct the rating, or the scale in study.yml.",
                int(row) + 2,
            ),
            "ratings.csv",
        )
    return problems


def _reference_problems(tracks, ratings, listeners) -> list[Problem]:
    problems = []
    keys = [name for name in ("track_id", "query", "listener_id") if name in ratings]
    if {"track_id", "query"} <= set(keys):
        again = ratings.index[ratings.duplicated(keys) & ratings[keys].notna().all(axis=1)]
        who = "listener, track and query" if "listener_id" in keys else "track and query"
        problems += _each_row(
            again,
            lambda row: Problem(
                "ratings.csv",
                "a second rating for " + ", ".join(str(ratings.at[row, k]) for k in keys),
                f"one rating for each {who}",
                "Delete one of the rows.",
                int(row) + 2,
            ),
            "ratings.csv",
        )
    tables = [("track_id", tracks, "tracks.csv")]
    if listeners is not None and not listeners.empty:
        tables.append(("listener_id", listeners, "listeners.csv"))
    for key, table, file in tables:
        if key not in ratings or key not in table:
            continue
        unknown = ratings.loc[~ratings[key].isin(table[key]), key].dropna()
        for value, rows in unknown.groupby(unknown):
            problems.append(
                Problem(
                    "ratings.csv",
                    f"unknown {key} {value!r} in {len(rows)} rows",
                    f"a {key} of {file}",
                    f"Add it to {file}, or correct the rows.",
                    int(rows.index[0]) + 2,
                )
            )
    if "track_id" in ratings and "track_id" in tracks:
        unrated = tracks.index[~tracks["track_id"].isin(ratings["track_id"])]
        problems += _each_row(
            unrated,
            lambda row: Problem(
                "tracks.csv",
                f"track {tracks.at[row, 'track_id']!r} without any rating",
                "at least one row in ratings.csv",
                "Add its ratings, or delete the track.",
                int(row) + 2,
            ),
            "tracks.csv",
        )
    return problems


def _design_problems(tracks: pd.DataFrame) -> list[Problem]:
    artists = tracks["artist"].nunique()
    if artists >= MIN_ARTISTS or tracks.empty:
        return []
    return [
        Problem(
            "tracks.csv",
            f"{artists} artists ({len(tracks)} tracks)",
            f"at least {MIN_ARTISTS} artists, one for each fold",
            "Add tracks by more artists, or correct the column artist.",
        )
    ]


def _audio_problems(folder: Path, tracks: pd.DataFrame, jobs: int) -> list[Problem]:
    if "audio" not in tracks or tracks["audio"].isna().all():
        return []
    work = [
        delayed(_track_audio_problems)(folder, int(row), track_id, audio)
        for row, track_id, audio in zip(tracks.index + 2, tracks["track_id"], tracks["audio"])
    ]
    # the decoder is C, and lets other threads run
    found = Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(work)
    progress = tqdm(found, total=len(work), desc="Checking audio", leave=False)
    return [problem for problems in progress for problem in problems]


def _track_audio_problems(folder: Path, row: int, track_id: str, audio: object) -> list[Problem]:
    if pd.isna(audio):
        mend = "Name the file, or empty the whole column."
        return [Problem("tracks.csv", "no audio", "a file, as for other tracks", mend, row)]
    try:
        y, sr = load_audio(folder / str(audio))
    except AudioError as error:
        reason = str(error).removeprefix(f"{folder / str(audio)}: ")
        return [Problem("tracks.csv", f"audio {audio} ({reason})", "sound", "See there.", row)]
    if np.abs(y).max() < SILENCE_PEAK:
        mend = "Export it again, or delete the track."
        return [Problem("tracks.csv", f"silence in {audio}", "sound", mend, row)]
    return _stem_problems(folder, track_id, len(y) / sr)


def _stem_problems(folder: Path, track_id: object, duration: float) -> list[Problem]:
    if pd.isna(track_id) or not (stem_folder := folder / "stems" / str(track_id)).is_dir():
        return []
    problems = []
    present = {file.stem: file for file in sorted(stem_folder.iterdir())}
    for stem in STEMS:
        name = f"stems/{track_id}/{stem}"
        if stem not in present:
            expected = f"the four stems {', '.join(STEMS)}"
            problems.append(Problem(name, "no such file", expected, "Add the stem."))
            continue
        try:
            info = soundfile.info(present[stem])
        except soundfile.LibsndfileError as error:
            problems.append(Problem(name, f"what cannot be decoded ({error})", "audio", "Convert."))
            continue
        if abs(info.duration - duration) > 0.01:
            problems.append(
                Problem(
                    name,
                    f"{info.duration:.3f} s",
                    f"{duration:.3f} s, as long as the mix",
                    "Export stem and mix over the same range.",
                )
            )
    return problems


def _each_row(rows, problem, file: str) -> list[Problem]:
    told = [problem(row) for row in rows[:MAX_ROWS_TOLD]]
    if len(rows) > MAX_ROWS_TOLD:
        rest = f"the same in {len(rows) - MAX_ROWS_TOLD} more rows"
        told.append(Problem(file, rest, "none", "See the rows above."))
    return told
