"""Read ratings spreadsheets in common layouts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from groove_utils.study.cells import (
    clean_answers,
    listener_name,
    to_numbers,
    track_name,
)
from groove_utils.study.headers import (
    CONDITIONS,
    HEADERS,
    STATISTIC,
    TRACK_FACTS,
    counts_repetitions,
    header_words,
    is_technical,
    may_be_question,
    plain_header,
)
from groove_utils.study.problems import Problem, StudyError, problem
from groove_utils.study.survey_exports import (
    drop_other_trials,
    drop_previews,
    drop_second_headers,
    expand_objects,
)
from groove_utils.study.tables import as_numbers
from groove_utils.study.text import plain_text
from groove_utils.study.track_names import (
    columns_by_track,
    match_tracks,
    name_by_wording,
    split_keys,
)
from groove_utils.study.worksheets import read_worksheets

__all__ = ["RatingsSheet", "read_sheet"]

FACTS = {"title": ["title"], "artist": ["artist", "band", "performer"], "style": ["style", "genre"]}
MOST_EMPTY = 5  # empty cells in a column to report one by one
FEW = 10  # a column with at most this many different values may contain conditions
MISSING_CODES = (-9, -99, -999, 99, 999)  # in SPSS, SoSci Survey and other software
# names of columns that each contain the ratings of one listener, such as P01, Rater 3 or 3
NUMBERED = re.compile(
    r"(?:(listener|participant|subject|rater|respondent|user|worker|judge|annotator|coder|expert"
    r"|annot|subj|ppt|pp|vp|p))?_?\d+"
)
# names of rows or columns that summarise others
SUMMARIES = {"mean", "average", "avg", "median", "sd", "std", "std dev", "total"}
# names of columns of row numbers in exports from pandas and R, or of columns without a name
ROW_NUMBERS = re.compile(r"(column|unnamed)_\d+|x")
# kinds of problems that show that a sheet contains no ratings
NO_RATINGS = ("unknown_form", "no_numbers", "empty_table")


@dataclass
class RatingsSheet:
    """Content of a ratings spreadsheet.

    Attributes
    ----------
    ratings : DataFrame
        Table with the columns track_id, query, rating and, if known, listener_id.
    answers : DataFrame
        Ratings before repeated ratings are averaged: a table with the columns query and rating,
        indexed by line number.
    listeners, tracks : DataFrame or None
        Table of listeners and table of tracks. Each contains an identifier (listener_id or
        track_id) and the columns that have only one value per listener or track.
    notes : list of str
        Messages about content that was dropped, averaged or not used.
    wordings : dict of str to str
        Wording of each column's question, from a second header row.
    """

    ratings: pd.DataFrame
    answers: pd.DataFrame
    listeners: pd.DataFrame | None = None
    tracks: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)
    wordings: dict[str, str] = field(default_factory=dict)


def read_sheet(
    path: Path,
    track_ids: Sequence[str] | None = None,
    *,
    query: str = "groove",
    listener: str | None = None,
    track: str | None = None,
    questions: Sequence[str] = (),
    worksheet: str | None = None,
    missing: Sequence[float] = (),
) -> RatingsSheet:
    """Read a spreadsheet of ratings in one of four layouts.

    Parameters
    ----------
    path : pathlib.Path
        CSV file (any separator; UTF-8 or UTF-16) or XLSX file.
    track_ids : sequence of str, optional
        Names of the tracks, if known; required if there is one row per listener.
    query : str
        Name of the query, if the spreadsheet does not contain it.
    listener, track : str, optional
        Columns that identify listeners and tracks; by default, inferred from the columns' names
        and content.
    questions : sequence of str
        Columns that contain ratings; by default, all columns that could be ratings.
    worksheet : str, optional
        Worksheet to read; by default, the largest worksheet that contains ratings.
    missing : sequence of float
        Codes for missing answers, such as -9.

    Returns
    -------
    RatingsSheet

    Raises
    ------
    StudyError
        If the spreadsheet has a different layout, or contains cells that cannot be interpreted.

    Notes
    -----
    The four layouts are:

    - one row per rating: columns of tracks and ratings and, optionally, of listeners and queries;
    - one row per listener and track: columns of listeners and tracks, and a numeric column for each
      question;
    - one row per track: a column of tracks, and a numeric column for each question, or for each
      listener if the columns have names such as ``P01``;
    - one row per listener: a column for each track, or for each track and query (``song1 liking``).
      The listeners' names are in a column with a common name, such as ``participant``, or in the
      first column with few repeated values.
    """
    sheets = read_worksheets(path, worksheet)
    errors: list[StudyError] = []
    ids = list(track_ids or [])
    for name, cells in sheets.items():
        try:
            sheet = _interpret(path, cells, ids, query, listener, track, questions, missing)
        except StudyError as error:
            if error.kind not in NO_RATINGS:
                raise
            errors.append(error)
            continue
        if others := [other for other in sheets if other != name]:
            listed = ", ".join(others)
            sheet.notes.insert(0, f"Only the sheet {name} was read, not {listed} (see --sheet).")
        return sheet
    raise min(errors, key=lambda error: error.kind == "unknown_form")


def _interpret(path, cells, track_ids, query, listener, track, questions, codes) -> RatingsSheet:
    """Interpret the cells of one worksheet."""
    if cells.empty:
        raise StudyError(path.parent, [problem("empty_table", path.name, expected="ratings")])
    notes: list[str] = []
    cells, wordings = drop_second_headers(cells, notes)
    cells = drop_previews(cells, notes)
    cells = name_by_wording(cells, wordings, track_ids)
    cells, expanded = expand_objects(cells, notes)
    if not track:
        cells = split_keys(cells, track_ids, notes)
    cells, rating = drop_other_trials(cells, track_ids, notes, expanded)
    counts = {name: to_numbers(clean_answers(cells[name])).nunique() for name in expanded}
    # a constant column, such as the index of a "Continue" button, is no question if others vary
    least = 2 if max(counts.values(), default=0) > 1 else 1
    expanded = [name for name in expanded if counts[name] >= least]
    if expanded and not columns_by_track(cells, track_ids):
        questions, rating = questions or expanded, None
    columns = _Columns(path, cells, track_ids, listener, track, list(questions), rating)
    long = columns.to_long(query)
    long = long.dropna(subset=["rating"]) if expanded else long  # some objects lack some keys
    long = _drop_summaries(long, track_ids, notes)
    table = _read_numbers(path, long, columns, notes, codes)
    table["track_id"] = match_tracks(table["track_id"], columns.track_ids)
    answers = table[["query", "rating"]]
    table = _average_repetitions(path, table, columns, notes)
    facts = {role: columns.facts(role) for role in ("listener_id", "track_id")}
    if facts["track_id"] is not None:
        facts["track_id"]["track_id"] = match_tracks(
            facts["track_id"]["track_id"], columns.track_ids
        )
    if columns.listener_columns:
        first, last = columns.listener_columns[0], columns.listener_columns[-1]
        notes.append(f"The columns {first} to {last} were read as listeners, not as questions.")
    if columns.unused:
        notes.append(f"Not used: the columns {', '.join(columns.unused)}.")
    texts = {name: plain_text(text) for name, text in wordings.items() if pd.notna(text)}
    return RatingsSheet(table, answers, facts["listener_id"], facts["track_id"], notes, texts)


class _Columns:
    """Roles of a spreadsheet's columns: tracks, listeners, queries, ratings and others."""

    def __init__(self, path, sheet, track_ids, listener, track, questions, rating=None):
        self.path, self.sheet, self.track_ids = path, sheet, track_ids
        self.averaged: list[str] = []
        self._check_names([name for name in (listener, track, *questions) if name])
        self.by_track = {} if track else columns_by_track(sheet, track_ids)
        self.roles: dict[str, str | None] = {"track_id": track, "listener_id": listener}
        if not track:
            named = self._find("track_id")
            matching = self._matching(named)
            self.roles["track_id"] = named if named in matching or not matching else matching[0]
            if self.by_track and not matching:
                self.roles["track_id"] = None  # a column "id" then identifies listeners
        self.roles["query"] = self._find("query")
        listeners = [name for name in sheet if self._may_be_listener(name)]
        self.roles["listener_id"] = listener or self._find("listener_id", names=listeners)
        self.roles["rating"] = self._find_rating()
        if questions:
            self.roles["rating"] = self.roles["query"] = None
        self.questions = questions or self._find_questions()
        self.listener_columns = [] if questions else self._find_listener_columns()
        if not questions and not self.listener_columns:
            varied = [name for name in self.questions if sheet[name].nunique() > 1]
            self.questions = varied or self.questions
        several = not self.roles["query"] and len(self.questions) > 1 and not rating
        if self.roles["listener_id"] and several:
            self.roles["rating"] = None  # the column is only one of the questions

    def to_long(self, query: str) -> pd.DataFrame:
        """Return a table with one row per rating, indexed by line number in the sheet."""
        roles = {role: name for role, name in self.roles.items() if name}
        if "track_id" in roles and "rating" in roles:
            names = {name: role for role, name in roles.items()}
            table = self.sheet[list(names)].rename(columns=names)
            return table if "query" in table else table.assign(query=query)
        if "track_id" not in roles and self.by_track:
            return self._from_listener_rows(query)
        if "track_id" in roles and self.listener_columns:
            table = self._melt(("track_id", "query"), self.listener_columns, "listener_id")
            return table if "query" in table else table.assign(query=query)
        if "track_id" in roles and self.questions:
            return self._melt(("track_id", "listener_id"), self.questions, "query")
        raise StudyError(self.path.parent, [self._unknown_form()])

    def _melt(self, keys: Sequence[str], columns: list[str], header: str) -> pd.DataFrame:
        """Return one row per cell of `columns`, with column names in a new column `header`."""
        keys = [role for role in keys if self.roles[role]]
        names = [self.roles[role] for role in keys]
        # temporary names, because the sheet may already have a column named "rating"
        table = self.sheet.melt(names, columns, "\0header", "\0cell", ignore_index=False)
        return table.set_axis([*keys, header, "rating"], axis=1)

    def _unknown_form(self) -> Problem:
        """Return the problem to report for a sheet in which no ratings were recognised."""
        taken = {name for name in self.roles.values() if name}
        others = [
            name
            for name in self.sheet
            if name not in taken and may_be_question(name) and not self._has_numbers(name)
        ]
        if self.roles["track_id"] and others:
            cells = self.sheet[others[-1]].dropna()
            row, value = (cells.index[0], cells.iloc[0]) if len(cells) else (None, "no value")
            return problem("no_numbers", self.path.name, row, others[-1], value=value)
        columns = ", ".join(self.sheet.columns)
        return problem("unknown_form", self.path.name, columns=columns)

    @property
    def used(self) -> set[str]:
        """Columns that are used as identifiers or ratings."""
        roles = {name for name in self.roles.values() if name}
        if self.roles["track_id"] and self.roles["rating"]:
            return roles
        if self.listener_columns:
            return roles | set(self.listener_columns)
        if self.roles["track_id"]:
            return (roles | set(self.questions)) - {self.roles["query"]}
        return set(self.by_track) | {self.roles["listener_id"]} - {None}

    @property
    def unused(self) -> list[str]:
        """Non-empty columns that are neither used nor constant within listeners or tracks."""
        facts = set(self._fact_columns("listener_id")) | set(self._fact_columns("track_id"))
        others = [name for name in self.sheet if name not in self.used.union(facts, self.averaged)]
        return [name for name in others if self.sheet[name].notna().any()]

    def facts(self, role: str) -> pd.DataFrame | None:
        """Return a table of the columns that have one value per listener or track.

        Return None if no column identifies the listeners or tracks, or no column describes tracks.

        Parameters
        ----------
        role : {'listener_id', 'track_id'}
            ``'listener_id'`` for one row per listener, ``'track_id'`` for one row per track.
        """
        key = self.roles[role]
        names = self._fact_columns(role)
        if not key or not (names or role == "listener_id"):
            return None
        table = self.sheet[[key, *names]].dropna(subset=[key]).copy()
        table[key] = table[key].map(listener_name if role == "listener_id" else plain_text)
        table = table.drop_duplicates(key, ignore_index=True)
        if role == "track_id":
            others = [fact for fact in FACTS if fact not in names]
            usual = {self._find(fact, FACTS[fact], names): fact for fact in others}
            table = table.rename(columns=usual)
        return table.rename(columns={key: role}).assign(
            **{name: as_numbers(table[name]) for name in table if name != key}
        )

    def _fact_columns(self, role: str) -> list[str]:
        key = self.roles[role]
        if not key:
            return []
        repeated = self.sheet[key].duplicated().any()
        if not repeated and role == "track_id":  # one row per track
            usual = [self._find(fact, FACTS[fact]) for fact in FACTS]
            usual += [name for name in self.sheet if plain_header(name) in TRACK_FACTS]
            return [name for name in usual if name and name not in self.used]
        by_key = self.sheet.groupby(key)
        return [
            name
            for name in self.sheet
            if name not in self.used
            and name not in ("listener_id", "track_id")  # reserved for the identifiers
            and not is_technical(name)
            and self.sheet.loc[self.sheet[key].notna(), name].astype(str).nunique() > 1
            and by_key[name].nunique(dropna=False).max() == 1
            and (role == "track_id" or name not in self._fact_columns("track_id"))
        ]

    def _find_questions(self) -> list[str]:
        taken = {self.roles[role] for role in ("track_id", "listener_id", "query")}
        names = []
        for name in self.sheet.columns:
            cells = clean_answers(self.sheet[name])
            numbers = to_numbers(cells).notna()
            is_answer = cells.notna().any() and numbers.sum() >= cells.notna().sum() / 2
            is_answer &= not _counts_rows(name, cells)
            if name not in taken and may_be_question(name) and is_answer:
                names.append(name)
        if not self.roles["listener_id"]:  # one row per track
            names = [name for name in names if not self._describes_tracks(name)]
        fixed = [self._constant_within(role, names) for role in ("listener_id", "track_id")]
        # if all listeners agree, a question looks like a property of the tracks
        return [name for name in names if not any(name in part for part in fixed)] or names

    def _describes_tracks(self, name: str) -> bool:
        """Return True for a column of track properties, or of statistics such as ``groove_std``."""
        track = self.roles["track_id"]
        if not track or self.sheet[track].dropna().duplicated().any():
            return False
        return plain_header(name) in TRACK_FACTS or bool(STATISTIC.search(header_words(name)))

    def _may_be_listener(self, name: str) -> bool:
        """Return False for an “id” column with one value per track, and True for other columns.

        Such an “id” column probably numbers the tracks.
        """
        track = self.roles["track_id"]
        if plain_header(name) != "id" or not track or name == track:
            return True
        return self.sheet.groupby(track)[name].nunique().max() > 1

    def _find_rating(self) -> str | None:
        """Find the column of ratings by its name, preferring columns that contain numbers."""
        numeric = self._find_questions()
        facts = [self._constant_within(role, numeric) for role in ("listener_id", "track_id")]
        if any(not any(name in names for names in facts) for name in numeric):
            return self._find("rating", names=[n for n in self.sheet if self._has_numbers(n)])
        # "response" is the rating, unless there is another rating column
        return self._find("rating")

    def _find_listener_columns(self) -> list[str]:
        """Find columns, such as P01 or Rater 3, that each contain the ratings of one listener."""
        columns = [name for name in self.questions if not _is_summary(name)]
        names = [NUMBERED.fullmatch(header_words(name)) for name in columns]
        alike = all(names) and len({name[1] for name in names}) == 1
        if not alike or len(names) < 2 or self.roles["listener_id"] or not self.roles["track_id"]:
            return []
        return columns

    def _constant_within(self, role: str, names: list[str]) -> list[str]:
        """Return the columns with one value per listener or track; none if either is unknown."""
        listener, track = self.roles["listener_id"], self.roles["track_id"]
        if not listener or not track or not self.sheet[self.roles[role]].duplicated().any():
            return []
        by_key = self.sheet.groupby(self.roles[role])
        return [
            name
            for name in names
            if self.sheet[name].nunique() > 1 and by_key[name].nunique(dropna=False).max() == 1
        ]

    def _matching(self, named: str | None) -> list[str]:
        """List the columns in which at least half of the cells are known tracks, best match first.

        If the names of the tracks are numbers, columns of listeners, ratings, ages, positions and
        trials may match by chance. Columns whose names suggest such content are ignored, unless no
        other column can contain the tracks.

        Parameters
        ----------
        named : str or None
            Column whose name suggests that it contains tracks, if there is one.
        """
        folded = {name.casefold() for name in self.track_ids}
        shares = {}
        for name in self.sheet.columns.difference(list(self.by_track), sort=False):
            cells = self.sheet[name].dropna().astype(str).map(track_name).str.casefold()
            shares[name] = cells.isin(folded).mean() if len(cells) else 0
        matching = sorted((n for n in shares if shares[n] >= 0.5), key=lambda n: -shares[n])
        roles = {*HEADERS["listener_id"], *HEADERS["rating"]}
        others = [
            name
            for name in matching
            if (words := {header_words(name), plain_header(name)}) & {*HEADERS["track_id"]}
            or (may_be_question(name) and not words & roles)
        ]
        others = [name for name in others if not counts_repetitions(name)] or others
        return others if others or named or self.by_track else matching

    def _find(self, role, accepted=None, names=None) -> str | None:
        taken = {name for name in self.roles.values() if name}
        names = [n for n in (self.sheet.columns if names is None else names) if n not in taken]
        words = {header_words(name): name for name in reversed(names)}
        plain = {} if role == "rating" else {plain_header(name): name for name in reversed(names)}
        for key in accepted or HEADERS[role]:
            if key in words or key in plain:
                return words.get(key) or plain[key]
        return None

    def _names_rows(self, name: str) -> bool:
        """Return True if few values of a column recur, so that it may identify listeners."""
        cells = self.sheet[name]
        return cells.is_unique or (
            2 * cells.nunique() >= len(cells) and not self._has_numbers(name)
        )

    def _has_numbers(self, name: str) -> bool:
        return bool(to_numbers(clean_answers(self.sheet[name])).notna().any())

    def _from_listener_rows(self, query: str) -> pd.DataFrame:
        others = [
            name
            for name in self.sheet.columns
            if name not in self.by_track and may_be_question(name)
        ]
        others = [name for name in others if self._names_rows(name)]
        listener = self.roles["listener_id"] or next(iter(others), None)
        self.roles["listener_id"] = listener
        if listener:
            ids = self.sheet[listener]
        else:
            ids = [f"L{k + 1:03d}" for k in range(len(self.sheet))]
        return pd.concat(
            self.sheet[[column]]
            .set_axis(["rating"], axis=1)
            .assign(track_id=track, query=asked or query, listener_id=ids)
            for column, (track, asked) in self.by_track.items()
        )

    def _check_names(self, names: list[str]) -> None:
        columns = ", ".join(self.sheet.columns)
        problems = [
            problem("unknown_column", self.path.name, column=name, columns=columns)
            for name in names
            if name not in self.sheet.columns
        ]
        StudyError.raise_any(self.path.parent, problems)


