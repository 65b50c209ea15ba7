"""Every way in which a study folder can be wrong is named with its file, row and remedy."""

import re

import numpy as np
import pandas as pd
import pytest
import soundfile

from groove_utils.study import StudyError, load_study, validate_study
from groove_utils.study.__main__ import main

SR = 8000  # of the tiny study's sounds


def edit(folder, file, change):
    """Read a table as text, change it, write it back."""
    frame = pd.read_csv(folder / file, dtype=str)
    frame = change(frame)
    frame.to_csv(folder / file, index=False)


def put(row, column, value):
    def change(frame):
        frame.at[row, column] = value
        return frame

    return change


def replace(file, old, new):
    def spoil(folder):
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))

    return spoil


def test_a_sound_study_has_no_problems(make_study):
    assert validate_study(make_study(stems=True), jobs=1) == []


@pytest.mark.parametrize(
    "options",
    [{"listeners": False}, {"styles": ("funk",)}, {"audio": False}],
    ids=["no listeners", "single style", "no audio"],
)
def test_what_a_study_may_lack(make_study, options):
    folder = make_study(**options)
    assert validate_study(folder, jobs=1) == []
    study = load_study(folder)
    assert study.has("listeners") is options.get("listeners", True)
    assert study.has("audio") is options.get("audio", True)
    assert study.has("styles") is ("styles" not in options)


def test_odd_file_names_are_fine(make_study):
    names = ("a b", "ünï cøde", "it's #1", "100% (live)", "$HOME", "x,y", "q & a", "«zwölf»")
    folder = make_study("a study: it's mine", names=names, stems=True)
    assert validate_study(folder, jobs=1) == []
    study = load_study(folder)
    assert [len(study.load(name)[0]) for name in names] == [4000] * 8
    assert list(study.stem_paths("100% (live)")) == ["drums", "bass", "other", "vocals"]


