import numpy as np
import pytest
import torch

from groove_utils.embed import embed_tracks, list_models
from groove_utils.embed.catalogue import unregister_model
from groove_utils.genre.architectures import build_network
from groove_utils.genre.inputs import MEL_SETTINGS, clip_mels
from groove_utils.genre.network_models import register_network


@pytest.fixture
def network(monkeypatch, tmp_path):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path))
    yield build_network("mel-cnn", 3, n_mels=48, n_frames=94, seed=1).eval()
    unregister_model("genre-test")


def test_a_network_is_embedded_like_any_model(network):
    register_network("genre-test", network)
    sr = MEL_SETTINGS["sr"]
    y = np.random.default_rng(0).normal(size=6 * sr).astype(np.float32) * 0.1
    found = embed_tracks({"noise": (y, sr)}, "genre-test").layers["embedding"][0]
    windows = [clip_mels(part, **MEL_SETTINGS)[0] for part in (y[: 3 * sr], y[3 * sr :])]
    with torch.inference_mode():
        expected = network.embed(torch.tensor(np.concatenate(windows))).mean(dim=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert list_models().loc["genre-test", "available"]


def test_other_weights_give_other_vectors(network):
    sounds = {"noise": (np.random.default_rng(0).normal(size=48000), 16000)}
    register_network("genre-test", network)
    first = embed_tracks(sounds, "genre-test").layers["embedding"]
    other = build_network("mel-cnn", 3, n_mels=48, n_frames=94, seed=2)
    register_network("genre-test", other)
    assert np.abs(embed_tracks(sounds, "genre-test").layers["embedding"] - first).max() > 1e-3