def _read_numbers(
    path: Path, long: pd.DataFrame, columns: _Columns, notes: list[str], codes: Sequence[float]
) -> pd.DataFrame:
    """Return the rows that contain an answer, with numeric ratings and identifiers as strings."""
    names = [c for c in ("track_id", "query", "rating", "listener_id") if c in long]
    answers = clean_answers(long["rating"], long["query"])
    answers = answers.mask(to_numbers(answers).isin(list(codes)))
    missing = answers.isna()
    if count := int((missing & long["track_id"].notna()).sum()):
        notes.append(f"{count:,} missing answer{'s were' if count > 1 else ' was'} dropped.")
    if rows := long.index[missing & long["track_id"].isna()].nunique():
        notes.append(f"Dropped {rows:,} row(s) with neither a track nor a rating.")
    table = long[names].assign(rating=answers).dropna(subset=["rating"])
    numbers = to_numbers(table["rating"])
    named = columns.roles
    finite = pd.Series(np.isfinite(numbers), index=table.index)
    words = table["rating"].map(_has_no_number)
    worded = words.groupby(table["query"].to_numpy()).transform("all").eq(True)
    problems = [
        problem("no_numbers", path.name, cells.index[0], named["rating"] or asked or "a rating",
                value=cells.iloc[0])
        for asked, cells in table[worded.to_numpy()].groupby("query", sort=False)["rating"]
    ]  # fmt: skip
    wrong = table[~(finite | worded).to_numpy()]
    problems += [
        problem(
            "date_as_rating" if isinstance(value, datetime.date) else "not_a_number",
            path.name, row, named["rating"] or asked or "a rating",
            value=value.date() if isinstance(value, datetime.datetime) else value,
        )
        for row, value, asked in zip(wrong.index, wrong["rating"], wrong["query"])
    ]  # fmt: skip
    problems += [
        problem("date_as_name", path.name, row, named.get(key) or key, value=value.date())
        for key in names
        for row, value in table[key].items()
        if key != "rating" and isinstance(value, datetime.datetime)
    ]
    for key in names:
        rows, column = table.index[table[key].isna()].unique(), named.get(key)
        column = column or f"the column of {key}"
        if len(rows) > MOST_EMPTY:
            problems.append(problem("empty_cells", path.name, rows[0], column, count=len(rows)))
        else:
            problems += [problem("empty_cell", path.name, row, column) for row in rows]
    if table.empty:
        problems.append(problem("empty_table", path.name, expected="ratings"))
    StudyError.raise_any(path.parent, problems)
    texts = {key: table[key].map(plain_text) for key in names if key != "rating"}
    if "listener_id" in names:
        texts["listener_id"] = table["listener_id"].map(listener_name)
        _compare_spellings(texts["listener_id"], notes)
    return table.assign(rating=numbers, **texts)


