from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch

from groove_utils.embed import embed_audio, forget_models, load_model
from groove_utils.embed.models.musicnn.checkpoints import HOP, N_FRAMES
from groove_utils.embed.models.musicnn.networks import MelSpectrogram
from groove_utils.embed.models.musicnn.taggers import Tagger

GOLDEN = Path(__file__).parents[3] / "golden" / "embed"
TAGGERS = ["msd-musicnn", "mtt-musicnn", "msd-vgg", "mtt-vgg"]


@pytest.fixture(scope="module")
def groove():
    return soundfile.read(GOLDEN / "groove_16k.wav", dtype="float32")


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "musicnn_golden.npz") as archive:
        return {name: archive[name] for name in archive.files}


def original(golden, model, layer):
    data, kind = model.split("-")
    return golden[f"{data.upper()}_{kind}/{layer}"]


@pytest.mark.parametrize("model", TAGGERS)
def test_tags_match_the_original(groove, golden, model):
    ours = embed_audio(*groove, model)["taggram"]
    assert ours.shape == (4, 50)  # the original drops the tail, which is the fourth window here
    assert np.abs(ours[:3] - original(golden, model, "taggram")).max() <= 1e-4


@pytest.mark.parametrize("model", ["msd-musicnn", "mtt-musicnn"])
@pytest.mark.parametrize("layer", ["mean_pool", "max_pool"])
def test_pooled_features_match_the_original(groove, golden, model, layer):
    ours = embed_audio(*groove, model)[layer][:3]
    assert np.abs(ours - original(golden, model, layer)).max() <= 1e-3


@pytest.mark.parametrize("model", ["msd-musicnn", "mtt-musicnn"])
def test_penultimate_matches_the_original(groove, golden, model):
    ours = embed_audio(*groove, model)["penultimate"][:3]
    theirs = original(golden, model, "penultimate")
    assert np.abs(ours[0] - theirs[0]).max() <= 1e-3
    # musicnn 0.1.0 appends the first window's vector again for each further one
    np.testing.assert_array_equal(theirs[1], theirs[0])
    np.testing.assert_array_equal(theirs[2], theirs[0])
    # so the others are held to the tags, which are an affine map of them
    tags = load_model(model).network.tags
    logits = ours @ tags.kernel.detach().numpy().T + tags.bias.detach().numpy()
    expected = original(golden, model, "taggram").astype(float)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, atol=1e-5)


@pytest.mark.parametrize("model", ["msd-vgg", "mtt-vgg"])
def test_last_maps_match_the_original(groove, golden, model):
    loaded = load_model(model)
    cutter = loaded.cutter()
    windows = np.stack([window for window, _ in cutter.push(groove[0])])
    with torch.inference_mode():
        n_valid = torch.full((3,), windows.shape[1])
        maps = loaded.adapter.forward(loaded.network, torch.from_numpy(windows), n_valid)["pool5"]
    theirs = original(golden, model, "pool5")
    assert maps[:, 2:].isnan().all()  # from frame 128 on
    assert np.abs(maps[:, :2].reshape(6, 128).numpy() - theirs).max() <= 1e-3
    pooled = embed_audio(*groove, model)["pool5"][:3]
    np.testing.assert_allclose(pooled, theirs.reshape(3, 2, 128).mean(1), atol=1e-4)


def test_spectrogram_matches_librosa(groove):
    y, sr = groove
    theirs = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=512, hop_length=256, n_mels=96).T
    led = np.pad(y, 256)
    ours = MelSpectrogram()(torch.from_numpy(led)[None])[0].numpy()
    expected = np.log10(10000 * theirs.astype(np.float16).astype(np.float32) + 1)
    assert ours.shape == (626, 96)
    assert np.abs(ours - expected).max() < 5e-4  # one step of half precision


