"""The converter of the O'Connell et al. (2022) ratings, on a synthetic file and on the real one."""

import socket
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pooch
import pytest

from groove_utils.files import hash_file
from groove_utils.mixed import fit_lmm
from groove_utils.study import StudyError, load_study, validate_study
from groove_utils.study import oconnell2022 as source
from groove_utils.study.oconnell2022 import SHA256, make_oconnell2022

REAL = Path(__file__).parents[4] / "shared" / "real" / "oconnell2022.csv"


def header():
    songs = [f"{group}{i}" for group in ("HG", "LG") for i in range(1, 11)]
    names = [f"{song} {query}" for song in songs for query in ("groove", "like", "familiar")]
    # as published: two headers of HG6 lack their number
    names[names.index("HG6 like")] = "HG like"
    names[names.index("HG6 familiar")] = "HG familiar"
    return ["Participant ID", *names]


def synthetic(path, n=30, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 8, size=(n, 60))
    table = pd.DataFrame(values, columns=header()[1:]).astype(str)
    table.insert(0, "Participant ID", [str(10000 + i) for i in range(n)])
    table.to_csv(path, sep=";", index=False)
    return table


def test_makes_a_valid_study(tmp_path):
    table = synthetic(tmp_path / "in.csv")
    folder = make_oconnell2022(tmp_path / "study", csv=tmp_path / "in.csv")
    assert validate_study(folder) == []
    study = load_study(folder)
    assert not study.simulated
    assert list(study.queries) == ["groove", "liking", "familiarity"]
    assert study.tracks["groove_group"].value_counts().to_dict() == {"high": 10, "low": 10}
    assert len(study.ratings) == 30 * 60
    assert study.has("listeners")
    assert not study.has("audio")
    assert not study.has("styles")
    matrix = study.rating_matrix("groove")
    assert matrix.shape == (30, 20)
    assert matrix.loc["10003", "LG10"] == int(table["LG10 groove"][3])


def test_headers_without_a_number_belong_to_the_song_before(tmp_path):
    table = synthetic(tmp_path / "in.csv")
    study = load_study(make_oconnell2022(tmp_path / "study", csv=tmp_path / "in.csv"))
    expected = table["HG like"].astype(float).mean()
    assert study.song_means("liking")["HG6"] == pytest.approx(expected)
    expected = table["HG familiar"].astype(float).mean()
    assert study.song_means("familiarity")["HG6"] == pytest.approx(expected)


def test_an_identifier_twice_is_two_listeners_and_empty_cells_give_no_rows(tmp_path):
    table = synthetic(tmp_path / "in.csv", n=5)
    table.loc[4, "Participant ID"] = "10000"
    table.loc[2, "HG1 groove"] = ""
    table.to_csv(tmp_path / "in.csv", sep=";", index=False)
    study = load_study(make_oconnell2022(tmp_path / "study", csv=tmp_path / "in.csv"))
    assert set(study.ratings["listener_id"]) == {"10000", "10001", "10002", "10003", "10000-2"}
    assert len(study.ratings) == 5 * 60 - 1
    assert np.isnan(study.rating_matrix("groove").loc["10002", "HG1"])


