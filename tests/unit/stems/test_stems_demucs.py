"""Demucs in constant memory, held to Demucs's own API; loading, from wherever files come."""

import json
import shutil
import socket
from urllib.error import URLError

import demucs.apply
import demucs.pretrained
import numpy as np
import pytest
import torch
from demucs.api import Separator
from safetensors.torch import save_file
from tiny_demucs import SOURCES, save_network, tiny_network

from groove_utils.embed import ModelUnavailableError
from groove_utils.stems import SeparatorUnavailableError, demucs_weights, separate, signals
from groove_utils.stems.__main__ import main

SR = 44_100


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    """No test looks for weights outside of its own folder, nor at the network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GROOVE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    demucs_weights._load.cache_clear()


def whole(y, name, repository, **options):
    """What Demucs's API gives for the whole signal at once."""
    separator = Separator(name, repo=repository, device="cpu", **({"shifts": 0} | options))
    _, stems = separator.separate_tensor(torch.from_numpy(y), SR)
    return {stem: out.numpy() for stem, out in stems.items()}


def assert_alike(stems, expected):
    assert list(stems) == list(expected)
    for stem, y in stems.items():
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, expected[stem], atol=1e-6, err_msg=stem)
    assert min(y.std() for y in expected.values()) > 1e-4  # there is something to compare


# 1 s segments; lengths within one, at a stride's end and just beyond it, and of several
@pytest.mark.parametrize("n", [999, 33_075, 33_076, 141_120])
@pytest.mark.parametrize("name", ["aaaa1111", "both"])
def test_streamed_is_what_the_api_gives_for_the_whole(band, repository, name, n):
    y = band[:, :n].copy()
    assert_alike(separate(y, SR, repository / name), whole(y, name, repository))


@pytest.mark.parametrize("options", [{"overlap": 0.6}, {"overlap": 0}, {"segment": 0.5}])
def test_overlap_and_segment_mean_what_they_mean_there(band, repository, options):
    y = band[:, :90_000].copy()
    stems = separate(y, SR, repository / "both", **options)
    assert_alike(stems, whole(y, "both", repository, **options))


def test_shifts_mean_what_they_mean_there(band, repository, monkeypatch):
    class Draws:
        rng = np.random.default_rng(5)

        def randint(self, low, high):
            return int(self.rng.integers(low - high, 0, endpoint=True)) + high

    y = band[:, :70_000].copy()
    stems = separate(y, SR, repository / "both", shifts=2, seed=5)
    again = separate(y, SR, repository / "both", shifts=2, seed=5)
    other = separate(y, SR, repository / "both", shifts=2, seed=6)
    monkeypatch.setattr(demucs.apply, "random", Draws())
    assert_alike(stems, whole(y, "both", repository, shifts=2))
    assert all(np.array_equal(stems[s], again[s]) for s in SOURCES)
    assert all(not np.array_equal(stems[s], other[s]) for s in SOURCES)


def test_without_shifts_nothing_is_drawn(band, repository):
    first = separate(band, SR, repository / "aaaa1111")
    second = separate(band, SR, repository / "aaaa1111", seed=9)
    assert all(np.array_equal(first[s], second[s]) for s in SOURCES)


def test_memory_does_not_grow_with_length(band, repository, monkeypatch):
    """What is held of the signal stays under five segments, however long it is."""
    held = []
    forget = signals.StreamBuffer.forget

    def watched(tape, before):
        forget(tape, before)
        held.append(tape._held.shape[1])

    monkeypatch.setattr(signals.StreamBuffer, "forget", watched)
    separate(np.tile(band, 5), SR, repository / "aaaa1111")
    assert len(held) > 15
    assert max(held) < 5 * SR + signals.BLOCK


def test_mono_odd_rates_tiny_and_silent(band, repository):
    path = repository / "both"
    for sr, n in ((22_050, 30_001), (48_000, 50_000), (11_127, 12_345)):
        stems = separate(band[0, :n], sr, path)
        assert {y.shape for y in stems.values()} == {(1, n)}
        assert all(np.isfinite(y).all() for y in stems.values())
    one = separate(band[:, :1], SR, path)
    assert {y.shape for y in one.values()} == {(2, 1)}
    assert all(np.isfinite(y).all() for y in one.values())
    silent = separate(np.zeros((2, 300_000)), SR, path)
    assert all(y.shape == (2, 300_000) and not y.any() for y in silent.values())


