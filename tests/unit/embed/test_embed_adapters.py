from pathlib import Path

import numpy as np
import pytest
from expect import raises
from toy_models import SR, Frames, noise

from groove_utils.embed import (
    EmbedError,
    ModelRefusedError,
    embed_audio,
    list_models,
    load_model,
    model_card,
    register_model,
    unregister_model,
)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"hop": 1e-6}, "hop"),
        ({"hop": 1.5}, "hop"),
        ({"window": 1e-6}, "window"),
        ({"window": 0}, "window"),
        ({"lead": -1}, "lead"),
        ({"layers": {}}, "layers"),
        ({"layers": {1: 1}}, "layers"),
        ({"layers": {"peak": 1}}, "peak"),
        ({"sample_rate": "16 kHz", "hop": 0.5}, "sample_rate"),
        ({"sample_rate": 16000.5}, "sample_rate"),
        ({"load": None}, "load"),
    ],
)
def test_windows_and_layers_that_cannot_be(members, word):
    with raises(EmbedError, "not_an_adapter") as caught:
        register_model("own", type("Own", (Frames,), members))
    (problem,) = caught.value.value
    assert word in problem


def test_all_problems_of_an_adapter_are_listed():
    with raises(EmbedError, "not_an_adapter") as caught:
        register_model("half", type("Half", (), {"window": 0}))
    assert len(caught.value.value) == 5


def test_registration_wants_a_free_name_and_a_class(register):
    register(Frames)
    for name in ("frames", "msd-vgg"):
        with raises(EmbedError, "name_taken", value=name):
            register_model(name, Frames)
    with raises(EmbedError, "not_callable"):
        register_model("instance", Frames())


def test_a_model_that_is_registered_again_is_a_new_one(register):
    y = noise(SR)
    before = embed_audio(y, SR, register(Frames))["window"]

    class Louder(Frames):
        def layers_of(self, frames, n_valid):
            return {name: 100 * v for name, v in super().layers_of(frames, n_valid).items()}

    register(Louder, "frames")
    np.testing.assert_allclose(embed_audio(y, SR, "frames")["window"], 100 * before, rtol=1e-6)
    unregister_model("frames")
    register(Frames)
    np.testing.assert_array_equal(embed_audio(y, SR, "frames")["window"], before)


def test_a_reader_s_own_model_is_listed(register):
    register(Frames)
    assert list_models().loc["frames", "available"]
    card = model_card("frames")
    assert (card.sample_rate, card.layers) == (SR, Frames.layers)
    assert list_models().index[-1] == "frames"


def test_a_model_that_cannot_be_made_hides_no_other(register):
    calls = iter([Frames()])  # once, to be registered

    def make():
        for adapter in calls:
            return adapter
        raise OSError("the drive is unplugged")

    register(make, "own")
    table = list_models()
    assert table.loc["own", "state"] == "fails"
    assert "OSError: the drive is unplugged" in table.loc["own", "how"]
    assert table.loc["msd-musicnn", "available"]


def test_a_helper_that_changed_outside_the_class_is_noticed(register):
    """Only the probe can detect it, since its code is not part of the class."""
    helper = {"gain": 1.0}

    class Own(Frames):
        def layers_of(self, frames, n_valid):
            return super().layers_of(helper["gain"] * frames, n_valid)

    load_model(register(Own))
    helper["gain"] = 0.5
    register(Own)
    with raises(ModelRefusedError, "other_output", column="frames"):
        load_model("own")


def test_the_model_that_the_book_shows_can_be_copied():
    text = (Path(__file__).parents[3] / "book" / "adapt.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in text.split("```python\n")[1:]]
    (code,) = [block for block in blocks if "register_model(" in block]
    names: dict = {}
    exec(code.partition("embed_study(load")[0], names)
    y = noise(7 * SR)
    level = embed_audio(y, SR, "loudness")["level"]
    rms = np.sqrt(np.square(y[: 5 * SR].reshape(-1, 400)).mean(1)).mean()
    np.testing.assert_allclose(level[0, 0], rms, rtol=1e-5)
    unregister_model("loudness")
