import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile

from groove_utils.audio import AudioError
from groove_utils.cache import ArrayCache
from groove_utils.embed import (
    EmbedError,
    embed_audio,
    embed_study,
    embed_tracks,
    forget_models,
    list_models,
    load_model,
    model_card,
    register_model,
    unregister_model,
)
from groove_utils.embed.benchmark import measure_cost
from groove_utils.embed.extract import _absolute
from groove_utils.embed.sources import FileSource, SumSource

SR = 16000


class Level:
    """A model of which everything is known: the mean of each tenth of a second."""

    sample_rate = SR
    window = 1.0
    version = "1"
    layers = {"mean": 1, "window": 1}  # noqa: RUF012
    n_calls = 0

    def load(self):
        return None

    def forward(self, network, batch, n_valid):
        type(self).n_calls += 1
        frames = batch.unfold(1, 1600, 1600).mean(2, keepdim=True)
        return {"mean": frames, "window": batch.sum(1, keepdim=True) / n_valid[:, None]}


@pytest.fixture
def level():
    Level.n_calls = 0
    register_model("level", Level)
    forget_models()
    yield "level"
    unregister_model("level")
    forget_models()


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path / "cache")


def noise(seconds, seed=0, sr=SR):
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 0.5, int(seconds * sr)).astype(np.float32)


