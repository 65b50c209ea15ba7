"""Problems found in a study folder, with messages that say how to fix them."""

from __future__ import annotations

import csv
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import yaml

from groove_utils.errors import DetailedError, ErrorDetails

__all__ = [
    "MESSAGES", "Problem", "StudyError", "UnknownNameError", "limit_problems", "problem", "reading",
]  # fmt: skip

MAX_SIMILAR = 20  # problems of one kind to list
LONGEST_VALUE = 500  # maximum length of a value in a message, in characters
UNREADABLE = (
    ValueError, OSError, LookupError, EOFError, BadZipFile, csv.Error, yaml.YAMLError,
    RecursionError, OverflowError, zlib.error,
)  # fmt: skip
WIDTHS = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")  # pandas
# kind of problem -> what was found and expected, and how to fix it
MESSAGES = {
    # files
    "missing_folder": "no such folder; expected {expected}. Check the path.",
    "missing_file": "no such file; expected {expected}. Add the file.",
    "several_files": "{names}; expected {expected}. Keep only the right one.",
    "unreadable_file": "invalid content ({error}); expected {expected}. Save or download the file "
    "again.",
    "workbook": "an Excel workbook; expected {expected}. Export it as “CSV UTF-8”.",
    "old_workbook": "an Excel 97 workbook, or a workbook with a password; expected an .xlsx "
    "workbook without a password, or UTF-8 text. Save it in one of these formats.",
    "not_utf8": "the byte {value}, which is not valid UTF-8; expected {expected}. Save the file as "
    "“CSV UTF-8”, or with UTF-8 encoding.",
    "long_row": "{value} cells; expected {expected}, one for each column. Put text that contains "
    "commas in quotes, or name the last columns.",
    "invalid_line": "{error}; expected {expected}. Correct the line, and put text "
    "that contains a colon in quotes.",
    "outside_folder": "the path {value!r}, which leads outside the study folder; expected a "
    "relative path inside this folder, without links to other folders. Copy the file into the "
    "folder, and write its path relative to the folder, such as `audio/song.wav`.",
    "not_a_file": "{value!r}, which is a folder, a pipe or a device; expected a regular file. "
    "Replace it with a file.",
    "folder_of_tables": "a folder; expected one table. If it contains one table per listener, "
    "combine them, for instance with pandas: `pd.concat(map(pd.read_csv, "
    "sorted(Path({value!r}).glob('*.csv')))).to_csv('ratings.csv', index=False)`.",
    "invalid_path": "the path {value!r} ({error}); expected a path in the study folder. Correct "
    "the path.",
    "too_large": "{value:.0f} MiB; expected at most {limit:.0f} MiB. Keep only the data that the "
    "study needs.",
    "not_a_folder": "a file; expected a folder. Delete or rename it.",
    "unnamed_column": "a column that has no name but contains {value!r}; expected a name. Name the "
    "column, or delete it.",
    "long_rows": "rows with more cells than the header; expected a name for each column. Name the "
    "last columns too, or put text that contains commas in quotes.",
    "empty_table": "no {expected}; expected at least one. Fill in the table.",
    # cells
    "missing_column": "the columns {columns}; expected a column {column} among them. Add this "
    "column, or rename one.",
    "duplicate_column": "more than one column {column!r}; expected one. Rename or delete the "
    "others.",
    "empty_cell": "an empty cell (or NaN) in {column}; expected a value. Fill in the cell, or "
    "delete the row.",
    "empty_cells": "{count} rows with a rating but an empty cell in {column}; expected a value in "
    "each row. Fill in the cells, for example from the row above, or choose another column with "
    "`--track` or `--listener` (jsPsych: record the column with each rating, as `data: {{track: "
    "…}}`).",
    "blank": "only spaces in {column}; expected text. Fill in the cell.",
    "duplicate": "{column} {value!r} more than once; expected it once. Rename one of them, or "
    "delete the repeated row.",
    "not_a_number": "{value!r} in {column}; expected a number. Correct the cell, or empty it.",
    "date_as_rating": "the date {value} in {column}; expected a number. Excel converts numbers "
    "such as 5.6 to dates: format the column as text or number, and re-enter the numbers.",
    "date_as_name": "the date {value} in {column}; expected a name. Excel converts names such as "
    "1-2 to dates: format the column as text, and re-enter the names.",
    "out_of_range": "{value} in {column}; expected a number from {low:g} to {high:g} for "
    "{query}. Correct the rating, or the scale in study.yml.",
    "unknown_name": "unknown {column} {value!r} in {count} row(s); expected one that is listed in "
    "{source}. Add it to {source}, or correct the rows.",
    "duplicate_rating": "a second rating for {value}; expected one for each combination of {keys}. "
    "Delete one of the rows.",
    "unrated_track": "track {value!r} without any ratings; expected at least one row in "
    "ratings.csv. Add its ratings, or delete the track.",
    "too_few_artists": "{value} artists; expected at least {least}, one for each fold of the "
    "cross-validation. Add tracks by more artists, or correct the column artist.",
    "not_one_line": "{value!r} in {column}; expected one line of at most 1,000 characters, without "
    "control characters. Write one short line.",
    "not_a_file_name": "{column} {value!r}; expected a valid file name: one line of at most 251 "
    "bytes, without / or \\. Rename it here and in the other tables.",
    "not_a_label": "{value!r} in {column}; expected a one-line name without markup, such as "
    "` {{ }} \\ ]( or HTML tags. Rename it.",
    # study.yml
    "unknown_key": "the unknown key {value!r}; expected one of {keys}. Use {guess}, or delete the "
    "key.",
    "not_a_string": "{column} {value!r}; expected text of at most 10,000 characters. Put it in "
    "quotes: `{column}: '…'`.",
    "not_a_boolean": "{column} {value!r}; expected true or false. Write `{column}: false` if "
    "people gave the ratings.",
    "not_a_mapping": "{value!r}; expected keys and values. Write, for example, `title: My study`.",
    "missing_key": "no {column}; expected one. Write, for example, `{example}`.",
    "invalid_scale": "scale {value}; expected two increasing numbers from -1e9 to 1e9. Write, for "
    "example, `scale: [1, 100]`.",
    "invalid_queries": "queries {value}; expected a mapping from names to wordings. Write, for "
    "example, `{example}`.",
    "not_a_text": "the query {value!r}; expected text. Put it in quotes: `'{value}': …`.",
    "missing_wording": "the query {value!r} without a wording; expected text. Write, for "
    "example, `{value}: I would like to dance to this music`.",
    "invalid_controls": "controls {value}; expected a mapping from some, but not all, queries to "
    "what their ratings depend on, `none` or `style`. Write, for example, `controls: {{luck: "
    "none}}`, or delete the key.",
    "not_a_list": "{column} {value!r}; expected a list. Write, for example, `{column}: [funk]`.",
    # audio
    "no_audio": "no sound files; expected files with one of the suffixes {expected}. Give the "
    "directory that contains the files.",
    "several_audio": "more than one file named {value!r}, apart from suffixes; expected different "
    "names. Rename one of the files.",
    "missing_audio": "no audio; expected a file, as for other tracks. Enter the path of the file, "
    "or empty the whole column.",
    "unusable_audio": "{value} ({error}); expected a sound file. {remedy}",
    "repeated_audio": "{value}, which has the same audio as {other} by another artist; expected "
    "different audio. A regression would be tested on a song that it was trained on: delete one of "
    "the tracks, or give both the same artist.",
    "cancelled_audio": "{value}, whose channels cancel each other out when they are averaged; "
    "expected channels with an audible mean, because the analyses use it. Invert the polarity of "
    "one channel, or export the file in mono.",
    "silent_audio": "{value}, which is silent; expected sound. Export it again, or delete the "
    "track.",
    "missing_stem": "no such file; expected the four stems {expected}. Add the stem.",
    "unusable_stem": "a file that cannot be used ({error}); expected a sound file. {remedy}",
    "unknown_stems": "stems for {value!r}; expected a folder named after a track_id in tracks.csv, "
    "with drums, bass, other and vocals. Rename or delete it.",
    "missing_stems": "no stems for {count} track(s), the first of which is {value!r}; expected a "
    "folder <track_id> for each track. Add them, or delete the folder stems.",
    "wrong_stem_length": "a length of {value:.3f} s; expected {expected:.3f} s, the length of the "
    "mix. Export the stem and the mix over the same time range.",
    "missing_ratings": "{count} rows without a rating; expected a number in each row. Drop them "
    "with `python -m groove_utils.study drop-missing {folder}`, or fill them in.",
    # new studies
    "existing_study": "an existing study; expected an empty folder. Choose another folder, or "
    "delete the study.",
    "unknown_tracks": "ratings of unknown tracks ({value}); expected names of files in {audio}, "
    "without suffixes. Rename the files, correct the spreadsheet, or delete these rows.",
    "unknown_format": "ratings of {value}, whose file {other} does not have the suffix of a sound "
    "file; expected one of {expected}. Convert it, for instance with `ffmpeg -i IN OUT.flac`.",
    "not_downloaded": "ratings of {value}, whose file {other} is a placeholder for a file in the "
    "cloud; expected a sound file. Download it.",
    "unknown_form": "the columns {columns}; expected columns track and rating (long format), a "
    "column track and one column per question (one row per track, or per listener and track), or "
    "columns named after the files in `--audio` or `--embeddings` (one row per listener). Rename "
    "the columns, or specify them with `--track COLUMN --listener COLUMN --question COLUMN`.",
    "no_numbers": "no numbers, but {value!r} in {column}; expected numeric ratings. Replace "
    "words with numbers, such as 1 for “not at all” (survey software can export "
    "numbers; Qualtrics: “Use numeric values”), and save formulas with their results.",
    "no_spreadsheet": "{value}; expected an .xlsx workbook, or delimited UTF-8 text with a header. "
    "Export it as CSV.",
    "unknown_worksheet": "the sheets {worksheets}; expected one named {value!r}. Correct "
    "`--sheet`.",
    "unknown_column": "the columns {columns}; expected one named {column!r}. Correct the option.",
    "unknown_listeners": "more than one rating of {value!r}, and columns that do not identify "
    "listeners ({columns}); expected a column of listeners. Specify it with `--listener COLUMN`.",
    "several_conditions": "more than one rating for the same listener, track and question, with "
    "different values in {column} ({value}); expected one rating. Keep the rows of one condition, "
    "or enter the conditions as separate tracks.",
    "missing_code": "ratings of {value:g}, far from all other ratings; expected no codes for "
    "missing answers. Empty these cells if they mean “no answer”, correct them, or give `--scale "
    "LOW HIGH` (codes such as -9 or 99 outside this scale are dropped).",
    "unknown_scale": "only ratings of {value:g}; expected different ratings, or a given scale. "
    "Specify the scale with `--scale LOW HIGH`.",
    "reversed_scale": "the scale {value}; expected two increasing, finite numbers. Write `--scale "
    "LOW HIGH`, for instance `--scale 1 7`.",
    "no_vectors": "no vectors of rated tracks; expected <model>/<track_id>.npz for at least one "
    "model. Specify the folder that contains the models' folders.",
    # downloads
    "changed_remote": "a new version on OSF (sha256 {value}); expected {expected}, the version "
    "that was downloaded first. Delete {record} to accept the new version.",
    "wrong_hash": "different content; expected sha256 {expected}. Delete the file and download it "
    "again.",
    # embeddings
    "unknown_vectors": "vectors for {value!r}; expected a track listed in tracks.csv. Delete the "
    "file, or rename it.",
    "no_model": "vectors outside a model's folder; expected embeddings/<model>/<track_id>.npz. "
    "Move the file into a folder with the model's name.",
    "missing_vectors": "no vectors for {count} track(s), the first of which is {value!r}; expected "
    "a file <track_id>.npz for each track. Add them, or delete the folder.",
    "damaged_vectors": "a file that {error}; expected an .npz archive whose keys are layer names, "
    "with arrays of finite numbers of shape (dim,) or (n_windows, dim). Copy or export it again.",
    "identical_vectors": "the same vectors for all {count} tracks; expected different ones, "
    "because nothing can be predicted from a constant. Export them again, one file per track.",
    "other_layers": "the layers {value}; expected {expected}, as in {first}. Export all files "
    "with the same model.",
    "unknown_stem": "the unknown stems {value!r}; expected a folder such as {expected}, "
    "with stems in this order. Rename it.",
    "too_few_songs": "{value} songs with ratings, descriptors and all embeddings; expected "
    "{expected}. Complete the download, and check that the ids match between the files.",
    "more_problems": "{count} more problems of the kind {of}; expected none. See above.",
}


