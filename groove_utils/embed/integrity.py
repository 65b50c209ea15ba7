"""Comparison of a loaded network with its weights file.

Libraries can return a network with random weights or uninitialised buffers and still report
success. Adapters therefore compare every tensor with the weights file.
:mod:`groove_utils.embed.fingerprints` then compares the model with its recorded fingerprint and
outputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from groove_utils.embed.adapters import ModelRefusedError

__all__ = ["check_buffers", "check_weights", "tensor_values"]


def tensor_values(tensor) -> np.ndarray:
    """Return a tensor's values as a NumPy array, converting floating-point types to float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def check_weights(name: str, network, stored: Mapping[str, Any]) -> None:
    """Compare a network's parameters and buffers with the file from which they were loaded.

    Each tensor must equal the tensor with the same name in the file. If the file has no tensor with
    this name, a parameter must equal at least one tensor in the file, because libraries may rename
    parameters. A buffer that is not in the file is checked by :func:`check_buffers`.

    Parameters
    ----------
    name : str
        Name of the model, for the error message.
    network : torch.nn.Module
        Loaded network.
    stored : mapping of str to Tensor
        Tensors in the file, by name. The names may have an additional prefix.

    Raises
    ------
    ModelRefusedError
        If a parameter or buffer differs from the file.
    """
    values = {key: _values_hash(tensor) for key, tensor in stored.items()}
    namesakes = _namesakes(network, stored)
    groups = {"parameters": network.named_parameters(), "buffers": network.named_buffers()}
    for what, tensors in groups.items():
        wrong = []
        for key, tensor in tensors:
            allowed = namesakes.get(key) or (values if what == "parameters" else ())
            if allowed and _values_hash(tensor) not in {values[other] for other in allowed}:
                wrong.append(key)
        if wrong:
            raise ModelRefusedError(
                f"{name}: refused. {len(wrong)} of its {what} differ from its weights file; the "
                f"first is {wrong[0]}. They were not loaded, even if the library reported success. "
                "Install the package versions in requirements.lock, or fetch the weights again.",
                kind="not_loaded",
                column=wrong[0],
            )


def _namesakes(network, stored: Mapping[str, Any]) -> dict[str, list[str]]:
    """Map each tensor name in a network to the names in a file that equal it or end with it."""
    ends: dict[str, list[str]] = {}
    for key in stored:
        parts = key.split(".")
        for start in range(len(parts)):
            ends.setdefault(".".join(parts[start:]), []).append(key)
    names = [key for key, _ in [*network.named_parameters(), *network.named_buffers()]]
    return {key: ends[key] for key in names if key in ends}


def _values_hash(tensor) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(tensor_values(tensor)).tobytes()).digest()


def check_buffers(name: str, network, stored: Mapping[str, Any], build: Callable[[], Any]) -> None:
    """Compare buffers that are missing from the weights file with those of a newly built network.

    Parameters
    ----------
    name, network, stored
        As in :func:`check_weights`.
    build : callable
        Function that builds a new network; called only if buffers are missing from the file.

    Raises
    ------
    ModelRefusedError
        If a buffer contains NaN or differs from the same buffer in the new network, which means
        that it was not initialised.
    """
    namesakes = _namesakes(network, stored)
    computed = {key: tensor for key, tensor in network.named_buffers() if key not in namesakes}
    expected = dict(build().named_buffers()) if computed else {}
    for key, buffer in computed.items():
        if key not in expected or not np.array_equal(
            tensor_values(buffer), tensor_values(expected[key])
        ):
            raise ModelRefusedError(
                f"{name}: refused. Its buffer {key} was not initialised, as it differs from that "
                "of a new network. Install the package versions in requirements.lock.",
                kind="uninitialised_buffer",
                column=key,
            )