def test_resampled_input_gives_the_stems_of_the_song(band, repository):
    """At 48 kHz the stems are those at 44.1 kHz, resampled (away from the filters' edges)."""
    from groove_utils.audio import resample

    at_home = separate(band, SR, repository / "aaaa1111")
    elsewhere = separate(resample(band, SR, 48_000), 48_000, repository / "aaaa1111")
    for stem, y in at_home.items():
        expected = resample(y, SR, 48_000)[:, 2000:-2000]
        error = elsewhere[stem][:, 2000 : 2000 + expected.shape[1]] - expected
        assert error.std() < 0.02 * expected.std()


def test_a_network_is_found_by_file_folder_or_name(band, repository, tmp_path):
    y = band[:, :20_000].copy()
    expected = whole(y, "aaaa1111", repository)
    file = next(repository.glob("aaaa1111-*.th"))
    assert_alike(separate(y, SR, file), expected)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(file, alone)
    assert_alike(separate(y, SR, str(alone)), expected)
    assert_alike(separate(y, SR, repository / "both.yaml"), whole(y, "both", repository))
    shutil.copy(next(repository.glob("bbbb2222-*.th")), alone)
    with pytest.raises(ValueError, match=r"found 2: name one, as in .*aaaa1111"):
        separate(y, SR, alone)
    with pytest.raises(ValueError, match="no network of that name in"):
        separate(y, SR, repository / "cccc3333")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="found 0"):
        separate(y, SR, tmp_path / "empty")


def pretend(tmp_path, monkeypatch, where):
    """Put a tiny network where the weights of the real `htdemucs` would be."""
    network = tiny_network(0)
    if where == "by hand":
        save_network(network, tmp_path / "models" / "demucs", "955717e8")
    elif where == "older store":
        folder = tmp_path / "torch" / "hub" / "checkpoints"
        path = save_network(network, folder, "955717e8")
        path.rename(folder / "955717e8-8726e21a.th")
        monkeypatch.setattr("demucs.repo.check_checksum", lambda *_: None)
    else:
        snapshot = tmp_path / "hub" / "models--adefossez--HTDemucs" / "snapshots" / "c0ffee"
        snapshot.mkdir(parents=True)
        refs = snapshot.parents[1] / "refs"
        refs.mkdir()
        (refs / "main").write_text("c0ffee")
        args, kwargs = network._init_args_kwargs
        metadata = {
            "klass": "demucs.htdemucs.HTDemucs",
            "args": json.dumps(args),
            "kwargs": json.dumps(kwargs),
        }
        state = {key: value.contiguous() for key, value in network.state_dict().items()}
        save_file(state, snapshot / "955717e8.safetensors", metadata)


@pytest.mark.parametrize("where", ["by hand", "older store", "hub"])
def test_weights_that_are_here_are_used_without_the_network(
    band, repository, tmp_path, monkeypatch, where
):
    y = band[:, :20_000].copy()
    pretend(tmp_path, monkeypatch, where)
    monkeypatch.setattr(socket, "create_connection", None)
    assert_alike(separate(y, SR, "htdemucs"), whole(y, "aaaa1111", repository))
    assert main(["fetch", "htdemucs"]) == 0


def test_the_signatures_are_those_of_demucs():
    """Names, signatures and weights of pretrained bags come from the installed package."""
    package = demucs_weights.find_package("htdemucs_ft")
    assert package.signatures == ("f7e0c4bc", "d12395a8", "92cfc3b6", "04573f0d")
    assert package.weights == tuple(tuple(float(i == k) for i in range(4)) for k in range(4))
    assert package.fingerprint() == "demucs htdemucs_ft f7e0c4bc d12395a8 92cfc3b6 04573f0d"
    assert {"htdemucs", "htdemucs_6s", "mdx_extra"} <= set(demucs_weights.pretrained_names())


