"""Load models, verify them, and keep the most recently used ones in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from groove_utils.embed.adapters import Adapter
from groove_utils.embed.cache_keys import adapter_key, weights_key
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.catalogue import make_adapter, registration
from groove_utils.embed.fingerprints import (
    check_model,
    fingerprint,
    model_record,
    read_record,
    read_registry,
    write_record,
    write_records,
)

if TYPE_CHECKING:
    import torch

    from groove_utils.embed.engine import Model

__all__ = [
    "forget_models",
    "known_fingerprint",
    "load_model",
    "record_model",
    "verify_or_record",
]

KEPT = 6  # maximum number of models in memory; the least recently used one is dropped first
_LOADED: OrderedDict[tuple, Model] = OrderedDict()
_LOCK = threading.RLock()


def load_model(
    model: str, *, seed: int = 0, device: str | None = None, autocast: bool = False
) -> Model:
    """Load and verify a model, or return it if it is still in memory.

    Parameters
    ----------
    model : str
        Name of the model.
    seed : int
        Seed for the random weights of models named ``…-untrained``; ignored by other models.
    device : str, optional
        As in :func:`groove_utils.embed.embed_audio`.
    autocast : bool
        Compute matrix products in half precision, which the device must support; see
        :func:`groove_utils.networks.choose_autocast`.

    Returns
    -------
    groove_utils.embed.engine.Model
        Model with the attributes `adapter`, `network`, `fingerprint` and `device`.

    Raises
    ------
    EmbedError
        If there is no such model.
    ModelUnavailableError
        If the model cannot be loaded on this machine.
    ModelRefusedError
        If the loaded model differs from its weights file, or from its recorded fingerprint or
        outputs.
    """
    import torch

    from groove_utils.embed.engine import Model
    from groove_utils.networks import choose_device

    device = choose_device(device)
    with _LOCK:
        # the user may have registered a different model under the same name
        key = model, registration(model), seed, device, autocast
        if key in _LOADED:
            _LOADED.move_to_end(key)
            return _LOADED[key]
        adapter = make_adapter(model, seed)
        with torch.inference_mode(False):  # inference tensors do not track in-place changes
            network = adapter.load()
        weights_hash = fingerprint(network)
        if hasattr(network, "to"):
            network = network.to(device)
        else:
            device = "cpu"
        loaded = Model(adapter, network, weights_hash, device)
        check_model(loaded, adapter_key(model, adapter))
        loaded.autocast = autocast
        if autocast and model in catalogued_models() and isinstance(network, torch.nn.Module):
            _halve_weights(network)
        if (files_key := weights_key(model, adapter)) is not None:
            write_record(files_key, {"fingerprint": weights_hash})
        _LOADED[key] = loaded
        while len(_LOADED) > KEPT:
            _LOADED.popitem(last=False)
        return loaded


def _halve_weights(network: torch.nn.Module) -> None:
    """Convert the weights of dense and convolutional layers to bfloat16 once, not on every call.

    User-defined models are not converted, because they may disable autocast for some layers.
    """
    import torch

    for module in network.modules():
        plain = isinstance(module, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d))
        if plain and not torch.nn.utils.parametrize.is_parametrized(module):
            module.to(torch.bfloat16)


def forget_models() -> None:
    """Remove all loaded models from memory."""
    with _LOCK:
        _LOADED.clear()


def known_fingerprint(model: str, seed: int, device: str | None) -> tuple[Adapter, str]:
    """Return a model's adapter and fingerprint, loading its weights only if necessary.

    The fingerprint is read from the cache if the model's weights and code have not changed since it
    was last loaded, that is, if :func:`~groove_utils.embed.cache_keys.weights_key` is the same.
    """
    adapter = make_adapter(model, seed)
    key = weights_key(model, adapter)
    record = None if key is None else read_record(key)
    if record is not None:
        return adapter, record["fingerprint"]
    loaded = load_model(model, seed=seed, device=device)
    return loaded.adapter, loaded.fingerprint


def record_model(model: str) -> str:
    """Write a model's fingerprint and outputs to the registry, replacing an existing record.

    The model is not compared with the existing record.

    Returns
    -------
    str
        Key of the record: the model's name and version.
    """
    from groove_utils.embed.engine import Model  # imports torch

    adapter = make_adapter(model)
    network = adapter.load()
    key = adapter_key(model, adapter)
    write_records({key: model_record(Model(adapter, network, fingerprint(network)))})
    return key


def verify_or_record(model: str) -> bool:
    """Compare a model with its record in the registry, or add a record if it has none.

    Returns
    -------
    bool
        True if the model matches its record; False if it had no record and one was added.

    Raises
    ------
    ModelUnavailableError, ModelRefusedError
        As in :func:`load_model`.
    """
    if adapter_key(model, make_adapter(model)) not in read_registry():
        record_model(model)
        return False
    load_model(model)
    return True
