"""Separated tracks in the cache: separated only once, complete, verified, and resumed."""

import errno
import os
import resource

import numpy as np
import pytest
import soundfile
from expect import raises
from joblib.externals.loky import get_reusable_executor

from groove_utils.audio import AudioError, encode
from groove_utils.cache import ArrayCache
from groove_utils.cache import main as cache_main
from groove_utils.errors import DetailedError, describe_os_error
from groove_utils.stems import separate, separate_study, separate_tracks, separation
from groove_utils.stems.hpss import Hpss
from groove_utils.study import load_study

SR = 44_100


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path / "cache", "stems")


@pytest.fixture
def files(write, band):
    return {
        "a": write("a.flac", band[:, :40_000]),
        "b": write("b.wav", band[0, :30_000], 22_050),
        "c": write("c.flac", band[:, 40_000:80_000]),
    }


@pytest.fixture
def runs(monkeypatch):
    """Files that HPSS was run on."""
    seen, stream = [], Hpss.stream

    def watched(self, source):
        seen.append(source.path.name)
        yield from stream(self, source)

    monkeypatch.setattr(Hpss, "stream", watched)
    return seen


def test_files_hold_what_separate_gives(files, cache):
    found = separate_tracks(files, "hpss", cache=cache, progress=False)
    assert list(found) == ["a", "b", "c"]
    for track, stems in found.items():
        y, sr = soundfile.read(files[track], dtype="float32", always_2d=True)
        expected = separate(y.T, sr, "hpss")
        assert list(stems) == ["percussive", "harmonic"]
        for stem, path in stems.items():
            info = soundfile.info(path)
            assert (info.subtype, info.samplerate, info.channels) == ("FLOAT", sr, y.shape[1])
            written, _ = soundfile.read(path, dtype="float32", always_2d=True)
            np.testing.assert_array_equal(written.T, expected[stem])


def test_each_file_is_separated_once(files, cache, runs, tmp_path):
    files["copy"] = tmp_path / "copy.flac"
    files["copy"].write_bytes(files["a"].read_bytes())
    first = separate_tracks(files, "hpss", cache=cache, progress=False)
    assert sorted(runs) == ["a.flac", "b.wav", "c.flac"]
    assert first["copy"] == first["a"]
    assert separate_tracks(files, "hpss", cache=cache, progress=False) == first
    assert len(runs) == 3
    files["a"].write_bytes(files["c"].read_bytes())  # other content under the same name
    assert separate_tracks(files, "hpss", cache=cache, progress=False)["a"] == first["c"]
    assert len(runs) == 3


def test_network_and_settings_make_the_key(write, cache, repository):
    one = {"b": write("short.wav", np.ones(3000) / 9)}

    def path(name, **options):
        found = separate_tracks(one, repository / name, cache=cache, progress=False, **options)
        assert list(found["b"]) == ["drums", "bass", "other", "vocals"]
        return found["b"]["drums"]

    paths = [
        path("aaaa1111"),
        path("bbbb2222"),
        path("both"),
        path("both", overlap=0.5),
        path("both", segment=0.5),
        path("both", shifts=1),
        path("both", shifts=1, seed=1),
    ]
    assert len(set(paths)) == len(paths)
    assert path("both", seed=1) == path("both")  # without shifts the seed does not matter


def test_a_network_that_is_not_here_is_not_needed_for_cached_stems(
    files, cache, repository, monkeypatch
):
    from demucs.repo import LocalRepo

    networks = [LocalRepo(repository).get_model("aaaa1111")]
    monkeypatch.setattr("demucs.pretrained.get_model", lambda name: networks.pop())
    first = separate_tracks({"b": files["b"]}, "htdemucs", cache=cache, progress=False)
    for other in ("mdx", "mdx_q"):  # only two networks are kept in memory
        networks.append(LocalRepo(repository).get_model("aaaa1111"))
        separate(np.zeros(1000), SR, other)
    assert separate_tracks({"b": files["b"]}, "htdemucs", cache=cache, progress=False) == first


