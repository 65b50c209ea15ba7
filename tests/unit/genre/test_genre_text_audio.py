import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from expect import raises

from groove_utils.embed import embed_text, embed_tracks, forget_models
from groove_utils.errors import DetailedError
from groove_utils.genre import text_audio

sys.path.insert(0, str(Path(__file__).parents[1] / "embed" / "models"))
import tiny_checkpoints as tiny

STYLES = ["funk", "techno", "reggae"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    root = tmp_path_factory.mktemp("clap")
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    tiny.MAKERS["clap-htsat-unfused"](root / "clap-htsat-unfused")
    return root


@pytest.fixture
def clap(checkpoints, monkeypatch, tmp_path):
    monkeypatch.setenv("GROOVE_MODELS", str(checkpoints))
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    forget_models()
    yield "clap-htsat-unfused"
    forget_models()


def test_a_tiny_random_clap_goes_the_whole_way(clap):
    assert text_audio.find_text_model() == (clap, "")
    rng = np.random.default_rng(0)
    sounds = {f"song {k}": (0.1 * rng.normal(size=48000), 48000) for k in range(3)}
    audio = embed_tracks(sounds, clap, progress=False).layers["audio_embeds"]
    y = np.arange(3)
    scores, p = text_audio.prompt_sensitivity(audio, y, STYLES, embed_text)
    assert p.shape == (3, 3)
    assert np.allclose(p.sum(axis=1), 1)
    assert scores["wording"].tolist() == [*text_audio.TEMPLATES, "all together"]
    assert scores["changed"].iloc[-1] == 0
    ratings = text_audio.graded_ratings(audio, embed_text)
    assert ratings.shape == (3, len(text_audio.GROOVE_SENTENCES))
    assert ratings.min(axis=None) >= 0
    assert ratings.max(axis=None) <= 2
    means = pd.DataFrame({"groove": [3.0, 1, 2], "dance": [1.0, 2, 3]})
    text = text_audio.summarise_text_model(sounds, y, STYLES, sounds, means)
    assert f"{clap} classifies {100 * scores['accuracy'].iloc[-1]:.0f}%" in text
    for question in means:
        rho = means[question].corr(ratings[question], method="spearman")
        assert f"{rho:.2f} ({question}, n = 3)" in text


def test_without_weights_the_command_that_fetches_them_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("GROOVE_MODELS", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    name, how = text_audio.find_text_model()
    assert name is None
    assert "clap-htsat-unfused" in how
    assert how in text_audio.summarise_text_model({}, np.array([]), STYLES)


def planted(texts):
    """Return vectors of texts in a space with axes for three styles and, as the fourth, groove."""
    vectors = np.zeros((len(texts), 5))
    for row, text in zip(vectors, texts, strict=True):
        for axis, style in enumerate(STYLES):
            row[axis] = style in text
        row[3] = {"without": -1, "some": 0, "strong": 1}.get(
            next((w for w in ("without", "some", "strong") if w in text), ""), 0
        )
        row[4] = 0.3 if "song" in text else 0.6
    return vectors


def test_planted_meanings_are_found():
    rng = np.random.default_rng(1)
    y = rng.integers(3, size=60)
    groove = rng.uniform(-1, 1, 60)
    audio = np.column_stack([np.eye(3)[y] + 0.1 * rng.normal(size=(60, 3)), groove, 0 * groove])
    scores, p = text_audio.prompt_sensitivity(audio, y, STYLES, planted)
    assert (scores["accuracy"] == 1).all()
    assert (scores["changed"] == 0).all()
    assert (p.argmax(axis=1) == y).all()
    sentences = {"groove": text_audio.GROOVE_SENTENCES["groove"]}
    ratings = text_audio.graded_ratings(audio, planted, sentences, scale=5.0)
    assert np.corrcoef(ratings["groove"], groove)[0, 1] > 0.9


def test_vectors_of_another_model_are_an_error():
    with raises(DetailedError, "other_shape"):
        text_audio.zero_shot(np.ones((2, 3)), [np.ones((1, 4))] * 2)
    p = text_audio.zero_shot(np.zeros((1, 4)), [np.ones((1, 4)), np.zeros((1, 4))])
    assert p.tolist() == [[0.5, 0.5]]  # nothing to compare
