"""The converter of the ratings of O'Connell et al. (2022), for a synthetic and the real file."""

import shutil
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from expect import raises
from make_oconnell_fixture import make_ratings

from groove_utils.errors import DetailedError
from groove_utils.files import hash_file
from groove_utils.mixed import fit_lmm
from groove_utils.study import download, load_study, validate_study
from groove_utils.study.datasets import oconnell2022
from groove_utils.study.datasets.oconnell2022 import SHA256, load_oconnell2022, make_oconnell2022

REAL = Path(__file__).parents[4] / "shared" / "real" / "oconnell2022.csv"
FILE = "Participant_Song_Ratings.csv"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """An invented table in the published format, and its file."""
    path = make_ratings(tmp_path_factory.mktemp("published") / FILE)
    table = pd.read_csv(path, sep=";", dtype=str)
    return table, path


@pytest.fixture(scope="module")
def study(published, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oconnell2022, "SHA256", hash_file(published[1]))
        folder = make_oconnell2022(tmp_path_factory.mktemp("converted"), source=published[1])
    assert validate_study(folder) == []
    return load_study(folder)


def test_makes_a_valid_study(published, study):
    assert not study.simulated
    assert list(study.queries) == ["groove", "liking", "familiarity"]
    assert study.scales["liking"] == (1, 7)
    assert study.tracks["groove_group"].value_counts().to_dict() == {"high": 10, "low": 10}
    assert study.has("listeners")
    assert not study.has("audio")
    assert not study.has("styles")
    matrix = study.rating_matrix("groove")
    assert matrix.shape == (6, 20)
    assert matrix.loc["10003", "LG10"] == int(published[0]["LG10 groove"][3])


def test_headers_without_a_number_belong_to_the_song_before(published, study):
    for query, header in (("liking", "HG like"), ("familiarity", "HG familiar")):
        assert study.song_means(query)["HG6"] == published[0][header].astype(float).mean()


def test_an_identifier_twice_is_two_listeners_and_empty_cells_give_no_rows(study):
    listeners = {"10000", "10001", "10002", "10003", "10004", "10000-2"}
    assert set(study.listeners["listener_id"]) == listeners
    assert len(study.ratings) == 6 * 60 - 1
    assert np.isnan(study.rating_matrix("groove").loc["10002", "HG1"])


def test_a_second_run_leaves_the_files_alone(published, study, monkeypatch):
    monkeypatch.setattr(oconnell2022, "SHA256", hash_file(published[1]))
    before = {file.name: file.stat().st_mtime_ns for file in study.path.iterdir()}
    make_oconnell2022(study.path, source=published[1])
    assert {file.name: file.stat().st_mtime_ns for file in study.path.iterdir()} == before


def test_only_the_published_table_is_taken(published, tmp_path):
    with raises(DetailedError, "wrong_hash", path=FILE):
        make_oconnell2022(tmp_path / "study", source=published[1])
    assert not (tmp_path / "study").exists()
    with pytest.raises(FileNotFoundError):
        make_oconnell2022(tmp_path / "study", source=tmp_path / "none.csv")


def test_it_loads_next_to_another_study(published, tmp_path, monkeypatch):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(oconnell2022, "SHA256", hash_file(published[1]))
    study = load_oconnell2022(published[1])
    assert study.path == tmp_path / "cache" / "oconnell2022" / "study"


@pytest.fixture
def remote(monkeypatch, published, serve, tmp_path):
    """Server with the invented table, which is used instead of the published one."""
    url, asked = serve(published[1].parent)
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(oconnell2022, "URL", f"{url}/{FILE}")
    monkeypatch.setattr(oconnell2022, "SHA256", hash_file(published[1]))
    return asked


def test_the_table_is_downloaded_once(remote, tmp_path):
    folder = make_oconnell2022(tmp_path / "study")
    make_oconnell2022(folder)
    assert len(remote) == 1
    assert validate_study(folder) == []


def test_a_file_put_there_by_hand_is_used_without_the_network(remote, published, tmp_path):
    (tmp_path / "cache" / "oconnell2022").mkdir(parents=True)
    shutil.copy(published[1], tmp_path / "cache" / "oconnell2022")
    make_oconnell2022(tmp_path / "study")
    assert remote == []


def test_another_file_than_the_known_one_is_refused(remote, monkeypatch, tmp_path):
    monkeypatch.setattr(oconnell2022, "SHA256", "0" * 64)
    with pytest.raises(ConnectionError) as caught:
        make_oconnell2022(tmp_path / "study")
    assert isinstance(caught.value.__cause__, ValueError)
    assert not (tmp_path / "cache" / "oconnell2022" / FILE).exists()


def test_offline_names_what_to_download_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    assert sum(download.TIMEOUT) <= 30
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections but never responds
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.csv"
        monkeypatch.setattr(oconnell2022, "URL", url)
        monkeypatch.setattr(download, "TIMEOUT", (2, 0.1))
        with pytest.raises(ConnectionError) as caught:
            make_oconnell2022(tmp_path / "study")
    for part in (url, str(tmp_path / "cache" / "oconnell2022" / FILE), SHA256):
        assert part in str(caught.value)
    assert not (tmp_path / "study").exists()


@pytest.mark.skipif(not REAL.is_file(), reason="the real ratings are not on this machine")
def test_real_ratings_have_the_known_variance_shares(tmp_path):
    assert hash_file(REAL) == SHA256
    study = load_study(make_oconnell2022(tmp_path / "study", source=REAL))
    groove = study.ratings[study.ratings["query"] == "groove"]
    assert groove["listener_id"].nunique() == 124
    assert len(groove) == 124 * 20
    formula = "rating ~ 1 + (1 | listener_id) + (1 | track_id)"
    parts = fit_lmm(formula, groove).mean_variances()
    assert parts["track_id"] == pytest.approx(3.04, abs=0.005)
    assert parts["listener_id"] == pytest.approx(0.52, abs=0.005)
    assert parts["Residual"] == pytest.approx(1.71, abs=0.005)
    consistency = parts["track_id"] / (parts["track_id"] + parts["Residual"])
    assert consistency == pytest.approx(0.64, abs=0.005)
    for group in ("high", "low"):
        songs = study.tracks.loc[study.tracks["groove_group"] == group, "track_id"]
        half = fit_lmm(formula, groove[groove["track_id"].isin(songs)]).mean_variances()
        assert 0.115 <= half["track_id"] / (half["track_id"] + half["Residual"]) <= 0.145
    means = {query: study.song_means(query) for query in study.queries}
    assert means["groove"].corr(means["liking"]) == pytest.approx(0.79, abs=0.005)
    assert means["groove"].corr(means["familiarity"]) == pytest.approx(0.70, abs=0.005)
