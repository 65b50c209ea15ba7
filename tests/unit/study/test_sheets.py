"""Spreadsheets in many forms: layouts, names of columns, repetitions, missing ratings."""

import itertools
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
import soundfile
from expect import raises

from groove_utils.study import StudyError, load_study, validate_study, worksheets
from groove_utils.study.__main__ import main
from groove_utils.study.sheets import read_sheet
from groove_utils.study.start import start_study

SONGS = [f"break{k:02d}" for k in range(6)]
WHO = ["p1", "p2", "p3"]


def common_sheet(listener="participant", track="file", suffix=".wav"):
    """Build a table with one row per listener and track, and one column per question."""
    rows = []
    for (w, who), (s, song) in itertools.product(enumerate(WHO), enumerate(SONGS)):
        answers = {"want to move": 1 + (w + s) % 7, "pleasure": 1 + (2 * w + s) % 7}
        facts = {"age": 20 + w, "musician": "yes" if w else "no", "bpm": 90 + s}
        rows.append({listener: who, track: song + suffix} | answers | facts)
    return pd.DataFrame(rows)


def save(frame, path):
    if path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.fixture
def audio(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for k, song in enumerate(SONGS):
        soundfile.write(folder / f"{song}.wav", 0.3 * np.sin(np.arange(4000) * (k + 1) / 20), 8000)
    return folder


LISTENERS = [
    "participant", "Participant ID", "subject", "Subject Nr.", "rater", "respondent", "ResponseId",
    "PROLIFIC_PID", "user", "user_id", "listener", "id",
]  # fmt: skip
TRACKS = ["song", "clip", "Stimulus", "trial", "excerpt", "file", "filename", "track_id", "item"]


@pytest.mark.parametrize(
    ("listener", "track"),
    [*((name, "file") for name in LISTENERS), *(("participant", name) for name in TRACKS)],
)
@pytest.mark.parametrize("known", [True, False])
def test_the_commonest_sheet_is_understood_by_its_usual_names(tmp_path, listener, track, known):
    frame = common_sheet(listener, track)
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), SONGS if known else None)
    assert len(sheet.ratings) == 2 * len(frame)
    assert set(sheet.ratings["query"]) == {"want to move", "pleasure"}
    cells = sheet.ratings.set_index(["query", "listener_id", "track_id"])["rating"]
    assert cells["want to move", "p2", "break03"] == 5
    assert sheet.listeners.columns.tolist() == ["listener_id", "age", "musician"]
    assert sheet.listeners["age"].tolist() == [20, 21, 22]
    assert dict(sheet.tracks.itertuples(index=False))["break04"] == 94
    assert sheet.notes == []


def test_it_becomes_a_study_and_is_summed_up(audio, tmp_path, capsys):
    sheet = save(common_sheet().assign(comment="nice"), tmp_path / "r.xlsx")
    new = ["new", str(tmp_path / "s"), "--audio", str(audio), "--ratings", str(sheet)]
    assert main(new) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Not used: the columns comment." in lines
    assert "Columns about listeners: age, musician." in lines
    assert lines[-1] == (
        "36 ratings of 6 tracks by 3 listeners, 2 questions (want to move, pleasure), scale 1 to 7 "
        "(range of the ratings; set it with --scale)"
    )
    assert validate_study(tmp_path / "s", n_jobs=1) == []
    study = load_study(tmp_path / "s")
    assert study.listeners["age"].tolist() == [20, 21, 22]
    assert study.tracks["bpm"].tolist() == [90, 91, 92, 93, 94, 95]
    assert study.rating_matrix("pleasure").at["p3", "break05"] == 3


def test_columns_can_be_named_and_unsure_ones_are_asked_for(tmp_path):
    frame = common_sheet("who", "what", suffix="")
    path = save(frame, tmp_path / "r.csv")
    with raises(StudyError, "unknown_form"):
        read_sheet(path)
    with raises(StudyError, "unknown_listeners", row=8):
        read_sheet(path, track="what")
    with raises(StudyError, "unknown_listeners"):
        read_sheet(path, SONGS)  # the column with tracks is recognised by its cells
    with raises(StudyError, "unknown_column", column="whom"):
        read_sheet(path, listener="whom")
    sheet = read_sheet(path, track="what", listener="who", questions=["pleasure"])
    assert set(sheet.ratings["query"]) == {"pleasure"}
    assert "Not used: the columns want to move." in sheet.notes


