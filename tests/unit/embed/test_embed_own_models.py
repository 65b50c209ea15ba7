"""A reader's own models: edited in a notebook, made by any function, or broken."""

import numpy as np
import pytest

from groove_utils.cache import ArrayCache
from groove_utils.embed import (
    ModelRefusedError,
    embed_tracks,
    forget_models,
    list_models,
    load_model,
    register_model,
    unregister_model,
)

SR = 16000


class Base:
    """Says no version, as a class in a notebook."""

    sample_rate = SR
    window = 1.0
    layers = {"level": 1}  # noqa: RUF012
    limit = 5.0

    def __init__(self, gain=1.0):
        self.gain = gain

    def load(self):
        return None

    def scaled(self, batch):
        return self.gain * batch.abs()

    def forward(self, network, batch, n_valid):
        return {"level": self.scaled(batch).clamp(max=self.limit).amax(1, keepdim=True)}


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    forget_models()
    yield
    unregister_model("own")
    forget_models()


def level(cache):
    tracks = {"a": (np.full(SR, 0.5, np.float32), SR)}
    embedding = embed_tracks(tracks, "own", cache=cache, progress=False)
    return float(embedding.layer("level")[0, 0])


def edited(**members):
    """The class, and another of its name, as a cell that was changed and run again makes it."""
    return type("Own", (Base,), {}), type("Own", (Base,), members)


def _base_with(**members):
    return type("Own", (type("Base", (Base,), members),), {})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (*edited(limit=0.25), 0.25),
        (*edited(scaled=lambda self, batch: 0.1 * batch.abs()), 0.05),
        (_base_with(), _base_with(limit=0.25), 0.25),
        (Base, lambda: Base(gain=0.5), 0.25),
    ],
    ids=["attribute", "method", "base class", "argument"],
)
def test_an_edited_model_gets_new_vectors(tmp_path, before, after, expected):
    cache = ArrayCache(tmp_path / "vectors")
    register_model("own", before)
    assert level(cache) == pytest.approx(0.5)
    register_model("own", after, replace=True)
    assert level(cache) == pytest.approx(expected)
    register_model("own", before, replace=True)
    assert level(cache) == pytest.approx(0.5)
    assert len(cache) == 2


def test_what_a_load_leaves_behind_makes_no_other_model(tmp_path):
    class Counting(Base):
        loads = 0

        def load(self):
            self.loads += 1

    cache = ArrayCache(tmp_path / "vectors")
    register_model("own", Counting)
    level(cache)
    forget_models()
    level(cache)
    assert len(cache) == 1


def test_a_helper_that_changed_beside_the_class_is_noticed(tmp_path):
    """Its code is not the class's; the probe tells."""
    helper = {"gain": 1.0}

    class Own(Base):
        def scaled(self, batch):
            return helper["gain"] * batch.abs()

    register_model("own", Own)
    load_model("own")
    helper["gain"] = 0.5
    register_model("own", Own, replace=True)
    with pytest.raises(ModelRefusedError, match="If you have changed it, give its class another"):
        load_model("own")


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"hop": 1e-6}, "hop is 1e-06, expected seconds, from those of one sample"),
        ({"hop": 1.5}, "hop is 1.5"),
        ({"window": 1e-6}, "window is 1e-06, expected seconds, at least those of one sample"),
        ({"layers": {1: 1}}, "expected names that are texts"),
        ({"sample_rate": "16 kHz", "hop": 0.5}, "sample_rate is '16 kHz', expected whole Hz"),
    ],
)
def test_windows_and_layers_that_cannot_be(members, told):
    with pytest.raises(ValueError, match=told):
        register_model("own", type("Own", (Base,), members))


def test_a_model_that_cannot_be_made_hides_no_other():
    calls = iter([Base()])  # once, to be registered

    def make():
        for adapter in calls:
            return adapter
        raise OSError("the drive is unplugged")

    register_model("own", make)
    table = list_models()
    assert table.loc["own", "state"] == "fails"
    assert "OSError: the drive is unplugged" in table.loc["own", "how"]
    assert table.loc["msd-musicnn", "available"]
