"""Reading of rating spreadsheets in their usual layouts."""

from __future__ import annotations

import codecs
import csv
import datetime
import io
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, is_zipfile

import numpy as np
import pandas as pd
from openpyxl import load_workbook

from groove_utils.audio.suffixes import AUDIO_SUFFIXES
from groove_utils.study.containment import LARGEST_TABLE
from groove_utils.study.problems import StudyError, problem, reading
from groove_utils.study.tables import MISSING, as_numbers
from groove_utils.study.text import plain_text

__all__ = ["RatingsSheet", "read_sheet"]

_SUFFIX = re.compile(rf"\.({'|'.join(s[1:] for s in AUDIO_SUFFIXES)})\b", re.IGNORECASE)
# accepted names of columns, the preferred one first; endings such as _id and _nr do not count
HEADERS = {
    "track_id": [
        "track", "song", "stimulus", "stim", "clip", "excerpt", "sound", "file", "filename",
        "audio", "item", "trial", "id",
    ],
    "listener_id": [
        "listener", "participant", "subject", "rater", "respondent", "response_id", "prolific_pid",
        "pid", "ppt", "subj", "user", "worker", "id",
    ],
    "query": ["query", "question", "measure", "item"],
    "rating": ["rating", "score", "response", "value", "answer"],
}  # fmt: skip
FACTS = {"title": ["title"], "artist": ["artist", "band", "performer"], "style": ["style", "genre"]}
REPETITIONS = {"repetition", "repeat", "rep", "presentation", "session", "block", "run", "trial"}
CONDITIONS = {"condition", "cond", "version", "treatment", "group", "mode"}
# columns of survey and experiment software that contain no answers
NO_QUESTIONS = REPETITIONS | CONDITIONS | {
    "age", "year", "order", "position", "index", "trial_index", "row", "rt", "reaction_time",
    "response_time", "time", "time_elapsed", "timestamp", "date", "startdate", "enddate",
    "recordeddate", "status", "progress", "finished", "duration_in_seconds", "duration",
    "locationlatitude", "locationlongitude", "ipaddress", "consent", "experiment", "seed",
}  # fmt: skip
# endings of such columns in PsychoPy and Qualtrics, for example `slider.rt` and `t_Page Submit`
NO_ANSWER = re.compile(
    r"(?:^|_)(?:rt|this_(?:n|rep_n|trial_n|index)|started|stopped|frame_rate|page_submit"
    r"|(?:first|last)_click|click_count)$"
)
FEW = 10  # values that mark a column of conditions
MISSING_CODES = (-9, -99, -999, 99, 999)  # in SPSS, SoSci Survey and others
LABELLED = re.compile(r"(-?\d+)(?:\s+[-–—]\s+|\s*[=:(]\s*)[^\W\d].*")  # 7 - very much
# columns named after listeners, such as P01 or Rater 3, or only by numbers
NUMBERED = re.compile(
    r"(?:(listener|participant|subject|rater|respondent|user|worker|judge|subj|ppt|pp|vp|p))?_?\d+"
)
OLE = b"\xd0\xcf\x11\xe0"  # first bytes of Excel 97 workbooks and of password-protected ones
EMPTY = {"keep_default_na": False, "na_values": [""]}  # for pandas: only these are missing


@dataclass
class RatingsSheet:
    """Content of a spreadsheet of ratings.

    Attributes
    ----------
    ratings : DataFrame
        Columns track_id, query, rating and, if known, listener_id.
    listeners, tracks : DataFrame or None
        Columns that are constant over all rows of a listener or of a track, indexed by listener_id
        or track_id.
    notes : list of str
        Sentences about what was left out, averaged or not used.
    """

    ratings: pd.DataFrame
    listeners: pd.DataFrame | None = None
    tracks: pd.DataFrame | None = None
    notes: list[str] = field(default_factory=list)


