import sys
from importlib import import_module

import numpy as np
import pytest
from toy_models import SR, Frames

from groove_utils.embed import embed_tracks, forget_models, register_model
from groove_utils.embed.cache_keys import adapter_files, weights_key
from groove_utils.embed.catalogue import make_adapter
from groove_utils.embed.models.huggingface.speech import SpeechEncoder
from groove_utils.embed.models.musicnn.taggers import Tagger


class Level(Frames):
    """Model without a version, like a class defined in a notebook."""

    layers = {"level": 1}  # noqa: RUF012
    limit = 5.0

    def __init__(self, gain=1.0):
        self.gain = gain

    def scaled(self, batch):
        return self.gain * batch.abs()

    def forward(self, network, batch, n_valid):
        return {"level": self.scaled(batch).clamp(max=self.limit).amax(1, keepdim=True)}


def level(cache):
    tracks = {"a": (np.full(SR, 0.5, np.float32), SR)}
    embedding = embed_tracks(tracks, "own", cache=cache, progress=False)
    return float(embedding.layer("level")[0, 0])


def edited(**members):
    """Return two classes of the same name, as if a cell had been edited and run again."""
    return type("Own", (Level,), {}), type("Own", (Level,), members)


def with_base(**members):
    return type("Own", (type("Base", (Level,), members),), {})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (*edited(limit=0.25), 0.25),
        (*edited(scaled=lambda self, batch: 0.1 * batch.abs()), 0.05),
        (with_base(), with_base(limit=0.25), 0.25),
        (Level, lambda: Level(gain=0.5), 0.25),
    ],
    ids=["attribute", "method", "base class", "argument"],
)
def test_an_edited_model_gets_new_vectors(cache, register, before, after, expected):
    register(before, "own")
    assert level(cache) == pytest.approx(0.5)
    register_model("own", after, replace=True)
    assert level(cache) == pytest.approx(expected)
    register_model("own", before, replace=True)
    assert level(cache) == pytest.approx(0.5)
    assert len(cache) == 2


def test_attributes_set_by_a_load_make_no_other_model(cache, register):
    class Counting(Level):
        loads = 0

        def load(self):
            self.loads += 1

    register(Counting, "own")
    level(cache)
    forget_models()
    level(cache)
    assert len(cache) == 1


@pytest.mark.parametrize(
    ("kind", "included", "excluded"),
    [
        (Tagger, {"musicnn/taggers.py"}, {"basic_pitch.py", "huggingface/speech.py"}),
        (SpeechEncoder, {"huggingface/speech.py", "huggingface/hub_model.py"}, {"audiomae.py"}),
    ],
)
def test_a_fingerprint_depends_on_the_adapters_own_files(kind, included, excluded):
    """A fingerprint does not depend on files of other models or outside the models."""
    paths = [file.as_posix().partition("groove_utils/")[2] for file in adapter_files(kind)]
    assert all(path.startswith("embed/models/") for path in paths)
    names = {path.removeprefix("embed/models/") for path in paths}
    assert included <= names
    assert not excluded & names


def test_networks_that_are_imported_on_loading_count():
    names = {file.name for file in adapter_files(Tagger)}
    assert {"networks.py", "tf_checkpoint.py"} <= names


@pytest.fixture
def own_file(tmp_path, monkeypatch, register):
    """Write a reader's model to a file, with a helper and an unrelated file in the same folder."""
    (tmp_path / "reader_helper.py").write_text("GAIN = 1\n")
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    (tmp_path / "weights.bin").write_bytes(b"1234")
    (tmp_path / "reader_model.py").write_text(
        "from pathlib import Path\n"
        "from toy_models import Frames\n"
        "class Own(Frames):\n"
        "    version = '1'\n"
        "    def files(self):\n"
        "        return [Path(__file__).with_name('weights.bin')]\n"
        "    def load(self):\n"
        "        from reader_helper import GAIN\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    register(import_module("reader_model").Own, "own")
    yield tmp_path
    sys.modules.pop("reader_model")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("reader_model.py", True),
        ("reader_helper.py", True),
        ("weights.bin", True),
        ("unrelated.py", False),
    ],
)
def test_edits_that_change_the_key_of_a_models_weights(own_file, file, changes):
    before = weights_key("own", make_adapter("own"))
    with (own_file / file).open("a") as opened:
        opened.write("# edited\n")
    assert (weights_key("own", make_adapter("own")) != before) == changes


def test_a_model_without_files_has_no_weights_key(register):
    register(Frames)
    assert weights_key("frames", make_adapter("frames")) is None
