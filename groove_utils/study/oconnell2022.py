"""Real listeners: the song ratings of O'Connell et al. (2022) as a study folder.

124 listeners each rated 20 songs, ten of high and ten of low groove, from 1 to 7 on groove, liking
and familiarity; there is no audio. No licence is stated, so the table is downloaded when it is
needed, checked by its hash, and never redistributed. Chapters 01-listeners-and-tracks and
08-mixed-models use it.

References
----------
O'Connell, Nave-Blodgett, Wilson, Hannon & Snyder (2022), Elements of musical and dance
sophistication predict musical groove perception, Frontiers in Psychology 13, 998321.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pandas as pd
import pooch
import yaml

from groove_utils.files import hash_file, write_if_changed
from groove_utils.paths import cache_folder
from groove_utils.study.folder import Study, load_study
from groove_utils.study.problems import Problem, StudyError
from groove_utils.study.tables import MAX_ROWS_TOLD

__all__ = ["SHA256", "URL", "load_oconnell2022", "make_oconnell2022"]

COMMIT = "80d619d7063f497504ff17e70033aa2e5fe4d952"
URL = (
    "https://raw.githubusercontent.com/Rutatu/Decision-making-Exam/"
    f"{COMMIT}/Data/Participant_Song_Ratings.csv"
)
SHA256 = "ee321d8169946a5d7879856094f0e31d1cf5ac2f7ec9f67f4063031ff6235efc"

# seconds to connect (tried for each of the host's addresses) and to wait for an answer: a chapter
# without a network has a box to show instead, and should not keep its reader waiting
TIMEOUT = (2, 20)

_GROUPS = {"HG": "high", "LG": "low"}
_QUERIES = {"groove": "groove", "like": "liking", "familiar": "familiarity"}
_SCALE = (1, 7)


def make_oconnell2022(folder: str | os.PathLike, *, csv: str | os.PathLike | None = None) -> Path:
    """Write the study folder `oconnell2022`.

    Parameters
    ----------
    folder : path-like
        The study folder to write; files that would be the same are left alone.
    csv : path-like, optional
        A table in the form of the published one. By default that one is downloaded once, checked
        by its hash and kept in the cache.

    Returns
    -------
    pathlib.Path
        The folder, with ``study.yml``, ``tracks.csv`` (track_id ``HG1`` … ``LG10``; the fact
        ``groove_group`` is high or low; artist and style are not known), ``listeners.csv`` and
        ``ratings.csv`` (queries groove, liking, familiarity). Cells left empty are unanswered
        questions and give no row.

    Raises
    ------
    ConnectionError
        If the table is neither there nor to be had; the message says what to download and where
        to put it.
    StudyError
        If the table is not in the expected form, with all that is wrong in it.
    """
    path = _fetch() if csv is None else Path(csv)
    folder = Path(folder)
    sheet = _read(folder, path)
    songs = _songs(folder, path, list(sheet.columns))
    ratings = _ratings(folder, path, sheet, songs)
    rated = set(ratings["track_id"])
    tracks = pd.DataFrame(
        [
            {
                "track_id": track,
                "title": f"{_GROUPS[track[:2]].capitalize()}-groove song {track[2:]}",
                "artist": f"artist of {track}",  # not published: each song stands for itself
                "style": "unknown",
                "groove_group": _GROUPS[track[:2]],
            }
            for track in dict.fromkeys(track for track, _ in songs.values())
            if track in rated
        ]
    )
    meta = {
        "title": "Groove ratings of O'Connell et al. (2022)",
        "queries": {
            "groove": "Groove of the song, 1–7",
            "liking": "Liking of the song, 1–7",
            "familiarity": "Familiarity of the song, 1–7",
        },
        "scale": list(_SCALE),
        "styles": ["unknown"],
        "licence": "None is stated: downloaded when needed, not redistributed.",
        "citation": (
            "O'Connell, S. R., Nave-Blodgett, J. E., Wilson, G. E., Hannon, E. E., & Snyder, J. S. "
            "(2022). Elements of musical and dance sophistication predict musical groove "
            "perception. Frontiers in Psychology, 13, 998321. "
            "https://doi.org/10.3389/fpsyg.2022.998321"
        ),
        "source": URL,
        "origin": "https://osf.io/g3y7c",
        "simulated": False,
    }
    listeners = ratings[["listener_id"]].drop_duplicates()
    for name, table in (("tracks", tracks), ("listeners", listeners), ("ratings", ratings)):
        write_if_changed(folder / f"{name}.csv", table.to_csv(index=False))
    text = yaml.safe_dump(meta, sort_keys=False, allow_unicode=True)
    write_if_changed(folder / "study.yml", text)  # last: a folder with a study.yml is whole
    return folder


def load_oconnell2022(csv: str | os.PathLike | None = None) -> Study:
    """The published ratings as a study, made in the cache: for chapters on other studies.

    Parameters
    ----------
    csv : path-like, optional
        The published table, if it was downloaded by hand.

    Returns
    -------
    Study

    Raises
    ------
    ConnectionError
        If the table is neither there nor to be had.
    ValueError
        If `csv` is another file than the published one.
    """
    if csv is not None and hash_file(csv) != SHA256:
        raise ValueError(
            f"{csv} is not the published table (sha256 expected: {SHA256}). Download it again "
            f"from {URL}"
        )
    return load_study(make_oconnell2022(cache_folder() / "oconnell2022" / "study", csv=csv))


def _fetch() -> Path:
    name, place = "Participant_Song_Ratings.csv", cache_folder() / "oconnell2022"
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        found = pooch.retrieve(
            URL, known_hash=f"sha256:{SHA256}", fname=name, path=place,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
        )  # fmt: skip
    except (OSError, ValueError) as error:  # no network; or another file than the known one
        raise ConnectionError(
            f"The ratings of O'Connell et al. (2022) could not be fetched ({error}). Download "
            f"{URL} (sha256 {SHA256}) and put it at {place / name}, then run again."
        ) from error
    finally:
        logger.setLevel(before)
    return Path(found)


def _read(folder: Path, path: Path) -> pd.DataFrame:
    expected = "semicolon-separated text with a column for each song and question"
    try:
        sheet = pd.read_csv(path, sep=";", dtype=str, encoding="utf-8-sig")
    except FileNotFoundError as error:
        problem = Problem(str(path), "no such file", expected, "Check the path.")
        raise StudyError(folder, [problem]) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        problem = Problem(str(path), f"what is no table ({error})", expected, "Download it again.")
        raise StudyError(folder, [problem]) from error
    if sheet.empty:
        problem = Problem(str(path), "no rows below the header", "listeners", "Download it again.")
        raise StudyError(folder, [problem])
    return sheet


def _songs(folder: Path, path: Path, columns: list[str]) -> dict[str, tuple[str, str]]:
    """Song and query of each column; a header without its number belongs to the song before."""
    found, problems, last = {}, [], {}
    for column in columns[1:]:
        # pandas tells doubled headers apart by a number after a dot
        name = re.sub(r"\.\d+$", "", column).strip()
        match = re.fullmatch(r"(HG|LG)(\d*) (groove|like|familiar)", name)
        number = (match[2] or last.get(match[1], "")) if match else ""
        if not number:
            problems.append(
                Problem(
                    str(path),
                    f"the column {name!r}",
                    "names such as 'HG1 groove', 'LG10 like', 'HG3 familiar'",
                    "Rename it.",
                    1,
                )
            )
            continue
        last = {match[1]: number}
        key = (f"{match[1]}{number}", _QUERIES[match[3]])
        if key in found.values():
            problems.append(
                Problem(str(path), f"{key[1]} of {key[0]} twice", "it once", "Rename one.", 1)
            )
        found[column] = key
    if not found and not problems:
        problems.append(
            Problem(
                str(path), f"the columns {columns}", "'HG1 groove' and so on", "Check the file."
            )
        )
    if problems:
        raise StudyError(folder, problems)
    return found


def _ratings(folder: Path, path: Path, sheet: pd.DataFrame, songs) -> pd.DataFrame:
    listener = sheet.iloc[:, 0].str.strip()
    problems = [
        Problem(str(path), "no participant", "an identifier", "Fill the cell in.", int(row) + 2)
        for row in listener.index[listener.isna()]
    ]
    # one identifier stands in two rows of different answers: two people, by the article's count
    again = listener.groupby(listener).cumcount()
    listener = listener.where(again == 0, listener + "-" + (again + 1).astype(str))
    parts = []
    for column, (track, query) in songs.items():
        text = sheet[column].str.strip()
        value = pd.to_numeric(text, errors="coerce")
        answered = text.notna() & (text != "")
        wrong = answered & ~(value.between(*_SCALE) & (value % 1 == 0))
        problems += [
            Problem(
                str(path),
                f"{text[row]!r} in {column}",
                f"a whole number from {_SCALE[0]} to {_SCALE[1]}",
                "Correct the cell, or empty it.",
                int(row) + 2,
            )
            for row in sheet.index[wrong]
        ]
        parts.append(
            pd.DataFrame(
                {"track_id": track, "query": query, "rating": value, "listener_id": listener}
            )[answered]
        )
    if problems:
        rest = len(problems) - MAX_ROWS_TOLD
        told = problems[:MAX_ROWS_TOLD]
        if rest > 0:
            told.append(Problem(str(path), f"{rest} more such cells", "none", "See above."))
        raise StudyError(folder, told)
    ratings = pd.concat(parts, ignore_index=True)
    if ratings.empty:
        problem = Problem(str(path), "no answer in any cell", "ratings", "Download it again.")
        raise StudyError(folder, [problem])
    return ratings.astype({"rating": int})