def test_offline_one_message_says_what_to_do(band, tmp_path, capsys):
    with pytest.raises(SeparatorUnavailableError) as caught:
        separate(band, SR)
    text = str(caught.value)
    assert isinstance(caught.value, ModelUnavailableError)
    assert text.startswith("htdemucs_ft: its weights are not on this machine")
    assert "`python -m groove_utils.stems fetch htdemucs_ft`" in text
    assert "f7e0c4bc-ba3fe64a.th, d12395a8-e57c48e6.th" in text
    assert str(tmp_path / "models" / "demucs") in text
    assert "'hpss' needs no weights" in text
    assert main(["fetch", "htdemucs_ft"]) == 1
    assert text in capsys.readouterr().err
    assert main(["list"]) == 0
    assert "not on this machine" in capsys.readouterr().out


def test_an_unreachable_network_is_noticed_without_retries(band, monkeypatch):
    asked = []

    def unreachable(address, timeout):
        asked.append(address[0])
        raise OSError("unreachable")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    for name in demucs_weights.PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "create_connection", unreachable)
    with pytest.raises(SeparatorUnavailableError, match="can be reached"):
        separate(band, SR, "htdemucs")
    assert asked == list(demucs_weights.HOSTS)


def test_online_demucs_is_asked_by_name(band, repository, monkeypatch):
    """The real loader fetches: here it is told to fail first, then to give a tiny network."""
    y, asked = band[:, :20_000].copy(), []

    def fetch(name):
        asked.append(name)
        if len(asked) == 1:
            raise URLError("the line broke")
        return tiny_network(0)

    monkeypatch.setattr(demucs_weights, "_online", lambda: True)
    monkeypatch.setattr(demucs.pretrained, "get_model", fetch)
    with pytest.raises(SeparatorUnavailableError, match=r"downloaded \(URLError: .*line broke"):
        separate(y, SR, "htdemucs")
    assert_alike(separate(y, SR, "htdemucs"), whole(y, "aaaa1111", repository))
    assert asked == ["htdemucs"] * 2


def test_networks_of_others_on_the_hub_are_asked_for_as_they_are(band, repository, monkeypatch):
    y = band[:, :20_000].copy()
    monkeypatch.setattr(demucs.pretrained, "get_model", lambda name: tiny_network(0))
    assert_alike(separate(y, SR, "hf://someone/net"), whole(y, "aaaa1111", repository))

    def nothing(name):
        raise OSError(f"{name} is not there")

    demucs_weights._load.cache_clear()
    monkeypatch.setattr(demucs.pretrained, "get_model", nothing)
    with pytest.raises(SeparatorUnavailableError, match=r"fetch hf://someone/net`.*repository's"):
        separate(y, SR, "hf://someone/net")


def test_a_damaged_file_is_told(band, repository, tmp_path):
    file = next(repository.glob("aaaa1111-*.th"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    changed = tmp_path / file.name
    changed.write_bytes(content)
    with pytest.raises(SeparatorUnavailableError, match="Invalid checksum"):
        separate(band, SR, changed)
    for name, junk in (
        ("cut.th", bytes(content[:5000])),
        ("text.th", b"no"),
        ("x.safetensors", b"?"),
    ):
        (tmp_path / name).write_bytes(junk)
        with pytest.raises(SeparatorUnavailableError, match="not a network that this Demucs"):
            separate(band, SR, tmp_path / name)
    torch.save({"state": {}}, tmp_path / "other.th")
    with pytest.raises(SeparatorUnavailableError, match="KeyError"):
        separate(band, SR, tmp_path / "other.th")


def test_a_bag_that_lacks_something_is_told(tmp_path, band):
    bag = tmp_path / "bag.yaml"
    bag.write_text("models: [aaaa, bbbb]")
    with pytest.raises(SeparatorUnavailableError, match="names the networks aaaa, bbbb, but"):
        separate(band, SR, bag)
    bag.write_text("- nothing")
    with pytest.raises(ValueError, match="does not describe a bag"):
        separate(band, SR, bag)


def test_settings_that_the_network_cannot_take(band, repository):
    with pytest.raises(ValueError, match="5 channels, Demucs takes mono or stereo"):
        separate(np.zeros((5, 900)), SR, repository / "both")
    for name in ("both", "aaaa1111"):
        with pytest.raises(ValueError, match=r"trained with segments of 1 s"):
            separate(band, SR, repository / name, segment=2)
    with pytest.raises(ValueError, match="leaves no sample"):
        separate(band, SR, repository / "both", overlap=1 - 1e-7)
    with pytest.raises(ValueError, match="device 'tpu' is not there"):
        separate(band, SR, repository / "both", device="tpu")