def read_sheet(
    path: Path,
    track_ids: Sequence[str] | None = None,
    *,
    query: str = "groove",
    listener: str | None = None,
    track: str | None = None,
    questions: Sequence[str] = (),
) -> RatingsSheet:
    """Read a spreadsheet of ratings in one of four layouts.

    Parameters
    ----------
    path : pathlib.Path
        CSV (any separator; UTF-8, or UTF-16 with a byte order mark) or XLSX. *Long*: a column of
        tracks, one of ratings, and optionally one of listeners and one of queries. *One row per
        listener and track*: a column of each; every other numeric column is a question. *One row
        per track*: the same without listeners, or with one column per listener (``P01``, ``P02``
        …). *One row per listener*: every column named by a track, or by a track and a query
        (``song1 liking``), holds ratings; the first other column names the listener.
    track_ids : sequence of str, optional
        The known tracks, needed for the last layout.
    query : str
        Name of the query, if the spreadsheet does not give it.
    listener, track : str, optional
        Columns of listeners and of tracks; by default found by their names and content.
    questions : sequence of str
        Columns of ratings; by default, all that could be.

    Returns
    -------
    RatingsSheet

    Raises
    ------
    StudyError
        If the spreadsheet has none of these layouts, or contains cells that cannot be interpreted.
    """
    sheet, notes = _read_cells(path)
    columns = _Columns(path, sheet, list(track_ids or []), listener, track, list(questions))
    long = columns.to_long(query)
    table = _read_numbers(path, long, columns, notes)
    table["track_id"] = _match_tracks(table["track_id"], columns.track_ids)
    table = _average_repetitions(path, table, columns, notes)
    facts = {role: columns.facts(role) for role in ("listener_id", "track_id")}
    if facts["track_id"] is not None:
        facts["track_id"]["track_id"] = _match_tracks(
            facts["track_id"]["track_id"], columns.track_ids
        )
    if columns.listener_columns:
        first, last = columns.listener_columns[0], columns.listener_columns[-1]
        notes.append(f"The columns {first} to {last} were read as listeners, not as questions.")
    if columns.unused:
        notes.append(f"Not used: the columns {', '.join(columns.unused)}.")
    return RatingsSheet(table, facts["listener_id"], facts["track_id"], notes)


