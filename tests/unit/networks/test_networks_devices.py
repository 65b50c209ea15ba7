import pytest
import torch
from expect import raises

from groove_utils.errors import DetailedError
from groove_utils.networks import choose_accelerator, choose_autocast, choose_device
from groove_utils.networks.devices import precision


def test_devices_are_named(monkeypatch):
    assert choose_device("cpu") == "cpu"
    monkeypatch.setenv("GROOVE_DEVICE", "cpu")
    assert choose_device() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with raises(DetailedError, "no_device", value="cuda"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"
    assert choose_accelerator() is None  # set by $GROOVE_DEVICE


def test_half_precision_is_used_where_the_processor_has_it(monkeypatch):
    units = {"avx2": True, "avx512_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units)
    assert choose_autocast(True, "cpu")
    assert not choose_autocast(False, "cpu")
    units["avx512_bf16"] = False
    with pytest.warns(RuntimeWarning, match="bfloat16"):
        assert not choose_autocast(True, "cpu")


def test_float32_is_float32_on_a_gpu():
    with precision("cuda:0"):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
    with precision("cpu"):
        assert torch.backends.cudnn.allow_tf32  # restored
