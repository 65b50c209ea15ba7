import dataclasses
import itertools
import json
import os
import re
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from expect import raises
from safetensors.torch import load_file, save_file

from groove_utils.cache import ArrayCache
from groove_utils.embed import (
    ModelRefusedError,
    ModelUnavailableError,
    embed_audio,
    embed_text,
    embed_tracks,
    forget_models,
    load_model,
    model_card,
)
from groove_utils.embed.adapters import EmbedError
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.catalogue import make_adapter
from groove_utils.embed.models.huggingface import clap, speech
from groove_utils.embed.weights import availability

sys.path.insert(0, str(Path(__file__).parent))
import tiny_checkpoints as tiny

SPEECH = [name for name in tiny.MAKERS if "mert" in name or "base" in name]
# one model per adapter class, and both normalisations of the speech encoders
KINDS = ["mert-v1-95m", "mert-v1-330m", "ast", "clap-htsat-unfused", "whisper-large-v3-turbo"]
KINDS += ["encodec-24khz"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    tiny.make_all(root)
    return root


@pytest.fixture(autouse=True, scope="module")
def _here(models, tmp_path_factory):
    """Keep models loaded from test to test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROOVE_MODELS", str(models))
        patch.setenv("GROOVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in [
            *SPEECH,
            "encodec-24khz",
            "dac-44khz",
        ]:  # models for any length accept short signals
            short = dataclasses.replace(catalogued_models()[name], window=2.0)
            patch.setitem(catalogued_models(), name, short)
        forget_models()
        yield
        forget_models()


@pytest.fixture
def unloaded(monkeypatch, tmp_path):
    """Start without loaded models and without records of models."""
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    forget_models()
    yield
    forget_models()


@pytest.fixture
def copied(models, tmp_path, monkeypatch, unloaded):
    """Function that copies a tiny checkpoint, so that a test can change the copy and use it."""

    def copy(name, change=None, **config):
        folder = Path(shutil.copytree(models / name, tmp_path / f"copy{next(count)}" / name))
        if change:
            file = folder / "model.safetensors"
            save_file(change(load_file(file)), file, metadata={"format": "pt"})
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
        monkeypatch.setenv("GROOVE_MODELS", str(folder.parent))
        return folder

    count = itertools.count()
    return copy


@classmethod
def unfilled(cls, folder, config=None, **_):
    """Fake `from_pretrained` that reports success but returns a network without loaded weights."""
    return cls(config), {"missing_keys": [], "unexpected_keys": [], "mismatched_keys": []}


def spoiled(kind, name, value):
    """Fake `from_pretrained` that leaves a wrong value in a buffer."""
    original = kind.from_pretrained.__func__

    def load(cls, *args, **options):
        network, info = original(cls, *args, **options)
        next(b for k, b in network.named_buffers() if k.endswith(name)).fill_(value)
        return network, info

    return classmethod(load)


def noise(seconds, sr, seed=0):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * sr))).astype(np.float32)


def direct(name, folder, y):
    """Compute layers of one whole window with transformers alone, as frames or vectors."""
    with torch.inference_mode():
        if name in SPEECH:
            kinds = {"wav2vec2": "Wav2Vec2Model", "wavlm": "WavLMModel"}
            kind = next((v for k, v in kinds.items() if name.startswith(k)), "HubertModel")
            raw = json.loads((folder / "config.json").read_text())
            if raw["model_type"] == "mert_model":
                config = transformers.HubertConfig(**{**raw, "model_type": "hubert"})
                network = transformers.HubertModel(config)
                state = load_file(folder / "model.safetensors")
                new = "parametrizations.weight.original"
                for old, i in (("weight_g", 0), ("weight_v", 1)):
                    state = {k.replace(old, f"{new}{i}"): v for k, v in state.items()}
                network.load_state_dict(state)
            else:
                network = getattr(transformers, kind).from_pretrained(folder)
            extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
            rate = extractor.sampling_rate
            x = extractor(y, sampling_rate=rate, return_tensors="pt").input_values
            states = network.eval()(x, output_hidden_states=True).hidden_states
            return {f"layer_{i:02d}": state for i, state in enumerate(states)}
        if name == "ast":
            x = transformers.ASTFeatureExtractor()(y, sampling_rate=16000, return_tensors="pt")
            network = transformers.ASTModel.from_pretrained(folder).eval()
            output = network(**x, output_hidden_states=True)
            layers = {
                f"layer_{i:02d}": state[:, 2:].reshape(1, 12, 101, -1).mean(1)
                for i, state in enumerate(output.hidden_states)
            }
            return {**layers, "cls": output.pooler_output}
        if "clap" in name:
            extractor = transformers.ClapFeatureExtractor.from_pretrained(folder)
            x = extractor(y, sampling_rate=48000, return_tensors="pt")
            network = transformers.ClapModel.from_pretrained(folder).eval()
            features = network.get_audio_features(**x)
            features = getattr(features, "pooler_output", features)
            return {"audio_embeds": features}
        if "whisper" in name:
            extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
            x = extractor(y, sampling_rate=16000, return_tensors="pt").input_features
            network = transformers.WhisperModel.from_pretrained(folder).eval()
            states = network.encoder(x, output_hidden_states=True).hidden_states
            return {f"layer_{i:02d}": state for i, state in enumerate(states)}
        network = transformers.AutoModel.from_pretrained(folder).eval()
        return {"latent": network.encoder(torch.from_numpy(y)[None, None]).transpose(1, 2)}


RATES = {"mert": 75, "wav2vec2": 50, "hubert": 50, "wavlm": 50, "whisper": 50, "encodec": 75}
RATES |= {"dac": 44100 / 512, "ast": 10}


@pytest.mark.parametrize("name", tiny.MAKERS)
def test_layers_match_transformers_on_one_window(models, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # warnings of the library are not shown
        adapter = load_model(name).adapter
        y = noise(adapter.window, adapter.sample_rate)
        ours = embed_audio(y, adapter.sample_rate, name)
    for layer, values in direct(name, models / name, y).items():
        vector = values.mean(1) if values.ndim == 3 else values
        assert ours[layer].shape == tuple(vector.shape)
        if "clap" in name:  # transformers normalises them to unit length
            vector = torch.nn.functional.normalize(vector, dim=-1)
            ours[layer] /= np.linalg.norm(ours[layer], axis=-1, keepdims=True)
        np.testing.assert_allclose(ours[layer], vector.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", tiny.MAKERS)
def test_number_shape_and_rate_of_layers(name):
    loaded = load_model(name)
    adapter, card = loaded.adapter, model_card(name)
    window = loaded.prepare(noise(adapter.window, adapter.sample_rate), loaded.length)
    with torch.inference_mode():
        layers = adapter.forward(
            loaded.network, torch.from_numpy(window)[None], torch.tensor([loaded.length])
        )
    assert {k: v.shape[-1] for k, v in layers.items()} == adapter.layers
    # the tiny models have three blocks instead of n
    named = [re.sub(r"layer_\d\d", "layer", layer) for layer in card.layers]
    assert {re.sub(r"layer_\d\d", "layer", layer) for layer in layers} == set(named)
    for rate in (rate for key, rate in RATES.items() if name.startswith(key)):
        frames = {v.shape[1] for k, v in layers.items() if v.ndim == 3}
        assert len(frames) == 1
        assert frames.pop() / adapter.window == pytest.approx(rate, rel=0.02)


@pytest.mark.parametrize("name", SPEECH)
@pytest.mark.parametrize("share", [0.03, 0.93])
def test_padded_window_equals_the_signal_alone(models, name, share):
    adapter = load_model(name).adapter
    y = noise(adapter.window * share, adapter.sample_rate)
    alone = direct(name, models / name, y)
    ours = embed_audio(y, adapter.sample_rate, name)
    for layer, values in alone.items():
        np.testing.assert_allclose(ours[layer], values.mean(1).numpy(), atol=2e-5)


def direct_ast(folder, y):
    """Run AST on a whole window with transformers, masking patches without sound."""
    x = transformers.ASTFeatureExtractor()(y, sampling_rate=16000, return_tensors="pt")
    network = transformers.ASTModel.from_pretrained(folder, attn_implementation="eager").eval()
    n_columns = -(-(1 + (len(y) - 400) // 160) // 10)  # those that begin within the signal
    mask = torch.cat([torch.ones(2), (torch.arange(101) < n_columns).float().repeat(12)])[None]
    with torch.inference_mode():
        output = network(**x, attention_mask=mask, output_hidden_states=True)
    layers = {
        f"layer_{i:02d}": state[0, 2:].unflatten(0, (12, 101))[:, :n_columns].mean((0, 1)).numpy()
        for i, state in enumerate(output.hidden_states)
    }
    return {**layers, "cls": output.pooler_output[0].numpy()}


@pytest.mark.parametrize("share", [0.005, 0.2, 0.93, 1])
def test_patches_beyond_the_end_are_masked(models, share):
    y = noise(10.24 * share, 16000)
    ours = embed_audio(y, 16000, "ast")
    for layer, values in direct_ast(models / "ast", y).items():
        np.testing.assert_allclose(ours[layer][0], values, atol=2e-5)


def test_windows_of_one_bucket_share_a_batch(models):
    """Batch windows with different masks, as on a GPU, where batches are large."""
    loaded = load_model("ast")
    cuts = [noise(10.24 * share, 16000, i) for i, share in enumerate((0.26, 0.31, 0.375))]
    assert len({loaded.bucket(len(y)) for y in cuts}) == 1
    filled = [np.pad(y, (0, loaded.length - len(y))) for y in cuts]
    ready = [loaded.prepare(y, len(cut)) for y, cut in zip(filled, cuts)]
    layers = loaded.forward(ready, [len(y) for y in cuts])
    for i, y in enumerate(cuts):
        for layer, values in direct_ast(models / "ast", y).items():
            np.testing.assert_allclose(layers[layer][0][i], values, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "n_samples"), [*((name, 1) for name in KINDS), ("ast", 399), ("ast", 400)]
)
def test_a_last_window_of_next_to_nothing_is_embedded(name, n_samples):
    adapter = load_model(name).adapter
    length = round(adapter.window * adapter.sample_rate)
    y = noise(adapter.window + 1, adapter.sample_rate)[: length + n_samples]
    layers = embed_audio(y, adapter.sample_rate, name)
    assert all(len(v) == 2 and np.isfinite(v).all() for v in layers.values())


@pytest.mark.parametrize("name", KINDS)
def test_no_tail_is_lost_and_calls_are_identical(name, tmp_path):
    """Changing the last tenth of a second of a long file changes its vector."""
    adapter = load_model(name).adapter
    sr = adapter.sample_rate
    y = noise(adapter.window * 1.4, sr)
    changed = y.copy()
    changed[-sr // 10 :] += noise(0.1, sr, 1)[: sr // 10] * 5
    options = {"progress": False}
    both = {"y": (y, sr), "z": (changed, sr)}
    first = embed_tracks(both, name, cache=ArrayCache(tmp_path / "one"), **options)
    again = embed_tracks({"z": both["z"]}, name, cache=ArrayCache(tmp_path / "two"), **options)
    for layer in adapter.layers:
        assert first.layer(layer)[1].tobytes() == again.layer(layer)[0].tobytes()
    values = first.layer(list(adapter.layers)[-1])
    assert np.linalg.norm(values[1] - values[0]) > 1e-4 * np.linalg.norm(values[0])


def test_numbers_do_not_depend_on_the_neighbours(tmp_path):
    sr = 24000
    tracks = {f"t{i}": (noise(0.7 + 0.9 * i, sr, i), sr) for i in range(6)}
    options = {"progress": False}
    together = embed_tracks(tracks, "mert-v1-95m", cache=ArrayCache(tmp_path / "a"), **options)
    for track in ("t1", "t5"):
        alone = embed_tracks(
            {track: tracks[track]}, "mert-v1-95m", cache=ArrayCache(tmp_path / track), **options
        )
        for layer, values in alone.layers.items():
            assert values.tobytes() == together.select([track]).layer(layer).tobytes()


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("ast", "max_length", 512),
        ("ast", "sampling_rate", 8000),
        ("mert-v1-95m", "sampling_rate", 16000),
        ("whisper-large-v3-turbo", "sampling_rate", 8000),
        ("clap-htsat-unfused", "nb_max_samples", 240000),  # would crop windows at random
        ("clap-htsat-unfused", "truncation", "fusion"),
    ],
)
def test_preprocessing_of_another_model_is_refused(copied, name, column, value):
    path = copied(name) / "preprocessor_config.json"
    given = json.loads(path.read_text()) | {column: value}
    if column == "nb_max_samples":
        given["max_length_s"] = 5
    path.write_text(json.dumps(given))
    with raises(ModelRefusedError, "other_model", path=path, column=column, value=value):
        load_model(name)


def test_text_shares_the_space_of_audio(models):
    vectors = embed_text(["music to dance to", "silence"])
    assert vectors.shape == (2, load_model("clap-htsat-unfused").adapter.layers["audio_embeds"])
    folder = models / "clap-htsat-unfused"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.ClapModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        tokens = tokenizer(["music to dance to", "silence"], padding=True, return_tensors="pt")
        expected = network.get_text_features(**tokens)
        expected = getattr(expected, "pooler_output", expected)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = torch.nn.functional.normalize(expected, dim=-1).numpy()
    np.testing.assert_allclose(unit, expected, atol=1e-5)
    for texts in (["  "], [], "music to dance to"):
        with raises(EmbedError, "not_sentences", value=texts):
            embed_text(texts)
    with raises(EmbedError, "no_text", column="model", value="ast"):
        embed_text(["silence"], "ast")


def test_text_tower_is_kept_while_its_files_are_the_same(copied, monkeypatch):
    file = copied("clap-htsat-unfused") / "model.safetensors"
    before = embed_text(["silence"])
    with monkeypatch.context() as patch:
        patch.setattr(transformers.ClapTextModelWithProjection, "from_pretrained", None)
        assert embed_text(["silence"]).tobytes() == before.tobytes()
    tensors = {
        k: v * (1.5 if "text_" in k and "_ids" not in k else 1) for k, v in load_file(file).items()
    }
    save_file(tensors, file, metadata={"format": "pt"})
    os.utime(file, (1, 1))
    assert np.abs(embed_text(["silence"]) - before).max() > 1e-3


def test_text_tower_is_compared_with_its_file(copied, monkeypatch):
    folder = copied("clap-htsat-unfused")
    with monkeypatch.context() as patch:
        patch.setattr(transformers.ClapTextModelWithProjection, "from_pretrained", unfilled)
        with raises(ModelRefusedError, "not_loaded"):
            embed_text(["silence"])
    assert embed_text(["silence"]).shape == (1, 16)
    (folder / "vocab.json").unlink()
    with raises(ModelUnavailableError, "missing_files", path="vocab.json"):
        embed_text(["silence"])


@pytest.mark.parametrize("name", ["mert-v1-95m", "hubert-base", "ast", "dac-44khz"])
def test_missing_unexpected_and_misshapen_tensors_are_errors(copied, name):
    def first(tensors):
        return next(k for k in sorted(tensors) if k.endswith("weight") and tensors[k].ndim > 1)

    changes = {
        "missing": lambda t: {k: v for k, v in t.items() if k != first(t)},
        "unexpected": lambda t: t | {"encoder.surplus": torch.zeros(3)},
        "misshapen": lambda t: t | {first(t): t[first(t)][:1].clone()},
    }
    for fault, change in changes.items():
        folder = copied(name, change)
        with raises(ModelRefusedError, "other_model", path=folder) as caught:
            load_model(name)
        ((found, keys),) = caught.value.value.items()
        assert (found, len(keys)) == (fault, 1)


def test_mert_of_another_shape_is_refused(copied):
    copied("mert-v1-95m", feature_extractor_cqt=True)
    with raises(ModelRefusedError, "other_model", column="feature_extractor_cqt"):
        load_model("mert-v1-95m")


def test_random_weights_with_clean_loading_info_are_refused(unloaded, monkeypatch):
    monkeypatch.setattr(transformers.HubertModel, "from_pretrained", unfilled)
    with raises(ModelRefusedError, "not_loaded"):
        load_model("hubert-base")


def test_uninitialised_buffer_is_refused(unloaded, monkeypatch):
    kind = transformers.EncodecModel
    monkeypatch.setattr(kind, "from_pretrained", spoiled(kind, "padding_total", -7))
    with raises(ModelRefusedError, "uninitialised_buffer"):
        load_model("encodec-24khz")


def test_a_saved_buffer_is_compared_with_the_file(unloaded, monkeypatch):
    kind = transformers.ClapAudioModelWithProjection
    monkeypatch.setattr(kind, "from_pretrained", spoiled(kind, "batch_norm.running_mean", 1))
    with raises(ModelRefusedError, "not_loaded"):
        load_model("clap-htsat-unfused")


def test_a_random_crop_shows_in_the_probe(copied, monkeypatch):
    """Detect a random crop by two passes over the probe signal, even without an adapter's check."""
    path = copied("clap-htsat-unfused") / "preprocessor_config.json"
    crop = {"max_length_s": 5, "nb_max_samples": 240000}
    path.write_text(json.dumps(json.loads(path.read_text()) | crop))
    monkeypatch.setattr(clap.CLAP, "check_preprocessing", lambda *_: None)
    with raises(ModelRefusedError, "random_output"):
        load_model("clap-htsat-unfused")


def test_changed_weights_are_refused_after_the_first_use(copied):
    load_model("dac-44khz")
    forget_models()
    copied("dac-44khz", lambda t: {k: v * 1.01 if "encoder" in k else v for k, v in t.items()})
    with raises(ModelRefusedError, "other_weights"):
        load_model("dac-44khz")


def test_absent_weights_name_the_command_and_the_folder(unloaded, tmp_path, monkeypatch):
    monkeypatch.setenv("GROOVE_MODELS", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "mert-v1-95m"
    with raises(ModelUnavailableError, "missing_files", path=folder) as caught:
        load_model("mert-v1-95m")
    assert "python -m groove_utils.embed fetch mert-v1-95m" in str(caught.value)
    assert "pytorch_model.bin" in str(caught.value)  # its pinned revision has no safetensors
    assert availability(model_card("mert-v1-95m"))[1] == "needs a download"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    missing = ["preprocessor_config.json", "pytorch_model.bin"]
    with raises(ModelUnavailableError, "missing_files", value=missing):
        load_model("mert-v1-95m")


def test_available_means_that_all_files_are_here(unloaded, models, tmp_path, monkeypatch):
    """Require weights and the settings for preparing audio in one folder."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("mert-v1-95m", "clap-htsat-unfused", "dac-44khz"):
        shutil.copytree(models / name, tmp_path / name)
        monkeypatch.setenv("GROOVE_MODELS", str(tmp_path))
        assert availability(model_card(name)) == (True, "cached", "")
        for file in ("model.safetensors", *model_card(name).files):
            (tmp_path / name / file).rename(tmp_path / "aside")
            assert availability(model_card(name))[1] == "needs a download"
            with raises(ModelUnavailableError, "missing_files"):
                load_model(name)
            (tmp_path / "aside").rename(tmp_path / name / file)


@pytest.mark.parametrize("name", ["mert-v1-95m", "ast"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "legacy"])
def test_a_damaged_weights_file_is_named(copied, name, damage):
    file = copied(name) / "model.safetensors"
    whole = file.read_bytes()
    if damage == "legacy":
        file.unlink()
        file = file.with_name("pytorch_model.bin")
    file.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"<html>404</html>" * 9)
    with raises(ModelRefusedError, "damaged_file", path=file) as caught:
        load_model(name)
    assert f"fetch {name}" in str(caught.value)


@pytest.mark.parametrize("name", KINDS)
def test_files_of_another_model_are_refused(copied, name):
    folder = copied(name, model_type="bert")
    with raises(ModelRefusedError, "other_model", path="config.json", value="bert"):
        load_model(name)
    (folder / "config.json").write_text("{")
    with raises(ModelRefusedError, "damaged_file", path="config.json"):
        load_model(name)


def test_hub_cache_is_found_by_its_pinned_revision(unloaded, models, tmp_path, monkeypatch):
    card = model_card("dac-44khz")
    assert make_adapter("dac-44khz").folder == models / "dac-44khz"
    monkeypatch.setenv("GROOVE_MODELS", str(tmp_path / "none"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--descript--dac_44khz" / "snapshots" / card.revision
    shutil.copytree(models / "dac-44khz", folder)
    assert availability(card) == (True, "cached", "")
    assert load_model("dac-44khz").adapter.folder == folder
    folder.rename(folder.with_name("another"))
    assert availability(card)[1] == "needs a download"


def test_legacy_weight_files_are_read(copied):
    file = copied("mert-v1-95m") / "model.safetensors"
    before = load_model("mert-v1-95m").fingerprint
    forget_models()
    torch.save(load_file(file), file.with_name("pytorch_model.bin"))
    file.unlink()
    assert load_model("mert-v1-95m").fingerprint == before


def test_cached_vectors_need_no_weights(unloaded, models, monkeypatch):
    tracks = {"a": (noise(2, 24000), 24000)}
    first = embed_tracks(tracks, "mert-v1-95m", progress=False)
    forget_models()
    monkeypatch.setattr(speech.SpeechEncoder, "load", lambda self: pytest.fail("was loaded"))
    again = embed_tracks(tracks, "mert-v1-95m", progress=False)
    assert again.layer("layer_01").tobytes() == first.layer("layer_01").tobytes()


@pytest.mark.parametrize("name", ["mert-v1-95m", "ast", "clap-htsat-unfused", "encodec-24khz"])
def test_batches_that_run_side_by_side_do_not_mix(name, tmp_path):
    """Compare windows of many lengths in several threads with one track at a time."""
    model = load_model(name)
    assert model.concurrent
    rate, window = model.adapter.sample_rate, model.adapter.window
    lengths = np.linspace(0.3, 2.2, 9) if window <= 5 else np.linspace(0.3, 1.1, 4)
    tracks = {f"t{i}": (noise(s * window, rate, i), rate) for i, s in enumerate(lengths)}
    options = {"progress": False}
    together = embed_tracks(tracks, name, cache=ArrayCache(tmp_path / "together"), **options)
    for i, (track, signal) in enumerate(tracks.items()):
        alone = embed_tracks({track: signal}, name, cache=ArrayCache(tmp_path / track), **options)
        for layer, values in alone.layers.items():
            scale = np.abs(values).max()
            np.testing.assert_allclose(together.layer(layer)[i], values[0], atol=1e-5 * scale)


@pytest.mark.parametrize("name", ["hubert-base", "ast", "clap-htsat-unfused"])
def test_half_precision_is_near(name, tmp_path, monkeypatch):
    """Half precision differs from float32, but by at most 2% of each layer's norm."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    rate = load_model(name).adapter.sample_rate
    tracks = {f"t{i}": (noise(1 + i, rate, i), rate) for i in range(3)}
    options = {"cache": ArrayCache(tmp_path / "c"), "progress": False}
    exact = embed_tracks(tracks, name, **options)
    half = embed_tracks(tracks, name, autocast=True, **options)
    off = [
        np.linalg.norm(half.layer(layer) - values) / np.linalg.norm(values)
        for layer, values in exact.layers.items()
    ]
    assert 1e-6 < max(off) < 0.02


def test_parameters_are_those_of_the_published_configurations():
    large = {"depths": [2, 2, 12, 2], "hidden_size": 1024, "patch_embeds_hidden_size": 128}
    dac = {"encoder_hidden_size": 64, "downsampling_ratios": [2, 4, 8, 8], "hop_length": 512}
    with torch.device("meta"):
        towers = {}
        for name, audio in (("clap-htsat-unfused", {}), ("larger-clap-music", large)):
            config = transformers.ClapConfig(audio_config=audio).audio_config
            config.projection_dim = 512
            towers[name] = transformers.ClapAudioModelWithProjection(config)
        towers["dac-44khz"] = transformers.DacModel(transformers.DacConfig(**dac)).encoder
    for name, tower in towers.items():
        assert model_card(name).parameters == sum(p.numel() for p in tower.parameters())
