"""Corpora from folders style/artist/*, from tables, and with trees of styles."""

import numpy as np
import pytest
from expect import raises
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from groove_utils.embed import embed_tracks
from groove_utils.genre import accuracy_table, compare_classifiers
from groove_utils.genre.corpora import CorpusError, load_corpus, rendered_corpus
from groove_utils.probe import ClippedStandardScaler


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_any_folder_of_styles_and_artists_is_a_corpus(tmp_path):
    write(tmp_path, "ska/The A's/one.wav", "ska/The A's/two.MP3", "dub/B/one.flac", "dub/B/.x.wav",
          "dub/B/cover.jpg", "readme.txt", "dub/loose.wav", "ska/The A's/one.ogg")  # fmt: skip
    corpus = load_corpus(tmp_path)
    assert corpus.styles == ["dub", "ska"]
    assert list(corpus.songs["artist"]) == ["B", "The A's", "The A's", "The A's"]
    assert corpus.songs["song_id"].is_unique
    assert corpus.path("dub/B/one") == tmp_path / "dub/B/one.flac"
    assert corpus.tree == {}
    with raises(CorpusError, "unknown_song", value="x"):
        corpus.path("x")


def test_a_table_and_a_tree_are_read_where_they_are(tmp_path):
    write(tmp_path, "a.wav")
    table = tmp_path / "songs.csv"
    table.write_text("song_id,style,artist,audio,tempo,crossover\n001,ska,None,a.wav,99.5,\n")
    (tmp_path / "tree.yml").write_text("ska: jamaican\n")
    corpus = load_corpus(tmp_path)
    row = corpus.songs.iloc[0]
    assert (row["song_id"], row["artist"], row["tempo"], row["crossover"]) == (
        "001",
        "None",
        99.5,
        "",
    )
    assert corpus.tree == {"ska": "jamaican"}


@pytest.mark.parametrize(
    ("text", "kind", "fields"),
    [
        ("song_id,style,audio\n1,a,a.wav\n", "missing_column", {"column": "artist"}),
        ("song_id,style,artist,audio\n1,a,,a.wav\n", "empty_value", {"row": 2, "column": "artist"}),
        ("song_id,style,artist,audio\n1,a,b,c.wav\n", "missing_file", {"row": 2, "path": "c.wav"}),
        ("song_id,style,artist,audio\n1,a,b,a.wav\n1,a,b,a.wav\n", "duplicate", {"row": 3}),
        ("song_id,style,artist,audio\n", "no_songs", {}),
        ("song_id,style,artist,audio\n1,{x}`y`,b,a.wav\n", "not_a_label", {"value": "{x}`y`"}),
    ],
)
def test_faults_of_a_table_are_found(tmp_path, text, kind, fields):
    write(tmp_path, "a.wav")
    (tmp_path / "songs.csv").write_text(text)
    with raises(CorpusError, kind, **fields):
        load_corpus(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("songs.csv", b""), ("songs.csv", b"song_id,style\n\xff\xfe,a\n"), ("songs.csv", b'a,b\n"x'),
     ("tree.yml", b"- a\n- b\n"), ("tree.yml", b"a: [\n"), ("tree.yml", b"\xff")],
)  # fmt: skip
def test_files_of_another_kind_are_refused(tmp_path, name, content):
    write(tmp_path, "a/b/c.wav")
    (tmp_path / name).write_bytes(content)
    with raises(CorpusError, "unreadable", path=name):
        load_corpus(tmp_path)


def test_folders_without_songs_and_circular_trees_are_errors(tmp_path):
    with raises(CorpusError, "missing_folder"):
        load_corpus(tmp_path / "absent")
    with raises(CorpusError, "no_songs"):
        load_corpus(tmp_path)
    write(tmp_path, "a/b/c.wav")
    (tmp_path / "tree.yml").write_text("a: x\nx: a\n")
    with raises(CorpusError, "not_a_tree", value="a"):
        load_corpus(tmp_path)


@pytest.mark.weekly
def test_the_rendered_styles_are_neither_saturated_nor_hopeless():
    corpus = rendered_corpus(progress=False)
    paths = {song: corpus.path(song) for song in corpus.songs["song_id"]}
    tagger = embed_tracks(paths, "msd-musicnn", progress=False)
    songs = corpus.songs.set_index("song_id").loc[tagger.track_ids]
    X, y = np.asarray(tagger.layers["penultimate"]), songs["style"]
    linear = make_pipeline(ClippedStandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    table = compare_classifiers(X, y, songs["artist"], classifiers={"tagger": linear})
    row = accuracy_table(table).iloc[0]
    assert 0.60 < row["low"] < row["high"] < 0.95
    assert row["high"] - row["low"] < 0.16
