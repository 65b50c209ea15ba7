from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from groove_utils.audio import load_audio
from groove_utils.embed import embed_audio, model_card
from groove_utils.embed.models.basic_pitch import (
    EDGE,
    HOP,
    N_FRAMES,
    SAMPLE_RATE,
    WINDOW,
    BasicPitch,
    fold_convolutions,
)

GOLDEN = Path(__file__).parents[3] / "golden" / "embed"


def tone(midi, seconds=WINDOW / SAMPLE_RATE, start=0.0):
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = 440 * 2 ** ((midi - 69) / 12)
    y = sum(np.sin(2 * np.pi * frequency * k * t) / k for k in range(1, 5))
    return (0.2 * y * (t >= start)).astype(np.float32)


@pytest.mark.parametrize("midi", [45, 60, 72])
def test_a_steady_note_is_found_at_its_key(midi):
    layers = embed_audio(tone(midi, 4.0), SAMPLE_RATE, "basic-pitch")
    assert layers["note"][:, :88].mean(0).argmax() == midi - 21
    contour = layers["contour"][:, :264].mean(0)
    assert abs(contour.argmax() - 3 * (midi - 21) - 1) <= 1


def test_an_onset_is_found_in_its_window():
    layers = embed_audio(tone(60, 5.0, start=2.4), SAMPLE_RATE, "basic-pitch")
    spread = layers["onset"][:, 88 + 60 - 21]
    assert spread.argmax() == 1  # windows begin every 1.64 s


def test_pooling_is_over_the_valid_frames():
    adapter = BasicPitch("basic-pitch")
    session = adapter.load()
    y = tone(60)[None]
    posterior = session(y[..., None])["note"][0]
    for n_valid, stop in ((WINDOW, N_FRAMES - EDGE), (HOP * 50, 50)):
        found = adapter.forward(session, y, [n_valid])["note"][0]
        frames = posterior[EDGE:stop]
        np.testing.assert_allclose(found, [*frames.mean(0), *frames.std(0)], atol=1e-6)


def test_the_untrained_twin_keeps_the_transform_and_replaces_what_is_learnt():
    graph = BasicPitch("basic-pitch").load().graph
    twin, again, other = (BasicPitch("basic-pitch-untrained", k).load().graph for k in (0, 0, 1))
    assert again == twin
    assert other != twin
    tensors = [
        {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        for model in map(onnx.load_from_string, (graph, twin))
    ]
    n_learnt = model_card("basic-pitch").parameters
    changed = [k for k, v in tensors[0].items() if not np.array_equal(v, tensors[1][k])]
    assert 0.9 * n_learnt < sum(tensors[0][k].size for k in changed) <= n_learnt
    kernels = [k for k in changed if tensors[0][k].ndim == 4]
    assert len(kernels) == 6
    for name in kernels:
        assert tensors[1][name].std() == pytest.approx(tensors[0][name].std(), rel=0.3)
    trained, random = (
        embed_audio(tone(60, 4.0), SAMPLE_RATE, name)["note"]
        for name in ("basic-pitch", "basic-pitch-untrained")
    )
    assert np.isfinite(random).all()
    assert np.abs(trained - random).max() > 0.1


@pytest.mark.parametrize("name", ["basic-pitch", "basic-pitch-untrained"])
def test_folding_changes_no_posterior(name):
    graph = BasicPitch(name).load().graph
    folded = fold_convolutions(graph)
    n_nodes = [len(onnx.load_from_string(g).graph.node) for g in (graph, folded)]
    assert n_nodes[1] - n_nodes[0] == 3 * 3  # three convolutions of few channels and no stride
    onnx.checker.check_model(onnx.load_from_string(folded))
    noise = np.random.default_rng(0).normal(0, 0.1, WINDOW)
    batch = np.stack([tone(60), noise])[..., None].astype(np.float32)
    plain, other = (
        session.run(None, {session.get_inputs()[0].name: batch})
        for session in map(onnxruntime.InferenceSession, (graph, folded))
    )
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_real_music_gives_probabilities():
    layers = embed_audio(*load_audio(GOLDEN / "groove_16k.wav"), "basic-pitch")
    for name, dim in (("note", 88), ("onset", 88), ("contour", 264)):
        mean, spread = layers[name][:, :dim], layers[name][:, dim:]
        assert 0 <= mean.min() <= mean.max() <= 1
        assert 0 <= spread.min() <= spread.max() <= 0.5 + 1e-6  # the most that is possible