def test_the_column_with_the_tracks_is_preferred_to_a_name(tmp_path):
    frame = common_sheet("participant", "sound file").assign(trial=range(18), item="practice")
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), SONGS)
    assert set(sheet.ratings["track_id"]) == set(SONGS)
    assert set(sheet.ratings["query"]) == {"want to move", "pleasure"}


def test_names_with_folders_suffixes_and_other_capitals(tmp_path):
    frame = common_sheet()
    frame["file"] = [f"stimuli/{n}".upper() if k % 2 else f"C:\\x\\{n}"
                     for k, n in enumerate(frame["file"])]  # fmt: skip
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), SONGS)
    assert set(sheet.ratings["track_id"]) == set(SONGS)


def test_repetitions_are_averaged_and_conditions_refused(tmp_path):
    twice = pd.concat([common_sheet().assign(block=1), common_sheet().assign(block=2)])
    twice.loc[twice["block"] == 2, "pleasure"] += 2
    sheet = read_sheet(save(twice, tmp_path / "r.csv"))
    assert len(sheet.ratings) == 36
    expected = common_sheet().set_index(["participant", "file"])["pleasure"] + 1
    found = sheet.ratings[sheet.ratings["query"] == "pleasure"]
    assert found["rating"].tolist() == expected.tolist()
    assert sheet.notes == ["Repeated ratings were averaged (column block)."]
    # numbers of reaction times also differ, but are not relevant
    timed = twice.assign(rt=np.arange(36) * 1.5)
    assert len(read_sheet(save(timed, tmp_path / "r.csv")).ratings) == 36
    loud = twice.rename(columns={"block": "loudness"}).replace({"loudness": {1: "soft", 2: "loud"}})
    with raises(StudyError, "several_conditions", column="loudness", row=20):
        read_sheet(save(loud, tmp_path / "r.csv"))
    with raises(StudyError, "several_conditions", column="condition"):
        read_sheet(save(twice.rename(columns={"block": "condition"}), tmp_path / "r.csv"))
    with raises(StudyError, "duplicate_rating", row=20):
        read_sheet(save(twice.drop(columns="block"), tmp_path / "r.csv"))


def test_missing_answers_are_dropped_and_counted(audio, tmp_path, capsys):
    frame = common_sheet().astype(object)
    for k, cell in enumerate(["", "NA", "n/a", "-", None]):
        frame.loc[k, "pleasure"] = cell
    save(frame, tmp_path / "r.csv")
    start_study(tmp_path / "s", audio, tmp_path / "r.csv", report=print)
    text = capsys.readouterr().out
    assert "5 missing answers were dropped." in text
    assert "31 ratings" in text


def test_validate_counts_missing_answers_and_a_command_drops_them(make_study, capsys):
    folder = make_study(audio=False)
    ratings = pd.read_csv(folder / "ratings.csv").astype({"rating": object})
    ratings.loc[ratings["listener_id"] == "L3", "rating"] = "NA"
    ratings.to_csv(folder / "ratings.csv", index=False)
    (problem,) = validate_study(folder)
    assert (problem.kind, problem.row, problem.details["count"]) == ("missing_ratings", 50, 16)
    assert main(["drop-missing", str(folder)]) == 0
    assert "16 rows" in capsys.readouterr().out
    assert validate_study(folder) == []
    assert len(load_study(folder).ratings) == 64


def test_a_study_of_ratings_alone_with_its_facts(tmp_path, capsys):
    frame = common_sheet("subject", "clip", suffix="").assign(
        artist=[f"band {s % 5}" for _, s in itertools.product(WHO, range(6))], genre="funk"
    )
    frame.loc[frame["clip"] > "break02", "genre"] = "soul"
    sheet = save(frame, tmp_path / "r.csv")
    assert main(["new", str(tmp_path / "s"), "--ratings", str(sheet)]) == 0
    assert "36 ratings of 6 tracks by 3 listeners" in capsys.readouterr().out.splitlines()[-1]
    assert validate_study(tmp_path / "s") == []
    study = load_study(tmp_path / "s")
    assert not study.has("audio")
    assert study.styles == ["funk", "soul"]
    assert study.tracks["artist"].nunique() == 5