def _has_no_number(cell: object) -> bool:
    return isinstance(cell, str) and (cell.startswith("{") or not re.search(r"\d", cell))


def _compare_spellings(listeners: pd.Series, notes: list[str]) -> None:
    """Add notes about listeners' names that differ only in case or are e-mail addresses."""
    names = pd.Series(listeners.unique())
    for alike in names.groupby(names.str.casefold()).agg(list):
        if len(alike) > 1:
            notes.append(f"Listeners whose names differ only in case: {', '.join(alike)}.")
    if names.str.contains("@").any():
        notes.append("Listeners are named by e-mail addresses; replace these before publishing.")


def _drop_summaries(table: pd.DataFrame, track_ids: list[str], notes: list[str]) -> pd.DataFrame:
    """Drop rows that summarise other rows, such as a final row of means."""
    keys = [key for key in ("track_id", "listener_id") if key in table]
    names = table[keys].map(plain_text, na_action="ignore")
    summary = names.map(lambda name: name not in track_ids and _is_summary(name)).any(axis=1)
    if summary.all() or not summary.any():
        return table
    cells = names[summary].to_numpy().ravel()
    listed = dict.fromkeys(name for name in cells if _is_summary(name))
    notes.append(f"Dropped rows that summarise other rows: {', '.join(listed)}.")
    return table[~summary]