@dataclass(frozen=True)
class Problem:
    """Problem that makes a study folder unusable; create one with :func:`problem`.

    Parameters
    ----------
    kind : str
        Key of :data:`MESSAGES`.
    file : str
        Path relative to the study folder.
    row : int, optional
        Line number, counting the header as line 1; None if the problem is not limited to one row.
    column : str, optional
        Column or key with the problem.
    details : dict
        Other values to insert into the message.
    """

    kind: str
    file: str
    row: int | None = None
    column: str | None = None
    details: dict = field(default_factory=dict)

    def __str__(self) -> str:
        place = self.file if self.row is None else f"{self.file}, row {self.row}"
        details = {name: _shorten(value) for name, value in self.details.items()}
        return f"{place}: found " + MESSAGES[self.kind].format(column=self.column, **details)


def _shorten(value: object) -> object:
    long = isinstance(value, str) and len(value) > LONGEST_VALUE
    return f"{value[:LONGEST_VALUE]} …" if long else value


def problem(
    kind: str, file: object, row: int | None = None, column: str | None = None, **details: object
) -> Problem:
    """Create a :class:`Problem`; other keyword arguments are inserted into its message.

    Parameters
    ----------
    kind, file, row, column
        As in :class:`Problem`.
    **details
        Other values to insert into the message.

    Examples
    --------
    >>> print(problem("not_a_number", "ratings.csv", 12, "rating", value="often"))
    ratings.csv, row 12: found 'often' in rating; expected a number. Correct the cell, or empty it.
    """
    return Problem(kind, str(file), None if row is None else int(row), column, details)