def test_windows_cover_the_whole_signal_and_only_it(level):
    y = np.concatenate([np.full(SR, 0.1), np.full(SR // 2, 0.4)]).astype(np.float32)
    layers = embed_audio(y, SR, level)
    np.testing.assert_allclose(layers["mean"], [[0.1], [0.4]], rtol=1e-5)
    np.testing.assert_allclose(layers["window"], [[0.1], [0.4]], rtol=1e-5)


@pytest.mark.parametrize("seconds", [0.05, 0.95, 1.0, 2.3, 7.7])
def test_track_vector_is_the_mean_of_the_signal(level, cache, seconds):
    y = noise(seconds)
    y = y[: max(1600, len(y) // 1600 * 1600)] if seconds > 0.1 else y
    layers = embed_tracks({"a": (y, SR)}, level, cache=cache, progress=False).layers
    np.testing.assert_allclose(layers["window"][0], y.mean(), atol=1e-6)
    if seconds > 0.1:
        np.testing.assert_allclose(layers["mean"][0], y.mean(), atol=1e-6)


def test_batches_across_tracks_keep_tracks_apart(level, cache):
    tracks = {f"t{i}": (noise(0.2 + 0.37 * i, i), SR) for i in range(30)}
    together = embed_tracks(tracks, level, cache=cache, progress=False)
    assert Level.n_calls < 30 + 2  # two are the probe's
    for i, (track, (y, _)) in enumerate(tracks.items()):
        np.testing.assert_allclose(together.layer("window")[i], y.mean(), atol=1e-6)
        assert together.track_ids[i] == track


def test_cache_serves_the_second_call_and_equal_audio(level, cache, tmp_path):
    y = noise(3)
    first = embed_tracks({"a": (y, SR), "b": (y.copy(), SR)}, level, cache=cache, progress=False)
    assert len(cache) == 1
    n_calls = Level.n_calls
    again = embed_tracks({"c": (y, SR)}, level, cache=cache, progress=False)
    assert Level.n_calls == n_calls
    for name in first.layers:
        assert first.layer(name)[1].tobytes() == again.layer(name)[0].tobytes()
    embed_tracks({"a": (y * 0.5, SR)}, level, cache=cache, progress=False)
    assert Level.n_calls > n_calls
    assert len(cache) == 2


def test_damaged_entry_is_computed_again(level, cache):
    y = noise(2)
    first = embed_tracks({"a": (y, SR)}, level, cache=cache, progress=False)
    (entry,) = cache.folder.glob("??/*.entry")
    entry.write_bytes(entry.read_bytes()[:-40])
    with pytest.warns(RuntimeWarning, match="damaged"):
        again = embed_tracks({"a": (y, SR)}, level, cache=cache, progress=False)
    np.testing.assert_array_equal(first.layer("mean"), again.layer("mean"))
    assert len(cache) == 1


def test_silence_is_embedded_and_reported(level, cache):
    tracks = {"quiet": (np.zeros(SR, np.float32), SR), "loud": (noise(1), SR)}
    for _ in range(2):  # computed, then from the cache
        embedding = embed_tracks(tracks, level, cache=cache, progress=False)
        assert embedding.silent == ["quiet"]
        assert np.isfinite(embedding.layer("mean")).all()


@pytest.mark.parametrize(("sr", "channels"), [(8000, 1), (192000, 2), (44100, 6), (22050, 1)])
def test_any_rate_and_number_of_channels(level, sr, channels, tmp_path, cache):
    t = np.arange(2 * sr) / sr
    y = 0.25 + 0.1 * np.sin(2 * np.pi * 100 * t)
    soundfile.write(tmp_path / "x.wav", np.stack([y] * channels, 1), sr, subtype="FLOAT")
    embedding = embed_tracks({"x": tmp_path / "x.wav"}, level, cache=cache, progress=False)
    np.testing.assert_allclose(embedding.layer("mean"), 0.25, atol=2e-3)


def test_bad_signals_are_refused_with_the_reason(level, cache, tmp_path):
    bad = noise(1)
    bad[7] = np.nan
    for y, message in [
        (np.zeros(0), "at least one sample"),
        (bad, "1 of 16000 samples are NaN"),
        (np.zeros((2, 3, 4)), "expected"),
    ]:
        with pytest.raises(ValueError, match=message):
            embed_audio(y, SR, level)
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(AudioError, match=r"text\.wav.*cannot be decoded"):
        embed_tracks({"x": tmp_path / "text.wav"}, level, cache=cache, progress=False)
    with pytest.raises(AudioError, match="no such audio file"):
        embed_tracks({"x": tmp_path / "none.wav"}, level, cache=cache, progress=False)
    with pytest.raises(ValueError, match=r"no model 'mert'.*msd-musicnn"):
        embed_audio(noise(1), SR, "mert")


@pytest.mark.parametrize("model", list_models().query("state == 'installed'").index)
def test_every_offline_model_gives_what_its_card_says(model):
    card = model_card(model)
    layers = embed_audio(noise(4), SR, model)
    assert {name: values.shape[1] for name, values in layers.items()} == card.layers
    assert len({len(values) for values in layers.values()}) == 1
    for values in layers.values():
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    adapter = load_model(model).adapter
    assert (adapter.sample_rate, adapter.layers) == (card.sample_rate, card.layers)
    assert adapter.window == pytest.approx(card.window)
    assert adapter.hop == pytest.approx(card.hop)
    again = embed_audio(noise(4), SR, model)
    assert all(layers[name].tobytes() == again[name].tobytes() for name in layers)


def study_folder(folder, n=3):
    tracks = pd.DataFrame({"track_id": [f"s{i}" for i in range(n)]})
    for i, track in enumerate(tracks["track_id"]):
        (folder / "stems" / track).mkdir(parents=True)
        parts = {stem: noise(2, 10 * i + j) * 0.2 for j, stem in enumerate(["drums", "bass"])}
        for stem, y in parts.items():
            soundfile.write(folder / "stems" / track / f"{stem}.wav", y, SR, subtype="FLOAT")
        mix = sum(parts.values())
        soundfile.write(folder / f"{track}.wav", mix, SR, subtype="FLOAT")
    return SimpleNamespace(
        path=folder,
        tracks=tracks,
        audio_path=lambda track: folder / f"{track}.wav",
        stem_paths=lambda track: {
            path.stem: path for path in sorted((folder / "stems" / track).glob("*.wav"))
        },
    )


def test_study_and_its_stems(level, cache, tmp_path):
    study = study_folder(tmp_path)
    options = {"cache": cache, "progress": False}
    whole = embed_study(study, level, **options)
    assert whole.track_ids == ["s0", "s1", "s2"]
    drums = embed_study(study, level, stems="drums", **options)
    bass = embed_study(study, level, stems=["bass"], **options)
    both = embed_study(study, level, stems=["drums", "bass"], **options)
    np.testing.assert_allclose(whole.layer("mean"), both.layer("mean"), atol=1e-6)
    total = drums.layer("mean") + bass.layer("mean")
    np.testing.assert_allclose(whole.layer("mean"), total, atol=1e-6)
    assert embed_study(study, level, tracks=["s2"], **options).track_ids == ["s2"]
    with pytest.raises(ValueError, match="no stem 'vocals'; it has bass, drums"):
        embed_study(study, level, stems="vocals", **options)


def test_precomputed_vectors_are_used(tmp_path, cache):
    study = study_folder(tmp_path)
    folder = Path(tmp_path) / "embeddings" / "their-model"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3, 5, 8)).astype(np.float32)
    for track, values in zip(study.tracks["track_id"], vectors):
        np.savez(folder / f"{track}.npz", last=values, first=values[0], song_id=np.array(track))
    embedding = embed_study(study, "their-model", cache=cache)
    np.testing.assert_allclose(embedding.layer("last"), vectors.mean(1), rtol=1e-6)
    np.testing.assert_array_equal(embedding.layer("first"), vectors[:, 0])
    assert embedding.source == str(folder)
    np.savez(folder / "s1.npz", last=np.zeros(7), first=np.zeros(8))
    with pytest.raises(ValueError, match=r"s1\.npz has layers .*'last': 7.*others"):
        embed_study(study, "their-model", cache=cache)
    np.savez(folder / "s1.npz", last=np.full(8, np.nan), first=np.zeros(8))
    with pytest.raises(ValueError, match="NaN or infinite"):
        embed_study(study, "their-model", cache=cache)
    (folder / "s1.npz").unlink()
    with pytest.raises(EmbedError, match=r"no vectors of 1 tracks, the first is s1\.npz"):
        embed_study(study, "their-model", cache=cache)


def brought(folder, model, **by_track):
    """A study that brings vectors, and their folder."""
    (folder / "embeddings" / model).mkdir(parents=True)
    for track, layers in by_track.items():
        np.savez(folder / "embeddings" / model / f"{track}.npz", **layers)
    tracks = pd.DataFrame({"track_id": list(by_track)})
    return SimpleNamespace(path=folder, tracks=tracks), folder / "embeddings" / model


def write_damaged(path, kind):
    whole = path.read_bytes()
    if kind == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "npy":
        np.save(path.with_suffix(".npy"), np.zeros(4))
        path.with_suffix(".npy").replace(path)
    elif kind == "page":
        path.write_bytes(b"<html>not found</html>")
    elif kind == "flipped":
        at = whole.index(b"NUMPY") + 130
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    else:
        values = {
            "objects": np.array([{}, 1], dtype=object),
            "no numbers": np.array("text"),
            "no rows": np.zeros((0, 4)),
            "nothing": np.zeros(0),
            "three axes": np.zeros((2, 2, 4)),
            "too large": np.array([1e300, 0, 0, 0]),
        }
        np.savez(path, last=values[kind])


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("cut", "is no .npz archive, or not the whole of one"),
        ("empty", r"is no .npz archive.*\(0 bytes\)"),
        ("npy", "is no .npz archive"),
        ("page", "is no .npz archive"),
        ("flipped", "has 'last', which cannot be read"),
        ("objects", "has 'last', which cannot be read .it holds Python objects"),
        ("no numbers", "has no array of numbers"),
        ("no rows", "has 'last' of shape .0, 4., which is no vector"),
        ("nothing", "has 'last' of shape .0,., which is no vector"),
        ("three axes", "has 'last' of shape .2, 2, 4., which is no vector"),
        ("too large", "has NaN or infinite values in 'last'"),
    ],
)
def test_damaged_vectors_are_named_with_the_reason(tmp_path, kind, told):
    study, folder = brought(tmp_path, "theirs", a={"last": np.ones(4)}, b={"last": np.ones(4)})
    write_damaged(folder / "b.npz", kind)
    with pytest.raises(ValueError, match=rf"(?s)theirs: 1 of 2.*b\.npz {told}.*\(dim,\).*export"):
        embed_study(study, "theirs")


def test_of_many_damaged_vectors_some_are_named_and_all_counted(tmp_path):
    rows = {f"s{i}": {"last": np.full(4, np.nan if i else 1)} for i in range(9)}
    study, _ = brought(tmp_path, "theirs", **rows)
    with pytest.raises(ValueError, match="8 of 9 files") as error:
        embed_study(study, "theirs")
    assert "s1.npz" in str(error.value)
    assert "s6.npz" not in str(error.value)
    assert "and 3 more" in str(error.value)


def test_whole_numbers_are_vectors_and_a_single_one_is_a_fact(tmp_path):
    codes = np.arange(12).reshape(3, 4)
    row = {"codes": codes, "bytes": codes[0].astype(np.uint8), "song_id": np.array(17)}
    study, _ = brought(tmp_path, "theirs", a=row)
    layers = embed_study(study, "theirs").layers
    assert {name: values.dtype for name, values in layers.items()} == {
        "codes": np.float32,
        "bytes": np.float32,
    }
    np.testing.assert_array_equal(layers["codes"], [[4, 5, 6, 7]])
    np.testing.assert_array_equal(layers["bytes"], [[0, 1, 2, 3]])


@pytest.mark.parametrize(("model", "n"), [("mert-v1-95m", 13), ("mert-v1-330m", 25)])
def test_published_rows_of_a_model_with_numbered_layers_are_its_layers(tmp_path, model, n):
    dim = model_card(model).layers["layer_00"]
    values = np.random.default_rng(0).normal(size=(2, n, dim)).astype(np.float32)
    rows = {t: {"audio_embedding": v, "song_id": np.array(t)} for t, v in zip("ab", values)}
    study, _ = brought(tmp_path / "as published", model, **rows)
    layers = embed_study(study, model).layers
    assert list(layers) == [f"layer_{i:02d}" for i in range(n)]
    np.testing.assert_array_equal(np.stack(list(layers.values()), 1), values)
    # windows, of another model or of another name or number, are averaged as ever
    for place, name, key, array in [
        ("another model", "theirs", "audio_embedding", values[0]),
        ("another name", model, "windows", values[0]),
        ("another number", model, "audio_embedding", values[0, 1:]),
        ("other layers", "ast", "audio_embedding", values[0]),
    ]:
        study, _ = brought(tmp_path / place, name, a={key: array})
        layers = embed_study(study, name).layers
        assert list(layers) == [key]
        np.testing.assert_allclose(layers[key][0], array.mean(0), rtol=1e-5, atol=1e-6)


def test_options_that_vectors_cannot_follow_are_told(tmp_path, recwarn):
    study, _ = brought(tmp_path, "theirs", a={"last": np.ones(4)})
    with pytest.raises(ValueError, match=r"pooling is 'mean\+std'.* of theirs, which are means"):
        embed_study(study, "theirs", pooling="mean+std")
    embed_study(study, "theirs", pooling="mean", seed=0, autocast=False, device="cpu")
    assert not recwarn
    with pytest.warns(RuntimeWarning, match="of theirs.*seed and autocast changed nothing") as told:
        embed_study(study, "theirs", seed=3, autocast=True)
    assert told[0].filename == __file__


def test_stems_are_named_once(level, cache, tmp_path):
    study = study_folder(tmp_path)
    with pytest.raises(ValueError, match="no stems to add up"):
        embed_study(study, level, stems=[], cache=cache)
    with pytest.raises(ValueError, match="drums, bass, drums: 'drums' is named twice"):
        embed_study(study, level, stems=["drums", "bass", "drums"], cache=cache)
    with pytest.raises(ValueError, match="no files to add up"):
        SumSource([])


def test_an_excerpt_outside_its_file_is_told(level, cache, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(1), SR)
    with pytest.raises(ValueError, match=r"a\.wav: the excerpt starts at -1 s; expected 0"):
        FileSource(tmp_path / "a.wav", start=-1)
    with pytest.raises(ValueError, match=r"a\.wav: the excerpt lasts -2 s; expected more than 0"):
        FileSource(tmp_path / "a.wav", duration=-2)
    with pytest.raises(AudioError, match=r"x: .*a\.wav: .* starts at 5 s, but the file ends at 1"):
        embed_tracks({"x": FileSource(tmp_path / "a.wav", 5)}, level, cache=cache, progress=False)


def test_embedding_as_a_table(level, cache):
    tracks = {f"t{i}": (noise(1, i), SR) for i in range(3)}
    embedding = embed_tracks(tracks, level, cache=cache, progress=False)
    frame = embedding.frame("mean")
    assert frame.index.name == "track_id"
    assert list(frame.columns) == ["mean_0000"]
    assert list(embedding.select(["t2", "t0"]).track_ids) == ["t2", "t0"]
    np.testing.assert_array_equal(
        embedding.select(["t2"]).layer("mean")[0], embedding.layer("mean")[2]
    )
    with pytest.raises(KeyError, match="it has mean, window"):
        embedding.layer("last")
    with pytest.raises(KeyError, match="no embedding of"):
        embedding.select(["t9"])


def test_registration_says_what_an_adapter_lacks():
    class Half:
        sample_rate = 16000.5
        window = 0
        layers = {}  # noqa: RUF012

    with pytest.raises(ValueError, match=r"sample_rate.*window.*layers.*load\(\).*forward\(\)"):
        register_model("half", Half)
    with pytest.raises(ValueError, match="already"):
        register_model("msd-vgg", Level)


def test_a_model_that_is_registered_anew_is_a_new_one(level, cache):
    y = noise(1)
    before = embed_audio(y, SR, level)["mean"]

    class Louder(Level):
        def forward(self, network, batch, n_valid):
            return {name: 100 * v for name, v in super().forward(network, batch, n_valid).items()}

        version = "2"

    with pytest.raises(ValueError, match="replace=True"):
        register_model(level, Louder)
    register_model(level, Louder, replace=True)
    np.testing.assert_allclose(embed_audio(y, SR, level)["mean"], 100 * before, rtol=1e-6)
    unregister_model(level)
    register_model(level, Level)
    np.testing.assert_array_equal(embed_audio(y, SR, level)["mean"], before)


def test_a_reader_s_own_model_is_listed(level):
    assert list_models().loc[level, "available"]
    card = model_card(level)
    assert (card.sample_rate, card.layers) == (SR, {"mean": 1, "window": 1})
    assert level in list_models().index[-1:]


def test_registration_wants_a_class_and_no_layer_called_peak(level):
    with pytest.raises(ValueError, match=r"object of type Level.*expected the adapter's class"):
        register_model("instance", Level())
    with pytest.raises(ValueError, match="called 'peak'"):
        register_model("peaky", type("Peaky", (Level,), {"layers": {"peak": 1}}))


def test_the_model_that_the_book_shows_can_be_copied():
    text = (Path(__file__).parents[3] / "book" / "adapt.md").read_text(encoding="utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    names: dict = {}
    exec(code.partition("embed_study(load")[0], names)
    y = noise(7)
    found = embed_audio(y, SR, "loudness")["level"]
    rms = np.sqrt(np.square(y[: 5 * SR].reshape(-1, 400)).mean(1)).mean()
    np.testing.assert_allclose(found[0, 0], rms, rtol=1e-5)
    unregister_model("loudness")


def test_tracks_must_have_names(level, cache):
    with pytest.raises(ValueError, match="tracks is a list; expected a dict of track_id"):
        embed_tracks([(noise(1), SR)], level, cache=cache)


def test_silence_is_said(level, cache):
    tracks = {"quiet": (np.zeros(SR, "f4"), SR), "loud": (noise(1), SR)}
    with pytest.warns(RuntimeWarning, match=r"1 of 2 tracks are silent \(the first is quiet\)"):
        embed_tracks(tracks, level, cache=cache, progress=False)


def test_vectors_that_do_not_arrive_are_missed(level, cache, monkeypatch):
    from groove_utils.embed import extract

    monkeypatch.setattr(extract, "embed_distributed", lambda *_: {})
    with pytest.raises(EmbedError, match=r"1 of 1 vectors .*workers of joblib:2.*GROOVE_C"):
        embed_tracks({"a": (noise(1), SR)}, level, cache=cache, executor="joblib:2")


def test_relative_paths_reach_workers(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", noise(1), SR)
    monkeypatch.chdir(tmp_path)
    for source in (FileSource("a.wav"), SumSource(["a.wav", "a.wav"])):
        for part in getattr(_absolute(source), "parts", [source]):
            assert part.path == tmp_path / "a.wav"


def test_cost_is_measured_in_a_process_of_its_own(level, tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(2), SR)
    table = measure_cost({"a": tmp_path / "a.wav"}, [level, "musicfm", "of-a-reader"])
    table = table.set_index("model")
    assert table.loc[level, "numbers"] == 2
    assert 0 < table.loc[level, "seconds_per_second"] < 10
    assert 100 < table.loc[level, "peak_MiB"] < 5000
    assert table.loc[["musicfm", "of-a-reader"]].isna().all(axis=None)
    assert measure_cost({}, [level])["numbers"].isna().all()


def test_import_is_light():
    code = (
        "import sys, groove_utils.embed\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'dask'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_in_the_cache_is_found_without_torch(tmp_path):
    """As chapters do that are run again: importing it takes longer than reading all vectors."""
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 16000), 16000)
    code = (
        "import sys; from groove_utils import embed\n"
        "for model in ('mtt-vgg', 'mtt-musicnn-untrained', 'basic-pitch'):\n"
        f"    embed.embed_tracks({{'a': r'{tmp_path / 'a.wav'}'}}, model, progress=False)\n"
        "print('torch' in sys.modules)"
    )
    environment = os.environ | {"GROOVE_CACHE": str(tmp_path / "cache")}
    how = {"env": environment, "capture_output": True, "text": True, "check": True}
    said = [subprocess.run([sys.executable, "-c", code], **how).stdout for _ in range(2)]
    assert [text.split()[-1] for text in said] == ["True", "False"]
