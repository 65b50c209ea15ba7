"""Convert the song ratings of O'Connell et al. (2022) to a study folder.

124 listeners each rated 20 songs, ten of high and ten of low groove, from 1 to 7 on groove, liking
and familiarity; there is no audio. No licence is stated, so the table is downloaded when it is
needed, checked by its hash, and never redistributed. The chapters 01-listeners-and-tracks and
09-mixed-models use it.

References
----------
O'Connell, Nave-Blodgett, Wilson, Hannon & Snyder (2022), Elements of musical and dance
sophistication predict musical groove perception, Frontiers in Psychology 13, 998321.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd

from groove_utils.errors import DetailedError
from groove_utils.files import hash_file
from groove_utils.paths import cache_folder
from groove_utils.study.catalogue import get_dataset
from groove_utils.study.download import download_file
from groove_utils.study.folder import Study, load_study
from groove_utils.study.problems import reading
from groove_utils.study.tables import write_study

__all__ = ["SHA256", "URL", "load_oconnell2022", "make_oconnell2022"]

DATASET = get_dataset("oconnell2022")
REMOTE = DATASET.remotes["ratings"]
URL, SHA256 = REMOTE["url"], REMOTE["sha256"]
GROUPS = {"HG": "high", "LG": "low"}
QUERIES = {"groove": "groove", "like": "liking", "familiar": "familiarity"}


def make_oconnell2022(
    folder: str | os.PathLike, *, source: str | os.PathLike | None = None
) -> Path:
    """Write the study folder `oconnell2022`.

    Parameters
    ----------
    folder : path-like
        The study folder to write; files that would not change are left alone.
    source : path-like, optional
        A table in the form of the published one. By default that one is downloaded once, checked
        by its hash and kept in the cache.

    Returns
    -------
    pathlib.Path
        The folder, with ``study.yml``, ``tracks.csv`` (track_id ``HG1`` … ``LG10``;
        ``groove_group`` is high or low; artist and style are unknown), ``listeners.csv`` and
        ``ratings.csv`` (queries groove, liking, familiarity). Empty cells are unanswered questions
        and give no row.

    Raises
    ------
    ConnectionError
        If the table is missing and cannot be downloaded; the message says what to download and
        where to put it.
    StudyError
        If the table cannot be read.
    """
    folder, path = Path(folder), _download() if source is None else Path(source)
    with reading(folder, path, "semicolon-separated text with a column for each song and question"):
        sheet = pd.read_csv(path, sep=";", dtype=str, encoding="utf-8-sig")
        ratings = _ratings(sheet)
    ids = ratings["track_id"].unique()
    tracks = pd.DataFrame(
        {
            "track_id": ids,
            "title": [f"{GROUPS[track[:2]].capitalize()}-groove song {track[2:]}" for track in ids],
            "artist": [f"artist of {track}" for track in ids],  # unpublished: one per song
            "style": "unknown",
            "groove_group": [GROUPS[track[:2]] for track in ids],
        }
    )
    listeners = ratings[["listener_id"]].drop_duplicates()
    return write_study(folder, DATASET.meta, tracks=tracks, listeners=listeners, ratings=ratings)


def load_oconnell2022(source: str | os.PathLike | None = None) -> Study:
    """Load the published ratings next to another study, from a folder in the cache.

    Parameters
    ----------
    source : path-like, optional
        The published table, if it was downloaded by hand.

    Raises
    ------
    ConnectionError
        If the table is missing and cannot be downloaded.
    DetailedError
        If `source` is another file than the published one.
    """
    if source is not None and hash_file(source) != SHA256:
        raise DetailedError(
            f"{source} is not the published table (sha256 expected: {SHA256}). Download it again "
            f"from {URL}",
            kind="wrong_hash",
            path=source,
        )
    return load_study(make_oconnell2022(cache_folder() / "oconnell2022" / "study", source=source))


def _download() -> Path:
    path = cache_folder() / "oconnell2022" / REMOTE["file"]
    try:
        return download_file(URL, path, SHA256)
    except (OSError, ValueError) as error:  # no network, or another file than the published one
        raise ConnectionError(
            f"The ratings of O'Connell et al. (2022) could not be downloaded ({error}). Download "
            f"{URL} (sha256 {SHA256}), put it at {path}, and run again."
        ) from error


def _ratings(sheet: pd.DataFrame) -> pd.DataFrame:
    """One row per answer. The content is not checked, since the table's hash is known."""
    listener = sheet.iloc[:, 0].str.strip()
    # one identifier is used for two people, by their answers and by the article's count
    repeat = listener.groupby(listener).cumcount()
    listener = listener.where(repeat == 0, listener + "-" + (repeat + 1).astype(str))
    tables, number = [], ""
    for column in sheet.columns[1:]:
        match = re.match(r"([HL]G)(\d*) (groove|like|familiar)", column)
        if match is None:
            raise ValueError(f"column {column!r}")
        group, digits, query = match.groups()
        number = digits or number  # two headers lack the number of the song before
        rating = pd.to_numeric(sheet[column])
        columns = {"track_id": group + number, "query": QUERIES[query], "rating": rating}
        tables.append(pd.DataFrame(columns | {"listener_id": listener}))
    return pd.concat(tables, ignore_index=True).dropna(subset="rating").astype({"rating": int})
