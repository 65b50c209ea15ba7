"""Responses as JSON, headers of several rows, and other peculiarities of survey software."""

import json
import os
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
from expect import raises

from groove_utils.study import StudyError, load_study, validate_study
from groove_utils.study.sheets import read_sheet
from groove_utils.study.start import start_study

SONGS = [f"break{k:02d}" for k in range(6)]
WHO = ["p1", "p2", "p3"]


def answer(w, s, k=0):
    return (2 * w + s + k) % 7


def save(rows, path):
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def cells(sheet, query):
    """Return ratings on one query by listener and track."""
    table = sheet.ratings[sheet.ratings["query"] == query]
    return table.set_index(["listener_id", "track_id"])["rating"].to_dict()


def expected(k=0):
    return {
        (who, song): answer(w, s, k) for w, who in enumerate(WHO) for s, song in enumerate(SONGS)
    }


# ---- objects in JSON ----

FORMS = {
    "JSON": (json.dumps, "response"),
    "JSON of jsPsych 6": (json.dumps, "responses"),
    "Python": (str, "answer"),
    "nested": (lambda answers: json.dumps({"Q": answers}), "response"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("known", [True, False])
def test_each_key_of_an_answer_is_a_question(tmp_path, form, known):
    write, column = FORMS[form]
    rows = [
        {"participant": who, "file": f"{song}.wav", "rt": 900 + w,
         column: write({"move": answer(w, s), "like": answer(w, s, 1), "rt": 2000 + w})}
        for w, who in enumerate(WHO) for s, song in enumerate(SONGS)
    ]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), SONGS if known else None)
    prefix = "Q " if form == "nested" else ""
    assert set(sheet.ratings["query"]) == {f"{prefix}move", f"{prefix}like"}
    assert cells(sheet, f"{prefix}move") == expected()
    assert cells(sheet, f"{prefix}like") == expected(1)


def jspsych_log():
    """Build a log of instructions, questions about the listener, and two kinds of rating trials."""
    rows = []
    for w, who in enumerate(WHO):
        rows.append(("instructions", who, np.nan, np.nan))
        rows.append(("survey-text", who, np.nan, json.dumps({"age": str(30 + w), "sex": "f"})))
        for s, song in enumerate(SONGS):
            stimulus = f"audio/{song}.mp3"
            rows.append(("audio-keyboard-response", who, stimulus, "null"))
            rows.append(
                ("survey-likert", who, stimulus, json.dumps({"move": answer(w, s), "like": None}))
            )
            rows.append(("audio-slider-response", who, stimulus, answer(w, s, 2)))
    return pd.DataFrame(rows, columns=["trial_type", "subject", "stimulus", "response"])


@pytest.mark.parametrize("known", [True, False])
def test_a_log_with_objects_and_numbers(tmp_path, known):
    sheet = read_sheet(save(jspsych_log(), tmp_path / "r.csv"), SONGS if known else None)
    assert set(sheet.ratings["query"]) == {"move", "response"}
    assert cells(sheet, "move") == expected()
    assert cells(sheet, "response") == expected(2)
    assert any("survey-text (3)" in note for note in sheet.notes)


def test_an_object_per_listener_with_a_key_per_track(tmp_path):
    rows = [
        {
            "participant": who,
            "responses": json.dumps({s: answer(w, k) for k, s in enumerate(SONGS)}),
        }
        for w, who in enumerate(WHO)
    ]
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), SONGS)
    assert cells(sheet, "groove") == expected()


@pytest.mark.parametrize("text", ['{"move": "a lot"}', '{"move": ', "{}", "{1, 2}", "{" * 9999])
def test_objects_without_numbers_are_named(tmp_path, text):
    rows = [{"participant": who, "file": song, "response": text} for who in WHO for song in SONGS]
    with raises(StudyError, "no_numbers", row=2, column="response"):
        read_sheet(save(rows, tmp_path / "r.csv"))


def test_a_word_among_the_numbers_of_objects_is_named(tmp_path):
    rows = [{"participant": who, "file": song, "response": '{"move": 3}'}
            for who in WHO for song in SONGS]  # fmt: skip
    rows[4]["response"] = '{"move": "a lot"}'
    with raises(StudyError, "not_a_number", row=6, column="move"):
        read_sheet(save(rows, tmp_path / "r.csv"))


