"""The converter of the published study, on its documented layout and on departures from it."""

import json
import shutil
import zipfile
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import requests
from make_marmoret_fixture import make_published, write_vector

from groove_utils.embed import embed_study
from groove_utils.files import hash_file
from groove_utils.study import StudyError, load_study, marmoret2026, validate_study
from groove_utils.study.marmoret2026 import download_marmoret2026, make_marmoret2026


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    ids, sheet = make_published(root)
    return root, ids, sheet


@pytest.fixture
def copy(published, tmp_path):
    root, ids, sheet = published
    return shutil.copytree(root, tmp_path / "source"), ids, sheet


def _sheet(source):
    return source / "3zjkd" / "data" / "groove_ratings.xlsx"


def _found(folder):
    table = pd.read_csv(folder / "found.csv", keep_default_na=False)
    return table.set_index(["what", "model", "stem"])


def test_makes_a_valid_study(published, tmp_path):
    root, ids, sheet = published
    folder = make_marmoret2026(tmp_path / "study", source=root)
    assert validate_study(folder) == []
    study = load_study(folder)
    assert study.tracks["track_id"].tolist() == sorted(ids)
    assert not study.simulated
    assert not study.has("listeners")
    assert not study.has("audio")
    assert study.has("embeddings")
    assert list(study.queries) == [
        "groove", "dance", "listen", "beat", "party", "rhythm", "disturbing"
    ]  # fmt: skip
    assert study.scales["dance"] == (1, 100)
    assert study.scales["groove"] == (-1, 1)
    assert study.styles == ["funk", "pop", "rock"]
    rows = sheet.set_index("id").loc[study.tracks["track_id"]]
    for column, query in (("groove", "groove"), ("Q1_dance", "dance"), ("Q4_party", "party")):
        np.testing.assert_allclose(study.song_means(query), rows[column])
    assert study.tracks["artist"].tolist() == rows["artist"].tolist()
    np.testing.assert_allclose(study.tracks["tempo"], rows["tempo"])
    assert study.tracks["substyle"].tolist() == rows["style"].tolist()
    assert study.descriptors.shape == (20, 16)


def test_embeddings_arrive_as_published(published, tmp_path):
    root, _, _ = published
    study = load_study(make_marmoret2026(tmp_path / "study", source=root))
    mert = embed_study(study, "mert-v1-95m")
    assert list(mert.layers) == [f"layer_{i:02d}" for i in range(13)]
    track = mert.track_ids[3]
    place = root / "p2wzr" / "embeddings" / "MERT" / "MERT-v1-95M"
    with np.load(place / f"audio_embedding_{track}.npz") as archive:
        np.testing.assert_array_equal(mert.layers["layer_05"][3], archive["audio_embedding"][5])
    for model in ("audiomae", "clap-htsat-unfused", "m2d-clap", "matpac-plus", "musicfm"):
        assert list(embed_study(study, model).layers) == ["audio_embedding"]
    stems = embed_study(study, "muq-mulan", stems=["bass", "drums"])
    place = root / "p2wzr/embeddings/source_separated/MuQ-MuLan/MuQ-MuLan-large" / track
    with np.load(place / "audio_embedding_drums+bass.npz") as archive:
        np.testing.assert_array_equal(
            stems.layers["audio_embedding"][3], archive["audio_embedding"][0]
        )


def test_what_was_found_is_listed(published, tmp_path):
    root, _, sheet = published
    folder = make_marmoret2026(tmp_path / "study", source=root)
    found = _found(folder).sort_index()
    assert found.loc[("ratings", "", ""), "found"] == 23
    assert found.loc[("ratings", "", ""), "used"] == 20
    for track in sheet["id"].iloc[-3:]:
        assert track in found.loc[("ratings", "", ""), "remark"]
    assert (found.loc["embeddings", "used"] == 20).all()
    assert len(found.loc["embeddings"]) == 7
    assert (found.loc["stem embeddings", "used"] == 20).all()
    assert len(found.loc["stem embeddings"]) == 5


