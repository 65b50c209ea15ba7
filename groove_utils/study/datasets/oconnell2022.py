"""Convert the song ratings of O'Connell et al. (2022) to a study folder.

In the published study, 124 listeners rated 20 songs (ten with high and ten with low groove) on
groove, liking and familiarity, each on a scale from 1 to 7. There is no audio. No licence is
specified, so the table is downloaded when it is needed, verified by its hash, and never
redistributed. The chapters on listeners and on mixed models use this table.

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
    """Write the published ratings to a study folder, with placeholders for artists and styles.

    Parameters
    ----------
    folder : path-like
        The study folder to write; unchanged files are not rewritten.
    source : path-like, optional
        Path of the published table. By default, the table is downloaded once and cached.

    Returns
    -------
    pathlib.Path
        The study folder.

    Raises
    ------
    ConnectionError
        If the table cannot be downloaded. The message says where to download it by hand and where
        to put it.
    DetailedError
        If `source` is not the published file.
    """
    path = _download() if source is None else Path(source)
    if hash_file(path) != SHA256:
        message = f"{path} is not the published table (sha256 {SHA256}). Download it from {URL}"
        raise DetailedError(message, kind="wrong_hash", path=path)
    ratings = _ratings(pd.read_csv(path, sep=";", dtype=str, encoding="utf-8-sig"))
    ids = ratings["track_id"].unique()
    tracks = pd.DataFrame(
        {
            "track_id": ids,
            "title": [f"{GROUPS[track[:2]].capitalize()}-groove song {track[2:]}" for track in ids],
            "artist": [f"artist of {track}" for track in ids],  # unpublished, so one per song
            "style": "unknown",
            "groove_group": [GROUPS[track[:2]] for track in ids],
        }
    )
    listeners = ratings[["listener_id"]].drop_duplicates()
    return write_study(
        Path(folder), DATASET.meta, tracks=tracks, listeners=listeners, ratings=ratings
    )


def load_oconnell2022(source: str | os.PathLike | None = None) -> Study:
    """Load the published ratings as a study; its folder is kept in the cache.

    The parameter `source` and the errors are the same as for :func:`make_oconnell2022`.
    """
    return load_study(make_oconnell2022(cache_folder() / "oconnell2022" / "study", source=source))


def _download() -> Path:
    path = cache_folder() / "oconnell2022" / REMOTE["file"]
    try:
        return download_file(URL, path, SHA256)
    except (OSError, ValueError) as error:  # no network, or not the published file
        raise ConnectionError(
            f"The ratings of O'Connell et al. (2022) could not be downloaded ({error}). Download "
            f"{URL} (sha256 {SHA256}), save it as {path}, and run again."
        ) from error


def _ratings(sheet: pd.DataFrame) -> pd.DataFrame:
    """Convert the published table to one row per rating, and drop unanswered questions."""
    listener = sheet.iloc[:, 0].str.strip()
    # two people share an identifier, judging by their answers and the article's sample size
    repeat = listener.groupby(listener).cumcount()
    listener = listener.where(repeat == 0, listener + "-" + (repeat + 1).astype(str))
    tables, number = [], ""
    for column in sheet.columns[1:]:
        group, digits, query = re.match(r"([HL]G)(\d*) (groove|like|familiar)", column).groups()
        number = digits or number  # in two headers, the song's number is missing
        rating = pd.to_numeric(sheet[column])
        columns = {"track_id": group + number, "query": QUERIES[query], "rating": rating}
        tables.append(pd.DataFrame(columns | {"listener_id": listener}))
    return pd.concat(tables, ignore_index=True).dropna(subset="rating").astype({"rating": int})
