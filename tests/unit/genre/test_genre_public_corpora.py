"""GTZAN and FMA-small, tested on tiny folders with the same layouts, without a network."""

import tarfile
import zipfile

import pandas as pd
import pytest
from expect import raises

from groove_utils.files import hash_file
from groove_utils.genre import CorpusError, public_corpora
from groove_utils.genre.public_corpora import fma_corpus, gtzan_corpus

SONGS = {
    "train": ["blues.00000", "jazz.00054", "jazz.00001"],
    "valid": ["blues.00002"],
    "test": ["jazz.00003"],
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(public_corpora.pooch, "retrieve", refuse)


@pytest.fixture
def gtzan(tmp_path, monkeypatch):
    """Lists and archive in the published format, with five songs."""
    split = {}
    for name, songs in SONGS.items():
        path = tmp_path / f"{name}_filtered.txt"
        path.write_text("".join(f"{s.split('.')[0]}/{s}.wav\n" for s in songs))
        split[name] = (hash_file(path)[:16], len(songs))
    monkeypatch.setattr(public_corpora, "GTZAN_SPLIT", split)
    with tarfile.open(tmp_path / "genres.tar.gz", "w:gz") as archive:
        for song in [*SONGS["train"], *SONGS["valid"], *SONGS["test"], "blues.00009"]:
            path = tmp_path / "empty"
            path.touch()
            archive.add(path, f"genres/{song.split('.')[0]}/{song}.wav")
    return tmp_path


def test_the_published_lists_have_the_known_sizes():
    counts = [count for _, count in public_corpora.GTZAN_SPLIT.values()]
    assert counts == [443, 197, 290]
    assert sum(counts) == 930


def test_gtzan_is_unpacked_and_split_without_its_broken_song(gtzan):
    corpus = gtzan_corpus(gtzan)
    songs = corpus.songs.set_index("song_id")
    assert set(songs.index) == {"blues.00000", "jazz.00001", "blues.00002", "jazz.00003"}
    assert songs["split"].value_counts().to_dict() == {"train": 2, "valid": 1, "test": 1}
    assert corpus.path("jazz.00003") == gtzan / "genres/jazz/jazz.00003.wav"
    assert corpus.path("jazz.00003").is_file()
    assert corpus.styles == ["blues", "jazz"]
    assert songs["artist"].is_unique
    assert corpus.licence
    assert gtzan_corpus(gtzan, download=False).songs.equals(corpus.songs)


def test_a_download_is_checked_by_its_hash_and_shows_its_licence(gtzan, monkeypatch, capsys):
    away = (gtzan / "genres.tar.gz").rename(gtzan / "away")
    asked = {}

    def retrieve(url, known_hash, fname, path, downloader):
        asked[url] = known_hash
        away.rename(path / fname)

    monkeypatch.setattr(public_corpora.pooch, "retrieve", retrieve)
    assert len(gtzan_corpus(gtzan).songs) == 4
    remote = public_corpora.GTZAN_AUDIO
    assert asked == {remote.url: remote.checksum}
    assert public_corpora.GTZAN_LICENCE in capsys.readouterr().out
    asked.clear()
    gtzan_corpus(gtzan)
    assert not asked


def test_another_layout_of_gtzan_is_found(gtzan):
    (gtzan / "genres.tar.gz").unlink()
    for song in [*SONGS["train"], *SONGS["valid"], *SONGS["test"]]:
        path = gtzan / "Data" / "genres_original" / song.split(".")[0] / f"{song}.au"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert gtzan_corpus(gtzan).songs["audio"][0] == "Data/genres_original/blues/blues.00000.au"
    path.unlink()
    with raises(CorpusError, "missing_file", value="jazz.00003"):
        gtzan_corpus(gtzan)


def test_a_changed_list_is_refused(gtzan):
    path = gtzan / "test_filtered.txt"
    path.write_text(path.read_text().replace("00003", "00004"))
    with raises(CorpusError, "wrong_hash", path=path):
        gtzan_corpus(gtzan)


@pytest.mark.parametrize("load", [gtzan_corpus, fma_corpus])
@pytest.mark.parametrize("download", [True, False])
def test_without_a_network_one_message_says_what_goes_where(tmp_path, load, download):
    with raises(CorpusError, "not_downloaded") as caught:
        load(tmp_path, download=download)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.value.rpartition("/")[0] in str(caught.value)


@pytest.fixture
def fma(tmp_path):
    """Archives in the published format with three tracks, one without audio and one not `small`."""
    columns = pd.MultiIndex.from_tuples(
        [("set", "subset"), ("set", "split"), ("track", "genre_top"), ("track", "genres"),
         ("track", "license"), ("artist", "id")]
    )  # fmt: skip
    rows = {
        2: ("small", "training", "Hip-Hop", "[21]", "CC BY", 1),
        5: ("small", "validation", "Rock", "[12, 98]", "CC BY-NC", 7),
        7: ("medium", "test", "Rock", "[12]", "CC0", 7),
        99134: ("small", "test", "Rock", "[12]", "CC0", 9),
    }
    tracks = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    tracks.index.name = "track_id"
    genres = pd.DataFrame(
        {"parent": [0, 0, 12, 98], "title": ["Hip-Hop", "Rock", "Indie", "Indie"]},
        index=pd.Index([21, 12, 98, 99], name="genre_id"),
    )
    tracks.to_csv(tmp_path / "tracks.csv")
    genres.to_csv(tmp_path / "genres.csv")
    with zipfile.ZipFile(tmp_path / "fma_metadata.zip", "w") as archive:
        for name in ("tracks.csv", "genres.csv"):
            archive.write(tmp_path / name, f"fma_metadata/{name}")
    with zipfile.ZipFile(tmp_path / "fma_small.zip", "w") as archive:
        for name in ("000002", "000005"):
            archive.writestr(f"fma_small/000/{name}.mp3", "")
    return tmp_path


def test_fma_has_its_own_tree_split_and_licences(fma):
    corpus = fma_corpus(fma)
    songs = corpus.songs.set_index("song_id")
    assert list(songs.index) == ["000002", "000005"]
    assert list(songs["split"]) == ["train", "valid"]
    assert list(songs["style"]) == ["Hip-Hop", "Rock"]
    assert list(songs["artist"]) == ["artist-1", "artist-7"]
    assert list(songs["licence"]) == ["CC BY", "CC BY-NC"]
    assert corpus.tree == {"Indie (98)": "Rock", "Indie (99)": "Indie (98)"}
    assert corpus.path("000005").is_file()
    assert list(fma_corpus(fma, level="fine").songs["style"]) == ["Hip-Hop", "Indie (98)"]


def test_faults_of_fma_are_found(fma):
    fma_corpus(fma)
    (fma / "fma_small/000/000005.mp3").unlink()
    with raises(CorpusError, "missing_file", path="000005.mp3"):
        fma_corpus(fma)
    with raises(CorpusError, "unknown_level", value="middle"):
        fma_corpus(fma, level="middle")