def test_a_damaged_or_missing_stem_is_separated_again(files, cache, runs):
    one = {"a": files["a"]}
    path = separate_tracks(one, "hpss", cache=cache, progress=False)["a"]["harmonic"]
    good = path.read_bytes()
    path.write_bytes(good[:-8] + b"\xff" * 8)
    with pytest.warns(RuntimeWarning, match="damaged"):
        separate_tracks(one, "hpss", cache=cache, progress=False)
    assert path.read_bytes() == good
    path.unlink()
    separate_tracks(one, "hpss", cache=cache, progress=False)
    assert path.read_bytes() == good
    assert len(runs) == 3


def test_an_interrupted_run_goes_on_where_it_was(files, cache, monkeypatch):
    stream, seen = Hpss.stream, []

    def interrupted(self, source):
        seen.append(source.path.name)
        for block in stream(self, source):
            yield block[..., :1000]
            if len(seen) == 2:
                raise KeyboardInterrupt
            yield block[..., 1000:]

    monkeypatch.setattr(Hpss, "stream", interrupted)
    with pytest.raises(KeyboardInterrupt):
        separate_tracks(files, "hpss", cache=cache, progress=False)
    assert len(cache) == 1
    kept = [p.name for p in cache.folder.glob("*/*")]
    assert len(kept) == 3  # two stems and their entry; nothing half-written
    found = separate_tracks(files, "hpss", cache=cache, progress=False)
    assert seen == ["a.flac", "b.wav", "b.wav", "c.flac"]
    assert all(soundfile.info(p).frames > 1000 for stems in found.values() for p in stems.values())


def test_settings_are_told_once_not_for_each_track(files, cache, repository):
    with raises(DetailedError, "out_of_range", column="segment"):
        separate_tracks(files, repository / "both", cache=cache, segment=3, progress=False)
    wide = {"wide": files["a"].with_name("wide.wav")}
    soundfile.write(wide["wide"], np.zeros((900, 5)), SR)
    with raises(AudioError, "unusable_tracks") as caught:
        separate_tracks(wide, repository / "both", cache=cache, progress=False)
    assert "5 channels" in caught.value.value["wide"]


def test_all_bad_files_are_told_and_the_others_kept(files, cache, tmp_path, write):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    bad = {
        "gone": tmp_path / "gone.wav",
        "text": text,
        "nan": write("nan.wav", np.array([0.1, np.nan]), subtype="FLOAT"),
        "empty": write("empty.wav", np.zeros((1, 0))),
    }
    with raises(AudioError, "unusable_tracks") as caught:
        separate_tracks(files | bad, "hpss", cache=cache, progress=False)
    assert list(caught.value.value) == list(bad)
    for name, text in caught.value.value.items():
        assert str(bad[name]) in text
    assert len(cache) == 3


def test_many_tracks_are_shared_out_to_processes(band, cache, write):
    files = {f"t{k}": write(f"t{k}.wav", band[:, 999 * k : 999 * k + 9000]) for k in range(8)}
    files["nan"] = write("nan.wav", np.full(9, np.nan), subtype="FLOAT")
    with raises(AudioError, "unusable_tracks") as caught:
        separate_tracks(files, "hpss", cache=cache, progress=False)
    assert list(caught.value.value) == ["nan"]
    del files["nan"]
    found = separate_tracks(files, "hpss", cache=cache, progress=False)
    for track, stems in found.items():
        y, _ = soundfile.read(files[track], dtype="float32")
        total = sum(soundfile.read(path, dtype="float32")[0] for path in stems.values())
        np.testing.assert_allclose(total, y, atol=1e-6)


def test_the_bytes_do_not_depend_on_when_they_were_written(files, tmp_path):
    content = []
    for name in ("one", "two"):
        cache = ArrayCache(tmp_path / name, "stems")
        separate_tracks({"a": files["a"]}, "hpss", cache=cache, progress=False)
        content.append({p.name: p.read_bytes() for p in cache.folder.glob("*/*")})
    assert content[0] == content[1]


