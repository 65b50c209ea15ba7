"""Creation of a valid study folder from a directory of audio files and a spreadsheet."""

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from expect import raises

from groove_utils.study import StudyError, load_study, validate_study
from groove_utils.study.__main__ import main
from groove_utils.study.sheets import read_sheet
from groove_utils.study.start import start_study

SONGS = ("song1", "song10", "a b", "ünï #2 (live)", "Band - x")


@pytest.fixture
def audio(tmp_path):
    folder = tmp_path / "my sounds"
    for k, song in enumerate(SONGS):
        place = folder / ("funk" if k < 3 else "pop")
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{song}.wav", 0.3 * np.sin(np.arange(4000) * (k + 1) / 20), 8000)
    return folder


def long_form():
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        [
            {"Participant": who, "Song": song, "Question": query, "Score": int(rng.integers(1, 8))}
            for who in ("anna", "ben", "cy")
            for song in SONGS
            for query in ("dance", "liking")
        ]
    )


def by_listener(long):
    wide = long.pivot(index="Participant", columns=["Song", "Question"], values="Score")
    wide.columns = [f"{song} {query}" for song, query in wide.columns]
    return wide.reset_index().assign(age=[20, 30, 40])


def by_track(long):
    return long.groupby(["Song", "Question"])["Score"].mean().unstack().reset_index()


def write(frame, path):
    if path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, index=False, sep=";" if "semicolon" in path.name else ",")
    return path


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (lambda long: long, "long.csv"),
        (lambda long: long, "long.xlsx"),
        (by_listener, "listeners, semicolon.csv"),
        (by_listener, "listeners.xlsx"),
        (by_track, "tracks.csv"),
    ],
)
def test_each_form_becomes_a_valid_study(audio, tmp_path, form, name):
    long = long_form()
    sheet = write(form(long), tmp_path / name)
    folder = start_study(tmp_path / "new study", audio, sheet, scale=(1, 7))
    assert validate_study(folder, n_jobs=1) == []
    study = load_study(folder)
    means = long.groupby(["Question", "Song"])["Score"].mean()
    for query in ("dance", "liking"):
        assert study.song_means(query).to_dict() == pytest.approx(means[query].to_dict())
    assert study.has("listeners") is (form is not by_track)
    if study.has("listeners"):
        cells = long.set_index(["Question", "Participant", "Song"])["Score"]
        matrix = study.rating_matrix("liking")
        for song in SONGS:
            for who in ("anna", "ben", "cy"):
                assert matrix.at[who, song] == cells["liking", who, song]
    assert study.scales["dance"] == (1, 7)
    assert study.styles == ["funk", "pop"]
    band = study.tracks.set_index("track_id").loc["Band - x"]
    assert (band["artist"], band["title"]) == ("Band", "x")


def test_unanswered_cells_are_left_out(audio, tmp_path):
    frame = by_listener(long_form()).astype(object)
    frame.loc[1, "song10 dance"] = None
    frame.loc[2, "song10 dance"] = ""
    long = read_sheet(write(frame, tmp_path / "r.csv"), list(SONGS)).ratings
    assert len(long) == 30 - 2
    own = long[(long["track_id"] == "song10") & (long["query"] == "dance")]
    assert own["listener_id"].tolist() == ["anna"]


def test_tracks_named_with_their_suffix_and_a_silent_question(audio, tmp_path):
    frame = pd.DataFrame({"file": [f"{s}.wav" for s in SONGS], "rating": [1, 2, 3, 4, 5]})
    folder = start_study(tmp_path / "s", audio, write(frame, tmp_path / "r.csv"), query="urge")
    study = load_study(folder)
    assert study.song_means("urge")["a b"] == 3
    assert study.scales == {"urge": (1, 5)}


def test_a_participant_column_named_id_is_no_track(audio, tmp_path):
    frame = pd.DataFrame(
        {"id": np.repeat([1, 2], 5), "song": SONGS * 2, "response": np.arange(10) % 7 + 1}
    )
    long = read_sheet(write(frame, tmp_path / "r.csv"), list(SONGS)).ratings
    assert long["track_id"].tolist() == list(SONGS) * 2
    assert long["listener_id"].tolist() == ["1"] * 5 + ["2"] * 5


def test_accents_agree_however_they_are_encoded(tmp_path):
    audio = tmp_path / "audio"
    audio.mkdir()
    names = ["cafe\u0301", "b", "c", "d"]  # decomposed, as macOS writes file names
    for k, name in enumerate(names):
        soundfile.write(audio / f"{name}.wav", 0.3 * np.sin(np.arange(4000) * (k + 1) / 20), 8000)
    frame = pd.DataFrame({"track": ["caf\u00e9", "b", "c", "d"], "rating": [1, 2, 3, 4]})
    folder = start_study(tmp_path / "s", audio, write(frame, tmp_path / "r.csv"))
    assert validate_study(folder, n_jobs=1) == []


