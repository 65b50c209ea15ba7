import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile
from expect import raises
from toy_models import SR, Frames, calls, noise, noises

from groove_utils.audio import AudioError
from groove_utils.audio.streams import FileSource
from groove_utils.embed import (
    EmbedError,
    embed_audio,
    embed_study,
    embed_tracks,
    forget_models,
    list_models,
    load_model,
    model_card,
)
from groove_utils.study import Study


@pytest.fixture
def frames(register):
    return register(Frames)


def test_the_cache_serves_the_second_call_and_equal_audio(frames, cache):
    y = noise(3 * SR)
    first = embed_tracks({"a": (y, SR), "b": (y.copy(), SR)}, frames, cache=cache, progress=False)
    assert len(cache) == 1
    n_calls = len(calls)
    again = embed_tracks({"c": (y, SR)}, frames, cache=cache, progress=False)
    assert len(calls) == n_calls
    for name in first.layers:
        assert first.layer(name)[1].tobytes() == again.layer(name)[0].tobytes()
    embed_tracks({"a": (y * 0.5, SR)}, frames, cache=cache, progress=False)
    assert len(calls) > n_calls
    assert len(cache) == 2


def test_a_damaged_entry_is_computed_again(frames, cache):
    tracks = noises(1, 2)
    first = embed_tracks(tracks, frames, cache=cache, progress=False)
    (entry,) = cache.folder.glob("??/*.entry")
    entry.write_bytes(entry.read_bytes()[:-40])
    with pytest.warns(RuntimeWarning, match="damaged"):
        again = embed_tracks(tracks, frames, cache=cache, progress=False)
    np.testing.assert_array_equal(first.layer("window"), again.layer("window"))
    assert len(cache) == 1


def test_silence_is_embedded_and_reported(frames, cache):
    tracks = {"quiet": (np.zeros(SR, np.float32), SR), "loud": (noise(SR), SR)}
    for _ in range(2):  # computed, then from the cache
        with pytest.warns(RuntimeWarning, match="silent"):
            embedding = embed_tracks(tracks, frames, cache=cache, progress=False)
        assert embedding.silent == ["quiet"]
        assert np.isfinite(embedding.layer("window")).all()


@pytest.mark.parametrize(("sr", "channels"), [(8000, 1), (192000, 2), (44100, 6), (22050, 1)])
def test_any_rate_and_number_of_channels(frames, sr, channels, tmp_path, cache):
    t = np.arange(2 * sr) / sr
    y = 0.25 + 0.1 * np.sin(2 * np.pi * 100 * t)
    soundfile.write(tmp_path / "x.wav", np.stack([y] * channels, 1), sr, subtype="FLOAT")
    embedding = embed_tracks({"x": tmp_path / "x.wav"}, frames, cache=cache, progress=False)
    np.testing.assert_allclose(embedding.layer("window"), 0.25, atol=2e-3)


def test_bad_tracks_are_all_listed_and_the_good_ones_kept(frames, cache, tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), SR)
    bad = noise(SR)
    bad[5] = np.inf
    soundfile.write(tmp_path / "inf.wav", bad, SR, subtype="FLOAT")
    tracks = {name: tmp_path / f"{name}.wav" for name in ("text", "empty", "inf", "absent")}
    good = {"good": (noise(SR), SR)}
    tracks |= good | {"zero": (np.zeros(0), SR), "tiny": (np.ones(1, np.float32), 192000)}
    with pytest.raises(AudioError) as caught:
        embed_tracks(tracks, frames, cache=cache, progress=False)
    assert set(caught.value.value) == {"text", "empty", "inf", "absent", "zero", "tiny"}
    assert len(cache) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embed_tracks(good, frames, cache=cache, progress=False)


@pytest.mark.parametrize("model", ["mtt-musicnn", "basic-pitch"])
def test_too_short_for_a_sample_at_the_models_rate(cache, model):
    tracks = {"tiny": (np.ones(1, np.float32), 192000), **noises(2, 1)}
    with pytest.raises(AudioError) as caught:
        embed_tracks(tracks, model, cache=cache, progress=False)
    assert set(caught.value.value) == {"tiny"}
    assert len(cache) == 2


@pytest.mark.parametrize("method", ["content", "blocks"])
def test_files_that_cannot_be_read_are_listed(frames, cache, tmp_path, monkeypatch, method):
    """List files without permission, deleted in the meantime, or on a failing disk."""
    tracks = {name: tmp_path / f"{name}.wav" for name in "abc"}
    for i, path in enumerate(tracks.values()):
        soundfile.write(path, noise(SR, i), SR)
    original = getattr(FileSource, method)

    def failing(self, *arguments):
        if self.path.stem == "b":
            raise PermissionError(13, "Permission denied", str(self.path))
        return original(self, *arguments)

    monkeypatch.setattr(FileSource, method, failing)
    with pytest.raises(AudioError) as caught:
        embed_tracks(tracks, frames, cache=cache, progress=False)
    assert list(caught.value.value) == ["b"]
    assert "Permission denied" in caught.value.value["b"]
    assert len(cache) == 2


