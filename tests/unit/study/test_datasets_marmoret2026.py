"""The converter of the published study, for the documented layout and deviations from it."""

import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from expect import raises
from make_marmoret_fixture import make_published, write_vector

from groove_utils.files import hash_file
from groove_utils.study import StudyError, load_study, validate_study
from groove_utils.study.datasets import marmoret2026
from groove_utils.study.datasets.marmoret2026 import download_marmoret2026, make_marmoret2026
from groove_utils.study.osf import RemoteFile

VECTORS = "p2wzr/embeddings"
SEPARATED = f"{VECTORS}/source_separated/MuQ-MuLan/MuQ-MuLan-large"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    ids, sheet = make_published(root)
    return root, ids, sheet


@pytest.fixture(scope="module")
def converted(published, tmp_path_factory):
    return make_marmoret2026(tmp_path_factory.mktemp("converted"), source=published[0])


@pytest.fixture
def source(published, tmp_path):
    return shutil.copytree(published[0], tmp_path / "source")


def xlsx(source):
    return source / "3zjkd" / "data" / "groove_ratings.xlsx"


def change(source, function):
    function(pd.read_excel(xlsx(source), dtype={"id": str})).to_excel(xlsx(source), index=False)


def load_report(folder):
    table = pd.read_csv(folder / "found.csv", keep_default_na=False)
    return table.set_index(["what", "model", "stem"])


def layers(folder, model, track, stem=""):
    with np.load(folder / "embeddings" / model / stem / f"{track}.npz") as archive:
        return dict(archive)


def test_makes_a_valid_study(published, converted):
    _, ids, sheet = published
    assert validate_study(converted) == []
    study = load_study(converted)
    assert study.tracks["track_id"].tolist() == sorted(ids)
    assert not study.simulated
    assert not study.has("listeners")
    assert not study.has("audio")
    assert study.has("embeddings")
    assert list(study.queries) == [
        "groove", "dance", "listen", "beat", "party", "rhythm", "disturbing"
    ]  # fmt: skip
    assert study.queries["dance"] == "I would like to dance to this music"
    assert study.scales["dance"] == (1, 100)
    assert study.scales["groove"] == (-1, 1)
    assert study.styles == ["funk", "pop", "rock"]
    rows = sheet.set_index("id").loc[study.tracks["track_id"]]
    for column, query in (("groove", "groove"), ("Q1_dance", "dance"), ("Q4_party", "party")):
        np.testing.assert_allclose(study.song_means(query), rows[column])
    assert study.tracks["artist"].tolist() == rows["artist"].tolist()
    assert study.tracks["title"].tolist() == rows["song"].tolist()
    np.testing.assert_allclose(study.tracks["tempo"], rows["tempo"])
    assert study.tracks["substyle"].tolist() == rows["style"].tolist()
    assert study.descriptors.shape == (10, 16)


def test_vectors_are_the_published_ones(published, converted):
    root, ids, _ = published
    track = ids[3]
    mert = layers(converted, "mert-v1-95m", track)
    assert list(mert) == [f"layer_{i:02d}" for i in range(13)]
    with np.load(root / VECTORS / f"MERT/MERT-v1-95M/audio_embedding_{track}.npz") as archive:
        np.testing.assert_array_equal(np.stack(list(mert.values())), archive["audio_embedding"])
    stem = layers(converted, "muq-mulan", track, "drums+bass")
    with np.load(root / SEPARATED / track / "audio_embedding_drums+bass.npz") as archive:
        np.testing.assert_array_equal([stem["audio_embedding"]], archive["audio_embedding"])
    models = {path.name: len(list(path.glob("*.npz"))) for path in converted.glob("embeddings/*")}
    assert models == dict.fromkeys(
        ("audiomae", "clap-htsat-unfused", "m2d-clap", "matpac-plus", "mert-v1-95m", "muq-mulan",
         "musicfm"), 10
    )  # fmt: skip