def test_a_study_of_ratings_and_embeddings(tmp_path):
    rng = np.random.default_rng(1)
    for song in [*SONGS, "more"]:
        (tmp_path / "vectors" / "m").mkdir(parents=True, exist_ok=True)
        np.savez(tmp_path / "vectors" / "m" / f"{song}.npz", layer=rng.normal(size=3))
    sheet = save(common_sheet(), tmp_path / "r.csv")
    said = []
    start_study(tmp_path / "s", None, sheet, embeddings=tmp_path / "vectors", report=said.append)
    assert validate_study(tmp_path / "s") == []
    assert load_study(tmp_path / "s").has("embeddings")
    assert "Skipped vectors that are not named after a track: m/more.npz." in said
    (tmp_path / "empty").mkdir()
    with raises(StudyError, "no_vectors", path="empty"):
        start_study(tmp_path / "t", None, sheet, embeddings=tmp_path / "empty")


def test_what_has_no_ratings_or_another_format_is_named(audio, tmp_path):
    said = []
    frame = common_sheet()
    frame = frame[frame["file"] != "break05.wav"]
    start_study(tmp_path / "s", audio, save(frame, tmp_path / "r.csv"), report=said.append)
    assert "Skipped tracks without ratings: break05." in said
    assert validate_study(tmp_path / "s", n_jobs=1) == []
    (audio / "break05.wav").rename(audio / "break05.rm")
    with raises(StudyError, "unknown_format") as caught:
        start_study(tmp_path / "t", audio, save(common_sheet(), tmp_path / "r.csv"))
    assert caught.value.problems[0].details["other"] == "break05.rm"
    with raises(StudyError, "missing_folder"):
        start_study(tmp_path / "t", tmp_path / "nothing", tmp_path / "r.csv")


@pytest.mark.parametrize("scale", [(9, 1), (1, 1), (1, float("inf")), (float("nan"), 7)])
def test_wrong_scales_are_refused(audio, tmp_path, scale):
    with raises(StudyError, "reversed_scale"):
        start_study(tmp_path / "s", audio, save(common_sheet(), tmp_path / "r.csv"), scale=scale)
    assert not (tmp_path / "s").exists()


def test_scales_as_found(tmp_path):
    frame = common_sheet()
    frame["beauty"] = np.linspace(0, 100, len(frame))
    start_study(tmp_path / "s", None, save(frame, tmp_path / "r.csv"))
    scales = load_study(tmp_path / "s").scales
    assert scales == {"want to move": (1, 7), "pleasure": (1, 7), "beauty": (0, 100)}
    with raises(StudyError, "unknown_scale"):
        start_study(tmp_path / "t", None, save(frame.assign(**dict.fromkeys(
            ["beauty", "pleasure", "want to move"], 3)), tmp_path / "r.csv"))  # fmt: skip


def test_questions_with_markup_get_names_without_it(tmp_path):
    frame = common_sheet().rename(columns={"pleasure": "Do you `like` {it}? <b>1–7</b>"})
    start_study(tmp_path / "s", None, save(frame, tmp_path / "r.csv"))
    assert validate_study(tmp_path / "s") == []
    queries = load_study(tmp_path / "s").queries
    assert queries["Do you like it ? 1–7"] == "Do you `like` {it}? <b>1–7</b>"


def test_separators_and_decimal_commas(tmp_path):
    (tmp_path / "r.csv").write_text("sep=;\ntrack;listener;rating\ns1;a;3,5\ns1;b;x\n")
    with raises(StudyError, "not_a_number", row=4):
        read_sheet(tmp_path / "r.csv")
    (tmp_path / "r.csv").write_text("sep=;\ntrack;listener;rating\ns1;a;3,5\ns1;b;4\n")
    assert read_sheet(tmp_path / "r.csv").ratings["rating"].tolist() == [3.5, 4]


def test_dates_are_no_ratings(tmp_path):
    for dates in (["2024-01-05", "2024-02-05"], ["2024-01-05", "3"]):
        cells = [pd.Timestamp(text).to_pydatetime() if "-" in text else 3 for text in dates]
        frame = pd.DataFrame({"track": ["s1", "s2"], "rating": cells}).astype(object)
        with raises(StudyError, "date_as_rating", row=2, column="rating"):
            read_sheet(save(frame, tmp_path / "r.xlsx"))