class _Columns:
    """Roles of a spreadsheet's columns."""

    def __init__(self, path, sheet, track_ids, listener, track, questions):
        self.path, self.sheet, self.track_ids = path, sheet, track_ids
        self.averaged: list[str] = []
        self._check_names([name for name in (listener, track, *questions) if name])
        self.by_track = {} if track else _columns_by_track(sheet, track_ids)
        self.roles: dict[str, str | None] = {"track_id": track, "listener_id": listener}
        matching = [] if track else self._matching()
        if not track:
            named = self._find("track_id")
            self.roles["track_id"] = named if named in matching or not matching else matching[0]
        if self.by_track and not track and not matching:
            self.roles["track_id"] = None  # then "id" names the listener
        for role in ("query", "rating", "listener_id"):
            # "response" is the rating, unless there is another rating column
            self.roles[role] = self.roles.get(role) or self._find(role)
        if questions:
            self.roles["rating"] = self.roles["query"] = None
        self.questions = questions or self._find_questions()
        self.listener_columns = [] if questions else self._find_listener_columns()
        if self.roles["listener_id"] and not self.roles["query"] and len(self.questions) > 1:
            self.roles["rating"] = None  # one of several questions

    def to_long(self, query: str) -> pd.DataFrame:
        """Return one row per cell of ratings; the index is the line in the sheet."""
        roles = {role: name for role, name in self.roles.items() if name}
        if "track_id" in roles and "rating" in roles:
            table = self.sheet.rename(columns={name: role for role, name in roles.items()})
            return table if "query" in table else table.assign(query=query)
        if "track_id" not in roles and self.by_track:
            return self._from_listener_rows(query)
        if "track_id" in roles and self.listener_columns:
            keys = [roles[key] for key in ("track_id", "query") if key in roles]
            cells = (self.listener_columns, "listener_id", "rating")
            table = self.sheet.melt(keys, *cells, ignore_index=False)
            table = table.rename(columns={name: role for role, name in roles.items()})
            return table if "query" in table else table.assign(query=query)
        if "track_id" in roles and self.questions:
            keys = [roles[key] for key in ("track_id", "listener_id") if key in roles]
            table = self.sheet.melt(keys, self.questions, "query", "rating", ignore_index=False)
            return table.rename(columns={name: role for role, name in roles.items()})
        columns = ", ".join(self.sheet.columns)
        raise StudyError(
            self.path.parent, [problem("unknown_form", self.path.name, columns=columns)]
        )

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
        """Other non-empty columns that are not constant within listeners or tracks."""
        facts = set(self._fact_columns("listener_id")) | set(self._fact_columns("track_id"))
        others = [name for name in self.sheet if name not in self.used.union(facts, self.averaged)]
        return [name for name in others if self.sheet[name].notna().any()]

    def facts(self, role: str) -> pd.DataFrame | None:
        """Return the columns that are constant within each listener or each track."""
        key = self.roles[role]
        names = self._fact_columns(role)
        if not key or not (names or role == "listener_id"):
            return None
        table = self.sheet[[key, *names]].dropna(subset=[key]).copy()
        table[key] = table[key].map(plain_text)
        table = table.drop_duplicates(key, ignore_index=True)
        if role == "track_id":
            usual = {self._find(fact, FACTS[fact], names): fact for fact in FACTS}
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
            return [name for name in usual if name and name not in self.used]
        by_key = self.sheet.groupby(key)
        return [
            name
            for name in self.sheet
            if name not in self.used
            and self.sheet[name].astype(str).nunique() > 1
            and by_key[name].nunique(dropna=False).max() == 1
            and (role == "track_id" or name not in self._fact_columns("track_id"))
        ]

    def _find_questions(self) -> list[str]:
        taken = {self.roles[role] for role in ("track_id", "listener_id", "query")}
        names = []
        for name in self.sheet.columns:
            cells = _answers(self.sheet[name])
            numbers = _to_numbers(cells).notna()
            is_answer = cells.notna().any() and numbers.sum() >= cells.notna().sum() / 2
            if name not in taken and _may_be_question(name) and is_answer:
                names.append(name)
        fixed = [self._constant_within(role, names) for role in ("listener_id", "track_id")]
        # where listeners agree exactly, the questions look like facts about tracks
        return [name for name in names if not any(name in part for part in fixed)] or names

    def _find_listener_columns(self) -> list[str]:
        """Find columns named by numbers, such as P01 or 1, if no column names listeners."""
        names = [NUMBERED.fullmatch(_words(name)) for name in self.questions]
        alike = all(names) and len({name[1] for name in names}) == 1
        if not alike or len(names) < 2 or self.roles["listener_id"] or not self.roles["track_id"]:
            return []
        return self.questions

    def _constant_within(self, role: str, names: list[str]) -> list[str]:
        """Columns that are constant within listeners or tracks, if each row has one of both."""
        listener, track = self.roles["listener_id"], self.roles["track_id"]
        if not listener or not track or not self.sheet[self.roles[role]].duplicated().any():
            return []
        by_key = self.sheet.groupby(self.roles[role])
        return [
            name
            for name in names
            if self.sheet[name].nunique() > 1 and by_key[name].nunique(dropna=False).max() == 1
        ]

    def _matching(self) -> list[str]:
        """Columns in which at least half of the cells name known tracks, best first."""
        known = {name.casefold() for name in self.track_ids}
        shares = {}
        for name in self.sheet.columns:
            cells = self.sheet[name].dropna().astype(str).map(_track_name).str.casefold()
            shares[name] = cells.isin(known).mean() if len(cells) else 0
        return sorted((n for n in shares if shares[n] >= 0.5), key=lambda n: -shares[n])

    def _find(self, role, accepted=None, names=None) -> str | None:
        taken = {name for name in self.roles.values() if name}
        names = [n for n in (self.sheet.columns if names is None else names) if n not in taken]
        words = {_words(name): name for name in reversed(names)}
        plain = {} if role == "rating" else {_plain_header(name): name for name in reversed(names)}
        for key in accepted or HEADERS[role]:
            if key in words or key in plain:
                return words.get(key) or plain[key]
        return None

    def _from_listener_rows(self, query: str) -> pd.DataFrame:
        others = [
            name
            for name in self.sheet.columns
            if name not in self.by_track and _may_be_question(name)
        ]
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


def _read_numbers(path: Path, long: pd.DataFrame, columns: _Columns, notes: list[str]):
    """Return the answered cells as numbers, and the identifiers as strings."""
    names = [c for c in ("track_id", "query", "rating", "listener_id") if c in long]
    extra = [c for c in long if c not in names]
    answers = _answers(long["rating"])
    if missing := int(answers.isna().sum()):
        notes.append(f"{missing:,} missing answers were dropped.")
    table = long[names + extra].assign(rating=answers).dropna(subset=["rating"])
    numbers = _to_numbers(table["rating"])
    named = columns.roles
    problems = [
        problem("not_a_number", path.name, row, named["rating"] or "a rating", value=value)
        for row, value in table.loc[~np.isfinite(numbers), "rating"].items()
    ]
    problems += [
        problem("date_as_name", path.name, row, named.get(key) or key, value=value.date())
        for key in names
        for row, value in table[key].items()
        if key != "rating" and isinstance(value, datetime.datetime)
    ]
    problems += [
        problem("empty_cell", path.name, row, named.get(key) or f"the column of {key}")
        for key in names
        for row in table.index[table[key].isna()].unique()
    ]
    if table.empty:
        problems.append(problem("empty_table", path.name, expected="ratings"))
    StudyError.raise_any(path.parent, problems)
    texts = {key: table[key].map(plain_text) for key in names if key != "rating"}
    return table.assign(rating=numbers, **texts)