def test_the_report_lists_what_was_found(published, converted):
    report = load_report(converted).sort_index()
    assert report.loc[("ratings", "", ""), "found"] == 13
    assert report.loc[("ratings", "", ""), "used"] == 10
    for track in published[2]["id"].iloc[-3:]:
        assert track in report.loc[("ratings", "", ""), "remark"]
    assert report.loc["embeddings", "used"].tolist() == [10] * 7
    assert report.loc["stem embeddings", "used"].tolist() == [10] * 5


def test_a_second_run_writes_nothing(published, converted):
    before = {path: path.stat().st_mtime_ns for path in converted.rglob("*") if path.is_file()}
    make_marmoret2026(converted, source=published[0])
    assert before == {p: p.stat().st_mtime_ns for p in converted.rglob("*") if p.is_file()}


def test_other_nesting_names_and_columns_will_do(source, published, tmp_path):
    """Convert a zip archive, a folder per song, other stem names, flat MERT, and other columns."""
    ids = published[1]
    for path in source.rglob("audio_embedding_drums+bass.npz"):
        with np.load(path) as archive:
            content = dict(archive) | {"instrument_name": "bass_and_drums"}
        np.savez(path, **content)
    for path in (source / VECTORS / "MERT/MERT-v1-95M").glob("*.npz"):
        with np.load(path) as archive:
            flat = archive["audio_embedding"].reshape(1, -1).astype(np.float64)
        np.savez(path, audio_embedding=flat)  # without song_id, the file's name identifies the song
    for path in list((source / VECTORS / "CLAP/clap-htsat-unfused").glob("*.npz")):
        folder = path.parent / path.stem[-11:]  # a folder per song
        folder.mkdir()
        path.rename(folder / path.name)
    (source / VECTORS / "CLAP").rename(
        source / VECTORS / "Q"
    )  # the checkpoint identifies the model
    with zipfile.ZipFile(source / "all.zip", "w") as archive:
        for path in (source / VECTORS).rglob("*.npz"):
            archive.write(path, f"osfstorage/deep/{path.relative_to(source / VECTORS)}")
    shutil.rmtree(source / "p2wzr")

    def reshape(table):
        table["Q5_rhythm"] = table["Q5_rhythm"].where(table["id"] != ids[6])
        table["groove"] = table["groove"].where(table["id"] != ids[3], 1.4)
        table = table.assign(new=1).drop(columns=["style_family", "Q3_beat"])
        return table.rename(columns={"artist": " artist "})

    change(source, reshape)
    xlsx(source).rename(source / "groove_ratings_final.xlsx")
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert validate_study(folder) == []
    study = load_study(folder)
    assert set(study.tracks["track_id"]) == set(ids)
    assert study.song_means("rhythm").isna().sum() == 1  # of a question that is not probed
    assert "beat" not in study.queries
    assert study.scales["groove"] == (-1, 2)
    assert study.styles == ["hard rock", "p-funk", "synth pop"]
    assert layers(folder, "mert-v1-95m", ids[0])["audio_embedding"].shape == (13 * 24,)
    assert list(layers(folder, "muq-mulan", ids[0], "drums+bass")) == ["audio_embedding"]
    assert len(list(folder.glob("embeddings/clap-htsat-unfused/*.npz"))) == 10


def test_a_song_missing_from_one_model_is_left_out_of_all(source, published, tmp_path):
    track = published[1][4]
    (source / VECTORS / f"MusicFM/musicfm-25hz/audio_embedding_{track}.npz").unlink()
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert track not in set(load_study(folder, validate=False).tracks["track_id"])
    assert track in load_report(folder).loc[("embeddings", "musicfm", ""), "remark"]