def test_a_second_run_writes_nothing(published, tmp_path):
    root, _, _ = published
    folder = make_marmoret2026(tmp_path / "study", source=root)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    make_marmoret2026(folder, source=root)
    assert before == {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_any_nesting_and_zip_archives_will_do(copy, tmp_path):
    source, ids, _ = copy
    embeddings = source / "p2wzr" / "embeddings"
    with zipfile.ZipFile(source / "all.zip", "w") as archive:
        for path in embeddings.rglob("*.npz"):
            archive.write(path, f"osfstorage/deep/{path.relative_to(embeddings)}")
    shutil.rmtree(source / "p2wzr")
    _sheet(source).rename(source / "groove_ratings_final.xlsx")
    study = load_study(make_marmoret2026(tmp_path / "study", source=source))
    assert len(study.tracks) == len(ids)


def test_flat_mert_and_missing_keys_will_do(copy, tmp_path):
    source, ids, _ = copy
    for path in (source / "p2wzr/embeddings/MERT/MERT-v1-95M").glob("*.npz"):
        with np.load(path) as archive:
            values = archive["audio_embedding"].reshape(1, -1).astype(np.float64)
        np.savez(path, audio_embedding=values)  # no song_id: the file's name tells
    study = load_study(make_marmoret2026(tmp_path / "study", source=source))
    layers = embed_study(study, "mert-v1-95m").layers
    assert layers["audio_embedding"].shape == (20, 13 * 24)
    assert study.tracks["track_id"].tolist() == sorted(ids)


def test_stems_by_other_names_will_do(copy, tmp_path):
    source, _, _ = copy
    separated = source / "p2wzr" / "embeddings" / "source_separated"
    for path in separated.rglob("audio_embedding_drums+bass.npz"):
        with np.load(path) as archive:
            values, song = archive["audio_embedding"], archive["song_id"]
        np.savez(path, song_id=song, audio_embedding=values, instrument_name="bass_and_drums")
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert len(list((folder / "embeddings/muq-mulan/drums+bass").glob("*.npz"))) == 20


def test_a_song_missing_from_one_model_is_left_out_of_all(copy, tmp_path):
    source, ids, _ = copy
    (source / f"p2wzr/embeddings/MusicFM/musicfm-25hz/audio_embedding_{ids[4]}.npz").unlink()
    folder = make_marmoret2026(tmp_path / "study", source=source)
    study = load_study(folder)
    assert ids[4] not in set(study.tracks["track_id"])
    assert ids[4] in _found(folder).loc[("embeddings", "musicfm", ""), "remark"]


def test_a_half_downloaded_model_is_left_out_instead(copy, tmp_path):
    source, ids, _ = copy
    for song in ids[:10]:
        (source / f"p2wzr/embeddings/MusicFM/musicfm-25hz/audio_embedding_{song}.npz").unlink()
    shutil.rmtree(source / "p2wzr/embeddings/AudioMAE")
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert len(load_study(folder).tracks) == 20
    assert not (folder / "embeddings" / "musicfm").exists()
    found = _found(folder).loc["embeddings"]
    assert "too few songs" in found.loc[("musicfm", ""), "remark"]
    assert found.loc[("audiomae", ""), "remark"] == "not found"


def test_a_stem_that_lacks_songs_is_left_out(copy, tmp_path):
    source, ids, _ = copy
    place = source / "p2wzr/embeddings/source_separated/MuQ-MuLan/MuQ-MuLan-large" / ids[2]
    (place / "audio_embedding_vocals.npz").unlink()
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert not (folder / "embeddings/muq-mulan/vocals").exists()
    assert "left out" in _found(folder).loc[("stem embeddings", "muq-mulan", "vocals"), "remark"]


def test_of_two_checkpoints_the_fuller_is_taken(copy, tmp_path):
    source, ids, _ = copy
    rng = np.random.default_rng(0)
    for song in ids[:7]:
        write_vector(source / "p2wzr/embeddings/MusicFM/musicfm-50hz", song, (1, 9), 0, rng)
    folder = make_marmoret2026(tmp_path / "study", source=source)
    layers = embed_study(load_study(folder), "musicfm").layers
    assert layers["audio_embedding"].shape == (20, 24)
    assert "musicfm-50hz" in (folder / "found.csv").read_text()


def test_a_song_id_that_spells_a_model_is_no_model(copy, tmp_path):
    source, _, _ = copy
    place = source / "p2wzr/embeddings/source_separated/MuQ-MuLan/MuQ-MuLan-large/xxclapxxxxx"
    write_vector(place, "xxclapxxxxx", (1, 24), 0, np.random.default_rng(0), "bass")
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert not (folder / "embeddings" / "clap-htsat-unfused" / "bass").exists()


def _write_nan(path):
    np.savez(path, audio_embedding=np.full((1, 24), np.nan))


def _change(source, change):
    sheet = pd.read_excel(_sheet(source), dtype={"id": str})
    change(sheet).to_excel(_sheet(source), index=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="Q1_dance"), "a column Q1_dance as well"),
        (lambda t: t.drop(columns=["style", "style_family"]), "neither style nor style_family"),
        (lambda t: pd.concat([t, t.iloc[[3]]]), "more than once"),
        (lambda t: t.assign(artist=t["artist"].where(t.index != 5)), r"row 7: found no id or no"),
        (lambda t: t.assign(Q2_listen=t["Q2_listen"].astype(object).where(t.index != 2, "n/k")),
         r"row 4: found 'n/k' in Q2_listen"),
    ],
)  # fmt: skip
def test_a_table_in_another_form_is_described(copy, tmp_path, change, message):
    source, _, _ = copy
    _change(source, change)
    with pytest.raises(StudyError, match=message):
        make_marmoret2026(tmp_path / "study", source=source)
    assert not (tmp_path / "study" / "study.yml").exists()


