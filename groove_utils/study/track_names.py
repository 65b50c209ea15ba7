"""Recognise track names in the headers and cells of spreadsheets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pandas as pd

from groove_utils.study.cells import SOUND_SUFFIX, clean_answers, to_numbers, track_name
from groove_utils.study.headers import HEADERS, NO_ANSWER, header_words, plain_header
from groove_utils.study.text import plain_text

__all__ = ["columns_by_track", "match_tracks", "name_by_wording", "split_keys"]

QUANTISED = "-quantised"  # ending of question keys in Gorilla whose answers are numbers


def name_by_wording(cells: pd.DataFrame, wordings: pd.Series, track_ids: list[str]) -> pd.DataFrame:
    """Use questions' wordings as column names if only the wordings contain track names.

    Parameters
    ----------
    cells : DataFrame
        Sheet whose columns are renamed.
    wordings : Series
        Wording of each column's question; may be empty.
    track_ids : list of str
        Names of the tracks.
    """
    if wordings.empty or columns_by_track(cells, track_ids):
        return cells
    texts = wordings.dropna().map(plain_text)
    texts = texts[~texts.duplicated(keep=False) & ~texts.isin(cells.columns)]
    renamed = cells.rename(columns=texts.to_dict())
    by_track = columns_by_track(renamed, track_ids)
    return cells.rename(columns={old: new for old, new in texts.items() if new in by_track})


def match_tracks(cells: pd.Series, track_ids: list[str]) -> pd.Series:
    """Replace each cell with the name of the known track that it refers to.

    Case is ignored, unless two tracks differ only in case. Leading zeros are ignored, because
    spreadsheets drop them. If a cell refers to no known track, its path and suffix are removed.
    """
    names = set(track_ids)
    folded = {name.casefold(): name for name in track_ids}
    if len(folded) < len(names):
        folded = {}
    numbered = _numbered(track_ids)

    def match(cell: object) -> str:
        text = plain_text(cell)
        name = track_name(cell)
        if text in names or name.casefold() in folded:
            return text if text in names else folded[name.casefold()]
        number = re.fullmatch(r"(\d+)(\.0+)?", name)
        return numbered.get(int(number[1]), name) if number else name

    return cells.map(match)


def _numbered(track_ids: list[str]) -> dict[int, str]:
    """Map each number to the track that it names, such as 1 to ``01``; omit ambiguous numbers."""
    counts = Counter(int(name) for name in set(track_ids) if name.isdecimal())
    return {int(name): name for name in track_ids if name.isdecimal() and counts[int(name)] == 1}


def columns_by_track(sheet: pd.DataFrame, track_ids: list[str]) -> dict[str, tuple[str, str]]:
    """Map each column whose name contains a track's name to a (track, query) pair.

    The track's name must be at the beginning or end of the column's name, or in brackets at its
    end, as in grid questions from Google Forms and LimeSurvey. Case is ignored, unless two tracks
    differ only in case. Queries without numeric ratings are excluded if other queries have numeric
    ratings.
    """
    split = _splitter(track_ids)
    columns = {column: names for column in sheet.columns if (names := split(column))}
    numeric = {
        query
        for column, (_, query) in columns.items()
        if to_numbers(clean_answers(sheet[column])).notna().any()
    }
    return {
        column: names for column, names in columns.items() if not numeric or names[1] in numeric
    }


def _splitter(track_ids: list[str]) -> Callable[[str], tuple[str, str] | None]:
    """Return a function that splits names such as ``song1_liking`` into track and query."""
    folded = {name.casefold() for name in track_ids}
    # case is not ignored if two names differ only in case
    fold = str.casefold if len(folded) == len(set(track_ids)) else str
    by_name = {fold(name): name for name in track_ids}
    # longest names first: "song1" is also the beginning of "song10 liking"
    names = sorted(track_ids, key=len, reverse=True)
    numbered = _numbered(track_ids)

    def split(name: str) -> tuple[str, str] | None:
        grid = re.fullmatch(r"(.*?)\s*\[(.+)\]", name)
        if grid and (track := by_name.get(fold(track_name(grid[2])))):
            return track, grid[1]
        if name.isdecimal() and int(name) in numbered:
            return numbered[int(name)], ""
        for track in names:
            if (query := _question_about(name, track, fold)) is not None:
                has_no_answers = NO_ANSWER.search(header_words(name[len(track) :]))
                return None if has_no_answers else (track, query)
        return None

    return split


def split_keys(sheet: pd.DataFrame, track_ids: list[str], notes: list[str]) -> pd.DataFrame:
    """Split a column with cells such as ``song1_liking`` into a track column and a query column.

    Such a column is called “Question Key” in Gorilla and ``variable`` in tables from pandas. If
    Gorilla exports an answer twice, as text and as a number, only the number is kept.
    """
    if not track_ids or {"track", "query"} & set(sheet):
        return sheet
    split = _splitter(track_ids)
    for name in sheet.columns:
        if plain_header(name) not in {*HEADERS["query"], "variable"}:
            continue
        keys = sheet[name].dropna().astype(str)
        splits = {key: split(plain_text(key)) for key in keys.unique()}
        questions = [key for key, pair in splits.items() if pair and pair[1]]
        has_bare_tracks = any(pair and not pair[1] for pair in splits.values())
        if has_bare_tracks or not questions or 2 * len(questions) < len(splits):
            continue
        pairs = keys.map(splits).dropna()
        queries = pairs.str[1].str.removesuffix(QUANTISED)
        sheet = sheet.assign(track=pairs.str[0], query=queries)
        notes.append(f"The column {name} was split into tracks and questions.")
        quantised = sheet[name].map(lambda key: str(key).endswith(QUANTISED))
        has_numbers = quantised.groupby(sheet["query"]).transform("any").eq(True)
        return sheet[quantised | ~has_numbers]
    return sheet


def _question_about(column: str, track: str, fold: Callable[[str], str]) -> str | None:
    """Remove a track's name from the start or end of a column's name; None if it is absent."""
    remainder = column[len(track) :].lstrip()
    if fold(column[: len(track)]) == fold(track) and not column[len(track) :][:1].isalnum():
        suffix = SOUND_SUFFIX.match(remainder)
        return remainder[suffix.end() if suffix else 0 :].strip(" _-:;.")
    name = track_name(column)
    before, end = name[: -len(track)], name[-len(track) :]
    if fold(end) == fold(track) and not before[-1:].isalnum():
        return before.strip(" _-:;.")
    return None
