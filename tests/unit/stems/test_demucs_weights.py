"""Weights of Demucs: found by name, file or folder, kept, and a clear message if missing."""

import shutil
from urllib.error import URLError

import numpy as np
import pytest
from expect import raises
from tiny_demucs import SOURCES, tiny_network

from groove_utils.embed import ModelUnavailableError
from groove_utils.errors import DetailedError
from groove_utils.stems import SeparatorUnavailableError
from groove_utils.stems.__main__ import main
from groove_utils.stems.demucs_weights import Weights, find_weights, load_network, pretrained_names


@pytest.fixture
def downloads(monkeypatch):
    """Replace Demucs's downloader: raise or return the items of a list, one per call."""
    results, names = [], []

    def get_model(name, repo=None):
        names.append(name)
        result = results.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr("demucs.pretrained.get_model", get_model)
    return results, names


def same(network, other):
    state, expected = network.state_dict(), other.state_dict()
    return all(np.array_equal(state[key], expected[key]) for key in expected)


def test_a_network_is_found_by_file_or_name_in_a_folder(repository):
    file = next(repository.glob("aaaa1111-*.th"))
    for path in (file, str(file), repository / "aaaa1111"):
        assert find_weights(path) == Weights("aaaa1111", repository)
    assert find_weights(repository / "both.yaml") == Weights("both", repository)
    assert find_weights("hf://someone/net") == Weights("hf://someone/net")
    assert same(load_network(find_weights(file)), tiny_network(0))
    bag = load_network(find_weights(repository / "both"))
    assert list(bag.sources) == SOURCES
    assert same(bag.models[1], tiny_network(1))


@pytest.mark.parametrize("name", ["spleeter", "folder/net", "net.th", "folder/bag.yaml"])
def test_unknown_separators_are_refused(name):
    with raises(DetailedError, "unknown_separator", value=name):
        find_weights(name)


def test_names_and_signatures_come_from_the_installed_demucs():
    weights = find_weights("htdemucs_ft")
    assert weights.fingerprint() == "demucs htdemucs_ft f7e0c4bc d12395a8 92cfc3b6 04573f0d"
    assert {"htdemucs", "htdemucs_6s", "mdx_extra"} <= set(pretrained_names())


def test_own_files_are_known_by_their_content(repository, tmp_path):
    shutil.copytree(repository, tmp_path / "copy")
    names = [repository / "both", tmp_path / "copy" / "both", repository / "aaaa1111"]
    first, copy, other = (find_weights(name).fingerprint() for name in names)
    assert first == copy != other
    (tmp_path / "copy" / "both.yaml").write_text("models: ['aaaa1111', 'bbbb2222']\n")
    assert find_weights(tmp_path / "copy" / "both").fingerprint() != first


def test_demucs_downloads_by_name_and_a_network_is_kept(downloads):
    results, names = downloads
    results += [URLError("the line broke"), tiny_network(0), tiny_network(1)]
    with raises(SeparatorUnavailableError, "weights_missing", value="mdx_q"):
        load_network(find_weights("mdx_q"))
    network = load_network(find_weights("mdx_q"))
    assert load_network(find_weights("mdx_q")) is network
    load_network(find_weights("hf://someone/net"))
    assert names == ["mdx_q", "mdx_q", "hf://someone/net"]


def test_one_message_says_what_to_do(downloads, capsys):
    downloads[0].extend([SystemExit(1)] * 2)
    with raises(SeparatorUnavailableError, "weights_missing") as caught:
        load_network(find_weights("htdemucs_ft"))
    assert isinstance(caught.value, ModelUnavailableError)
    text = str(caught.value)
    for part in ("groove_utils.stems fetch htdemucs_ft", "FOLDER/NAME", "hpss"):
        assert part in text
    assert main(["fetch", "htdemucs_ft"]) == 1
    assert text in capsys.readouterr().err
    assert main(["list"]) == 0
    assert "htdemucs_ft" in capsys.readouterr().out.split()


def test_a_damaged_file_is_refused(repository, tmp_path):
    file = next(repository.glob("aaaa1111-*.th"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    for name, data in ((file.name, content), ("cut.th", content[:5000]), ("text.th", b"no")):
        (tmp_path / name).write_bytes(data)
        with raises(SeparatorUnavailableError, "weights_damaged"):
            load_network(find_weights(tmp_path / name))


def test_a_bag_that_is_incomplete_or_none_is_refused(tmp_path):
    bag = tmp_path / "bag.yaml"
    bag.write_text("models: [aaaa, bbbb]")
    with raises(SeparatorUnavailableError, "weights_damaged", path="bag"):
        load_network(find_weights(bag))
    bag.write_text("- nothing")
    with raises(SeparatorUnavailableError, "weights_damaged", path="bag"):
        load_network(find_weights(bag))
