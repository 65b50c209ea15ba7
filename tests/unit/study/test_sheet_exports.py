"""Spreadsheets from experiment software and other programs, and workbooks with several sheets."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.study import StudyError, load_study, validate_study
from groove_utils.study.sheets import read_sheet
from groove_utils.study.start import start_study

SONGS = [f"break{k:02d}" for k in range(6)]
WHO = ["p1", "p2", "p3"]


def grid_of(*questions):
    """Build a table with one row per listener and song, without columns constant in either."""
    rows = [
        {"participant": who, "file": song} | {q: 1 + (w * s + s + k) % 7
                                              for k, q in enumerate(questions)}
        for w, who in enumerate(WHO)
        for s, song in enumerate(SONGS)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def save(frame, path):
    write = frame.to_excel if path.suffix == ".xlsx" else frame.to_csv
    write(path, index=False)
    return path


def jspsych_log(known):
    """Build two listeners' logs: instructions, fixation crosses, slider ratings of six songs."""
    rows = []
    for who in ("1.0", "2.0"):
        rows.append(("instructions", who, "<p>Welcome</p>", "Next"))
        rows.append(("html-button-response", who, "<p>Headphones?</p>", 0))
        for k, song in enumerate(SONGS):
            rows.append(("html-keyboard-response", who, "<p>+</p>", "null"))
            stimulus = f"audio/{song}.mp3" if known else song
            rows.append(("audio-slider-response", who, stimulus, 10 * k + 5))
    return pd.DataFrame(rows, columns=["trial_type", "subject", "stimulus", "response"])


@pytest.mark.parametrize("known", [True, False])
def test_instructions_of_jspsych_are_dropped_by_name(tmp_path, known):
    sheet = read_sheet(save(jspsych_log(known), tmp_path / "r.csv"), SONGS if known else None)
    assert sheet.ratings["rating"].tolist() == [5, 15, 25, 35, 45, 55] * 2
    assert sheet.ratings["listener_id"].unique().tolist() == ["1", "2"]  # not 1.0
    assert sheet.listeners["listener_id"].tolist() == ["1", "2"]
    dropped = "instructions (2), html-button-response (2), html-keyboard-response (12)."
    assert sheet.notes[0].endswith(dropped)


def test_zones_of_gorilla_without_a_rating_are_dropped_by_name(tmp_path):
    log = jspsych_log(known=True).rename(
        columns={"trial_type": "Zone Type", "subject": "Participant Private ID",
                 "stimulus": "Spreadsheet: audio", "response": "Response"}
    ).assign(**{"Event Index": [str(k) for k in range(28)]})  # fmt: skip
    log.loc[len(log), "Event Index"] = "END OF FILE"
    sheet = read_sheet(save(log, tmp_path / "r.csv"), SONGS)
    assert sheet.ratings.groupby("listener_id").size().to_dict() == {"1": 6, "2": 6}
    assert sheet.notes[1] == "Dropped 1 row(s) with neither a track nor a rating."


def test_the_sheet_with_the_ratings_is_found_among_others(tmp_path):
    with pd.ExcelWriter(tmp_path / "r.xlsx") as book:
        pd.DataFrame().to_excel(book, sheet_name="empty", index=False)
        pd.DataFrame({"a": range(99)}).to_excel(book, sheet_name="hidden", index=False)
        pd.DataFrame({"Read this": ["1 to 7"] * 80}).to_excel(book, sheet_name="help", index=False)
        pd.DataFrame({"file": SONGS, "bpm": range(6)}).to_excel(book, sheet_name="songs")
        grid_of("move").to_excel(book, sheet_name="ratings", index=False)
        book.sheets["hidden"].sheet_state = "hidden"
        book.book.active = 4
    sheet = read_sheet(tmp_path / "r.xlsx")
    assert len(sheet.ratings) == 18
    assert sheet.notes == ["Only the sheet ratings was read, not help, songs (see --sheet)."]
    with raises(StudyError, "unknown_form"):  # tempi are facts
        read_sheet(tmp_path / "r.xlsx", worksheet="songs")
    tempi = read_sheet(tmp_path / "r.xlsx", worksheet="songs", questions=["bpm"])
    assert tempi.ratings["rating"].tolist() == [0, 1, 2, 3, 4, 5]
    with raises(StudyError, "unknown_worksheet"):
        read_sheet(tmp_path / "r.xlsx", worksheet="song")