def test_other_headers_columns_and_ratings_left_empty_will_do(copy, tmp_path):
    source, ids, _ = copy

    def change(table):
        table["Q5_rhythm"] = table["Q5_rhythm"].where(table["id"] != ids[6])
        table["new"] = 1
        table = table.drop(columns=["style_family", "Q3_beat"])
        return table.rename(columns={"artist": " artist "})

    _change(source, change)
    study = load_study(make_marmoret2026(tmp_path / "study", source=source))
    assert ids[6] not in set(study.tracks["track_id"])
    assert "beat" not in study.queries
    assert study.styles == ["hard rock", "p-funk", "synth pop"]


def test_a_groove_score_beyond_one_widens_its_scale(copy, tmp_path):
    source, ids, _ = copy
    _change(source, lambda t: t.assign(groove=t["groove"].where(t["id"] != ids[3], 1.4)))
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert load_study(folder).scales["groove"] == (-1, 2)
    assert validate_study(folder) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: _sheet(s).unlink(), "none; expected one groove_ratings.xlsx"),
        (lambda s: shutil.copy(_sheet(s), s / "old_ratings.xlsx") and _change(s, lambda t: t[:9]),
         "2 such files"),
        (lambda s: _sheet(s).write_bytes(b"PK no"), "no readable workbook"),
        (lambda s: next(s.rglob("*MIR*.csv")).unlink(), "one groove_MIR_features.csv"),
        (lambda s: next(s.rglob("*MIR*.csv")).write_text("song,rms\na,1\n"), "a column id as well"),
        (lambda s: shutil.rmtree(s / "p2wzr"), "no embeddings"),
        (lambda s: next(s.rglob("CLAP/*/*.npz")).write_bytes(b"PK no"), "no readable archive"),
        (lambda s: np.savez(next(s.rglob("CLAP/*/*.npz")), emb=np.ones(3)), "found the keys emb"),
        (lambda s: _write_nan(next(s.rglob("CLAP/*/*.npz"))), "or NaN"),
        (lambda s: np.savez(sorted(s.rglob("CLAP/*/*.npz"))[5], audio_embedding=np.ones((1, 7))),
         r"\(1, 24\), as of other songs"),
        (lambda s: (s / "p2wzr/embeddings/CLAP").rename(s / "p2wzr/embeddings/Q"),
         None),
        (lambda s: (s / "p2wzr/embeddings/MusicFM").rename(s / "Q")
         and (s / "Q/musicfm-25hz").rename(s / "Q/x"), "no known model in its path"),
    ],
)  # fmt: skip
def test_files_in_another_form_are_described(copy, tmp_path, spoil, message):
    source, _, _ = copy
    spoil(source)
    if message is None:  # the checkpoint's folder still tells the model
        assert make_marmoret2026(tmp_path / "study", source=source).is_dir()
        return
    with pytest.raises(StudyError, match=message):
        make_marmoret2026(tmp_path / "study", source=source)


