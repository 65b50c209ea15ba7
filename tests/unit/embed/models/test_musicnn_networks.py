import importlib.util
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from expect import raises
from torch.nn import functional

from groove_utils.embed import (
    ModelRefusedError,
    ModelUnavailableError,
    embed_audio,
    forget_models,
    load_model,
    model_card,
)
from groove_utils.embed.models.musicnn.framing import HOP, N_FRAMES
from groove_utils.embed.models.musicnn.networks import trained_network
from groove_utils.embed.models.musicnn.spectrogram import MelSpectrogram
from groove_utils.embed.models.musicnn.taggers import Tagger

GOLDEN = Path(__file__).parents[3] / "golden" / "embed"
TAGGERS = ["msd-musicnn", "mtt-musicnn", "msd-vgg", "mtt-vgg"]


@pytest.fixture(scope="module")
def groove():
    return soundfile.read(GOLDEN / "groove_16k.wav", dtype="float32")


@pytest.fixture(scope="module")
def window(groove):
    """Return one whole window, with the first frame centred on the start of the signal."""
    return torch.from_numpy(np.pad(groove[0][: N_FRAMES * HOP], (HOP, 0)))[None]


def original(model):
    """Outputs of the original TensorFlow network for three windows, by layer."""
    data, kind = model.split("-")
    prefix = f"{data.upper()}_{kind}/"
    with np.load(GOLDEN / "musicnn_golden.npz") as archive:
        return {k.removeprefix(prefix): archive[k] for k in archive.files if k.startswith(prefix)}


@pytest.mark.parametrize("model", ["msd-musicnn", "mtt-musicnn"])
def test_musicnn_matches_the_original(groove, model):
    ours, theirs = embed_audio(*groove, model), original(model)
    assert len(ours["taggram"]) == 4  # the original drops the tail, here the fourth window
    assert np.abs(ours["taggram"][:3] - theirs["taggram"]).max() <= 1e-5
    assert np.abs(ours["mean_pool"][:3] - theirs["mean_pool"]).max() <= 1e-4
    assert np.abs(ours["max_pool"][:3] - theirs["max_pool"]).max() <= 1e-3
    assert np.abs(ours["penultimate"][0] - theirs["penultimate"][0]).max() <= 1e-4
    # musicnn 0.1.0 returns the first window's penultimate layer for all windows, so the
    # others are compared by the tags, which are an affine map of them
    np.testing.assert_array_equal(theirs["penultimate"][1:], theirs["penultimate"][[0, 0]])
    tags = load_model(model).network.tags
    logits = ours["penultimate"][:3] @ tags.kernel.detach().numpy().T + tags.bias.detach().numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), theirs["taggram"], atol=1e-5)


@pytest.mark.parametrize("model", ["msd-vgg", "mtt-vgg"])
def test_vgg_matches_the_original(groove, model):
    ours, theirs = embed_audio(*groove, model), original(model)
    assert np.abs(ours["taggram"][:3] - theirs["taggram"]).max() <= 1e-5
    maps = theirs["pool5"].reshape(3, 2, 128)
    np.testing.assert_allclose(ours["pool5"][:3], maps.mean(1), atol=1e-4)
    loaded = load_model(model)
    windows = np.stack([window for window, _ in loaded.cutter().push(groove[0])])
    with torch.inference_mode():
        n_valid = torch.full((3,), windows.shape[1])
        found = loaded.adapter.forward(loaded.network, torch.from_numpy(windows), n_valid)["pool5"]
    assert found[:, 2:].isnan().all()  # from frame 128 on
    assert np.abs(found[:, :2].numpy() - maps).max() <= 1e-4


def test_spectrogram_matches_librosa(groove):
    y, sr = groove
    theirs = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=512, hop_length=256, n_mels=96).T
    ours = MelSpectrogram()(torch.from_numpy(np.pad(y, HOP))[None])[0].numpy()
    expected = np.log10(10000 * theirs.astype(np.float16).astype(np.float32) + 1)
    assert ours.shape == (626, 96)
    assert np.abs(ours - expected).max() < 5e-4  # one step of half precision