@pytest.mark.parametrize("model", ["mtt-musicnn", "msd-musicnn-untrained"])
@pytest.mark.parametrize("n_valid", [1, 20, 100, 186])
def test_masked_window_equals_a_shorter_one(groove, model, n_valid):
    """Masking is right if the network, run on just the valid frames, gives the same."""
    network = load_model(model).network
    window = torch.from_numpy(np.pad(groove[0][: N_FRAMES * HOP], (HOP, 0)))[None]
    length = torch.tensor([n_valid])
    with torch.inference_mode():
        masked = network(window, length)
        short = network(window[:, : (n_valid + 1) * HOP], length)
    for layer, values in masked.items():
        torch.testing.assert_close(values, short[layer], atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("model", ["msd-vgg", "mtt-vgg-untrained"])
@pytest.mark.parametrize("n_valid", [1, 7, 22, 23, 24, 64, 100, 150, 186])
def test_a_short_window_equals_one_filled_with_silence(groove, model, n_valid):
    """Rows of maps that the signal does not reach are taken from a window of silence."""
    network = load_model(model).network
    window = torch.from_numpy(np.pad(groove[0][: N_FRAMES * HOP], (HOP, 0)))[None]
    length = torch.tensor([n_valid])
    with torch.inference_mode():
        filled = network(window, length)
        short = network(window[:, : (n_valid + 1) * HOP], length)
    for layer, values in filled.items():
        found = short[layer]
        if layer.startswith("pool"):
            assert values[:, found.shape[1] :].isnan().all()
            values = values[:, : found.shape[1]]
        torch.testing.assert_close(found, values, atol=2e-5, rtol=1e-5, equal_nan=True)


def test_models_can_be_loaded_where_gradients_are_off(groove):
    forget_models()
    with torch.inference_mode():
        inside = embed_audio(*groove, "mtt-vgg")
    forget_models()
    for layer, values in embed_audio(*groove, "mtt-vgg").items():
        np.testing.assert_array_equal(values, inside[layer])


def test_what_follows_the_end_does_not_count():
    """Zeros after the end, or the same zeros as part of the signal: only the latter change it."""
    adapter = Tagger("mtt-vgg")
    network = adapter.load()
    batch = torch.randn(1, 48128, generator=torch.Generator().manual_seed(0)) * 0.1
    batch[:, 30000:] = 0
    with torch.inference_mode():
        tail = adapter.forward(network, batch, torch.tensor([30000]))
    positions = torch.isnan(tail["pool1"][0, :, 0])
    n_frames = 30000 // HOP
    # four frames are pooled, so the last of 92 positions begins with frame 182
    assert positions.tolist() == [2 * i >= n_frames for i in range(len(positions))]


def test_untrained_twins_are_reproducible_and_differ():
    first, again = (Tagger("mtt-musicnn-untrained").load().state_dict() for _ in range(2))
    for name, values in first.items():
        assert torch.equal(values, again[name])
    kernels = {
        key: Tagger(*key).load().hidden.kernel
        for key in [
            ("mtt-musicnn-untrained", 0),
            ("mtt-musicnn-untrained", 1),
            ("msd-musicnn-untrained", 0),
            ("mtt-musicnn", 0),
        ]
    }
    values = list(kernels.values())
    for i, one in enumerate(values):
        for other in values[:i]:
            assert not torch.equal(one, other)
    # Glorot's uniform distribution: variance 2 / (fan in + fan out)
    twin = kernels["mtt-musicnn-untrained", 0]
    assert float(twin.detach().var()) == pytest.approx(2 / (1506 + 200), rel=0.02)


@pytest.mark.parametrize("model", ["mtt-musicnn", "mtt-vgg"])
def test_parameter_counts_are_the_catalogue_s(model):
    from groove_utils.embed import model_card

    network = load_model(model).network
    assert sum(p.numel() for p in network.parameters()) == model_card(model).parameters
    assert model_card(f"{model}-untrained").parameters == model_card(model).parameters


def test_missing_package_names_the_command(monkeypatch):
    import importlib.util

    from groove_utils.embed import ModelUnavailableError

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailableError, match="pip install --no-deps musicnn"):
        Tagger("msd-vgg").load()


@pytest.mark.parametrize("model", ["mtt-musicnn-untrained", "mtt-vgg-untrained"])
def test_changed_weights_are_noticed(groove, model):
    """Kernels are laid out once; filling in others, or changing a sign, makes them anew."""
    network, other = Tagger(model).load(), Tagger(model, seed=1).load()
    window = torch.from_numpy(np.pad(groove[0][: N_FRAMES * HOP], (HOP, 0)))[None]
    with torch.inference_mode():
        before, expected = (net(window, torch.tensor([N_FRAMES])) for net in (network, other))
    network.load_state_dict(other.state_dict())
    with torch.inference_mode():
        after = network(window, torch.tensor([N_FRAMES]))
    for layer, values in expected.items():
        torch.testing.assert_close(after[layer], values, rtol=0, atol=0, equal_nan=True)
        assert not torch.equal(before[layer].nan_to_num(), values.nan_to_num())
    part = network.timbral_tall if "musicnn" in model else network.blocks[1]
    x = torch.rand(1, 187, 96) if "musicnn" in model else torch.rand(1, 20, 20, 128)
    with torch.inference_mode():
        part.norm.gamma[3] = -1.0
        kept = part(x)
        part._folded = None, None
        assert torch.equal(kept, part(x))
