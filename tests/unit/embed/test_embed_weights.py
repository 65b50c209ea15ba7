from types import SimpleNamespace

import huggingface_hub
import pytest
from expect import raises
from huggingface_hub import constants

from groove_utils.embed import ModelRefusedError, ModelUnavailableError, model_card
from groove_utils.embed.downloads import fetch_weights
from groove_utils.embed.weights import offline, read_json, read_tensors


@pytest.fixture
def ast_folder(tmp_path, monkeypatch):
    """Fake download of AST from the hub; returns the options of the download."""
    options = {}
    for file in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (tmp_path / file).touch()

    def snapshot(repository, **given):
        options.update(given, repository=repository)
        return str(tmp_path)

    names = ["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5"]
    files = [SimpleNamespace(rfilename=name, size=0, lfs=None) for name in names]
    info = SimpleNamespace(siblings=files)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **k: info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    return tmp_path, options


def test_a_download_asks_for_the_pinned_revision_and_no_more(ast_folder):
    folder, options = ast_folder
    assert fetch_weights(model_card("ast")) == folder
    assert options["revision"] == model_card("ast").revision
    assert "*.safetensors" in options["allow_patterns"]
    unwanted = ("bin", "h5", "py")  # no code by authors if the model needs none
    assert not any(kind in pattern for pattern in options["allow_patterns"] for kind in unwanted)


def test_an_incomplete_download_is_refused(ast_folder):
    folder, _ = ast_folder
    (folder / "preprocessor_config.json").unlink()
    with raises(ModelUnavailableError, "missing_files", value=["preprocessor_config.json"]):
        fetch_weights(model_card("ast"))


def test_a_failed_download_explains_how_to_copy_by_hand(monkeypatch):
    def no_route(self, *args, **options):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", no_route)
    with raises(ModelUnavailableError, "hub_unreachable", value="ast") as caught:
        fetch_weights(model_card("ast"))
    assert "copy the files of MIT/ast-finetuned" in str(caught.value)


def test_a_load_that_asks_the_hub_names_the_command():
    before = constants.HF_HUB_OFFLINE
    with raises(ModelUnavailableError, "missing_files", value="ast") as caught, offline("ast"):
        huggingface_hub.hf_hub_download("nobody/nothing", "config.json")
    assert "python -m groove_utils.embed fetch ast" in str(caught.value)
    assert before == constants.HF_HUB_OFFLINE


@pytest.mark.parametrize("content", ["{ cut", "[]"])
def test_a_damaged_configuration_is_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with raises(ModelRefusedError, "damaged_file", path="config.json"):
        read_json("ast", tmp_path / "config.json")


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_damaged_weights_are_named(tmp_path, file):
    (tmp_path / file).write_bytes(b"not a tensor")
    with raises(ModelRefusedError, "damaged_file", path=file):
        read_tensors("ast", tmp_path)
