"""Models whose weights are distributed in Python packages."""

import importlib.util
import os
import pickle
import sys
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

import librosa
import numpy as np
import pytest
import torch
from expect import raises
from golden_signals import filled_windows

from groove_utils.embed import (
    ModelRefusedError,
    ModelUnavailableError,
    embed_audio,
    list_models,
    model_card,
)
from groove_utils.embed.models.aisfx import AiSFX
from groove_utils.embed.models.aisfx import MelSpectrogram as EffectSpectrogram
from groove_utils.embed.models.crepe import Crepe, pitch_frequencies
from groove_utils.embed.models.framing import Framing
from groove_utils.embed.models.packaged_network import PackagedNetwork, draw_weights
from groove_utils.embed.models.tempo_cnn import FIRST_TEMPO, TempoCNN, TempoNetwork
from groove_utils.embed.study_models import TASKS
from groove_utils.files import hash_file

GOLDEN = Path(__file__).parents[3] / "golden" / "embed"

ADAPTERS = {"aisfx": AiSFX, "crepe-tiny": Crepe, "tempo-cnn": TempoCNN}
OUTPUTS = {"embedding", "pitch", "tempo"}


def installed(name):
    missing = [p for p in model_card(name).packages if importlib.util.find_spec(p) is None]
    reason = f"{', '.join(missing)} is not installed: {model_card(name).install}"
    return pytest.param(name, marks=pytest.mark.skipif(bool(missing), reason=reason))


def windows(adapter):
    """Return each golden signal as one window, with the first frame centred on its start."""
    length, lead = (round(s * adapter.sample_rate) for s in (adapter.window, adapter.lead))
    found = filled_windows(adapter.sample_rate, length - lead)
    return {key: torch.from_numpy(np.pad(y, (lead, 0)))[None] for key, y in found.items()}


def outputs(adapter, network, batch, n_valid=None):
    n_valid = torch.full((len(batch),), batch.shape[1]) if n_valid is None else n_valid
    with torch.inference_mode():
        return {k: v.numpy() for k, v in adapter.forward(network, batch, n_valid).items()}


@pytest.mark.parametrize("name", [installed(name) for name in ADAPTERS])
def test_outputs_are_those_of_the_packages_own_code(name):
    adapter = ADAPTERS[name](name)
    network = adapter.load()
    assert sum(p.numel() for p in network.parameters()) == model_card(name).parameters
    with np.load(GOLDEN / f"{name.replace('-', '_')}_golden.npz") as golden:
        for signal, batch in windows(adapter).items():
            for layer, values in outputs(adapter, network, batch).items():
                expected = golden[f"{signal}/{layer}"]
                found = values[0].mean(0) if values[0].ndim > expected.ndim else values[0]
                tolerance = 1e-4 if layer in OUTPUTS else 1e-3
                np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "spectrogram"),
    [("aisfx", EffectSpectrogram()), ("tempo-cnn", TempoNetwork().spectrogram)],
)
def test_spectrograms_are_those_of_the_packages_own_code(name, spectrogram):
    with np.load(GOLDEN / f"{name.replace('-', '_')}_golden.npz") as golden:
        for signal, batch in windows(ADAPTERS[name](name)).items():
            expected = golden[f"{signal}/spectrogram"]
            found = spectrogram(batch)[0].mean(0)
            np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


@pytest.mark.parametrize("name", [installed("crepe-tiny")])
@pytest.mark.parametrize("midi", [45, 57, 69, 81])
def test_a_sung_note_is_found_within_a_step(name, midi):
    frequency = librosa.midi_to_hz(midi)
    t = np.arange(32000) / 16000
    y = sum(np.sin(2 * np.pi * frequency * k * t) / k for k in range(1, 6))
    pitch = embed_audio(y.astype("f"), 16000, name)["pitch"].mean(0)
    found = pitch_frequencies()[pitch.argmax()].item()
    assert abs(1200 * np.log2(found / frequency)) <= 20