def test_row_numbers_and_constants_are_no_questions(tmp_path):
    grid_of("move", "pleasure").assign(wave=2).to_csv(tmp_path / "r.csv")
    pd.read_csv(tmp_path / "r.csv").to_csv(tmp_path / "r.csv")  # "Unnamed: 0" and ""
    sheet = read_sheet(tmp_path / "r.csv")
    assert set(sheet.ratings["query"]) == {"move", "pleasure"}
    assert sheet.notes == ["Not used: the columns column 1, Unnamed: 0, wave."]
    constant = save(grid_of("pleasure").assign(pleasure=4), tmp_path / "r.csv")
    assert read_sheet(constant).ratings["query"].unique() == "pleasure"


@pytest.mark.parametrize("name", ["Mean", "SD", "average:"])
def test_rows_and_columns_that_summarise_others_are_dropped(tmp_path, name):
    grid = grid_of("move").pivot(index="participant", columns="file", values="move")
    grid = grid.astype(float)
    grid.loc[name] = grid.mean()
    wide = read_sheet(save(grid.reset_index(), tmp_path / "r.csv"), SONGS)
    assert set(wide.ratings["listener_id"]) == set(WHO)
    assert wide.notes == [f"Dropped rows that summarise other rows: {name}."]
    by_track = read_sheet(save(grid.T.reset_index(), tmp_path / "r.csv"))
    assert set(by_track.ratings["listener_id"]) == set(WHO)


def test_digits_and_minus_signs_of_any_script(tmp_path):
    text = "file,participant,move\na,p,\u22123\nb,p,\uff17\nc,p,\u0665\nd,p,\u22121.5\n"
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    assert read_sheet(tmp_path / "r.csv").ratings["rating"].tolist() == [-3, 7, 5, -1.5]


def test_listeners_that_differ_in_capitals_are_named(tmp_path):
    frame = grid_of("move")
    frame.loc[3, "participant"] = "P1"
    sheet = read_sheet(save(frame, tmp_path / "r.csv"))
    assert sheet.notes == ["Listeners whose names differ only in case: p1, P1."]


def test_words_and_formulas_instead_of_ratings_are_named(tmp_path):
    frame = grid_of("move")
    with raises(StudyError, "no_numbers", row=2, column="move"):
        read_sheet(save(frame.assign(move="not at all"), tmp_path / "r.csv"))
    with raises(StudyError, "no_numbers", row=None, column="move"):
        read_sheet(save(frame.assign(move=None), tmp_path / "r.csv"))
    with raises(StudyError, "empty_table"):
        read_sheet(save(frame.iloc[:0], tmp_path / "r.csv"))
    with pytest.raises(StudyError) as caught:
        read_sheet(save(frame.assign(move="x" * 10_000), tmp_path / "r.csv"))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_unicode_text_without_a_byte_order_mark(tmp_path, encoding):
    (tmp_path / "r.csv").write_bytes("track,listener,rating\nÄ,ana,3\n".encode(encoding))
    assert read_sheet(tmp_path / "r.csv").ratings["track_id"].tolist() == ["Ä"]