def test_a_second_run_leaves_the_files_alone(tmp_path):
    synthetic(tmp_path / "in.csv")
    folder = make_oconnell2022(tmp_path / "study", csv=tmp_path / "in.csv")
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    make_oconnell2022(folder, csv=tmp_path / "in.csv")
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(**{"HG1 groove": "8"}), "row 2: found '8' in HG1 groove"),
        (lambda t: t.assign(**{"HG1 groove": "3.5"}), "a whole number from 1 to 7"),
        (lambda t: t.assign(**{"LG2 like": "much"}), "'much' in LG2 like"),
        (lambda t: t.rename(columns={"HG2 groove": "Song two"}), "the column 'Song two'"),
        (lambda t: t.rename(columns={"HG2 groove": "HG1 groove"}), "groove of HG1 twice"),
        (lambda t: t.assign(**{"Participant ID": None}), "no participant"),
        (lambda t: t.iloc[:0], "no rows below the header"),
        (lambda t: t.iloc[:, :1], "found the columns"),
    ],
)
def test_a_broken_file_is_told_of(tmp_path, change, message):
    table = change(synthetic(tmp_path / "in.csv", n=3))
    # written by hand, since pandas would tell doubled names apart
    lines = [";".join(table.columns)]
    lines += [";".join("" if pd.isna(v) else v for v in row) for row in table.to_numpy()]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    with pytest.raises(StudyError) as caught:
        make_oconnell2022(tmp_path / "study", csv=tmp_path / "in.csv")
    assert message in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_all_problems_at_once_but_not_hundreds(tmp_path):
    table = synthetic(tmp_path / "in.csv", n=30)
    table[["HG1 groove", "HG2 groove"]] = "0"
    table.to_csv(tmp_path / "in.csv", sep=";", index=False)
    with pytest.raises(StudyError) as caught:
        make_oconnell2022(tmp_path / "study", csv=tmp_path / "in.csv")
    assert len(caught.value.problems) == 21
    assert "40 more such cells" in str(caught.value)


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(StudyError, match="no such file"):
        make_oconnell2022(tmp_path / "study", csv=tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00\x81;\x9f")
    with pytest.raises(StudyError, match="no table"):
        make_oconnell2022(tmp_path / "study", csv=tmp_path / "bad.csv")


def test_offline_says_what_to_download_and_where_to_put_it(tmp_path, monkeypatch):
    class Unplugged:
        def __init__(self, **kwargs):
            pass

        def __call__(self, url, output_file, pooch):
            raise OSError("no network")

    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pooch, "HTTPDownloader", Unplugged)
    with pytest.raises(ConnectionError) as caught:
        make_oconnell2022(tmp_path / "study")
    place = tmp_path / "cache" / "oconnell2022" / "Participant_Song_Ratings.csv"
    assert source.URL in str(caught.value)
    assert str(place) in str(caught.value)
    assert SHA256 in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_a_silent_host_is_given_up_soon(tmp_path, monkeypatch):
    assert sum(source.TIMEOUT) <= 30
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls and never answers
        monkeypatch.setattr(source, "URL", f"http://127.0.0.1:{silent.getsockname()[1]}/x.csv")
        monkeypatch.setattr(source, "TIMEOUT", (2, 0.3))
        start = time.perf_counter()
        with pytest.raises(ConnectionError, match="timed out"):
            make_oconnell2022(tmp_path / "study")
        assert time.perf_counter() - start < 5
    assert not (tmp_path / "study").exists()


def test_another_file_than_the_known_one_is_refused(tmp_path, monkeypatch):
    class Tampered:
        def __init__(self, **kwargs):
            pass

        def __call__(self, url, output_file, pooch):
            Path(output_file).write_text("Participant ID;HG1 groove\n1;7\n")

    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(pooch, "HTTPDownloader", Tampered)
    with pytest.raises(ConnectionError, match="hash"):
        make_oconnell2022(tmp_path / "study")


def test_a_file_put_there_by_hand_is_used_without_the_network(tmp_path, monkeypatch):
    place = tmp_path / "cache" / "oconnell2022"
    place.mkdir(parents=True)
    synthetic(place / "Participant_Song_Ratings.csv")
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(source, "SHA256", hash_file(place / "Participant_Song_Ratings.csv"))
    folder = make_oconnell2022(tmp_path / "study")
    assert validate_study(folder) == []


@pytest.mark.skipif(not REAL.is_file(), reason="the real ratings are not on this machine")
def test_real_ratings_have_the_known_variance_shares(tmp_path):
    assert hash_file(REAL) == SHA256
    study = load_study(make_oconnell2022(tmp_path / "study", csv=REAL))
    groove = study.ratings[study.ratings["query"] == "groove"]
    assert groove["listener_id"].nunique() == 124
    assert len(groove) == 124 * 20
    result = fit_lmm("rating ~ 1 + (1 | listener_id) + (1 | track_id)", groove)
    parts = result.mean_variances()
    assert parts["track_id"] == pytest.approx(3.04, abs=0.005)
    assert parts["listener_id"] == pytest.approx(0.52, abs=0.005)
    assert parts["Residual"] == pytest.approx(1.71, abs=0.005)
    consistency = parts["track_id"] / (parts["track_id"] + parts["Residual"])
    assert consistency == pytest.approx(0.64, abs=0.005)
    high = study.tracks.loc[study.tracks["groove_group"] == "high", "track_id"]
    for songs in (high, set(study.tracks["track_id"]) - set(high)):
        half = fit_lmm(
            "rating ~ 1 + (1 | listener_id) + (1 | track_id)",
            groove[groove["track_id"].isin(list(songs))],
        ).mean_variances()
        within = half["track_id"] / (half["track_id"] + half["Residual"])
        assert 0.115 <= within <= 0.145
    means = {query: study.song_means(query) for query in study.queries}
    assert means["groove"].corr(means["liking"]) == pytest.approx(0.79, abs=0.005)
    assert means["groove"].corr(means["familiarity"]) == pytest.approx(0.70, abs=0.005)