def test_incomplete_models_and_stems_and_lesser_checkpoints_are_left_out(
    source, published, tmp_path
):
    ids = published[1]
    for track in ids[:5]:
        (source / VECTORS / f"MusicFM/musicfm-25hz/audio_embedding_{track}.npz").unlink()
    shutil.rmtree(source / VECTORS / "AudioMAE")
    (source / SEPARATED / ids[2] / "audio_embedding_vocals.npz").unlink()
    rng = np.random.default_rng(0)
    for track in ids[:7]:
        write_vector(source / VECTORS / "M2D-CLAP/m2d_other", track, (1, 9), 0, rng)
    # a song's id may contain a model's name
    write_vector(source / SEPARATED / "xxclapxxxxx", "xxclapxxxxx", (1, 24), 0, rng, "bass")
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert len(load_study(folder).tracks) == 10
    models = {path.name for path in folder.glob("embeddings/*")}
    assert models == {"clap-htsat-unfused", "m2d-clap", "matpac-plus", "mert-v1-95m", "muq-mulan"}
    assert layers(folder, "m2d-clap", ids[0])["audio_embedding"].shape == (24,)
    stems = {path.parent.name for path in folder.glob("embeddings/*/*/*.npz")}
    assert stems == {"bass", "drums", "other", "drums+bass"}
    report = load_report(folder)
    assert report.loc[("embeddings", "musicfm", ""), ["found", "used"]].tolist() == [5, 0]
    assert report.loc[("embeddings", "audiomae", ""), ["found", "used"]].tolist() == [0, 0]
    vocals = report.loc[("stem embeddings", "muq-mulan", "vocals")]
    assert vocals[["found", "used"]].tolist() == [9, 0]
    assert ids[2] in vocals["remark"]
    assert "m2d_other" in (folder / "found.csv").read_text()


def test_checkpoints_are_matched_exactly_and_others_listed(source, published, tmp_path):
    """Reject similar checkpoints, since a wrong network under the right name is hard to notice."""
    ids, rng = published[1], np.random.default_rng(1)
    others = [
        "CLAP/clap-htsat-fused", "CLAP/larger_clap_general", "MERT/MERT-v0", "MATPAC/matpac",
        "MusicFM/musicfm-25hz-fma", "SomeModel/v2",
    ]  # fmt: skip
    for track in ids:
        for place in others:
            write_vector(source / VECTORS / place, track, (1, 24), 9, rng)
        write_vector(source / VECTORS / "CLAP/larger_clap_music", track, (1, 24), 5, rng)
    before = layers(make_marmoret2026(tmp_path / "a", source=published[0]), CLAP, ids[2])
    folder = make_marmoret2026(tmp_path / "b", source=source)
    for key, vector in layers(folder, CLAP, ids[2]).items():
        np.testing.assert_array_equal(vector, before[key])
    assert len(list(folder.glob("embeddings/larger-clap-music/*.npz"))) == 10
    assert len(list(folder.glob("embeddings/*"))) == 8
    text = (folder / "found.csv").read_text()
    for place in others:
        assert f"unknown checkpoint: {VECTORS}/{place}" in text


CLAP = "clap-htsat-unfused"


def test_other_columns_and_unprobed_questions_lose_no_song(source, published, tmp_path):
    ids = published[1]
    path = next(source.rglob("*MIR*.csv"))
    table = pd.read_csv(path, dtype={"id": str})
    ratings = pd.read_excel(xlsx(source), dtype={"id": str})[["id", "groove", "Q1_dance", "tempo"]]
    table = table.merge(ratings)  # targets among the descriptors
    table["attack_slope"] = table["rms"].where(table.index > 4)
    table["remark"] = "x"
    table.to_csv(path, index=False, sep=";", decimal=",")
    change(source, lambda t: t.assign(Q5_rhythm=t["Q5_rhythm"].where(t.index > 4)))
    study = load_study(make_marmoret2026(tmp_path / "study", source=source))
    assert set(study.tracks["track_id"]) == set(ids)
    assert list(study.descriptors) == list(marmoret2026.DESCRIPTORS)
    expected = load_study(make_marmoret2026(tmp_path / "a", source=published[0])).descriptors
    pd.testing.assert_frame_equal(study.descriptors, expected)
    text = (study.path / "found.csv").read_text()
    assert "other columns: groove, Q1_dance, tempo, attack_slope, remark" in text