def test_a_workbook_under_another_suffix_and_other_formats(tmp_path):
    save(grid_of("move"), tmp_path / "r.xlsx").rename(tmp_path / "r.csv")
    assert len(read_sheet(tmp_path / "r.csv").ratings) == 18
    with zipfile.ZipFile(tmp_path / "r.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    (tmp_path / "r.json").write_text(grid_of("move").to_json(orient="records"))
    (tmp_path / "r.sav").write_bytes(b"$FL2@(#) SPSS" + bytes(99))
    (tmp_path / "r.bin").write_bytes(bytes(range(256)))
    for suffix in ("ods", "json", "sav", "bin"):
        with raises(StudyError, "no_spreadsheet", path=f"r.{suffix}"):
            read_sheet(tmp_path / f"r.{suffix}")


def test_vectors_name_the_tracks_of_a_grid(tmp_path):
    rng = np.random.default_rng(1)
    (tmp_path / "vectors" / "musicfm").mkdir(parents=True)
    for song in SONGS:
        np.savez(tmp_path / "vectors" / "musicfm" / f"{song}.npz", layer=rng.normal(size=3))
    grid = grid_of("move").pivot(index="participant", columns="file", values="move")
    sheet = save(grid.reset_index(), tmp_path / "r.csv")
    folder = start_study(tmp_path / "s", None, sheet, embeddings=tmp_path / "vectors")
    assert validate_study(folder) == []
    assert len(load_study(folder).ratings) == 18


@pytest.mark.parametrize(
    ("name", "query"),
    [("{}", "groove"), ("{} .WAV", "groove"), ("{}_move", "move"), ("move: {}", "move"),
     ("move_{}.wav", "move"), ("move [{}]", "move"), ("sounds/{}.wav", "groove")],
)  # fmt: skip
@pytest.mark.parametrize("fold", [str, str.upper])
def test_columns_named_by_a_track_in_any_place_and_case(tmp_path, name, query, fold):
    grid = grid_of("move").pivot(index="participant", columns="file", values="move")
    grid.columns = [name.format(fold(song)) for song in SONGS]
    sheet = read_sheet(save(grid.reset_index(), tmp_path / "r.csv"), SONGS)
    expected = grid_of("move").set_index(["participant", "file"])["move"]
    found = sheet.ratings.set_index(["listener_id", "track_id"])["rating"]
    assert found.reindex(expected.index).tolist() == expected.tolist()
    assert sheet.ratings["query"].unique().tolist() == [query]


def test_tracks_that_differ_in_capitals_only(tmp_path):
    (tmp_path / "r.csv").write_text("participant,a,A\np1,1,2\np2,3,4\n")
    cells = read_sheet(tmp_path / "r.csv", ["a", "A"]).ratings.groupby("track_id")["rating"]
    assert cells.agg(list).to_dict() == {"a": [1, 3], "A": [2, 4]}


def test_comments_about_tracks_are_no_questions(tmp_path):
    grid = grid_of("move").pivot(index="participant", columns="file", values="move")
    grid = grid.reset_index().assign(break01_comment="nice", break02_comment=None)
    sheet = read_sheet(save(grid, tmp_path / "r.csv"), SONGS)
    assert sheet.ratings["query"].unique().tolist() == ["groove"]
    assert sheet.notes == ["Not used: the columns break01_comment."]


def test_a_total_below_the_table_is_no_rating(tmp_path):
    (tmp_path / "r.csv").write_text(grid_of("move").to_csv(index=False) + "\nTotal,,126\n")
    assert len(read_sheet(tmp_path / "r.csv").ratings) == 18


def test_decimal_commas_need_one_cell_that_is_no_thousand(tmp_path):
    text = "track;listener;rating\na;p;63,407\nb;p;{}\n"
    (tmp_path / "r.csv").write_text(text.format("8,25"))
    assert read_sheet(tmp_path / "r.csv").ratings["rating"].tolist() == [63.407, 8.25]
    (tmp_path / "r.csv").write_text(text.format("1,500"))
    with raises(StudyError, "not_a_number", row=2, column="rating"):
        read_sheet(tmp_path / "r.csv")


def test_a_slip_of_a_key_is_no_end_of_the_scale(tmp_path):
    frame = grid_of("move")
    frame.loc[4, "move"] = 77
    sheet = save(frame, tmp_path / "r.csv")
    with raises(StudyError, "missing_code", path="r.csv"):
        start_study(tmp_path / "s", None, sheet)
    start_study(tmp_path / "s", None, sheet, scale=(1, 100))
    frame["move"] = [0, 9] * 9  # two answers have no outliers
    start_study(tmp_path / "t", None, save(frame, tmp_path / "r.csv"))