def test_ratings_without_their_track_are_one_problem(tmp_path):
    log = jspsych_log()
    log["stimulus"] = log["stimulus"].where(log["trial_type"] == "audio-keyboard-response")
    log.loc[0, "stimulus"] = "<p>Welcome</p>"
    with raises(StudyError, "empty_cells", column="stimulus") as caught:
        read_sheet(save(log.drop(columns="trial_type"), tmp_path / "r.csv"))
    assert len(caught.value.problems) == 1


# ---- rows below the header ----


def by_listener(names):
    rows = [
        {"ResponseId": who, "Q1": 20 + w}
        | {name: answer(w, k // 2, k % 2) for k, name in enumerate(names)}
        for w, who in enumerate(WHO)
    ]
    return pd.DataFrame(rows)


def put_below(frame, *rows):
    rows = pd.DataFrame([list(row) for row in rows], columns=frame.columns)
    return pd.concat([rows, frame], ignore_index=True)


IDS = lambda n: [json.dumps({"ImportId": f"QID{k}"}) for k in range(n)]  # noqa: E731
PAIRS = [(song, question) for song in SONGS for question in ("move", "like")]


@pytest.mark.parametrize("identifiers", [True, False])
def test_wordings_that_name_the_tracks_below_a_header_that_does_not(tmp_path, identifiers):
    frame = by_listener([f"Q{k}_1" for k in range(2, 14)])
    wordings = ["Response ID", "How old are you?", *(f"I {q} - {song}.wav" for song, q in PAIRS)]
    below = [wordings, IDS(14)] if identifiers else [wordings]
    sheet = read_sheet(save(put_below(frame, *below), tmp_path / "r.csv"), SONGS)
    assert cells(sheet, "I move") == expected()
    assert cells(sheet, "I like") == expected(1)
    assert sheet.listeners["Q1"].tolist() == [20, 21, 22]
    lines = "2 and 3" if identifiers else "2"
    assert sheet.notes[0].startswith(f"Dropped additional header row(s): {lines} ")


def test_wordings_below_a_header_that_names_the_tracks(tmp_path):
    frame = by_listener([f"{song}_{question}" for song, question in PAIRS])
    wordings = ["Response ID", "How old are you?", *("How much do you like it?" for _ in PAIRS)]
    sheet = read_sheet(save(put_below(frame, wordings), tmp_path / "r.csv"), SONGS)
    assert cells(sheet, "move") == expected()


def test_wordings_of_questions_get_into_the_study(tmp_path):
    rows = [{"participant": "Who", "file": "What", "Q1": "I want to move", "Q2": "I like it"}]
    rows += [{"participant": who, "file": song, "Q1": answer(w, s), "Q2": answer(w, s, 1)}
             for w, who in enumerate(WHO) for s, song in enumerate(SONGS)]  # fmt: skip
    sheet = save(rows, tmp_path / "r.csv")
    assert cells(read_sheet(sheet), "Q1") == expected()
    folder = start_study(tmp_path / "s", None, sheet)
    text = (folder / "study.yml").read_text()
    assert "Q1: I want to move" in text
    assert "Q2: I like it" in text


@pytest.mark.parametrize(
    "first",
    [
        ["p1", SONGS[0], "often", "never"],  # a listener and a track of later rows
        ["p9", "break99", "often", 3],
        ["p9", "break99", "often", np.nan],
    ],
)
def test_a_row_of_words_is_no_header_if_it_names_a_listener_or_has_numbers(tmp_path, first):
    rows = [dict(zip(["participant", "file", "move", "like"], first))]
    rows += [{"participant": who, "file": song, "move": answer(w, s, 3), "like": answer(w, s)}
             for w, who in enumerate(WHO) for s, song in enumerate(SONGS)]  # fmt: skip
    with raises(StudyError, "not_a_number", row=2):
        read_sheet(save(rows, tmp_path / "r.csv"))


def test_labels_in_place_of_numbers_are_one_problem_per_question(tmp_path):
    frame = by_listener([f"{song}_move" for song in SONGS]).astype(object)
    frame.iloc[:, 2:] = "Agree"
    with raises(StudyError, "no_numbers", row=2, column="move") as caught:
        read_sheet(save(frame, tmp_path / "r.csv"), SONGS)
    assert len(caught.value.problems) == 1


# ---- names of columns ----


def test_zones_of_gorilla_are_questions(tmp_path):
    rows = [
        {"Participant Private ID": who, "Zone Type": kind, "Zone Name": zone,
         "audio": f"{song}.wav", "Response": response}
        for w, who in enumerate(WHO) for s, song in enumerate(SONGS)
        for kind, zone, response in [
            ("content_web_audio", "audio", "AUDIO PLAY REQUESTED"),
            ("response_slider", "move", answer(w, s)), ("response_slider", "like", answer(w, s, 1)),
        ]
    ]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), SONGS)
    assert cells(sheet, "move") == expected()
    assert cells(sheet, "like") == expected(1)