def test_listeners_who_agree_exactly(tmp_path):
    rows = [("p1", "a", 1), ("p1", "b", 2), ("p2", "a", 1), ("p2", "b", 2)]
    frame = pd.DataFrame(rows, columns=["participant", "file", "move"])
    sheet = read_sheet(save(frame, tmp_path / "r.csv"))
    assert sheet.ratings["query"].unique().tolist() == ["move"]


def test_the_three_header_rows_of_qualtrics(tmp_path):
    (tmp_path / "r.csv").write_text(
        "StartDate,ResponseId,s1,s2\nStart Date,Response ID,How much?,How much?\n"
        '"{""ImportId"":""startDate""}","{""ImportId"":""_recordId""}",x,y\n'
        "2024-01-01,R_1,3,4\n2024-01-01,R_2,5,no\n"
    )
    with raises(StudyError, "not_a_number", row=5):
        read_sheet(tmp_path / "r.csv", ["s1", "s2"])
    text = (tmp_path / "r.csv").read_text().replace("no", "6")
    (tmp_path / "r.csv").write_text(text)
    table = read_sheet(tmp_path / "r.csv", ["s1", "s2"]).ratings
    assert table["rating"].tolist() == [3, 5, 4, 6]
    assert set(table["listener_id"]) == {"R_1", "R_2"}


def test_words_that_mean_missing_are_names_elsewhere(tmp_path):
    (tmp_path / "r.csv").write_text("track,listener,rating\nNone,NA,3\nnull,NA,4\n")
    table = read_sheet(tmp_path / "r.csv").ratings
    assert table["track_id"].tolist() == ["None", "null"]
    assert table["listener_id"].tolist() == ["NA", "NA"]


def test_other_sheets_of_a_workbook_are_named(tmp_path):
    with pd.ExcelWriter(tmp_path / "r.xlsx") as book:
        common_sheet().to_excel(book, sheet_name="ratings", index=False)
        common_sheet().to_excel(book, sheet_name="pilot", index=False)
    assert read_sheet(tmp_path / "r.xlsx").notes == [
        "Only the sheet ratings was read, not pilot (see --sheet)."
    ]


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(worksheets, "LARGEST_TABLE", 2**20)
    path = save(common_sheet(), tmp_path / "r.xlsx")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros", bytes(2**21))
    with raises(StudyError, "too_large"):
        read_sheet(path)
    (tmp_path / "r.csv").write_bytes(b"a" * 2**21)
    with raises(StudyError, "too_large"):
        read_sheet(tmp_path / "r.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_text_from_excel(tmp_path, encoding):
    text = "track\tlistener\trating\nÄ 🥁\tana\t3,5\nb\tana\t4\n"
    mark = "" if encoding == "utf-16" else "\ufeff"
    (tmp_path / "r.txt").write_bytes((mark + text).encode(encoding))
    table = read_sheet(tmp_path / "r.txt").ratings
    assert table["track_id"].tolist() == ["Ä 🥁", "b"]
    assert table["rating"].tolist() == [3.5, 4]


@pytest.mark.parametrize("suffix", ["xls", "xlsx", "csv"])
def test_old_and_locked_workbooks_are_named(tmp_path, suffix):
    path = tmp_path / f"r.{suffix}"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4000))
    with raises(StudyError, "old_workbook", path=path.name):
        read_sheet(path)


def test_names_that_became_dates_are_no_names(tmp_path):
    day = pd.Timestamp("2024-02-01").to_pydatetime()
    frame = pd.DataFrame({"track": ["1-1", day], "listener": ["a", "b"], "rating": [3, 4]})
    with raises(StudyError, "date_as_name", row=3, column="track"):
        read_sheet(save(frame.astype(object), tmp_path / "r.xlsx"))


def test_zeros_before_a_number_that_a_spreadsheet_dropped(tmp_path):
    frame = pd.DataFrame({"track": [1, 2, 10], "listener": "a", "rating": [3, 4, 5]})
    path = save(frame, tmp_path / "r.csv")
    table = read_sheet(path, ["001", "002", "010"]).ratings
    assert table["track_id"].tolist() == ["001", "002", "010"]
    table = read_sheet(path, ["01", "001", "2", "10"]).ratings  # 1 is ambiguous
    assert table["track_id"].tolist() == ["1", "2", "10"]