# --- fetching, from a stand-in for OSF ------------------------------------------------------------


@pytest.fixture
def osf(monkeypatch, published):
    """OSF's two projects, served from the fixture; `calls` counts what was asked for."""
    root, _, _ = published
    state = SimpleNamespace(calls=[], broken=None, wrong=None)

    def listing(project):
        for path in sorted((root / project).rglob("*")):
            if path.is_file() and ("CLAP" not in str(path) or "M2D" in str(path)):
                digest = "0" * 64 if path.name == state.wrong else hash_file(path)
                yield str(path.relative_to(root)), str(path), path.stat().st_size, digest

    class Answer:
        def __init__(self, url, start):
            data = Path(url).read_bytes()[start:]
            cut = len(data) // 2 if state.broken and state.broken in url else len(data)
            self.data, self.status_code = data[:cut], 206 if start else 200

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

        def raise_for_status(self):
            return None

        def iter_content(self, _):
            yield self.data

    def get(url, headers=None, **_):
        start = int((headers or {}).get("Range", "bytes=0-")[6:-1])
        state.calls.append((url, start))
        return Answer(url, start)

    monkeypatch.setattr(marmoret2026, "_list_project", listing)
    monkeypatch.setattr(requests, "get", get)
    return state


def test_fetched_once_recorded_and_checked_later(osf, tmp_path):
    place = download_marmoret2026(tmp_path / "in")
    manifest = json.loads((place / "manifest.json").read_text())
    assert len(manifest) == len(osf.calls)
    name = "3zjkd/data/groove_ratings.xlsx"
    assert manifest[name]["sha256"] == hash_file(place / name)
    fetched = len(osf.calls)
    download_marmoret2026(place)
    assert len(osf.calls) == fetched
    data = bytearray((place / name).read_bytes())
    data[50] ^= 1
    (place / name).write_bytes(data)
    with pytest.raises(StudyError, match=r"groove_ratings.xlsx: found sha256 \w+; expected"):
        download_marmoret2026(place)


def test_a_broken_download_goes_on_where_it_stopped(osf, tmp_path):
    osf.broken = "groove_ratings.xlsx"
    with pytest.raises(ConnectionError, match="run again to go on"):
        download_marmoret2026(tmp_path / "in")
    osf.broken = None
    place = download_marmoret2026(tmp_path / "in")
    starts = [start for url, start in osf.calls if url.endswith(".xlsx")]
    assert starts[0] == 0
    assert starts[1] > 0
    original = next(url for url, _ in osf.calls if url.endswith(".xlsx"))
    assert hash_file(place / "3zjkd/data/groove_ratings.xlsx") == hash_file(original)


def test_a_file_other_than_osf_says_is_refused(osf, tmp_path):
    osf.wrong = "groove_MIR_features.csv"
    with pytest.raises(StudyError, match="OSF says 0000"):
        download_marmoret2026(tmp_path / "in")