@pytest.mark.parametrize(
    ("listener", "track"), [("Vpn", "Stück"), ("Proband", "Datei"), ("sujet", "extrait")]
)
def test_names_of_columns_in_other_languages(tmp_path, listener, track):
    rows = [{listener: who, track: song, "Gefallen": answer(w, s), "Alter": 20 + w}
            for w, who in enumerate(WHO) for s, song in enumerate(SONGS)]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"))
    assert cells(sheet, "Gefallen") == expected()
    assert sheet.listeners["Alter"].tolist() == [20, 21, 22]


@pytest.mark.parametrize("known", [True, False])
def test_an_id_next_to_the_file_is_no_listener_and_statistics_are_no_questions(tmp_path, known):
    rows = [
        {"id": song, "filename": f"funk/{song}.wav", "genre": "funk", "bpm": 90 + s,
         "groove_mean": 2 + s / 2, "groove_std": 1 + s / 9, "n_raters": 9 + s}
        for s, song in enumerate(SONGS)
    ]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), SONGS if known else None)
    assert "listener_id" not in sheet.ratings
    assert sheet.ratings["query"].unique().tolist() == ["groove_mean"]
    assert sheet.ratings["rating"].tolist() == [2, 2.5, 3, 3.5, 4, 4.5]
    assert sheet.tracks["bpm"].tolist() == [90, 91, 92, 93, 94, 95]


def test_columns_of_annotators_are_listeners_and_tempi_no_ratings(tmp_path):
    rows = [{"track_id": song, "tempo": 90 + s}
            | {f"annotator_{w}": answer(w, s) for w in range(3)}
            for s, song in enumerate(SONGS)]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"))
    assert sorted(cells(sheet, "groove").values()) == sorted(expected().values())
    assert sheet.ratings["listener_id"].nunique() == 3
    lists = [{"track_id": song, "tempo": 90 + s, "ratings": f"[{s}, 3]"}
             for s, song in enumerate(SONGS)]  # fmt: skip
    with raises(StudyError, "no_numbers", row=2, column="ratings"):
        read_sheet(save(lists, tmp_path / "r.csv"), SONGS)


def test_previews_and_personal_data_of_qualtrics(tmp_path):
    frame = by_listener([f"{song}_move" for song in SONGS])
    frame = pd.concat([frame] * 2, ignore_index=True)
    frame = frame.assign(
        ResponseId=[f"R_{k}" for k in range(6)],
        Status=["Survey Preview", *["IP Address"] * 5], Finished=[True] * 5 + [False],
        IPAddress=[f"192.0.2.{k}" for k in range(6)], LocationLatitude=np.arange(6) / 7,
    )  # fmt: skip
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), SONGS)
    assert sheet.ratings["listener_id"].unique().tolist() == [f"R_{k}" for k in range(1, 6)]
    assert list(sheet.listeners) == ["listener_id", "Q1"]
    assert [note.split(" (")[0] for note in sheet.notes[:2]] == [
        "Dropped 1 row(s) with previews", "Kept 1 unfinished row(s)",
    ]  # fmt: skip


def test_the_scale_is_found_before_repetitions_are_averaged(tmp_path):
    rows = [{"participant": who, "session": session, "file": song,
             "move": 1 + (w + s + 6 * session) % 7}
            for w, who in enumerate(WHO) for session in (1, 2)
            for s, song in enumerate(SONGS)]  # fmt: skip
    said = []
    start_study(tmp_path / "s", None, save(rows, tmp_path / "r.csv"), report=said.append)
    assert "scale 1 to 7 " in said[-1]
    rows[3]["move"] = 9
    sheet = save(rows, tmp_path / "r.csv")
    with raises(StudyError, "out_of_range", path="r.csv", row=5):
        start_study(tmp_path / "t", None, sheet, scale=(1, 7))
    rows[3]["move"] = -99
    with raises(StudyError, "missing_code"):
        start_study(tmp_path / "t", None, save(rows, tmp_path / "r.csv"))