def test_rows_next_to_the_songs_and_copies_of_rows(source, published, tmp_path):
    def add(table):
        table = pd.concat([table, table.iloc[[3]].assign(groove=-1, Q1_dance=1)])
        summary = {"artist": "Mean", "groove": 0.0, "Q1_dance": 50.0}
        return pd.concat([table, pd.DataFrame([summary])])

    change(source, add)
    path = next(source.rglob("*MIR*.csv"))
    table = pd.read_csv(path, dtype={"id": str})
    pd.concat([table, table.iloc[[1]] * 0]).assign(id=[*table["id"], table["id"][1]]).to_csv(
        path, index=False
    )
    folder = make_marmoret2026(tmp_path / "study", source=source)
    first = load_study(make_marmoret2026(tmp_path / "a", source=published[0]))
    pd.testing.assert_frame_equal(load_study(folder).ratings, first.ratings)
    pd.testing.assert_frame_equal(load_study(folder).descriptors, first.descriptors)
    text = (folder / "found.csv").read_text()
    assert "rows without an id" in text
    assert f"first row used: {published[2]['id'][3]}" in text


def test_other_files_are_listed_and_refuse_nothing(source, published, tmp_path):
    ids, rng = published[1], np.random.default_rng(2)
    for stem in ("no_bass", "no_drums", "kazoo"):
        write_vector(source / SEPARATED / ids[0], ids[0], (1, 24), 0, rng, stem)
    shutil.copy(xlsx(source), source / "old_ratings.xlsx")
    change(source, lambda t: t.assign(drummer="else"))
    for path in (source / VECTORS / "AudioMAE/audiomae").glob("*.npz"):
        with np.load(path) as archive:
            vector = archive["audio_embedding"]
        song = np.array(path.stem[-11:], dtype=object)  # as pickled by the authors' script
        np.savez(path, song_id=song, audio_embedding=np.vstack([vector, 0 * vector]))
    folder = make_marmoret2026(tmp_path / "study", source=source)
    study = load_study(folder)
    assert set(study.tracks["track_id"]) == set(ids)
    assert set(study.tracks["drummer"]) == {"else"}
    expected = make_marmoret2026(tmp_path / "a", source=published[0])
    for song in ids:  # the first of several rows is used, as in the authors' code
        assert layers(folder, "audiomae", song).keys() == {"audio_embedding"}
        np.testing.assert_array_equal(
            layers(folder, "audiomae", song)["audio_embedding"],
            layers(expected, "audiomae", song)["audio_embedding"],
        )
    text = (folder / "found.csv").read_text()
    for remark in ("old_ratings.xlsx", "mixes without a stem", "no_bass", "kazoo"):
        assert remark in text


def test_archives_in_archives_and_stems_zipped_by_song(source, published, tmp_path):
    for song in (source / SEPARATED).iterdir():
        shutil.make_archive(str(song), "zip", song.parent, song.name)
        shutil.rmtree(song)
    shutil.make_archive(str(source / "inner"), "zip", source / "p2wzr")
    shutil.rmtree(source / "p2wzr")
    with zipfile.ZipFile(source / "outer.zip", "w") as archive:
        archive.write(source / "inner.zip", "x/inner.zip")
    (source / "inner.zip").unlink()
    folder = make_marmoret2026(tmp_path / "study", source=source)
    assert len(list(folder.glob("embeddings/muq-mulan/vocals/*.npz"))) == 10
    before = {path.relative_to(folder) for path in folder.rglob("*")}
    make_marmoret2026(folder, source=source)
    assert before == {path.relative_to(folder) for path in folder.rglob("*")}


def test_archives_and_ids_stay_in_their_folder(source, published, tmp_path):
    with zipfile.ZipFile(source / "evil.zip", "w") as archive:
        archive.writestr("../../audio_embedding_x.npz", b"x")
    change(source, lambda t: t.assign(id=t["id"].replace(published[1][2], "../../x")))
    with raises(StudyError, "not_a_file_name", row=4, column="id"):
        make_marmoret2026(tmp_path / "study", source=source)
    assert not (tmp_path / "audio_embedding_x.npz").exists()