@pytest.mark.parametrize("name", [installed("tempo-cnn")])
@pytest.mark.parametrize("tempo", [84, 100, 126, 150])
def test_the_tempo_of_a_drum_pattern_is_found_up_to_octaves(name, tempo):
    sr, rng = 11025, np.random.default_rng(0)
    y = np.zeros(12 * sr)
    for beat, start in enumerate(np.arange(0, 11.8, 60 / tempo / 2)):
        t = np.arange(sr // 8) / sr
        kick = np.sin(2 * np.pi * 60 * t) * np.exp(-20 * t) * (beat % 4 == 0)
        snare = rng.normal(0, 0.5, t.size) * np.exp(-30 * t) * (beat % 4 == 2)
        hat = rng.normal(0, 0.2, t.size) * np.exp(-90 * t)
        y[round(start * sr) :][: t.size] += (kick + snare + hat)[: y.size - round(start * sr)]
    found = FIRST_TEMPO + embed_audio(y.astype("f"), sr, name)["tempo"].mean(0).argmax()
    assert min(abs(found / tempo / factor - 1) for factor in (0.5, 1, 2)) < 0.04


@pytest.mark.parametrize("name", ADAPTERS)
def test_twins_are_drawn_by_their_seed(name):
    twin = f"{name}-untrained"
    networks = [ADAPTERS[name](twin, seed).load() for seed in (0, 0, 1)]
    weights = [torch.cat([p.flatten() for p in n.parameters()]) for n in networks]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    adapter = ADAPTERS[name](twin)
    batch = torch.cat([*windows(adapter).values()])
    found = outputs(adapter, networks[0], batch)
    for layer, size in model_card(name).layers.items():
        assert found[layer].shape[-1] == size
        assert np.isfinite(found[layer]).all()
        assert np.abs(found[layer][0] - found[layer][1]).max() > 0


@pytest.mark.parametrize("name", ADAPTERS)
def test_nothing_after_the_end_counts(name):
    adapter = ADAPTERS[name](f"{name}-untrained")
    network = adapter.load()
    batch = windows(adapter)["tones"]
    n_valid = torch.tensor([batch.shape[1] * 2 // 3])
    batch[:, n_valid[0] :] = 0
    for layer, values in outputs(adapter, network, batch, n_valid).items():
        if values.ndim == 3:
            share = np.isfinite(values).all(2).mean()
            assert share == pytest.approx(2 / 3, abs=0.2), layer
        else:
            assert np.isfinite(values).all()
    silent = outputs(adapter, network, torch.zeros_like(batch))
    assert all(np.isfinite(values).all() for values in silent.values())
    first = outputs(adapter, network, batch, torch.tensor([1]))
    assert all(np.isfinite(v).all(-1).any() for v in first.values())


@pytest.mark.parametrize("name", ADAPTERS)
def test_half_precision_changes_little(name):
    adapter = ADAPTERS[name](f"{name}-untrained")
    network = adapter.load()
    batch = windows(adapter)["drums"]
    full = outputs(adapter, network, batch)
    with torch.autocast("cpu", torch.bfloat16):
        half = outputs(adapter, network, batch)
    for layer, values in full.items():
        assert half[layer].dtype == np.float32
        assert np.abs(half[layer] - values).max() <= 0.05 * np.abs(values).max(), layer


def test_a_frame_counts_if_its_centre_does():
    for n_valid in (0, 5, 6, 8, 9, 100):
        expected = [c < n_valid or c == 5 for c in (5, 8, 11)]
        assert Framing(1000, 10, 3, 3).valid(torch.tensor([n_valid]))[0].tolist() == expected


class Carried(PackagedNetwork):
    """Model with a network of three weights in a package that must not be imported."""

    sample_rate, window, file = 8000, 1.0, "weights.pt"
    architecture = partial(torch.nn.Linear, 2, 1)

    def read(self, path):
        return torch.load(path, weights_only=True)


@pytest.fixture
def carrier(tmp_path, monkeypatch):
    """Fake package aisfx, whose code fails, with the weights of `Carried`."""
    folder = tmp_path / "aisfx"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    torch.save({"weight": torch.ones(1, 2), "bias": torch.ones(1)}, folder / "weights.pt")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Carried, "sha256", hash_file(folder / "weights.pt"), raising=False)
    monkeypatch.delitem(sys.modules, "aisfx", raising=False)
    return folder


def test_weights_are_read_without_importing_the_package(carrier):
    adapter = Carried("aisfx")
    assert adapter.files() == [carrier / "weights.pt"]
    assert adapter.load()(torch.tensor([[2.0, 3.0]])).item() == 6
    assert Carried("aisfx-untrained").files() == []


def test_other_weights_are_refused_unopened(carrier, monkeypatch):
    monkeypatch.setattr(Carried, "read", lambda *_: pytest.fail("opened"))
    (carrier / "weights.pt").write_bytes(b"other")
    with raises(ModelRefusedError, "wrong_hash", path="weights.pt"):
        Carried("aisfx").load()
    (carrier / "weights.pt").unlink()
    with raises(ModelRefusedError, "missing_files", path="weights.pt"):
        Carried("aisfx").load()


def test_weights_that_were_not_loaded_are_refused(carrier, monkeypatch):
    stored = {"weight": torch.ones(1, 2)}
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
    monkeypatch.setattr(Carried, "read", lambda *_: stored)
    with raises(ModelRefusedError, "not_loaded", column="weight"):
        Carried("aisfx").load()


@pytest.mark.parametrize(
    ("name", "package"), [(n, p) for n in TASKS for p in model_card(n).packages]
)
def test_an_absent_package_is_named_with_its_command(name, package, monkeypatch):
    find = importlib.util.find_spec
    packages = model_card(name).packages
    others = {p: find(p) or find("numpy") for p in packages}  # as if the others were installed
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == package else others.get(name) or find(name),
    )
    with raises(ModelUnavailableError, "missing_package", value=package) as caught:
        resolve_name(model_card(name).factory)(name).load()
    assert model_card(name).install in str(caught.value)
    assert list_models().loc[name, ["state", "how"]].tolist() == [
        "needs an extra",
        model_card(name).install,
    ]


def test_crepe_reads_the_names_of_its_file(tmp_path):
    network = Crepe("crepe-tiny-untrained").load()
    stored = {}
    for key, tensor in network.state_dict().items():
        parts = key.split(".")
        if parts[0] == "blocks":
            key = f"conv{int(parts[1]) + 1}{'_BN' * (parts[2] == 'norm')}.{parts[3]}"
        stored[key] = tensor[..., None] if tensor.ndim == 3 else tensor
    torch.save(stored, tmp_path / "tiny.pth")
    same(Crepe("crepe-tiny").read(tmp_path / "tiny.pth"), network.state_dict())


def same(found, expected):
    assert {*found} <= {*expected}
    computed = {*expected} - {*found}  # by the architecture
    assert all(key.startswith(("spectrogram", "filters")) for key in computed)
    for key, tensor in found.items():
        assert torch.equal(tensor, expected[key]), key


def test_aisfx_reads_counts_and_weights_but_runs_no_code(tmp_path, monkeypatch):
    network = AiSFX("aisfx-untrained").load()
    parts = {k: v for k, v in network.state_dict().items() if k.startswith("blocks.")}
    stored = {
        f"embedding_net.conv_block{int(key[7]) + 1}{key[8:]}": tensor
        for key, tensor in parts.items()
    } | {"fc.0.0.weight": torch.ones(2)}
    path = tmp_path / "checkpoint.pth"
    torch.save((stored, {"library": (np.int64(3), 78)}), path)
    same(AiSFX("aisfx").read(path), network.state_dict())

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "run"),)

    torch.save((stored, {"library": Hostile()}), path)
    with pytest.raises(pickle.UnpicklingError):
        AiSFX("aisfx").read(path)
    assert not (tmp_path / "run").exists()


def test_drawn_weights_keep_the_normalisation():
    network = draw_weights(
        torch.nn.Sequential(torch.nn.Linear(50, 70), torch.nn.BatchNorm1d(7)), "key"
    )
    bound = np.sqrt(6 / 120)
    assert 0.9 * bound < network[0].weight.abs().max() <= bound
    assert not network[0].bias.any()
    assert (network[1].weight == 1).all()