def limit_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Keep the first 20 problems of each kind, and summarise the rest in one further problem.

    Problems that concern a single row are counted separately for each file.
    """
    kept, counts = [], Counter()
    for each in problems:
        group = (each.kind, each.file if each.row else "other files")
        counts[group] += 1
        if counts[group] <= MAX_SIMILAR:
            kept.append(each)
    for (kind, file), count in counts.items():
        if (n_more := count - MAX_SIMILAR) > 0:
            kept.append(problem("more_problems", file, count=n_more, of=kind))
    return kept


class StudyError(DetailedError):
    """Error raised for an unusable study folder, with a list of its problems.

    The attributes `kind`, `path`, `row` and `column` describe the first problem.

    Parameters
    ----------
    folder : path-like
        The study folder, or the folder that contains the files for a new study.
    problems : list of Problem
        Problems to report, at least one.

    Attributes
    ----------
    problems : list of Problem
        The problems, limited to 20 of each kind by :func:`limit_problems`.
    """

    def __init__(self, folder: object, problems: list[Problem]):
        self.problems = limit_problems(problems)
        lines = "\n".join(f"  {k}. {each}" for k, each in enumerate(self.problems, 1))
        count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        first = self.problems[0]
        super().__init__(
            f"The study in {folder} has {count}:\n{lines}",
            kind=first.kind,
            path=first.file,
            row=first.row,
            column=first.column,
        )

    @classmethod
    def raise_any(cls, folder: object, problems: list[Problem]) -> None:
        """Raise a StudyError if there are any problems."""
        if problems:
            raise cls(folder, problems)


@contextmanager
def reading(folder: object, file: object, expected: str) -> Iterator[None]:
    """Context manager that raises a StudyError if the file read in its body is missing or invalid.

    Parameters
    ----------
    folder, file : path-like
        The study folder, and the path of the file relative to it.
    expected : str
        Description of the expected content, for the error message.
    """
    try:
        yield
    except StudyError:
        raise
    except FileNotFoundError as error:
        raise StudyError(folder, [problem("missing_file", file, expected=expected)]) from error
    except UNREADABLE as error:
        raise StudyError(folder, [_unreadable(folder, file, expected, error)]) from error


def _unreadable(folder: object, file: object, expected: str, error: Exception) -> Problem:
    """Convert an error that was raised while reading a file into a problem."""
    if isinstance(error, UnicodeDecodeError):
        content = (Path(str(folder)) / str(file)).read_bytes()
        if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
            return problem("workbook", file, expected=expected)
        try:  # again, because `error` may contain a position within a block of the file
            content.decode("utf-8")
        except UnicodeDecodeError as exact:
            row = content.count(b"\n", 0, exact.start) + 1
            value = f"0x{content[exact.start]:02x}"
            return problem("not_utf8", file, row, value=value, expected=expected)
    if widths := WIDTHS.search(str(error)):
        expected, row, n_cells = widths.groups()
        return problem("long_row", file, row, value=n_cells, expected=expected)
    mark = getattr(error, "problem_mark", None)
    text = error.problem if mark and getattr(error, "problem", None) else str(error)
    text = " ".join(text.split()).removeprefix("found ")
    details = {"expected": expected, "error": text[:300]}
    if mark:
        return problem("invalid_line", file, mark.line + 1, **details)
    return problem("unreadable_file", file, **details)


class UnknownNameError(ErrorDetails, KeyError):
    """Error raised if the name of a study, query, track or stem is unknown."""

    __str__ = Exception.__str__  # without the quotation marks of KeyError