@pytest.mark.parametrize("name", ["P{:02d}", "Participant {}", "rater_{}", "{}"])
def test_one_row_per_track_and_one_column_per_listener(tmp_path, name):
    long = common_sheet().rename(columns={"want to move": "rating"})
    wide = long.pivot(index="file", columns="participant", values="rating")
    wide.columns = [name.format(k + 1) for k in range(len(WHO))]
    sheet = read_sheet(save(wide.reset_index(), tmp_path / "r.csv"))
    assert set(sheet.ratings["listener_id"]) == set(wide.columns)
    assert sheet.ratings["query"].unique().tolist() == ["groove"]
    assert f"The columns {wide.columns[0]} to {wide.columns[-1]} were read as" in sheet.notes[0]
    by_song = sheet.ratings.groupby("track_id")["rating"].sum()
    assert by_song.tolist() == long.groupby("file")["rating"].sum().tolist()
    questions = wide.set_axis(["Q1", "Q2", "Q3"], axis=1).reset_index()
    sheet = read_sheet(save(questions, tmp_path / "r.csv"))
    assert sheet.ratings["query"].unique().tolist() == ["Q1", "Q2", "Q3"]


def test_a_file_that_a_cloud_drive_keeps_elsewhere_is_named(audio, tmp_path):
    (audio / f"{SONGS[0]}.wav").rename(audio / f".{SONGS[0]}.wav.icloud")
    with raises(StudyError, "not_downloaded") as caught:
        start_study(tmp_path / "s", audio, save(common_sheet(), tmp_path / "r.csv"))
    assert caught.value.problems[0].details["other"] == f".{SONGS[0]}.wav.icloud"


def test_grids_of_google_forms_and_limesurvey(tmp_path):
    (tmp_path / "r.csv").write_text(
        "Timestamp,Name,Groovy? [Song1.mp3],Groovy? [song [2]],Liked? [song1]\n"
        "2024/01/01 9:00:00 AM,ana,3,4,1\n2024/01/01 9:30:00 AM,ben,5,6,2\n"
    )
    table = read_sheet(tmp_path / "r.csv", ["song1", "song [2]"], listener="Name").ratings
    assert table.groupby("query")["rating"].sum().to_dict() == {"Groovy?": 18, "Liked?": 3}


def workbook(path, rows, *merged):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place in merged:
        book.active.merge_cells(place)
    book.save(path)
    return path


def test_merged_cells_and_a_title_above_the_header(tmp_path):
    rows = [["Results"], ["listener", "file", "rating"], ["ana", "a", 3], [None, "b", 4]]
    rows += [["ben", "a", 5], [None, "b", "?"]]
    path = workbook(tmp_path / "r.xlsx", rows, "A1:C1", "A3:A4", "A5:A6")
    with raises(StudyError, "not_a_number", row=6):
        read_sheet(path)
    rows[-1][-1] = 6
    path = workbook(tmp_path / "r.xlsx", rows, "A1:C1", "A3:A4", "A5:A6")
    assert read_sheet(path).ratings["listener_id"].tolist() == ["ana", "ana", "ben", "ben"]
    path = workbook(tmp_path / "r.xlsx", rows)  # not merged: a name is missing
    with raises(StudyError, "empty_cell", row=4, column="listener"):
        read_sheet(path)


def test_columns_of_psychopy_and_timings_of_qualtrics_are_no_questions(tmp_path):
    (tmp_path / "r.csv").write_text(
        "sound_file,trials.thisN,slider.response,slider.rt,participant,session,frameRate,\n"
        ",,,,1,1,60,\nstimuli/a.wav,0,3,1.5,1,1,60,\nstimuli/b.wav,1,4,1.2,1,1,60,\n"
    )
    sheet = read_sheet(tmp_path / "r.csv", ["a", "b"])
    assert sheet.ratings["query"].unique().tolist() == ["slider.response"]
    (tmp_path / "r.csv").write_text(
        "ResponseId,a_1,a_t_First Click,a_t_Page Submit,b_1,b_t_Click Count\nR_1,3,0.1,9.5,4,2\n"
    )
    sheet = read_sheet(tmp_path / "r.csv", ["a", "b"])
    assert sheet.ratings["rating"].tolist() == [3, 4]
    assert "a_t_Page Submit" in sheet.notes[0]