def test_clearing_the_cache_counts_and_frees_them(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "project"))
    separate_tracks(files, "hpss", progress=False)
    size = sum(p.stat().st_size for p in (tmp_path / "project").rglob("*") if p.is_file())
    assert size > 4 * 2 * (40_000 * 2 * 2 + 30_000)
    assert cache_main(["clear"]) == 0
    text = capsys.readouterr().out
    assert f"stems: 3 entries, {size / 1e6:.1f} MB" in text
    assert f"freed {size / 1e6:.1f} MB" in text
    assert not [p for p in (tmp_path / "project").rglob("*") if p.is_file()]


def test_a_study_gives_its_own_stems_or_separates_its_audio(make_study, cache):
    study = load_study(make_study(stems=True), validate=False)
    own = separate_study(study)
    assert list(own) == list(study.tracks["track_id"])
    assert own["song0"] == study.stem_paths("song0")
    parts = separate_study(study, "hpss", cache=cache, progress=False)
    assert list(parts) == list(own)
    assert {tuple(stems) for stems in parts.values()} == {("percussive", "harmonic")}


def test_a_study_that_lacks_stems_or_audio_says_so(make_study, cache):
    bare = load_study(make_study("bare"), validate=False)
    with raises(DetailedError, "no_stems", value=[f"song{k}" for k in range(8)]):
        separate_study(bare, "true")
    mute = load_study(make_study("mute", audio=False), validate=False)
    with raises(DetailedError, "no_audio"):
        separate_study(mute, "hpss", cache=cache)


class TinyEngine:
    """Fake separator that returns two stems of half the level, block by block."""

    stems = ("one", "other")
    uses_all_cores = True

    def recipe(self):
        return {"separator": "tiny"}

    def check(self):
        pass

    def stream(self, source):
        for block in source.blocks(mono=False):
            for part in np.array_split(block, 3, axis=-1):
                yield np.stack([part, part]) / 2


@pytest.fixture
def full_at(monkeypatch):
    """Function that makes the disk full at the n-th write of a stem; returns the list of writes."""
    write = os.write

    def limit(n):
        sizes = []

        def counted(handle, data):
            sizes.append(len(data))
            if len(sizes) == n:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(handle, data)

        monkeypatch.setattr(encode.os, "write", counted)
        return sizes

    return limit


def test_a_full_disk_at_any_write_leaves_nothing_half_written(files, cache, full_at, monkeypatch):
    monkeypatch.setattr(separation, "_engine", lambda *_, **__: TinyEngine())
    two = {track: files[track] for track in ("a", "b")}
    n, complete = 0, set()
    while True:
        n += 1
        sizes = full_at(n)
        found, message = None, ""
        try:
            found = separate_tracks(two, "tiny", cache=cache, progress=False)
        except OSError as error:
            message = describe_os_error(error)
        if found:
            break
        assert ".wav: No space left on device. Free some space on the disk" in message
        names = [path.name for path in cache.folder.glob("*/*")]
        assert not [name for name in names if name[0] == "."]
        assert len(names) in (0, 3)  # a track's two stems and its entry
        complete |= {len(cache)}
    assert n > 12
    assert len(sizes) < n
    assert complete == {0, 1}
    for track, stems in found.items():
        whole = soundfile.read(two[track], dtype="float32")[0]
        for path in stems.values():
            np.testing.assert_allclose(soundfile.read(path)[0], whole / 2, atol=1e-7)


@pytest.mark.weekly  # starts processes twice
def test_a_full_disk_stops_many_processes_cleanly(write, band, cache, tmp_path):
    many = {f"{i}": write(f"{i}.wav", band[:, i : i + 3000]) for i in range(10)}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    get_reusable_executor().shutdown()
    try:  # limit of file size, also in joblib's processes
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
        with pytest.raises(OSError, match="too large"):
            separate_tracks(many, "hpss", cache=cache, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        get_reusable_executor().shutdown()
    assert not list(cache.folder.glob("*/*"))
    assert len(separate_tracks(many, "hpss", cache=cache, progress=False)) == 10