# what is done to a valid study, and what the one message must say: file, row, found, expected, mend
CASES = {
    "missing table": (
        lambda f: (f / "ratings.csv").unlink(),
        ("ratings.csv", None, "no such file", "track_id, query, rating", "Add the file"),
    ),
    "missing study.yml": (
        lambda f: (f / "study.yml").unlink(),
        ("study.yml", None, "no such file", "description", "groove_utils.study new"),
    ),
    "missing column": (
        lambda f: edit(f, "tracks.csv", lambda t: t.drop(columns="style")),
        ("tracks.csv", None, "track_id, title, artist, audio", "a column style", "Add or rename"),
    ),
    "unknown track": (
        lambda f: edit(f, "ratings.csv", put(3, "track_id", "song99")),
        ("ratings.csv", 5, "unknown track_id 'song99'", "a track_id of tracks.csv", "Add it"),
    ),
    "unknown listener": (
        lambda f: edit(f, "ratings.csv", put(7, "listener_id", "L77")),
        ("ratings.csv", 9, "unknown listener_id 'L77'", "of listeners.csv", "Add it"),
    ),
    "duplicate rating": (
        lambda f: edit(f, "ratings.csv", lambda r: pd.concat([r, r.iloc[[4]]])),
        ("ratings.csv", 82, "second rating for song2, dance, L0", "one rating", "Delete one"),
    ),
    "above the scale": (
        lambda f: edit(f, "ratings.csv", put(0, "rating", "101")),
        ("ratings.csv", 2, "rating 101", "from 1 to 100 for dance", "Correct the rating"),
    ),
    "infinite rating": (
        lambda f: edit(f, "ratings.csv", put(0, "rating", "-inf")),
        ("ratings.csv", 2, "rating -inf", "from 1 to 100 for dance", "Correct the rating"),
    ),
    "NaN rating": (
        lambda f: edit(f, "ratings.csv", put(10, "rating", "NaN")),
        ("ratings.csv", 12, "an empty cell (or NaN) in rating", "a value", "delete the row"),
    ),
    "no number": (
        lambda f: edit(f, "ratings.csv", put(10, "rating", "often")),
        ("ratings.csv", 12, "'often' in rating", "a number", "Correct the cell"),
    ),
    "empty artist": (
        lambda f: edit(f, "tracks.csv", put(1, "artist", "  ")),
        ("tracks.csv", 3, "'  ' in artist", "a text", "Fill the cell in"),
    ),
    "track twice": (
        lambda f: edit(f, "tracks.csv", lambda t: pd.concat([t, t.iloc[[0]]])),
        ("tracks.csv", 10, "track_id 'song0' more than once", "it once", "delete the row"),
    ),
    "unknown query": (
        lambda f: edit(f, "ratings.csv", put(5, "query", "groov")),
        ("ratings.csv", 7, "query 'groov' in 1 rows", "(dance, listen)", "Add it to study.yml"),
    ),
    "track without ratings": (
        lambda f: edit(f, "ratings.csv", lambda r: r[r["track_id"] != "song6"]),
        ("tracks.csv", 8, "track 'song6' without any rating", "at least one row", "delete"),
    ),
    "too few artists": (
        lambda f: edit(f, "tracks.csv", lambda t: t.replace("band 3", "band 0")),
        ("tracks.csv", None, "3 artists (8 tracks)", "at least 4 artists", "more artists"),
    ),
    "empty table": (
        lambda f: edit(f, "listeners.csv", lambda t: t.iloc[:0]),
        ("listeners.csv", None, "no rows", "at least one row", "Fill it"),
    ),
    "table of no bytes": (
        lambda f: (f / "ratings.csv").write_bytes(b""),
        ("ratings.csv", None, "no readable table", "comma-separated UTF-8", "Save it as CSV"),
    ),
    "not UTF-8": (
        lambda f: (f / "tracks.csv").write_bytes("track_id,title\n1,Zwölf".encode("latin-1")),
        ("tracks.csv", None, "no readable table", "comma-separated UTF-8", "Save it as CSV"),
    ),
    "broken YAML": (
        lambda f: (f / "study.yml").write_text("title: [a\nscale: 3"),
        ("study.yml", None, "no YAML", "YAML", "Correct the syntax"),
    ),
    "YAML that is a text": (
        lambda f: (f / "study.yml").write_text("A study of groove"),
        ("study.yml", None, "A study of groove", "keys and values", "title: "),
    ),
    "no title": (
        replace("study.yml", "title: A tiny study\n", ""),
        ("study.yml", None, "no title", "title", "title: My study"),
    ),
    "falling scale": (
        replace("study.yml", "- 1\n- 100\n", "- 100\n- 1\n"),
        ("study.yml", None, "scale [100, 1]", "two rising numbers", "scale: [1, 100]"),
    ),
    "query without wording": (
        replace("study.yml", "listen: I like it", "listen:"),
        ("study.yml", None, "query 'listen'", "wording", "listen: "),
    ),
    "query named by a number": (
        replace("study.yml", "listen: I like it", "listen: I like it\n  7: I danced"),
        ("study.yml", None, "query 7", "a text", "'7': "),
    ),
    "styles in one text": (
        replace("study.yml", "styles:\n- funk\n- pop\n", "styles: 7\n"),
        ("study.yml", None, "styles 7", "a list", "styles: ["),
    ),
    "missing audio": (
        lambda f: (f / "audio" / "song2.flac").unlink(),
        ("tracks.csv", 4, "song2.flac", "sound", "Check the path"),
    ),
    "one track without audio": (
        lambda f: edit(f, "tracks.csv", put(2, "audio", None)),
        ("tracks.csv", 4, "no audio", "a file, as for other tracks", "Name the file"),
    ),
    "undecodable audio": (
        lambda f: (f / "audio" / "song1.flac").write_bytes(b"this is no sound"),
        ("tracks.csv", 3, "cannot be decoded", "WAV, FLAC, OGG or MP3", "convert it"),
    ),
    "audio of no bytes": (
        lambda f: (f / "audio" / "song1.flac").write_bytes(b""),
        ("tracks.csv", 3, "cannot be decoded", "WAV, FLAC, OGG or MP3", "convert it"),
    ),
    "audio of no samples": (
        lambda f: soundfile.write(f / "audio" / "song1.flac", np.zeros(0), SR, format="WAV"),
        ("tracks.csv", 3, "holds no samples", "sound", "Export it again"),
    ),
    "silent audio": (
        lambda f: soundfile.write(f / "audio" / "song0.flac", np.zeros(4000), SR),
        ("tracks.csv", 2, "silence in audio/song0.flac", "sound", "Export it again"),
    ),
    "wrong stem length": (
        lambda f: soundfile.write(f / "stems" / "song3" / "bass.flac", np.ones(3840) / 2, SR),
        ("stems/song3/bass", None, "0.480 s", "0.500 s", "same range"),
    ),
    "undecodable stem": (
        lambda f: (f / "stems" / "song3" / "bass.flac").write_bytes(b"no"),
        ("stems/song3/bass", None, "cannot be decoded", "audio", "Convert"),
    ),
    "missing stem": (
        lambda f: (f / "stems" / "song3" / "vocals.flac").unlink(),
        ("stems/song3/vocals", None, "no such file", "drums, bass, other, vocals", "Add the stem"),
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_problem_is_named(make_study, case):
    spoil, (file, row, found, expected, mend) = CASES[case]
    folder = make_study(stems="stem" in case)
    spoil(folder)
    problems = validate_study(folder, jobs=1)
    assert len(problems) == 1, [str(problem) for problem in problems]
    told = str(problems[0])
    assert problems[0].file == file
    assert problems[0].row == row
    for part in (found, expected, mend):
        assert part in told
    assert told.startswith(file if row is None else f"{file}, row {row}: ")


def test_all_problems_are_listed_at_once(make_study):
    folder = make_study(stems=True)
    every = [
        "unknown track",
        "unknown listener",
        "above the scale",
        "no number",
        "unknown query",
        "empty artist",
        "silent audio",
        "undecodable audio",
        "wrong stem length",
    ]
    for case in every:
        CASES[case][0](folder)
    problems = validate_study(folder, jobs=2)
    for case in every:
        file, row, found, *_ = CASES[case][1]
        # the unknown track stands in row 5 beside others; each is told for its own row
        assert any(p.file == file and p.row == row and found in p.found for p in problems), case
    assert len(problems) == len(every)
    told = str(StudyError(folder, problems))
    assert f"{len(every)} problems" in told
    assert len(re.findall(r"^  \d+\. ", told, flags=re.MULTILINE)) == len(every)


def test_load_study_raises_with_every_problem(make_study):
    folder = make_study()
    CASES["above the scale"][0](folder)
    CASES["unknown query"][0](folder)
    with pytest.raises(StudyError, match="2 problems") as caught:
        load_study(folder)
    assert [p.row for p in caught.value.problems] == [7, 2]
    assert load_study(folder, validate=False).title == "A tiny study"


def test_a_flood_of_problems_is_counted(make_study):
    folder = make_study()
    edit(folder, "ratings.csv", lambda r: r.assign(rating="500"))
    problems = validate_study(folder, check_audio=False)
    assert len(problems) == 21
    assert "60 more rows" in problems[-1].found


def test_rows_are_lines_of_the_file_despite_blank_ones(make_study):
    folder = make_study()
    CASES["above the scale"][0](folder)
    lines = (folder / "ratings.csv").read_text().splitlines()
    lines[1:1] = ["", ",,,"]
    (folder / "ratings.csv").write_text("\n".join([*lines, "", ",,,", ""]))
    problems = validate_study(folder, check_audio=False)
    assert [problem.row for problem in problems] == [4]


def test_rows_longer_than_the_header_are_no_table(make_study):
    folder = make_study()
    lines = (folder / "ratings.csv").read_text().splitlines()
    longer = [lines[0], *(f"{line},x" for line in lines[1:])]
    (folder / "ratings.csv").write_text("\n".join(longer))
    problems = validate_study(folder, check_audio=False)
    assert problems[0].file == "ratings.csv"
    assert "more cells than the header" in problems[0].found


def test_spreadsheet_habits_do_no_harm(make_study):
    """A byte order mark, empty rows at the end, and a comma after every row."""
    folder = make_study()
    before = load_study(folder).ratings
    lines = (folder / "ratings.csv").read_text().splitlines()
    commas = [lines[0], *(f"{line}," for line in lines[1:]), ",,,,"]
    (folder / "ratings.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(commas).encode())
    assert validate_study(folder, check_audio=False) == []
    pd.testing.assert_frame_equal(load_study(folder).ratings, before, check_dtype=False)


def test_a_query_may_have_its_own_scale(make_study):
    folder = make_study()
    replace("study.yml", "listen: I like it", "listen: {wording: I like it, scale: [-1, 1]}")(
        folder
    )
    edit(
        folder,
        "ratings.csv",
        lambda r: r.assign(rating=r["rating"].where(r["query"] != "listen", "-0.5")),
    )
    assert validate_study(folder, check_audio=False) == []
    assert load_study(folder).scales == {"dance": (1, 100), "listen": (-1, 1)}
    edit(folder, "ratings.csv", put(1, "rating", "1.01"))
    (problem,) = validate_study(folder, check_audio=False)
    assert "from -1 to 1 for listen" in problem.expected


def test_the_command_prints_all_and_stamps_only_what_is_right(make_study, tmp_path, capsys):
    folder, stamp = make_study(), tmp_path / "study.valid"
    CASES["above the scale"][0](folder)
    CASES["silent audio"][0](folder)
    assert main(["validate", str(folder), "--stamp", str(stamp)]) == 1
    told = capsys.readouterr().err
    assert "2 problems" in told
    assert "rating 101" in told
    assert "silence" in told
    assert not stamp.exists()
    assert main(["validate", str(make_study("whole")), "--stamp", str(stamp)]) == 0
    assert stamp.exists()
    assert "8 tracks by 4 artists, 5 listeners, 80 ratings" in capsys.readouterr().out
