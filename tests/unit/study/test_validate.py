"""Each kind of problem in a study folder is reported with its file, row and column."""

import re
import unicodedata

import numpy as np
import pandas as pd
import pytest
import soundfile
from expect import raises

from groove_utils.study import StudyError, load_study, validate_study
from groove_utils.study.__main__ import main
from groove_utils.study.problems import MESSAGES, limit_problems, problem

SR = 8000  # of the tiny study's sounds


def edit(folder, file, change):
    """Read a table as text, change it, and write it back."""
    frame = change(pd.read_csv(folder / file, dtype=str))
    frame.to_csv(folder / file, index=False)


def put(file, row, column, value):
    def change(frame):
        frame.at[row, column] = value
        return frame

    return lambda folder: edit(folder, file, change)


def change(file, function):
    return lambda folder: edit(folder, file, function)


def replace(file, old, new):
    def spoil(folder):
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))

    return spoil


def write(file, content):
    return lambda folder: (folder / file).write_bytes(content)


def record(file, samples, **options):
    return lambda folder: soundfile.write(folder / file, samples, SR, **options)


def remove(file):
    return lambda folder: (folder / file).unlink()


def test_a_sound_study_has_no_problems(make_study):
    assert validate_study(make_study(stems=True), n_jobs=1) == []


@pytest.mark.parametrize(
    "options",
    [{"listeners": False}, {"styles": ("funk",)}, {"audio": False}],
    ids=["no listeners", "single style", "no audio"],
)
def test_what_a_study_may_lack(make_study, options):
    folder = make_study(**options)
    assert validate_study(folder, n_jobs=1) == []
    study = load_study(folder)
    assert study.has("listeners") is options.get("listeners", True)
    assert study.has("audio") is options.get("audio", True)
    assert study.has("styles") is ("styles" not in options)


def test_odd_file_names_are_fine(make_study):
    names = ("a b", "ünï cøde", "it's #1", "100% (live)", "$HOME", "x,y", "q & a", "«zwölf»")
    folder = make_study("a study: it's mine", names=names, stems=True)
    assert validate_study(folder, n_jobs=1) == []
    study = load_study(folder)
    assert [len(study.load(name)[0]) for name in names] == [4000] * 8
    assert list(study.stem_paths("100% (live)")) == ["drums", "bass", "other", "vocals"]