def test_a_folder_of_tables_is_named(tmp_path):
    (tmp_path / "data").mkdir()
    with raises(StudyError, "folder_of_tables", path="data"):
        read_sheet(tmp_path / "data")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS allows no other encoding")
def test_file_names_in_latin_1(tmp_path):
    (tmp_path / "sounds" / "x").mkdir(parents=True)
    names = ["Männer", "Größe", "plain"]
    for k, name in enumerate(names):
        file = tmp_path / "sounds" / "x" / "a.wav"
        soundfile.write(file, np.sin(np.arange(4000) / (9 + k)), 8000)
        file.rename(os.fsdecode(os.fsencode(file.parent) + b"/" + name.encode("latin-1") + b".wav"))
    folder = tmp_path / "sounds" / "x"
    folder.rename(os.fsdecode(os.fsencode(folder.parent) + "/Süd".encode("latin-1")))
    rows = [{"participant": who, "file": f"{name}.wav", "move": answer(w, s)}
            for w, who in enumerate(WHO) for s, name in enumerate(names)]  # fmt: skip
    study = start_study(tmp_path / "s", tmp_path / "sounds", save(rows, tmp_path / "r.csv"))
    kinds = [problem.kind for problem in validate_study(study)]
    assert kinds == ["too_few_artists"]
    tracks = load_study(study, validate=False).tracks
    assert set(tracks["track_id"]) == set(names)
    assert set(tracks["style"]) == {"Süd"}


@pytest.mark.parametrize("twice", [True, False])
def test_keys_of_gorilla_that_name_tracks_and_questions(tmp_path, twice):
    words = ["no", "rather not", "a little", "so so", "fairly", "yes", "very much"]
    rows = []
    for w, who in enumerate(WHO):
        for s, song in enumerate(SONGS):
            for k, question in enumerate(["move", "like"]):
                number = answer(w, s, k)
                key = f"{song}_{question}"
                rows.append((who, key, words[number] if twice else number))
                if twice:
                    rows.append((who, f"{key}-quantised", number))
        rows.append((who, "END QUESTIONNAIRE", np.nan))
    names = ["Participant Private ID", "Question Key", "Response"]
    table = pd.DataFrame(rows, columns=names)
    table.to_csv(tmp_path / "r.csv", index=False)
    sheet = read_sheet(tmp_path / "r.csv", SONGS)
    assert cells(sheet, "move") == expected()
    assert cells(sheet, "like") == expected(1)


def test_versions_of_tracks_are_no_questions(tmp_path):
    rows = [{"participant": who, "file": f"{song}_{version}.wav", "move": answer(w, s)}
            for w, who in enumerate(WHO) for s, song in enumerate(SONGS)
            for version in ("slow", "fast")]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), SONGS)
    assert sheet.ratings["query"].unique().tolist() == ["move"]
    assert f"{SONGS[0]}_slow" in set(sheet.ratings["track_id"])  # for which there is no file


def test_a_column_named_ratings(tmp_path):
    rows = [{"track": song, "ratings": answer(0, s)} for s, song in enumerate(SONGS)]
    assert read_sheet(save(rows, tmp_path / "r.csv")).ratings["rating"].tolist() == [
        answer(0, s) for s in range(6)
    ]


def test_codes_of_missing_answers_outside_a_given_scale_are_dropped(tmp_path):
    rows = [{"participant": who, "file": song, "move": 1 + answer(w, s)}
            for w, who in enumerate(WHO) for s, song in enumerate(SONGS)]  # fmt: skip
    rows[4]["move"] = -9
    sheet, said = save(rows, tmp_path / "r.csv"), []
    with raises(StudyError, "missing_code"):
        start_study(tmp_path / "s", None, sheet)
    start_study(tmp_path / "s", None, sheet, scale=(1, 7), report=said.append)
    assert "1 missing answer was dropped." in said
    assert len(load_study(tmp_path / "s").ratings) == 17
    start_study(tmp_path / "t", None, sheet, scale=(-10, 10))
    assert load_study(tmp_path / "t").ratings["rating"].min() == -9