def test_settings_are_checked(frames, cache):
    tracks = noises(1, 1)
    with raises(EmbedError, "unknown_pooling", value="max"):
        embed_tracks(tracks, frames, pooling="max", cache=cache)
    with raises(EmbedError, "not_a_mapping"):
        embed_tracks(list(tracks.values()), frames, cache=cache)
    with raises(EmbedError, "no_tracks"):
        embed_tracks({}, frames, cache=cache)
    with raises(EmbedError, "unknown_model", value="mert"):
        embed_tracks(tracks, "mert", cache=cache)


@pytest.mark.parametrize("model", list_models().query("state == 'installed'").index)
def test_every_offline_model_gives_what_its_card_says(model):
    card = model_card(model)
    layers = embed_audio(noise(SR), SR, model)
    assert {name: values.shape[1] for name, values in layers.items()} == card.layers
    assert len({len(values) for values in layers.values()}) == 1
    for values in layers.values():
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    adapter = load_model(model).adapter
    assert (adapter.sample_rate, adapter.layers) == (card.sample_rate, card.layers)
    assert adapter.window == pytest.approx(card.window)
    assert getattr(adapter, "hop", adapter.window) == pytest.approx(card.hop)


def study_folder(folder, n=3):
    ids = [f"s{i}" for i in range(n)]
    tracks = pd.DataFrame({"track_id": ids, "audio": [f"{track}.wav" for track in ids]})
    tracks.to_csv(folder / "tracks.csv", index=False)
    for i, track in enumerate(ids):
        (folder / "stems" / track).mkdir(parents=True)
        parts = {stem: noise(2 * SR, 10 * i + j) * 0.2 for j, stem in enumerate(["drums", "bass"])}
        for stem, y in parts.items():
            soundfile.write(folder / "stems" / track / f"{stem}.wav", y, SR, subtype="FLOAT")
        soundfile.write(folder / f"{track}.wav", sum(parts.values()), SR, subtype="FLOAT")
    return Study(folder)


def test_study_and_its_stems(frames, cache, tmp_path):
    study = study_folder(tmp_path)
    options = {"cache": cache, "progress": False}
    whole = embed_study(study, frames, **options)
    assert whole.track_ids == ["s0", "s1", "s2"]
    drums = embed_study(study, frames, stems="drums", **options)
    bass = embed_study(study, frames, stems=["bass"], **options)
    both = embed_study(study, frames, stems=["drums", "bass"], **options)
    np.testing.assert_allclose(whole.layer("frames"), both.layer("frames"), atol=1e-6)
    total = drums.layer("frames") + bass.layer("frames")
    np.testing.assert_allclose(whole.layer("frames"), total, atol=1e-6)
    assert embed_study(study, frames, tracks=["s2"], **options).track_ids == ["s2"]
    for stems in (["vocals"], [], ["bass", "bass"]):
        with raises(EmbedError, "wrong_stems", value=tuple(stems)):
            embed_study(study, frames, stems=stems, **options)


def test_an_embedding_as_a_table(frames, cache):
    embedding = embed_tracks(noises(3, 1), frames, cache=cache, progress=False)
    frame = embedding.frame("window")
    assert frame.index.name == "track_id"
    assert list(frame.columns) == ["window_0000"]
    assert embedding.select(["t2", "t0"]).track_ids == ["t2", "t0"]
    np.testing.assert_array_equal(
        embedding.select(["t2"]).layer("window")[0], embedding.layer("window")[2]
    )
    with pytest.raises(KeyError, match="window"):
        embedding.layer("last")
    with pytest.raises(KeyError, match="t9"):
        embedding.select(["t9"])


def test_cached_vectors_are_found_without_torch(tmp_path, monkeypatch):
    """Importing torch would take longer than reading all cached vectors."""
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    forget_models()  # their files are recorded as they are loaded
    soundfile.write(tmp_path / "a.wav", noise(SR), SR)
    models = ("mtt-vgg-untrained", "basic-pitch")
    for model in models:
        embed_tracks({"a": tmp_path / "a.wav"}, model, progress=False)
    code = (
        "import sys; from groove_utils import embed\n"
        f"for model in {models}:\n"
        f"    embed.embed_tracks({{'a': r'{tmp_path / 'a.wav'}'}}, model, progress=False)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


MEMORY = """
import sys
from groove_utils.cache import ArrayCache
from groove_utils.embed import embed_tracks
embed_tracks({"x": sys.argv[1]}, sys.argv[2], cache=ArrayCache(sys.argv[3]), progress=False)
from groove_utils.embed.benchmark import peak_memory
print(round(peak_memory()))
"""


@pytest.mark.slow
def test_ten_minutes_need_no_more_memory_than_one(tmp_path):
    """Measure ten minutes; the benchmark measures an hour."""
    peaks = []
    for minutes in (1, 10):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", 44100, 2, subtype="PCM_16") as file:
            for i in range(minutes):
                file.write(np.stack([noise(60 * 44100, i)] * 2, 1))
        command = [sys.executable, "-c", MEMORY, path, "mtt-vgg-untrained", tmp_path / "cache"]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True).stdout))
    assert peaks[1] - peaks[0] < 120  # MiB; ten minutes are 100 MiB as float32 at 44.1 kHz