def test_hidden_files_are_no_sounds(audio, tmp_path):
    (audio / "funk" / "._song1.wav").write_bytes(b"resource fork")
    sheet = write(long_form(), tmp_path / "r.csv")
    folder = start_study(tmp_path / "s", audio, sheet)
    assert len(load_study(folder).tracks) == 5


def test_every_problem_of_the_cells_is_reported(audio, tmp_path):
    frame = long_form().astype(object)
    frame.loc[[4, 9, 11], "Score"] = ["often", "inf", True]
    frame.loc[7, "Participant"] = None
    with raises(StudyError, "not_a_number", path="r.xlsx", row=6, column="Score") as caught:
        start_study(tmp_path / "s", audio, write(frame, tmp_path / "r.xlsx"))
    problems = [(p.kind, p.row, p.column) for p in caught.value.problems]
    assert problems == [
        ("not_a_number", 6, "Score"),
        ("not_a_number", 11, "Score"),
        ("not_a_number", 13, "Score"),
        ("empty_cell", 9, "Participant"),
    ]
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("content", "kind", "column"),
    [
        (b"Song,Score\nsong11,3\n", "unknown_tracks", None),
        (b"who,what\na,3\n", "unknown_form", None),
        (b"id,song1,song10,song1\np,1,2,3\n", "duplicate_column", "song1"),
        (b"Song,Score\nsong1,\n", "empty_table", None),
        ("Song;Größe\na b;3\n".encode("latin-1"), "not_utf8", None),
        (b"", "unreadable_file", None),
        (None, "missing_file", None),
    ],
)
def test_sheets_in_another_form_are_refused(audio, tmp_path, content, kind, column):
    if content is not None:
        (tmp_path / "r.csv").write_bytes(content)
    with raises(StudyError, kind, path="r.csv", column=column):
        start_study(tmp_path / "s", audio, tmp_path / "r.csv")


def test_a_workbook_that_is_none_is_refused(audio, tmp_path):
    (tmp_path / "r.xlsx").write_bytes(b"no workbook")
    with raises(StudyError, "unreadable_file", path="r.xlsx"):
        start_study(tmp_path / "s", audio, tmp_path / "r.xlsx")


def test_columns_named_by_files_and_separators_inside_headers(tmp_path):
    (tmp_path / "r.csv").write_text("id,song1.wav,song10.WAV liking\np1,1,2\n")
    table = read_sheet(tmp_path / "r.csv", list(SONGS)).ratings
    assert table.drop(columns="listener_id").to_numpy().tolist() == [
        ["song1", "groove", 1], ["song10", "liking", 2]
    ]  # fmt: skip
    (tmp_path / "r.csv").write_text("track;rating (1 = no, 7 = yes)\nsong1;3\nsong10;4\n")
    table = read_sheet(tmp_path / "r.csv", list(SONGS)).ratings
    assert table["query"].unique().tolist() == ["rating (1 = no, 7 = yes)"]
    assert table["rating"].tolist() == [3, 4]


def test_errors_of_the_sounds(audio, tmp_path):
    sheet = write(long_form(), tmp_path / "r.csv")
    (tmp_path / "empty").mkdir()
    with raises(StudyError, "no_audio", path="empty"):
        start_study(tmp_path / "s", tmp_path / "empty", sheet)
    soundfile.write(audio / "pop" / "song1.flac", np.zeros(10), 8000)
    with raises(StudyError, "several_audio"):
        start_study(tmp_path / "s", audio, sheet)


def test_names_as_long_as_a_file_system_allows(tmp_path):
    names = ["L" * 251, "b", "c", "d"]
    (tmp_path / "audio").mkdir()
    for k, name in enumerate(names):
        soundfile.write(
            tmp_path / "audio" / f"{name}.wav", 0.3 * np.sin(np.arange(4000) * (k + 1) / 20), 8000
        )
    frame = pd.DataFrame({"track": names, "rating": [1, 2, 3, 4]})
    folder = start_study(tmp_path / "s", tmp_path / "audio", write(frame, tmp_path / "r.csv"))
    assert validate_study(folder, n_jobs=1) == []


def test_an_existing_study_is_not_overwritten(make_study, audio, tmp_path):
    folder = make_study()
    before = (folder / "study.yml").read_bytes()
    with raises(StudyError, "existing_study"):
        start_study(folder, audio, write(long_form(), tmp_path / "r.csv"))
    assert (folder / "study.yml").read_bytes() == before


def test_the_command(audio, tmp_path, capsys):
    sheet = write(long_form(), tmp_path / "r.csv")
    target = tmp_path / "my own"
    new = ["new", str(target), "--audio", str(audio), "--ratings", str(sheet)]
    assert main([*new, "--title", "Mine", "--scale", "1", "9"]) == 0
    assert f'make book STUDY="{target}"' in capsys.readouterr().out
    meta = yaml.safe_load((target / "study.yml").read_text())
    assert (meta["title"], meta["scale"], meta["simulated"]) == ("Mine", [1, 9], False)
    assert main(new) == 1
    assert "study.yml" in capsys.readouterr().err
    assert main(["list"]) == 0
    assert "demo" in capsys.readouterr().out
