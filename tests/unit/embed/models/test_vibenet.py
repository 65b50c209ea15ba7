from pathlib import Path

import numpy as np
import onnx
import pytest
from golden_signals import recordings
from onnx.numpy_helper import to_array

from groove_utils.audio import load_audio
from groove_utils.embed import embed_audio, load_model, model_card
from groove_utils.embed.models.packaged_graph import GraphSession, add_outputs, randomise_graph
from groove_utils.embed.models.vibenet import (
    ATTRIBUTES,
    SAMPLE_RATE,
    VibeNet,
    log_mel_spectrogram,
    normalise_examples,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "embed"


def tone(seconds, frequency=440.0, level=0.2):
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (level * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


@pytest.fixture(scope="module")
def groove():
    return load_audio(GOLDEN / "groove_16k.wav", SAMPLE_RATE)[0]


@pytest.mark.parametrize("signal", ["groove", "kick"])
def test_layers_match_the_original(signal):
    """Compare ten seconds of one of the book's sounds, and of one from another package."""
    ours = embed_audio(recordings(SAMPLE_RATE)[signal], SAMPLE_RATE, "vibenet")
    assert {k: v.shape for k, v in ours.items()} == {
        k: (1, dim) for k, dim in model_card("vibenet").layers.items()
    }
    with np.load(GOLDEN / "vibenet_golden.npz") as golden:
        assert np.abs(ours["attributes"][0] - golden[f"{signal}/attributes"]).max() <= 1e-4
        for layer in ("pooled", "hidden"):
            assert np.abs(ours[layer][0] - golden[f"{signal}/{layer}"]).max() <= 1e-3


def test_a_tone_is_loudest_in_its_band_and_nothing_is_80_db_softer():
    frames = log_mel_spectrogram(tone(1.0, 1000.0))
    assert frames.shape == (128, 49)
    assert frames.max() - frames.min() == pytest.approx(80, abs=0.01)
    mel = 1000 * 3 / 200  # Slaney's scale is linear up to 1 kHz: 15 mel there, then 6.4 × per 27
    top = 15 + 27 * np.log(8) / np.log(6.4)
    assert (frames.argmax(0) == round(mel / top * 129) - 1).all()
    # a sine with amplitude a has power (a Σw / 2)² in its bin; mel filters share it by area
    louder = log_mel_spectrogram(tone(1.0, 1000.0, 0.4))
    assert louder.max() - frames.max() == pytest.approx(20 * np.log10(2), abs=1e-3)


def test_white_noise_is_not_music():
    noise = np.random.default_rng(0).normal(0, 0.2, 10 * SAMPLE_RATE).astype(np.float32)
    attributes = dict(zip(ATTRIBUTES, embed_audio(noise, SAMPLE_RATE, "vibenet")["attributes"][0]))
    assert attributes["danceability"] < 0.4
    assert attributes["instrumentalness"] > 0.5


def test_a_padded_window_is_filled_with_the_sound_itself(groove):
    adapter = VibeNet("vibenet")
    padded = np.zeros(4 * SAMPLE_RATE, np.float32)
    padded[: 3 * SAMPLE_RATE] = groove[: 3 * SAMPLE_RATE]
    filled = adapter.prepare(padded, 3 * SAMPLE_RATE)
    plain = log_mel_spectrogram(groove[: 3 * SAMPLE_RATE])
    assert filled.shape == (128, 199)
    np.testing.assert_array_equal(filled[:, :149], plain)
    np.testing.assert_array_equal(filled[:, 149:], plain[:, :50])
    session = adapter.load()
    whole, part = (adapter.forward(session, x[None], None)["attributes"] for x in (plain, filled))
    silent = log_mel_spectrogram(padded)[None]
    assert np.abs(part - whole).max() < 0.1
    assert np.abs(adapter.forward(session, silent, None)["attributes"] - whole).max() > 0.1


def test_silence_and_short_signals_give_finite_layers():
    for n in (1, 100, 640, 5000):
        layers = embed_audio(np.zeros(n, np.float32), SAMPLE_RATE, "vibenet")
        assert all(np.isfinite(values).all() for values in layers.values())
        assert 0 <= layers["attributes"].min() <= layers["attributes"].max() <= 1


def test_the_untrained_twin_replaces_all_that_is_learnt():
    graph = VibeNet("vibenet").load().content()
    twin = normalise_examples(randomise_graph(graph, 0))
    assert VibeNet("vibenet-untrained").load().content() == twin
    assert VibeNet("vibenet-untrained", 1).load().content() != twin
    learnt, drawn = (
        {tensor.name: to_array(tensor) for tensor in onnx.load_from_string(g).graph.initializer}
        for g in (graph, twin)
    )
    weights = [k for k in learnt if k.endswith(("weight", "bias"))]
    assert sum(learnt[k].size for k in weights) == model_card("vibenet").parameters
    used = {name for node in onnx.load_from_string(twin).graph.node for name in node.input}
    assert not [k for k in used.intersection(weights) if np.array_equal(learnt[k], drawn[k])]
    for k in weights:
        if learnt[k].ndim > 1 and learnt[k].size > 500:
            assert drawn[k].std() == pytest.approx(learnt[k].std(), rel=0.3)


def test_the_twin_keeps_the_size_of_its_values_and_differs_from_the_model(groove):
    trained, twin = (
        embed_audio(groove, SAMPLE_RATE, name) for name in ("vibenet", "vibenet-untrained")
    )
    for layer in ("pooled", "hidden"):
        assert np.isfinite(twin[layer]).all()
        assert 0.1 < twin[layer].std() / trained[layer].std() < 10
        assert abs(np.corrcoef(twin[layer][0], trained[layer][0])[0, 1]) < 0.5
    other = embed_audio(tone(3.0), SAMPLE_RATE, "vibenet-untrained")
    change = np.abs(other["pooled"][0] - twin["pooled"][0]).mean()
    assert change > 0.1 * twin["pooled"].std()  # it tells sounds apart


def test_the_twin_normalises_each_window():
    graph = load_model("vibenet-untrained").network.graph
    nodes = [node for node in onnx.load_from_string(graph).graph.node if node.op_type == "Div"]
    assert len(nodes) == 49  # all layers of batch normalisation
    names = [node.output[0] for node in nodes[::8]]
    session = GraphSession(add_outputs(graph, names), dict(zip(names, names)))
    for values in session(log_mel_spectrogram(tone(2.0))[None]).values():
        assert values.mean() == pytest.approx(0, abs=1e-3)
        assert values.std() == pytest.approx(1, abs=0.01)