# change to a valid study, and kind, file, row and column of the resulting problem
TRACKS, RATINGS, META = "tracks.csv", "ratings.csv", "study.yml"
SONG_0, SONG_1, SONG_2 = (f"audio/song{k}.flac" for k in range(3))
BROKEN = np.r_[np.ones(3999) / 2, np.nan]
CASES = {
    "missing table": (remove(RATINGS), "missing_file", RATINGS, None, None),
    "missing study.yml": (remove(META), "missing_file", META, None, None),
    "missing column": (
        change(TRACKS, lambda t: t.drop(columns="style")),
        "missing_column", TRACKS, None, "style",
    ),
    "unknown track": (put(RATINGS, 3, "track_id", "x"), "unknown_name", RATINGS, 5, "track_id"),
    "unknown listener": (
        put(RATINGS, 7, "listener_id", "L77"), "unknown_name", RATINGS, 9, "listener_id"
    ),
    "unknown query": (put(RATINGS, 5, "query", "groov"), "unknown_name", RATINGS, 7, "query"),
    "duplicate rating": (
        change(RATINGS, lambda r: pd.concat([r, r.iloc[[4]]])),
        "duplicate_rating", RATINGS, 82, None,
    ),
    "above the scale": (put(RATINGS, 0, "rating", "101"), "out_of_range", RATINGS, 2, "rating"),
    "infinite rating": (put(RATINGS, 0, "rating", "-inf"), "out_of_range", RATINGS, 2, "rating"),
    "NaN rating": (put(RATINGS, 10, "rating", "NaN"), "missing_ratings", RATINGS, 12, "rating"),
    "no number": (put(RATINGS, 10, "rating", "often"), "not_a_number", RATINGS, 12, "rating"),
    "blank artist": (put(TRACKS, 1, "artist", "  "), "blank", TRACKS, 3, "artist"),
    "track twice": (
        change(TRACKS, lambda t: pd.concat([t, t.iloc[[0]]])),
        "duplicate", TRACKS, 10, "track_id",
    ),
    "track without ratings": (
        change(RATINGS, lambda r: r[r["track_id"] != "song6"]),
        "unrated_track", TRACKS, 8, "track_id",
    ),
    "too few artists": (
        change(TRACKS, lambda t: t.replace("band 3", "band 0")),
        "too_few_artists", TRACKS, None, "artist",
    ),
    "empty table": (
        change("listeners.csv", lambda t: t.iloc[:0]), "empty_table", "listeners.csv", None, None
    ),
    "table of no bytes": (write(RATINGS, b""), "unreadable_file", RATINGS, None, None),
    "not UTF-8": (
        write(TRACKS, "track_id,title\n1,Zwölf".encode("latin-1")),
        "not_utf8", TRACKS, 2, None,
    ),
    "workbook": (write(TRACKS, b"PK\x03\x04\xff"), "workbook", TRACKS, None, None),
    "comma in a title": (replace(TRACKS, "Title 2", "Title, 2"), "long_row", TRACKS, 4, None),
    "broken YAML": (write(META, b"title: [a\nscale: 3"), "invalid_line", META, 2, None),
    "YAML that is a text": (write(META, b"A study of groove"), "not_a_mapping", META, None, None),
    "no title": (
        replace(META, "title: A tiny study\n", ""), "missing_key", META, None, "title"
    ),
    "falling scale": (
        replace(META, "- 1\n- 100\n", "- 100\n- 1\n"), "invalid_scale", META, None, "scale"
    ),
    "query without wording": (
        replace(META, "listen: I like it", "listen:"), "missing_wording", META, None, "queries"
    ),
    "query named by a number": (
        replace(META, "listen: I like it", "listen: I like it\n  7: I danced"),
        "not_a_text", META, None, "queries",
    ),
    "styles in one text": (
        replace(META, "styles:\n- funk\n- pop\n", "styles: 7\n"),
        "not_a_list", META, None, "styles",
    ),
    "missing audio": (remove(SONG_2), "unusable_audio", TRACKS, 4, "audio"),
    "one track without audio": (
        put(TRACKS, 2, "audio", None), "missing_audio", TRACKS, 4, "audio"
    ),
    "undecodable audio": (
        write(SONG_1, b"this is no sound"), "unusable_audio", TRACKS, 3, "audio"
    ),
    "audio of no bytes": (write(SONG_1, b""), "unusable_audio", TRACKS, 3, "audio"),
    "audio of no samples": (
        record(SONG_1, np.zeros(0), format="WAV"), "unusable_audio", TRACKS, 3, "audio"
    ),
    "silent audio": (record(SONG_0, np.zeros(4000)), "silent_audio", TRACKS, 2, "audio"),
    "wrong stem length": (
        record("stems/song3/bass.flac", np.ones(3840) / 2),
        "wrong_stem_length", "stems/song3/bass", None, None,
    ),
    "undecodable stem": (
        write("stems/song3/bass.flac", b"no"), "unusable_stem", "stems/song3/bass", None, None
    ),
    "NaN in a stem": (
        lambda folder: (
            remove("stems/song3/bass.flac")(folder),
            record("stems/song3/bass.wav", BROKEN, subtype="FLOAT")(folder),
        ),
        "unusable_stem", "stems/song3/bass", None, None,
    ),
    "missing stem": (
        remove("stems/song3/vocals.flac"), "missing_stem", "stems/song3/vocals", None, None
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_problem_is_named(make_study, case):
    spoil, *expected = CASES[case]
    folder = make_study(audio="audio" in case or "stem" in case, stems="stem" in case)
    spoil(folder)
    problems = validate_study(folder, n_jobs=1)
    assert [[p.kind, p.file, p.row, p.column] for p in problems] == [expected]
    _, file, row, _ = expected
    place = file if row is None else f"{file}, row {row}"
    assert str(problems[0]).startswith(f"{place}: found ")


def test_all_problems_are_listed_at_once(make_study):
    folder = make_study(stems=True)
    cases = [
        "unknown track", "unknown listener", "above the scale", "no number", "unknown query",
        "blank artist", "silent audio", "undecodable audio", "wrong stem length",
    ]  # fmt: skip
    for case in cases:
        CASES[case][0](folder)
    problems = validate_study(folder, n_jobs=2)
    places = {(p.kind, p.file, p.row, p.column) for p in problems}
    assert places == {CASES[case][1:] for case in cases}
    text = str(StudyError(folder, problems))
    assert len(re.findall(r"^  \d+\. ", text, flags=re.MULTILINE)) == len(cases)


def test_load_study_raises_with_every_problem(make_study):
    folder = make_study(audio=False)
    CASES["above the scale"][0](folder)
    CASES["unknown query"][0](folder)
    with raises(StudyError, "unknown_name", path="ratings.csv", row=7, column="query") as caught:
        load_study(folder)
    assert [p.row for p in caught.value.problems] == [7, 2]
    assert load_study(folder, validate=False).title == "A tiny study"


def test_a_flood_of_problems_is_counted(make_study):
    folder = make_study(audio=False)
    edit(folder, RATINGS, lambda r: r.assign(rating="500"))
    problems = validate_study(folder, check_audio=False)
    assert [p.kind for p in problems] == ["out_of_range"] * 20 + ["more_problems"]
    assert problems[-1].details["count"] == 60
    assert limit_problems(problems) == problems
    # problems of files are counted together, those of rows for each file
    files = [problem("missing_file", f"{k}.npz", expected="it") for k in range(30)]
    assert limit_problems(files)[-1].details["count"] == 10
    cells = [problem("blank", f, k, "x", value="") for f in ("a", "b") for k in range(2, 22)]
    assert limit_problems(cells) == cells


def test_messages_say_what_was_expected_and_how_to_fix_it():
    for kind, message in MESSAGES.items():
        found, _, rest = message.partition("; expected ")
        assert found, kind
        assert rest, kind


def test_rows_are_lines_of_the_file_despite_blank_ones(make_study):
    folder = make_study(audio=False)
    CASES["above the scale"][0](folder)
    lines = (folder / RATINGS).read_text().splitlines()
    lines[1:1] = ["", ",,,"]
    (folder / RATINGS).write_text("\n".join([*lines, "", ",,,", ""]))
    problems = validate_study(folder, check_audio=False)
    assert [p.row for p in problems] == [4]


def test_spreadsheet_habits_do_no_harm(make_study):
    """Accept a byte order mark, empty rows at the end, and a comma after every row."""
    folder = make_study(audio=False)
    before = load_study(folder).ratings
    lines = (folder / RATINGS).read_text().splitlines()
    commas = [lines[0], *(f"{line}," for line in lines[1:]), ",,,,"]
    (folder / RATINGS).write_bytes(b"\xef\xbb\xbf" + "\r\n".join(commas).encode())
    assert validate_study(folder, check_audio=False) == []
    pd.testing.assert_frame_equal(load_study(folder).ratings, before, check_dtype=False)


def test_a_query_may_have_its_own_scale(make_study):
    folder = make_study(audio=False)
    replace(META, "listen: I like it", "listen: {wording: I like it, scale: [-1, 1]}")(folder)
    listen = "listen"
    edit(folder, RATINGS, lambda r: r.assign(rating=r["rating"].where(r["query"] != listen, "-.5")))
    assert validate_study(folder, check_audio=False) == []
    assert load_study(folder).scales == {"dance": (1, 100), "listen": (-1, 1)}
    put(RATINGS, 1, "rating", "1.01")(folder)
    problems = validate_study(folder, check_audio=False)
    assert [(p.kind, p.row, p.details["high"]) for p in problems] == [("out_of_range", 3, 1)]


def test_the_command_prints_all_and_stamps_only_what_is_right(make_study, tmp_path, capsys):
    folder, stamp = make_study(), tmp_path / "valid.json"
    CASES["above the scale"][0](folder)
    CASES["silent audio"][0](folder)
    assert main(["validate", str(folder), "--manifest", str(stamp)]) == 1
    text = capsys.readouterr().err
    assert "ratings.csv, row 2" in text
    assert "tracks.csv, row 2" in text
    assert not stamp.exists()
    assert main(["validate", str(make_study("whole")), "--manifest", str(stamp)]) == 0
    assert stamp.exists()
    assert "8 tracks by 4 artists, 5 listeners, 80 ratings" in capsys.readouterr().out


def test_folders_of_stems_are_compared_with_the_tracks(make_study):
    folder = make_study(stems=True)
    stems = folder / "stems"
    (stems / "song3").rename(stems / "Song 3")
    (stems / "readme.txt").write_text("true stems")
    problems = {(p.kind, p.file): p for p in validate_study(folder, n_jobs=1)}
    assert set(problems) == {("unknown_stems", "stems/Song 3"), ("missing_stems", "stems")}
    missing = problems["missing_stems", "stems"]
    assert missing.details == {"value": "song3", "count": 1}


def test_files_among_the_folders_of_stems_are_noted_and_no_problem(make_study):
    folder = make_study(stems=True)
    for name in ("readme.txt", "Thumbs.db", ".DS_Store"):
        (folder / "stems" / name).write_text("x")
    notes = []
    assert validate_study(folder, n_jobs=1, report=notes.append) == []
    assert [("Thumbs.db" in note, "readme.txt" in note) for note in notes] == [(True, True)]


def test_stems_of_tracks_without_identifiers_are_no_problem(make_study):
    folder = make_study(stems=True)
    tracks = pd.read_csv(folder / "tracks.csv").rename(columns={"track_id": "name"})
    tracks.to_csv(folder / "tracks.csv", index=False)
    kinds = {problem.kind for problem in validate_study(folder, check_audio=False)}
    assert not kinds & {"unknown_stems", "missing_stems"}


def test_stems_whose_accents_are_separate(make_study):
    names = ("Motörhead", *(f"song{k}" for k in range(7)))
    folder = make_study(stems=True, names=names)
    stems = folder / "stems"
    (stems / names[0]).rename(stems / unicodedata.normalize("NFD", names[0]))
    assert validate_study(folder, n_jobs=1) == []
    study = load_study(folder)
    assert study.has("stems")
    assert len(study.stem_paths(names[0])) == 4


def test_what_is_not_read_is_named(make_study):
    folder = make_study(stems=True)
    for file, names in {
        "tracks.csv": ["rating", "tempo"], "listeners.csv": ["style", "age"], RATINGS: ["rt"],
    }.items():  # fmt: skip
        edit(folder, file, lambda t, names=names: t.assign(**dict.fromkeys(names, "1")))
    (folder / "Embedding").mkdir()
    (folder / "notes.txt").write_text("of our own")
    record("audio/take 2.flac", np.ones(9))(folder)
    record("stems/song1/guitar.flac", np.ones(9))(folder)
    notes = []
    assert validate_study(folder, n_jobs=1, report=notes.append) == []
    places = [(note.partition(":")[0], note.split(": ")[2].split(" ")[0]) for note in notes
              if "not read: " in note]  # fmt: skip
    assert sorted(places) == [
        ("listeners.csv", "style"), ("ratings.csv", "rt"), ("stems", "guitar.flac"),
        ("tracks.csv", "rating"),
    ]  # fmt: skip
    assert any(note.startswith("Embedding: ") and "embeddings" in note for note in notes)
    assert any(note.endswith(": audio/take 2.flac.") for note in notes)
    assert len(notes) == 6


@pytest.mark.parametrize("copied", [8, 3, 0])
def test_vectors_copied_from_track_to_track(make_study, copied):
    folder = make_study(audio=False)
    rng = np.random.default_rng(4)
    (folder / "embeddings" / "m").mkdir(parents=True)
    first = rng.normal(size=4)
    for k in range(8):
        values = first if k < copied else rng.normal(size=4)
        np.savez(folder / "embeddings" / "m" / f"song{k}.npz", layer=values)
    notes = []
    problems = validate_study(folder, report=notes.append)
    assert [p.kind for p in problems] == (["identical_vectors"] if copied == 8 else [])
    assert len(notes) == (copied == 3)
    if notes:
        assert "3 of 8 tracks" in notes[0]
        assert "song0 and song1" in notes[0]


def test_vectors_of_silent_stems_may_be_the_same(make_study):
    folder, rng = make_study(audio=False), np.random.default_rng(4)
    (folder / "embeddings" / "m" / "vocals").mkdir(parents=True)
    for k in range(8):
        place = folder / "embeddings" / "m"
        np.savez(place / f"song{k}.npz", layer=rng.normal(size=4))
        np.savez(place / "vocals" / f"song{k}.npz", layer=np.ones(4))
    notes = []
    assert validate_study(folder, report=notes.append) == []
    assert [note.partition(":")[0] for note in notes] == ["embeddings/m/vocals"]


def test_vectors_of_stems_alone_and_in_another_order(make_study):
    folder = make_study(audio=False)
    rng = np.random.default_rng(4)
    for place in ("m", "m/bass+drums"):
        (folder / "embeddings" / place).mkdir(parents=True)
        for k in range(8):
            np.savez(folder / "embeddings" / place / f"song{k}.npz", layer=rng.normal(size=4))
    assert [p.kind for p in validate_study(folder)] == [
        "unknown_stem"
    ]  # such stems would not be found
    (folder / "embeddings/m/bass+drums").rename(folder / "embeddings/m/drums+bass")
    assert validate_study(folder) == []
    for path in (folder / "embeddings" / "m").glob("*.npz"):
        path.unlink()
    assert [p.kind for p in validate_study(folder)] == ["missing_vectors"]


def test_a_query_that_nobody_rated_is_left_out_and_named(make_study):
    folder = make_study(audio=False)
    replace(META, "listen: I like it", "listen: I like it\n  sing: I would sing along")(folder)
    notes = []
    assert validate_study(folder, report=notes.append) == []
    assert len(notes) == 1
    assert "sing" in notes[0]
    assert list(load_study(folder).queries) == ["dance", "listen"]


def test_the_command_prints_what_is_not_read_with_the_problems(make_study, capsys):
    folder = make_study()
    put(TRACKS, 2, "audio", "audio\\song2.flac")(folder)
    assert main(["validate", str(folder)]) == 1
    output = capsys.readouterr()
    assert "audio/song2.flac" in output.out
    assert "tracks.csv, row 4" in output.err