def test_numbers_with_their_labels_and_percent_signs(tmp_path):
    labelled = ["7 - very much", "1 (not at all)", "4", "3=so-so", "2,5"]
    percents = ["40 %", "30%", "2,5%", "", "100 %"]
    for cells, expected in (labelled, [7, 1, 4, 3, 2.5]), (percents, [40, 30, 2.5, 100]):
        frame = pd.DataFrame({"track": [f"s{k}" for k in range(5)], "rating": cells})
        sheet = read_sheet(save(frame, tmp_path / "r.csv"))
        assert sheet.ratings["rating"].tolist() == expected
    for cell in ("3-Feb", "4 or 5", "1 - 2", "7 %?"):
        with raises(StudyError, "not_a_number", row=2):
            read_sheet(save(frame.assign(rating=cell), tmp_path / "r.csv"))


@pytest.mark.parametrize("code", [-9, 99, -999])
def test_codes_of_missing_answers_are_no_scale(tmp_path, code):
    ratings = [1, 7, 3, code, 5, 6]
    frame = pd.DataFrame({"track": SONGS, "listener": "a", "rating": ratings})
    path = save(frame, tmp_path / "r.csv")
    with raises(StudyError, "missing_code"):
        start_study(tmp_path / "s", None, path)
    folder = start_study(tmp_path / "s", None, path, scale=(1, 7))
    assert load_study(folder, validate=False).ratings["rating"].tolist() == [1, 7, 3, 5, 6]
    save(frame.assign(rating=[0, 97, 50, 99, 10, 100]), path)  # a percentage scale
    start_study(tmp_path / "t", None, path)


def test_a_web_page_is_no_spreadsheet(tmp_path):
    (tmp_path / "r.xls").write_text("<html><table><tr><td>track</td></tr></table></html>")
    with raises(StudyError, "unreadable_file", path="r.xls"):
        read_sheet(tmp_path / "r.xls")


# ---- listeners and tracks that are both numbered ----


def numbered_sheet(listener, track, n_listeners, n_tracks):
    rows = [{listener: w + 1, track: s + 1, "rating": 1 + (2 * w + s) % 7}
            for w in range(n_listeners) for s in range(n_tracks)]  # fmt: skip
    return pd.DataFrame(rows)


def numbers(n):
    return [str(k + 1) for k in range(n)]


@pytest.mark.parametrize(
    ("listener", "track"),
    [("participant", "track"), ("listener_id", "track_id"), ("Subject Nr.", "Stimulus"),
     ("id", "track_id"), ("participant", "piece"), ("user", "piece")],
)  # fmt: skip
@pytest.mark.parametrize(("n_listeners", "n_tracks"), [(10, 8), (8, 8), (16, 24)])
def test_numbered_listeners_and_tracks(tmp_path, listener, track, n_listeners, n_tracks):
    frame = numbered_sheet(listener, track, n_listeners, n_tracks)
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), numbers(n_tracks))
    table = sheet.ratings.astype({"listener_id": int, "track_id": int})
    assert table["listener_id"].tolist() == frame[listener].tolist()
    assert table["track_id"].tolist() == frame[track].tolist()
    assert table["rating"].tolist() == frame["rating"].tolist()
    assert sheet.notes == []


def test_numbered_listeners_with_one_rating_each(tmp_path):
    frame = numbered_sheet("participant", "track", 8, 8).iloc[::9]
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), numbers(8))
    assert sheet.ratings["listener_id"].tolist() == numbers(8)


@pytest.mark.parametrize("reverse", [True, False])
def test_ratings_ages_positions_and_trials_are_no_tracks(tmp_path, reverse):
    frame = numbered_sheet("participant", "piece", 3, 8)
    frame = frame.assign(age=[2, 3, 4] * 8, order=[*range(1, 9)] * 3)
    frame["trial"] = [*range(8, 0, -1)] * 3
    frame = frame[frame.columns[::-1]] if reverse else frame
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), numbers(7))
    assert sheet.ratings["track_id"].tolist() == [str(piece) for piece in frame["piece"]]