@pytest.mark.parametrize("name", ["trials.thisRepN", "trial_index", "Trial Number"])
def test_repeated_trials_are_averaged(tmp_path, name):
    rows = [{"participant": who, "file": song, name: trial, "move": answer(w, s) + 2 * trial}
            for w, who in enumerate(WHO) for s, song in enumerate(SONGS)
            for trial in (0, 1)]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"))
    assert cells(sheet, "move") == {key: value + 1 for key, value in expected().items()}


def test_columns_that_lost_the_zeros_of_the_tracks(tmp_path):
    rows = [{"participant": who} | {str(s + 1): answer(w, s) for s in range(6)}
            for w, who in enumerate(WHO)]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), [f"{s + 1:02d}" for s in range(6)])
    found = {(who, f"break{int(track) - 1:02d}"): rating
             for (who, track), rating in cells(sheet, "groove").items()}  # fmt: skip
    assert found == expected()


def test_ages_are_no_names_of_listeners(tmp_path):
    rows = [{"Timestamp": "2024/05/01", "Do you agree?": "Yes", "How old are you?": 20 + w // 2}
            | {song: answer(w, s) for s, song in enumerate(SONGS)}
            for w in range(3)]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), SONGS)
    assert sheet.ratings["listener_id"].unique().tolist() == ["L001", "L002", "L003"]


def test_addresses_are_no_names_to_publish(tmp_path):
    rows = [{"Email Address": f"{who}@example.org"} | {s: 3 for s in SONGS} for who in WHO]
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), SONGS)
    assert sum("e-mail" in note for note in sheet.notes) == 1


def test_the_index_of_a_button_is_no_question(tmp_path):
    rows = [
        row
        for w, who in enumerate(WHO) for s, song in enumerate(SONGS)
        for row in [
            ("audio-button-response", who, f"audio/{song}.mp3", 0),
            ("survey-likert", who, f"audio/{song}.mp3", json.dumps({"groove": 1 + answer(w, s)})),
        ]
    ]  # fmt: skip
    log = pd.DataFrame(rows, columns=["trial_type", "subject", "stimulus", "response"])
    sheet = read_sheet(save(log, tmp_path / "r.csv"), SONGS)
    assert sheet.ratings["query"].unique().tolist() == ["groove"]
    assert sheet.answers["rating"].min() == 1
    assert cells(sheet, "groove") == {key: 1 + rating for key, rating in expected().items()}
    assert any("Not used" in note and "response" in note for note in sheet.notes)


@pytest.mark.parametrize("response", [None, "Continue", "mixed"])
def test_forms_of_lab_js_with_a_response_that_is_no_number(tmp_path, response):
    words = {"mixed": ["Continue", "space"]}.get(response, [response])
    rows = [
        {"sender": "Form", "sender_type": "html.Form", "sender_id": f"0_{s}", "participant": who,
         "file": f"{song}.wav", "response": words[s % len(words)], "groove": answer(w, s),
         "duration": 900.5 + 7 * w + s, "time_run": 1.5 + 9 * w + s, "time_end": 2.5 + 9 * w + s}
        for w, who in enumerate(WHO) for s, song in enumerate(SONGS)
    ]  # fmt: skip
    sheet = read_sheet(save(rows, tmp_path / "r.csv"), SONGS)
    assert sheet.ratings["query"].unique().tolist() == ["groove"]
    assert cells(sheet, "groove") == expected()


def test_ratings_in_words_are_not_replaced_by_facts_about_listeners(tmp_path):
    rows = [{"participant": who, "file": song, "response": "often", "training": w}
            for w, who in enumerate(WHO) for song in SONGS]  # fmt: skip
    with raises(StudyError, "no_numbers", column="response"):
        read_sheet(save(rows, tmp_path / "r.csv"), SONGS)


def test_times_of_sosci_survey_are_no_facts(tmp_path):
    frame = by_listener([f"{song}_move" for song in SONGS]).rename(columns={"ResponseId": "CASE"})
    frame = frame.assign(TIME001=[3, 5, 4], TIME_SUM=[70, 90, 80], MISSING=[0, 2, 1],
                         MISSREL=[0, 1, 2])  # fmt: skip
    sheet = read_sheet(save(frame, tmp_path / "r.csv"), SONGS)
    assert list(sheet.listeners) == ["listener_id", "Q1"]
    assert sheet.ratings["listener_id"].unique().tolist() == WHO