def _average_repetitions(
    path: Path, table: pd.DataFrame, columns: _Columns, notes: list[str]
) -> pd.DataFrame:
    """Average a listener's repeated ratings; reject conditions and unnamed listeners.

    The result has the columns of a study's ``ratings.csv``.
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
    plain = {name: _plain_header(name) for name in differing}
    conditions = [
        name
        for name in differing
        if plain[name] in CONDITIONS
        or (plain[name] not in NO_QUESTIONS and sheet[name].nunique() <= FEW)
    ]
    if conditions:
        details = {"value": ", ".join(sorted(map(str, sheet[conditions[0]].dropna().unique()))[:5])}
        kind = problem("several_conditions", path.name, first, conditions[0], **details)
        raise StudyError(path.parent, [kind])
    repetitions = [name for name in differing if plain[name] in REPETITIONS]
    if not repetitions:
        details = {"value": ", ".join(table.iloc[row][keys]), "keys": ", ".join(keys)}
        raise StudyError(path.parent, [problem("duplicate_rating", path.name, first, **details)])
    notes.append(f"Repeated ratings were averaged (column {', '.join(repetitions)}).")
    columns.averaged = repetitions
    return table.groupby(keys, sort=False, as_index=False)["rating"].mean()[kept]


def _read_cells(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a spreadsheet's cells unchanged, indexed by line number from 2 on."""
    skipped, notes = 0, []
    with reading(path.parent, path.name, "a workbook, or separated UTF-8 text with a header"):
        if not path.is_file() and path.exists():
            raise StudyError(path.parent, [problem("not_a_file", path.name, value=path.name)])
        with path.open("rb") as file:
            start = file.read(4)
        if start == OLE:
            raise StudyError(path.parent, [problem("old_workbook", path.name)])
        if path.suffix.lower() in {".xlsx", ".xlsm"}:
            _check_size(path, ZipFile(path) if is_zipfile(path) else None)
            with pd.ExcelFile(path) as book:
                sheet = pd.read_excel(book, dtype=object, header=None, **EMPTY)
                if sheet.isna().to_numpy().any():
                    _fill_merged(path, sheet)
                if others := book.sheet_names[1:]:
                    notes.append(f"Only the first sheet was read, not {', '.join(others)}.")
        else:
            _check_size(path)
            marked = start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            text = path.read_text(encoding="utf-16" if marked else "utf-8-sig")
            if re.match(r"\s*<(!doctype|html|table)", text, re.IGNORECASE):
                raise ValueError("a web page")
            stated = re.match(r"sep=(.)\s*\n", text)
            skipped = int(bool(stated))
            text = text[stated.end() :] if stated else text
            separator = stated.group(1) if stated else _separator(text)
            options = {"header": None, "skip_blank_lines": False, "engine": "python", **EMPTY}
            sheet = pd.read_csv(io.StringIO(text), sep=separator, dtype=object, **options)
        sheet.index += 1 + skipped
        # a title in a separate row
        while len(sheet) > 1 and sheet.iloc[0].notna().sum() < 2 <= sheet.iloc[1].notna().sum():
            sheet, skipped = sheet.iloc[1:], skipped + 1
        names = sheet.iloc[0]
    # Qualtrics writes the questions and their identifiers in rows below the header
    for row in sheet.index[1:3]:
        if sheet.loc[row].astype(str).str.startswith('{"ImportId"').any():
            sheet = sheet.drop(index=sheet.index[1 : row - skipped])
            break
    sheet.columns = [
        f"column {k}" if pd.isna(name) else plain_text(name) for k, name in enumerate(names, 1)
    ]
    repeated = sheet.columns[sheet.columns.duplicated()].unique()
    problems = [problem("duplicate_column", path.name, 1 + skipped, name) for name in repeated]
    StudyError.raise_any(path.parent, problems)
    return sheet.iloc[1:].dropna(how="all"), notes


