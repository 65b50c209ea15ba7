"""Loading a study: tables, means, matrices, audio, and the list of files that were read."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.errors import DetailedError
from groove_utils.study import UnknownNameError, load_study


def test_tables_keep_identifiers_as_text(make_study):
    names = tuple(f"{k:03d}" for k in range(8))
    study = load_study(make_study(names=names, audio=False))
    assert study.tracks["track_id"].tolist() == list(names)
    assert study.ratings["track_id"].iloc[0] == "000"
    assert study.ratings["rating"].dtype.kind == "i"


def test_an_artist_may_be_called_none(make_study):
    """Read words such as "NA" as names in columns of names, and as missing values among numbers."""
    names = ("NA", "nan", "null", "None", "song4", "song5", "song6", "song7")
    folder = make_study(names=names, audio=False)
    tracks = pd.read_csv(folder / "tracks.csv", keep_default_na=False)
    tracks["artist"] = tracks["artist"].replace({"band 0": "None", "band 1": "NA"})
    tracks = tracks.assign(tempo=["100", "NA", "nan", "", *"9876"], country=["NA", "DE", *"abcdef"])
    tracks.to_csv(folder / "tracks.csv", index=False)
    study = load_study(folder)
    assert study.tracks["track_id"].tolist() == list(names)
    assert set(study.tracks["artist"]) == {"None", "NA", "band 2", "band 3"}
    assert study.tracks["tempo"].isna().tolist() == [False, True, True, True] + [False] * 4
    assert study.tracks["tempo"].iloc[0] == 100
    assert study.tracks["country"].tolist()[:2] == ["NA", "DE"]
    assert study.song_means("dance").notna().all()


def test_facts_named_like_columns_of_other_tables_do_not_reach_a_join(make_study):
    folder = make_study(audio=False)
    added = {
        "tracks.csv": ["rating", "query", "listener_id", "tempo"],
        "ratings.csv": ["artist", "style", "title", "time"],
        "listeners.csv": ["track_id", "rating", "style", "age"],
    }
    for file, names in added.items():
        table = pd.read_csv(folder / file, dtype=str)
        table.assign(**{name: "1" for name in names}).to_csv(folder / file, index=False)
    study = load_study(folder)
    assert list(study.ratings) == ["track_id", "query", "rating", "listener_id"]
    assert {"rating", "query", "listener_id"}.isdisjoint(study.tracks)
    assert "tempo" in study.tracks
    assert {"track_id", "rating", "style"}.isdisjoint(study.listeners)
    assert "age" in study.listeners
    joined = study.ratings.merge(study.tracks).merge(study.listeners)
    assert len(joined) == len(study.ratings)


def test_an_empty_folder_holds_no_embeddings(make_study):
    folder = make_study(audio=False)
    (folder / "embeddings" / "musicfm").mkdir(parents=True)
    assert not load_study(folder).has("embeddings")
    np.savez(folder / "embeddings" / "musicfm" / "song0.npz", layer=np.ones(3))
    assert load_study(folder).has("embeddings")


def test_song_means_are_those_computed_by_hand(make_study):
    study = load_study(make_study(audio=False))
    means = study.song_means("dance")
    sums, counts = {}, {}
    for row in pd.read_csv(study.path / "ratings.csv").itertuples():
        if row.query == "dance":
            sums[row.track_id] = sums.get(row.track_id, 0) + row.rating
            counts[row.track_id] = counts.get(row.track_id, 0) + 1
    assert means.to_dict() == pytest.approx({t: sums[t] / counts[t] for t in sums})
    assert list(means.index) == study.tracks["track_id"].tolist()
    assert means.name == "dance"


def test_rating_matrix_is_the_table_turned(make_study):
    folder = make_study(audio=False)
    ratings = pd.read_csv(folder / "ratings.csv")
    kept = ratings[~((ratings["listener_id"] == "L1") & (ratings["track_id"] == "song3"))]
    kept.to_csv(folder / "ratings.csv", index=False)
    matrix = load_study(folder).rating_matrix("listen")
    assert matrix.shape == (5, 8)
    assert np.isnan(matrix.at["L1", "song3"])
    assert matrix.isna().to_numpy().sum() == 1
    rows = kept[kept["query"] == "listen"]
    for row in rows.itertuples():
        assert matrix.at[row.listener_id, row.track_id] == row.rating
    assert matrix.mean().to_numpy() == pytest.approx(load_study(folder).song_means("listen"))


def test_unrated_songs_are_nan(make_study):
    folder = make_study(audio=False)
    ratings = pd.read_csv(folder / "ratings.csv")
    drop = (ratings["track_id"] == "song2") & (ratings["query"] == "dance")
    ratings[~drop].to_csv(folder / "ratings.csv", index=False)
    means = load_study(folder).song_means("dance")
    assert means.isna().to_dict() == {f"song{k}": k == 2 for k in range(8)}


def test_song_means_without_listeners(make_study):
    study = load_study(make_study(listeners=False, audio=False))
    assert study.song_means("dance").notna().all()
    assert study.listeners is None
    assert "no listeners" in repr(study)
    with raises(DetailedError, "no_listeners", path="ratings.csv", column="listener_id"):
        study.rating_matrix("dance")


def test_listeners_are_gathered_from_ratings_where_no_table_is(make_study):
    folder = make_study(audio=False)
    (folder / "listeners.csv").unlink()
    assert load_study(folder).listeners["listener_id"].tolist() == [f"L{k}" for k in range(5)]


def test_unknown_names_are_errors(make_study, tmp_path):
    study = load_study(make_study())
    with raises(UnknownNameError, "unknown_query", path="study.yml", value="groov"):
        study.song_means("groov")
    with raises(UnknownNameError, "unknown_audio", path="tracks.csv", value="nobody"):
        study.audio_path("nobody")
    with raises(UnknownNameError, "unknown_stem", value="drums") as caught:
        study.load_stem("song0", "drums")
    assert str(caught.value)[0] not in "'\""  # a sentence, not the quoted text of a KeyError
    with raises(DetailedError, "unknown_part", value="lyrics"):
        study.has("lyrics")
    with pytest.raises(FileNotFoundError):
        load_study(tmp_path / "nowhere")


def test_styles_keep_the_order_of_study_yml(make_study):
    folder = make_study(styles=("soul", "funk", "beat", "pop"), audio=False)
    assert load_study(folder).styles == ["soul", "funk", "beat", "pop"]
    text = (folder / "study.yml").read_text().replace("- soul\n- funk\n- beat\n- pop\n", "- pop\n")
    (folder / "study.yml").write_text(text)
    assert load_study(folder).styles == ["pop", "beat", "funk", "soul"]
    (folder / "study.yml").write_text(text.replace("styles:\n- pop", "styles:"))
    assert load_study(folder).styles == ["beat", "funk", "pop", "soul"]


def test_a_query_with_one_answer_is_left_out_and_named(make_study):
    folder = make_study()
    ratings = pd.read_csv(folder / "ratings.csv")
    one, other = sorted(set(ratings["query"]))
    ratings.loc[ratings["query"] == one, "rating"] = 4
    ratings.to_csv(folder / "ratings.csv", index=False)
    study = load_study(folder)
    assert list(study.queries) == [other]
    assert set(study.ratings["query"]) == {other}
    assert study.constant_queries == {one: 4}
    assert str(len(ratings)) in repr(study)
    with raises(UnknownNameError, "unknown_query", value=one):
        study.song_means(one)
    ratings.assign(rating=4).to_csv(folder / "ratings.csv", index=False)
    study = load_study(folder)  # otherwise, no column would remain
    assert set(study.queries) == {one, other}
    assert study.constant_queries == {}


def test_files_read_are_those_that_were_read(make_study):
    folder = make_study(stems=True, simulated=True)
    study = load_study(folder, validate=False)
    assert study.files_read == set()
    _ = study.tracks
    assert study.files_read == {folder / "tracks.csv"}
    study.song_means("dance")
    assert study.files_read == {folder / f for f in ("tracks.csv", "ratings.csv", "study.yml")}
    y, sr = study.load("song1", sr=16000)
    assert (len(y), sr) == (8000, 16000)
    study.load_stem("song1", "bass")
    effects = study.truth("effects")
    assert effects.loc[0, "value"] == 0.5
    assert {folder / "audio" / "song1.flac", folder / "truth" / "effects.csv"} <= study.files_read
    assert folder / "stems" / "song1" / "bass.flac" in study.files_read
    assert folder / "listeners.csv" not in study.files_read


def test_stems_sum_to_the_mix(make_study):
    study = load_study(make_study(stems=True))
    assert study.has("stems")
    mix, _ = study.load("song4")
    stems = [study.load_stem("song4", stem)[0] for stem in study.stem_paths("song4")]
    assert np.sum(stems, axis=0) == pytest.approx(mix, abs=4 / 2**15)


def test_what_a_study_has(make_study):
    study = load_study(make_study())
    held = ["audio", "listeners", "styles"]
    for what in ("audio", "listeners", "styles", "stems", "embeddings", "descriptors", "truth"):
        assert study.has(what) is (what in held), what
    assert study.descriptors is None
    frame = pd.DataFrame({"track_id": study.tracks["track_id"], "rms": np.arange(8.0)})
    frame.to_csv(study.path / "descriptors.csv", index=False)
    assert study.has("descriptors")
    assert load_study(study.path).descriptors.at["song5", "rms"] == 5


def test_loading_imports_neither_pandera_nor_downloaders(make_study):
    """Keep imports few, since chapters are run again when a module that they import changes."""
    code = (
        "import sys\n"
        "from groove_utils.study import load_study\n"
        "study = load_study(sys.argv[1], validate=False)\n"
        "study.ratings, study.tracks, study.has('audio')\n"
        "print(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(make_study())], capture_output=True, text=True, check=True
    )
    modules = set(run.stdout.split())
    heavy = {"validate", "schemas", "start", "osf", "download", "datasets"}
    assert not modules & {f"groove_utils.study.{name}" for name in heavy}
    assert not modules & {"groove_utils.audio.decode", "groove_utils.synth", "pandera", "pooch"}


def test_song_names_are_artist_and_title(make_study):
    folder = make_study(audio=False)
    tracks = pd.read_csv(folder / "tracks.csv")
    tracks["artist"] = ["a", "a", "a", "b", *"cdef"]
    tracks["title"] = ["One", "One", None, "One", *"wxyz"]
    tracks.to_csv(folder / "tracks.csv", index=False)
    ids = tracks["track_id"].tolist()
    names = load_study(folder).song_names
    expected = [f"a: One ({ids[0]})", f"a: One ({ids[1]})", f"a: {ids[2]}", "b: One", "c: w"]
    assert names.loc[ids[:5]].tolist() == expected
    assert names.is_unique