def _average_repetitions(
    path: Path, table: pd.DataFrame, columns: _Columns, notes: list[str]
) -> pd.DataFrame:
    """Average repeated ratings of a track by the same listener.

    Raises
    ------
    StudyError
        If repeated ratings are from different conditions, or if no column identifies the
        repetitions or the listeners.
    """
    keys = [c for c in ("track_id", "query", "listener_id") if c in table]
    kept = [*keys[:2], "rating", *keys[2:]]
    repeated = table.duplicated(keys, keep=False)
    if not repeated.any():
        return table[kept].reset_index(drop=True)
    rows = table[repeated]
    sheet = columns.sheet.loc[rows.index]
    groups = [rows[key].to_numpy() for key in keys]
    differing = [
        name
        for name in sheet
        if name not in columns.used and sheet[name].groupby(groups).nunique().max() > 1
    ]
    row = np.flatnonzero(table.duplicated(keys))[0]
    first = table.index[row]
    if "listener_id" not in keys:
        details = {"value": rows["track_id"].iloc[0], "columns": ", ".join(columns.sheet.columns)}
        raise StudyError(path.parent, [problem("unknown_listeners", path.name, first, **details)])
    plain = {name: plain_header(name) for name in differing}
    conditions = [
        name
        for name in differing
        if plain[name] in CONDITIONS or (may_be_question(name) and sheet[name].nunique() <= FEW)
    ]
    if conditions:
        details = {"value": ", ".join(sorted(map(str, sheet[conditions[0]].dropna().unique()))[:5])}
        conflict = problem("several_conditions", path.name, first, conditions[0], **details)
        raise StudyError(path.parent, [conflict])
    repetitions = [name for name in differing if counts_repetitions(name)]
    if not repetitions:
        details = {"value": ", ".join(table.iloc[row][keys]), "keys": ", ".join(keys)}
        raise StudyError(path.parent, [problem("duplicate_rating", path.name, first, **details)])
    notes.append(f"Repeated ratings were averaged (column {', '.join(repetitions)}).")
    columns.averaged = repetitions
    return table.groupby(keys, sort=False, as_index=False)["rating"].mean()[kept]


def _counts_rows(name: str, cells: pd.Series) -> bool:
    """Return True for a column of row numbers, such as those that pandas and R add to tables."""
    steps = to_numbers(cells).diff().iloc[1:]
    return (
        bool(ROW_NUMBERS.fullmatch(header_words(name)))
        and len(steps) > 0
        and bool((steps == 1).all())
    )


def _is_summary(name: object) -> bool:
    return str(name).casefold().strip(" .:") in SUMMARIES