@pytest.mark.parametrize(
    ("function", "kind", "row", "column"),
    [
        (lambda t: t.drop(columns="Q1_dance"), "missing_column", None, "Q1_dance"),
        (lambda t: t.drop(columns=["style", "style_family"]), "missing_column", None,
         "style_family"),
        (lambda t: t.assign(artist=t["artist"].where(t.index != 5)), "empty_cell", 7, "artist"),
        (lambda t: t.assign(Q2_listen=t["Q2_listen"].astype(object).where(t.index != 2, "n/k")),
         "not_a_number", 4, "Q2_listen"),
    ],
)  # fmt: skip
def test_a_table_in_another_form_is_described(published, tmp_path, function, kind, row, column):
    source = tmp_path / "source"
    shutil.copytree(published[0] / "3zjkd", source / "3zjkd")
    change(source, function)
    with raises(StudyError, kind, path="groove_ratings.xlsx", row=row, column=column):
        make_marmoret2026(tmp_path / "study", source=source)
    assert not (tmp_path / "study" / "study.yml").exists()


def clap(source, number=0):
    return sorted(source.rglob("CLAP/clap-htsat-unfused/*.npz"))[number]


@pytest.mark.parametrize(
    ("spoil", "kind", "path"),
    [
        (lambda s: shutil.rmtree(s), "missing_folder", "source"),
        (lambda s: xlsx(s).unlink(), "missing_file", "source"),
        (lambda s: (shutil.copy(xlsx(s), s / "a_ratings.xlsx") and change(s, lambda t: t[:9]))
         or xlsx(s).rename(s / "b_ratings.xlsx"), "several_files", "source"),
        (lambda s: xlsx(s).write_bytes(b"PK no"), "unreadable_file", "groove_ratings.xlsx"),
        (lambda s: next(s.rglob("*MIR*.csv")).unlink(), "missing_file", "source"),
        (lambda s: next(s.rglob("*MIR*.csv")).write_text("song,rms\na,1\n"), "missing_column",
         "groove_MIR_features.csv"),
        (lambda s: shutil.rmtree(s / "p2wzr"), "missing_file", "source"),
        (lambda s: clap(s).write_bytes(b"PK no"), "damaged_vectors", None),
        (lambda s: np.savez(clap(s), emb=np.ones(3)), "damaged_vectors", None),
        (lambda s: change(s, lambda t: t[:7]), "too_few_songs", "source"),
    ],
)  # fmt: skip
def test_files_in_another_form_are_described(published, tmp_path, spoil, kind, path):
    others = shutil.ignore_patterns("AudioMAE", "M*-*", "MATPAC*", "MERT", "source_separated")
    source = shutil.copytree(published[0], tmp_path / "source", ignore=others)
    spoil(source)
    with raises(StudyError, kind, **({"path": path} if path else {})):
        make_marmoret2026(tmp_path / "study", source=source)


def test_wanted_files_are_downloaded(monkeypatch, published, serve, tmp_path):
    root = published[0]
    url, asked = serve(root)

    def list_files(project):
        yield RemoteFile(f"{project}/readme.md", f"{url}/not-wanted", None)
        for path in sorted((root / project).rglob("*")):
            name = path.relative_to(root)
            if path.is_file() and path.parent.name not in ("clap-htsat-unfused", *published[1]):
                yield RemoteFile(str(name), f"{url}/{name}", hash_file(path))

    monkeypatch.setattr(marmoret2026, "list_files", list_files)
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path))
    folder = download_marmoret2026()
    assert folder == tmp_path / "marmoret2026"
    assert len(asked) == 2 + 6 * 10
    study = load_study(make_marmoret2026(tmp_path / "study"))
    assert len(study.tracks) == 10
    assert len(asked) == 2 + 6 * 10


def test_offline_names_the_projects_and_takes_what_was_put_there(monkeypatch, published, tmp_path):
    def unreachable(project):
        raise OSError("no route to host")

    monkeypatch.setattr(marmoret2026, "list_files", unreachable)
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "marmoret2026"
    with pytest.raises(ConnectionError) as caught:
        make_marmoret2026(tmp_path / "study")
    for part in ("https://osf.io/3zjkd", "https://osf.io/p2wzr", str(folder), "OSF_TOKEN"):
        assert part in str(caught.value)
    shutil.copytree(published[0], folder)
    assert len(load_study(make_marmoret2026(tmp_path / "study")).tracks) == 10