def _fill_merged(path: Path, sheet: pd.DataFrame) -> None:
    """Copy the value of cells merged within a column to each of their rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what openpyxl ignores, such as pictures
        ranges = load_workbook(path).worksheets[0].merged_cells.ranges
    for place in ranges:
        if place.min_col == place.max_col and place.max_row <= len(sheet):
            rows, column = slice(place.min_row - 1, place.max_row), place.min_col - 1
            sheet.iloc[rows, column] = sheet.iloc[place.min_row - 1, column]


def _check_size(path: Path, archive: ZipFile | None = None) -> None:
    size = path.stat().st_size
    if archive is not None:
        with archive:
            size = sum(member.file_size for member in archive.infolist())
    if size > LARGEST_TABLE:
        details = {"value": size / 2**20, "limit": LARGEST_TABLE / 2**20}
        raise StudyError(path.parent, [problem("too_large", path.name, **details)])


def _separator(text: str) -> str | None:
    """Find the separator that gives the most columns, equally many per line; None if unclear."""
    lines = text.splitlines()[:100]
    widths = {s: {len(row) for row in csv.reader(lines, delimiter=s) if row} for s in ",;\t|"}
    even = {max(width): s for s, width in widths.items() if len(width) == 1}
    return even[max(even)] if even and max(even) > 1 else None


def _answers(cells: pd.Series) -> pd.Series:
    """Blank the spellings of missing numbers, and strip labels and percent signs from others.

    Decimal commas become points, ``7 - very much`` becomes ``7``, and ``40%`` becomes ``40``.
    """
    texts = cells.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    words = {*map(str.casefold, MISSING), "", "-", "–", "."}
    texts = texts.mask(texts.map(lambda cell: isinstance(cell, str) and cell.casefold() in words))
    decimal = re.compile(r"-?\d+,\d{1,2}")

    def number(cell: object) -> object:
        if not isinstance(cell, str):
            return cell
        labelled = LABELLED.fullmatch(cell)
        text = labelled[1] if labelled else re.sub(r"(?<=\d)\s*%$", "", cell)
        return text.replace(",", ".") if decimal.fullmatch(text) else text

    return texts.map(number)


def _to_numbers(cells: pd.Series) -> pd.Series:
    """Convert cells to numbers, and all others, such as TRUE or dates, to NaN."""
    cells = cells.astype(object)
    other = [isinstance(cell, bool | datetime.date | datetime.time) for cell in cells]
    return pd.to_numeric(cells.mask(np.array(other, dtype=bool)), errors="coerce")


def _track_name(cell: object) -> str:
    """Return a track's name from a cell that may contain a path or a file name."""
    text = plain_text(cell)
    suffix = _SUFFIX.search(text)
    if suffix and suffix.end() == len(text):
        text = PurePosixPath(text.replace("\\", "/")).name
        text = text[: _SUFFIX.search(text).start()]
    return plain_text(text)


def _match_tracks(cells: pd.Series, track_ids: list[str]) -> pd.Series:
    """Match known tracks, ignoring case and leading zeros, which spreadsheets drop.

    Other names lose their path and suffix.
    """
    known = set(track_ids)
    folded = {name.casefold(): name for name in track_ids}
    if len(folded) < len(known):
        folded = {}
    counts = Counter(int(name) for name in known if name.isdecimal())
    numbered = {int(n): n for n in known if n.isdecimal() and counts[int(n)] == 1}

    def match(cell: object) -> str:
        text = plain_text(cell)
        name = _track_name(cell)
        if text in known or name.casefold() in folded:
            return text if text in known else folded[name.casefold()]
        number = re.fullmatch(r"(\d+)(\.0+)?", name)
        return numbered.get(int(number[1]), name) if number else name

    return cells.map(match)


def _columns_by_track(sheet: pd.DataFrame, track_ids: list[str]) -> dict[str, tuple[str, str]]:
    """Map columns named after a track to (track, query).

    The track comes first, or last in brackets, as in grids of Google Forms and LimeSurvey.
    """
    columns = {}
    known = {name.casefold(): name for name in track_ids}
    for column in sheet.columns:
        grid = re.fullmatch(r"(.*?)\s*\[(.+)\]", column)
        if grid and (track := known.get(_track_name(grid[2]).casefold())):
            columns[column] = (track, grid[1])
            continue
        # longest names first: "song1" is also the beginning of "song10 liking"
        for track in sorted(track_ids, key=len, reverse=True):
            rest = column[len(track) :]
            if column.startswith(track) and (not rest or not rest[0].isalnum()):
                suffix = _SUFFIX.match(rest)
                if NO_ANSWER.search(_words(rest)):
                    break
                columns[column] = (track, rest[suffix.end() if suffix else 0 :].strip(" _-:;."))
                break
    return columns


def _may_be_question(name: str) -> bool:
    """Return True unless a column's name is one that survey or experiment software adds."""
    return _plain_header(name) not in NO_QUESTIONS and not NO_ANSWER.search(_words(name))


def _plain_header(name: str) -> str:
    """Normalise a header to lower case and underscores, without an ending such as _id.

    Examples
    --------
    >>> _plain_header("ResponseId"), _plain_header("Subject Nr."), _plain_header("PROLIFIC_PID")
    ('response', 'subject', 'prolific_pid')
    """
    return re.sub(r"_(id|code|nr|no|num|number|name|key)$", "", _words(name))


def _words(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_")