@pytest.mark.parametrize("model", ["mtt-musicnn", "msd-musicnn-untrained"])
@pytest.mark.parametrize("n_valid", [1, 100, 186])
def test_a_masked_window_equals_a_shorter_one(window, model, n_valid):
    network, length = load_model(model).network, torch.tensor([n_valid])
    with torch.inference_mode():
        masked = network(window, length)
        short = network(window[:, : (n_valid + 1) * HOP], length)
    for layer, values in masked.items():
        torch.testing.assert_close(values, short[layer], atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("model", ["msd-vgg", "mtt-vgg-untrained"])
@pytest.mark.parametrize("n_valid", [1, 7, 22, 23, 24, 100, 186])
def test_a_short_window_equals_one_padded_with_silence(window, model, n_valid):
    network, length = load_model(model).network, torch.tensor([n_valid])
    with torch.inference_mode():
        padded = network(window, length)
        short = network(window[:, : (n_valid + 1) * HOP], length)
    for layer, values in padded.items():
        found = short[layer]
        if layer.startswith("pool"):
            assert values[:, found.shape[1] :].isnan().all()
            values = values[:, : found.shape[1]]
        torch.testing.assert_close(found, values, atol=2e-5, rtol=1e-5, equal_nan=True)


def test_models_can_be_loaded_where_gradients_are_off(window):
    forget_models()
    with torch.inference_mode():
        inside = embed_audio(window[0].numpy(), 16000, "mtt-vgg")
    forget_models()
    for layer, values in embed_audio(window[0].numpy(), 16000, "mtt-vgg").items():
        np.testing.assert_array_equal(values, inside[layer])


def test_positions_after_the_end_are_left_out():
    adapter = Tagger("mtt-vgg-untrained")
    network = adapter.load()
    batch = torch.randn(1, 48128, generator=torch.Generator().manual_seed(0)) * 0.1
    batch[:, 30000:] = 0
    with torch.inference_mode():
        pooled = adapter.forward(network, batch, torch.tensor([30000]))["pool1"]
    left_out = pooled[0, :, 0].isnan().tolist()
    # four frames are pooled, so the last of 92 positions begins with frame 182
    assert left_out == [2 * i >= 30000 // HOP for i in range(len(left_out))]


def test_untrained_twins_are_reproducible_and_differ():
    first, again = (Tagger("mtt-musicnn-untrained").load().state_dict() for _ in range(2))
    for name, values in first.items():
        assert torch.equal(values, again[name])
    adapters = [Tagger("mtt-musicnn-untrained", 1), Tagger("msd-musicnn-untrained")]
    kernels = [first["hidden.kernel"], *(a.load().hidden.kernel for a in adapters)]
    for i, kernel in enumerate(kernels):
        assert not any(torch.equal(kernel, other) for other in kernels[:i])
    # Glorot's uniform distribution: variance 2 / (fan in + fan out)
    assert float(kernels[0].var()) == pytest.approx(2 / (1506 + 200), rel=0.02)


@pytest.mark.parametrize("model", ["mtt-musicnn", "mtt-vgg"])
def test_parameter_counts_are_those_of_the_catalogue(model):
    network = load_model(model).network
    assert sum(p.numel() for p in network.parameters()) == model_card(model).parameters
    assert model_card(f"{model}-untrained").parameters == model_card(model).parameters


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with raises(ModelUnavailableError, "missing_package", value="musicnn") as caught:
        Tagger("msd-vgg").load()
    assert model_card("msd-vgg").install in str(caught.value)


def test_a_truncated_checkpoint_is_named(tmp_path):
    (whole,) = Tagger("mtt-vgg").files()
    truncated = tmp_path / whole.name
    truncated.write_bytes(whole.read_bytes()[:-4])
    with raises(ModelRefusedError, "damaged_file", path=truncated):
        trained_network("mtt-vgg", truncated)
    with raises(ModelRefusedError, "damaged_file", path=whole):
        trained_network("mtt-musicnn", whole)


@pytest.mark.parametrize("model", ["mtt-musicnn-untrained", "mtt-vgg-untrained"])
def test_changed_weights_take_effect(window, model):
    """Values derived from the weights are computed again if the weights change."""
    network, other = Tagger(model).load(), Tagger(model, seed=1).load()
    with torch.inference_mode():
        before, expected = (each(window, torch.tensor([N_FRAMES])) for each in (network, other))
    network.load_state_dict(other.state_dict())
    with torch.inference_mode():
        after = network(window, torch.tensor([N_FRAMES]))
    for layer, values in expected.items():
        torch.testing.assert_close(after[layer], values, rtol=0, atol=0, equal_nan=True)
        assert not torch.equal(before[layer].nan_to_num(), values.nan_to_num())


@pytest.mark.parametrize("part", ["timbral_tall", "temporal_short", "first", "square"])
def test_pooling_before_relu_and_normalisation_gives_the_same(part):
    """Compare with the order of the published network, for positive and negative scales."""
    generator = torch.Generator().manual_seed(0)
    network = Tagger("mtt-vgg-untrained" if part in ("first", "square") else "mtt-musicnn").load()
    module = {"first": 0, "square": 1}.get(part)
    module = getattr(network, part) if module is None else network.blocks[module]
    with torch.no_grad():
        module.norm.gamma.normal_(generator=generator)
        module.bias.normal_(generator=generator)
    n_time = module.kernel.shape[2]
    x = torch.rand(2, 60, 96, generator=generator)[:, None]
    x = x.expand(-1, module.kernel.shape[1], -1, -1) * torch.rand(1, module.kernel.shape[1], 1, 1)
    padding = (
        (1, 1, 1, 1)
        if module.kernel.shape[2:] == (3, 3)
        else (0, 0, (n_time - 1) // 2, n_time // 2)
    )
    with torch.inference_mode():
        maps = functional.relu(
            functional.conv2d(functional.pad(x, padding), module.kernel, module.bias)
        )
        maps = module.norm(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if part in ("first", "square"):
            pool = (4, 1) if part == "first" else 2
            expected = functional.max_pool2d(maps, pool, 2).permute(0, 2, 3, 1)
            ours = module(x.permute(0, 2, 3, 1))
        else:
            expected = maps.amax(3).mT
            ours = module(x[:, 0])
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
