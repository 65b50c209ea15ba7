"""A loaded model is compared with its weights file and with its record."""

import json

import numpy as np
import pytest
import torch
from expect import raises
from toy_models import SR, Frames

from groove_utils.embed import ModelRefusedError, load_model
from groove_utils.embed.cache_keys import adapter_key
from groove_utils.embed.engine import Model
from groove_utils.embed.fingerprints import (
    REGISTRY,
    check_model,
    fingerprint,
    model_record,
    probe_signal,
    write_records,
)
from groove_utils.embed.integrity import check_buffers, check_weights


class Linear(Frames):
    """A small network with weights and buffers that tests can change."""

    layers = {"out": 3}  # noqa: RUF012

    def load(self):
        network = torch.nn.Sequential(torch.nn.Linear(100, 3), torch.nn.Dropout(0.5))
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.uniform_(-1, 1, generator=generator)
        network.register_buffer("scale", torch.ones(3), persistent=False)
        return network.eval()

    def forward(self, network, batch, n_valid):
        return {"out": network(batch.unfold(1, 100, 100)) * network.scale}


def loaded(spoil=lambda network: None, forward=None):
    adapter = Linear()
    network = adapter.load()
    spoil(network)
    if forward is not None:
        adapter.forward = forward.__get__(adapter)
    return Model(adapter, network, fingerprint(network))


@pytest.fixture
def registry(tmp_path):
    path = tmp_path / "fingerprints.json"
    write_records({"linear": model_record(loaded())}, path)
    return path


def randomise(network):
    torch.nn.init.normal_(network[0].weight)


def nudge(network):
    network[0].weight.data[1, 17] += 1e-6  # one of three hundred


def test_the_right_model_passes(registry):
    check_model(loaded(), "linear", registry=registry)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (randomise, "other_weights"),
        (nudge, "other_weights"),
        (lambda network: network.scale.fill_(1e-38), "other_weights"),
        (lambda network: network.train(), "random_output"),
        (lambda network: network.scale.fill_(torch.inf), "not_finite"),
    ],
    ids=["random weights", "one weight", "uninitialised buffer", "dropout left on", "infinite"],
)
def test_a_spoilt_network_is_refused(registry, spoil, kind):
    with raises(ModelRefusedError, kind):
        check_model(loaded(spoil), "linear", registry=registry)


def random_crop(self, network, batch, n_valid):
    start = int(np.random.default_rng().integers(1, 8000))
    return Linear.forward(self, network, batch[:, start : start + 8000], n_valid)


def louder(self, network, batch, n_valid):
    return Linear.forward(self, network, batch * 2, n_valid)


@pytest.mark.parametrize(
    ("forward", "kind"), [(random_crop, "random_output"), (louder, "other_output")]
)
def test_other_preprocessing_is_refused(registry, forward, kind):
    with raises(ModelRefusedError, kind, column="out"):
        check_model(loaded(forward=forward), "linear", registry=registry)


def test_the_first_use_is_recorded_and_compared_with(tmp_path, monkeypatch):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    none = tmp_path / "none.json"
    check_model(loaded(), "linear", registry=none)
    check_model(loaded(), "linear", registry=none)
    with raises(ModelRefusedError, "other_weights", value="the cached record"):
        check_model(loaded(randomise), "linear", registry=none)
    (record,) = (tmp_path / "cache" / "models").rglob("*.json")
    for damage in (
        "{ damaged",
        "{}",
        "[]",
        '{"fingerprint": 1}',
        '{"fingerprint": "", "probe": 1}',
    ):
        record.write_text(damage)
        check_model(loaded(), "linear", registry=none)
        assert json.loads(record.read_text())["key"] == "linear"


@pytest.mark.parametrize("model", ["msd-musicnn", "mtt-vgg-untrained", "basic-pitch"])
def test_models_of_the_package_are_in_the_committed_registry(model):
    assert adapter_key(model, load_model(model).adapter) in json.loads(REGISTRY.read_text())


def test_a_committed_record_refuses_random_weights():
    model = load_model("mtt-vgg")
    other = load_model("mtt-vgg-untrained")
    impostor = Model(model.adapter, other.network, other.fingerprint)
    with raises(ModelRefusedError, "other_weights", value="the registry"):
        check_model(impostor, adapter_key("mtt-vgg", model.adapter))


def test_writing_the_registry_keeps_its_form(tmp_path):
    path = tmp_path / "fingerprints.json"
    path.write_text(REGISTRY.read_text())
    write_records({}, path)
    assert path.read_text() == REGISTRY.read_text()


def test_the_probe_has_no_silent_or_repeated_second():
    y = probe_signal(7 * SR, SR)
    assert np.abs(y).max() < 1
    seconds = y.reshape(7, SR)
    assert (seconds.std(1) > 0.02).all()
    assert np.abs(np.corrcoef(seconds) - np.eye(7)).max() < 0.9


def stored():
    """Tensors of the weights file, with a prefix; the buffer is not saved."""
    return {f"model.{name}": p.detach().clone() for name, p in Linear().load().named_parameters()}


def test_weights_are_compared_with_their_file():
    network = Linear().load()
    check_weights("linear", network, stored())
    check_weights("linear", network, {"renamed": network[0].weight, **stored()})
    nudge(network)
    with raises(ModelRefusedError, "not_loaded", column="0.weight"):
        check_weights("linear", network, stored())


def test_a_saved_buffer_is_compared_with_its_file():
    network = Linear().load()
    check_weights("linear", network, stored() | {"scale": torch.ones(3)})
    with raises(ModelRefusedError, "not_loaded", column="scale"):
        check_weights("linear", network, stored() | {"scale": torch.zeros(3)})


@pytest.mark.parametrize("value", [1e-38, torch.nan])
def test_a_computed_buffer_is_compared_with_a_new_one(value):
    network = Linear().load()
    check_buffers("linear", network, stored(), Linear().load)
    network.scale.fill_(value)
    with raises(ModelRefusedError, "uninitialised_buffer", column="scale"):
        check_buffers("linear", network, stored(), Linear().load)
