from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from groove_utils.audio import load_audio
from groove_utils.embed import embed_audio, model_card
from groove_utils.embed.models.basic_pitch import (
    BasicPitch,
    _learnt_tensors,
    fold_convolutions,
    randomise_kernels,
)

SR = 22050


def tone(midi, seconds=4.0, start=0.0):
    t = np.arange(int(seconds * SR)) / SR
    frequency = 440 * 2 ** ((midi - 69) / 12)
    y = sum(np.sin(2 * np.pi * frequency * k * t) / k for k in range(1, 5))
    return (0.2 * y * (t >= start)).astype(np.float32)


@pytest.mark.parametrize("midi", [45, 60, 72])
def test_a_steady_note_is_found_at_its_key(midi):
    layers = embed_audio(tone(midi), SR, "basic-pitch")
    note = layers["note"][:, :88].mean(0)
    assert note.argmax() == midi - 21
    contour = layers["contour"][:, :264].mean(0)
    assert abs(contour.argmax() - 3 * (midi - 21) - 1) <= 1


def test_an_onset_is_heard_in_the_window_where_it_is():
    layers = embed_audio(tone(60, seconds=5.0, start=2.4), SR, "basic-pitch")
    onset_spread = layers["onset"][:, 88 + 60 - 21]
    assert onset_spread.argmax() == 1  # windows begin every 1.64 s


def test_pooling_is_over_the_valid_frames():
    adapter = BasicPitch()
    session = adapter.load()
    y = tone(60, seconds=43844 / SR)[None]
    whole = adapter.forward(session, y, [43844])
    posterior = session(y)["note"][0]
    np.testing.assert_allclose(whole["note"][0, :88], posterior[15:157].mean(0), atol=1e-6)
    np.testing.assert_allclose(whole["note"][0, 88:], posterior[15:157].std(0), atol=1e-6)
    part = adapter.forward(session, y, [256 * 50])
    np.testing.assert_allclose(part["note"][0, :88], posterior[15:50].mean(0), atol=1e-6)


def test_untrained_twin_keeps_the_transform_and_loses_the_training():
    graph = BasicPitch().load().graph
    learnt = _learnt_tensors(onnx.load_from_string(graph))
    assert sorted(learnt.values()).count("kernel") == 6
    twin = randomise_kernels(graph, 0)
    assert len(twin) == len(graph)
    assert randomise_kernels(graph, 0) == twin
    assert randomise_kernels(graph, 1) != twin
    before, after = (np.frombuffer(content, np.uint8) for content in (graph, twin))
    n_changed = int((before != after).sum())
    n_learnt = model_card("basic-pitch").parameters
    assert 0.9 * 4 * n_learnt < n_changed <= 4 * n_learnt
    trained = embed_audio(tone(60), SR, "basic-pitch")["note"]
    random = embed_audio(tone(60), SR, "basic-pitch-untrained")["note"]
    assert np.isfinite(random).all()
    assert np.abs(trained - random).max() > 0.1


@pytest.mark.parametrize("name", ["basic-pitch", "basic-pitch-untrained"])
def test_folding_moves_no_posterior(name):
    graph = BasicPitch(name).load().graph
    folded = fold_convolutions(graph)
    n_nodes = [len(onnx.load_from_string(g).graph.node) for g in (graph, folded)]
    assert n_nodes[1] - n_nodes[0] == 3 * 3  # three convolutions of few channels and no stride
    onnx.checker.check_model(onnx.load_from_string(folded))
    rng = np.random.default_rng(0)
    batch = np.stack([tone(60, seconds=43844 / SR), rng.normal(0, 0.1, 43844)])[..., None]
    sessions = [onnxruntime.InferenceSession(g) for g in (graph, folded)]
    (given,) = sessions[0].get_inputs()
    plain, other = (one.run(None, {given.name: batch.astype(np.float32)}) for one in sessions)
    for a, b in zip(plain, other, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_real_music_gives_probabilities():
    path = Path(__file__).parents[3] / "golden" / "embed" / "groove_16k.wav"
    layers = embed_audio(*load_audio(path), "basic-pitch")
    for name, dim in (("note", 88), ("onset", 88), ("contour", 264)):
        mean, spread = layers[name][:, :dim], layers[name][:, dim:]
        assert mean.min() >= 0
        assert mean.max() <= 1
        assert spread.min() >= 0
        assert spread.max() <= 0.5 + 1e-6  # the most that values in 0 … 1 can spread