def test_numbered_listeners_with_one_column_per_track(tmp_path):
    frame = numbered_sheet("participant", "track", 8, 8)
    wide = frame.pivot(index="participant", columns="track", values="rating").reset_index()
    wide.insert(1, "age", [2, 3, 4, 5] * 2)
    sheet = read_sheet(save(wide, tmp_path / "r.csv"), numbers(8))
    assert len(sheet.ratings) == 64
    assert set(sheet.ratings["listener_id"]) == set(numbers(8))


# ---- columns with the names that the resulting table has ----


@pytest.mark.parametrize("name", ["rating", "query", "track_id", "listener_id", "variable"])
def test_questions_with_the_name_of_another_column_of_the_result(tmp_path, name):
    frame = common_sheet("who", "what").rename(columns={"pleasure": name})
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), track="what", listener="who",
                       questions=["want to move", name])  # fmt: skip
    assert set(sheet.ratings["query"]) == {"want to move", name}
    table = sheet.ratings.set_index(["query", "listener_id", "track_id"])["rating"]
    assert table[name, "p2", "break03"] == 6
    assert table["want to move", "p2", "break03"] == 5


def test_a_column_named_rating_next_to_another_question(tmp_path):
    facts = {"title": "break02.wav", "artist": "b", "style": "funk"}
    for more in {}, facts:
        frame = common_sheet().rename(columns={"pleasure": "rating"}).assign(**more)
        sheet = read_sheet(save(frame, tmp_path / "r.csv"), SONGS)
        assert set(sheet.ratings["query"]) == {"want to move", "rating"}
        assert len(sheet.ratings) == 36


def test_facts_with_the_name_of_another_column_of_the_result(tmp_path):
    frame = common_sheet("participant", "what").drop(columns="pleasure")
    frame["track_id"] = frame["Title"] = frame["what"].str.upper()
    frame["title"] = frame["what"].str[::-1]
    frame["listener_id"] = frame["participant"].str.upper()
    path = save(frame, tmp_path / "r.csv")
    sheet = read_sheet(path, listener="participant", track="what")
    assert sorted(sheet.tracks) == ["Title", "bpm", "title", "track_id"]
    assert list(sheet.listeners) == ["listener_id", "age", "musician"]
    assert sheet.tracks["track_id"].tolist() == SONGS
    assert sheet.listeners["listener_id"].tolist() == WHO
    assert len(sheet.ratings) == 18


# ---- percent signs and suffixes ----


def test_percents_and_shares_are_not_mixed(tmp_path):
    frame = pd.DataFrame({"track": SONGS, "rating": ["40%", "0.3", "20%", "0.1", "", "10%"]})
    with raises(StudyError, "not_a_number", row=2, column="rating") as caught:
        read_sheet(save(frame, tmp_path / "r.csv"))
    assert [problem.row for problem in caught.value.problems] == [2, 4, 7]
    both = pd.concat([frame.assign(query="share", rating="0.3"),
                      frame.assign(query="per cent", rating="40 %")])  # fmt: skip
    table = read_sheet(save(both, tmp_path / "r.csv")).ratings
    assert table["rating"].tolist() == [0.3] * 6 + [40] * 6
    wide = common_sheet().astype({"pleasure": str})
    wide["pleasure"] += " %"
    table = read_sheet(save(wide, tmp_path / "r.csv")).ratings
    expected = common_sheet()["pleasure"].tolist()
    assert table.loc[table["query"] == "pleasure", "rating"].tolist() == expected


@pytest.mark.parametrize("form", ["{}.mp3_liking", "{}.mp3 liking", "{}_liking", "liking_{}.mp3"])
def test_suffixes_in_the_names_of_columns(tmp_path, form):
    frame = pd.DataFrame({"name": WHO} | {form.format(song): [1, 2, 3] for song in SONGS})
    table = read_sheet(save(frame, tmp_path / "r.csv"), SONGS).ratings
    assert table["query"].unique().tolist() == ["liking"]
    assert set(table["track_id"]) == set(SONGS)


def test_suffixes_within_a_track_name_remain(tmp_path):
    frame = pd.DataFrame({"file": ["a.mp3_v2.wav", "x/a.mp3.wav", "b.WAV"], "rating": [1, 2, 3]})
    tracks = read_sheet(save(frame, tmp_path / "r.csv")).ratings["track_id"]
    assert tracks.tolist() == ["a.mp3_v2", "a.mp3", "b"]