def test_offline_says_what_to_do_and_takes_what_was_put_there(monkeypatch, published, tmp_path):
    def unreachable(project):
        raise requests.ConnectionError("no route to host")

    monkeypatch.setattr(marmoret2026, "_list_project", unreachable)
    place = tmp_path / "in"
    with pytest.raises(ConnectionError, match=r"https://osf.io/3zjkd .*https://osf.io/p2wzr.*/in"):
        download_marmoret2026(place)
    shutil.copytree(published[0], place)
    assert download_marmoret2026(place) == place
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(published[0], tmp_path / "cache" / "marmoret2026")
    assert len(load_study(make_marmoret2026(tmp_path / "study")).tracks) == 20


def test_osf_is_listed_with_its_folders_pages_and_components(monkeypatch):
    from osfclient.models.session import OSFSession

    api = "https://api.osf.io/v2"

    def related(url):
        return {"links": {"related": {"href": url}}}

    def entry(name, kind="file"):
        path = f"/{name}" if kind == "file" else f"/{name}/"
        links = {"self": path, "upload": f"https://files.osf.io/{name}", "html": "", "delete": "",
                 "new_folder": "", "move": ""}  # fmt: skip
        attributes = {
            "kind": kind, "name": name.split("/")[-1], "path": path, "materialized_path": path,
            "date_created": "", "date_modified": "", "size": 5,
            "extra": {"hashes": {"sha256": f"hash of {name}"}},
        }  # fmt: skip
        return {"id": name, "links": links, "attributes": attributes,
                "relationships": {"files": related(f"{api}/in/{name}")}}  # fmt: skip

    def node(project):
        attributes = dict.fromkeys(("title", "date_created", "date_modified", "description"), "")
        return {
            "data": {
                "id": project,
                "type": "nodes",
                "links": {"self": ""},
                "attributes": attributes,
                "relationships": {"files": related(f"{api}/storages/{project}")},
            }
        }

    def storage(project):
        attributes = {"path": "/", "name": "osfstorage", "node": "", "provider": "osfstorage"}
        return {
            "data": [
                {
                    "id": project,
                    "attributes": attributes,
                    "links": {"new_folder": "", "upload": ""},
                    "relationships": {"files": related(f"{api}/root/{project}")},
                }
            ]
        }

    pages = {f"{api}//guids/{p}/": {"data": {"type": "nodes"}} for p in ("p2wzr", "child")}
    pages |= {f"{api}//nodes/{p}/": node(p) for p in ("p2wzr", "child")}
    pages |= {f"{api}/storages/{p}": storage(p) for p in ("p2wzr", "child")}
    pages |= {
        f"{api}/root/p2wzr": {
            "data": [entry("MERT", "folder")],
            "links": {"next": f"{api}/root/p2wzr?page=2"},
        },
        f"{api}/root/p2wzr?page=2": {"data": [entry("readme.md")], "links": {"next": None}},
        f"{api}/in/MERT": {"data": [entry("MERT/audio_embedding_a.npz")], "links": {"next": None}},
        f"{api}/root/child": {"data": [entry("audio_embedding_b.npz")], "links": {"next": None}},
        f"{api}/nodes/p2wzr/children/": {"data": [{"id": "child"}]},
        f"{api}/nodes/child/children/": {"data": []},
    }

    def get(*args, **_):
        page = pages[args[-1]]
        return SimpleNamespace(
            status_code=200, json=lambda: deepcopy(page), raise_for_status=lambda: None
        )

    monkeypatch.setattr(OSFSession, "get", get)
    monkeypatch.setattr(requests, "get", get)
    assert list(marmoret2026._list_project("p2wzr")) == [
        (
            "p2wzr/MERT/audio_embedding_a.npz",
            "https://files.osf.io/MERT/audio_embedding_a.npz",
            5,
            "hash of MERT/audio_embedding_a.npz",
        ),
        (
            "child/audio_embedding_b.npz",
            "https://files.osf.io/audio_embedding_b.npz",
            5,
            "hash of audio_embedding_b.npz",
        ),
    ]
    del pages[f"{api}/in/MERT"]
    with pytest.raises(RuntimeError, match="project p2wzr"):
        list(marmoret2026._list_project("p2wzr"))
