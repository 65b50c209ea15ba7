"""Load a model once, let it through the gate, and keep it for the next call."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from groove_utils.embed.adapters import Adapter
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.catalogue import make_adapter, registered_models, registration
from groove_utils.embed.integrity import check_model, fingerprint, read_record
from groove_utils.files import atomic_path, hash_bytes, hash_file
from groove_utils.paths import cache_folder

if TYPE_CHECKING:
    import torch

    from groove_utils.embed.engine import Model

__all__ = ["adapter_key", "forget_models", "known_fingerprint", "load_model"]

KEPT = 6  # loaded models; the one that was used longest ago goes first
_LOADED: OrderedDict[tuple, Model] = OrderedDict()
_LOCK = threading.RLock()


def adapter_key(model: str, adapter: Adapter) -> str:
    """Name and version of a model, under which its fingerprint is recorded.

    Where an adapter states no version, the code of its class and of those that it derives from
    stands for one, with their plain attributes: so a reader who edits and registers a model again
    gets new vectors, not the old ones from the cache.
    """
    version = getattr(adapter, "version", None)
    if not version:  # of a new one, since loading may have changed this one's attributes
        version = _code_hash(registered_models().get(model, lambda: adapter)())
    seed = "" if getattr(adapter, "trained", True) else f"#{getattr(adapter, 'seed', 0)}"
    return f"{model}@{version}{seed}"


def _code_hash(adapter: Adapter) -> str:
    parts = []

    def walk(code) -> None:
        parts.extend([code.co_code, repr(code.co_names), repr(code.co_varnames)])
        for constant in code.co_consts:
            if hasattr(constant, "co_code"):
                walk(constant)
            else:
                parts.append(repr(constant))

    members: dict[str, object] = {}
    for base in [*reversed(type(adapter).__mro__[:-1])]:
        members |= vars(base)
    for name, member in sorted({**members, **getattr(adapter, "__dict__", {})}.items()):
        code = getattr(getattr(member, "__func__", member), "__code__", None)
        if code is not None:
            parts.append(name)
            walk(code)
        elif not name.startswith("__"):
            with contextlib.suppress(TypeError, ValueError):  # no plain value
                parts.append(f"{name} {json.dumps(member, sort_keys=True)}")
    return hash_bytes(*parts)[:16]


def load_model(
    model: str, *, seed: int = 0, device: str | None = None, autocast: bool = False
) -> Model:
    """A model that has passed the gate, kept for the next call.

    Parameters
    ----------
    model : str
    seed : int
        Of an untrained twin's weights.
    device : str, optional
        As in :func:`groove_utils.embed.embed_tracks`.
    autocast : bool
        Half precision, as :func:`groove_utils.embed.engine.choose_autocast` allows it.

    Returns
    -------
    groove_utils.embed.engine.Model
        With attributes `adapter`, `network`, `fingerprint`, `device`.

    Raises
    ------
    ModelUnavailableError, ModelRefusedError
    """
    import torch

    from groove_utils.embed.engine import Model, choose_device

    device = choose_device(device)
    with _LOCK:
        # a reader's own model may have been registered anew under the same name
        key = model, registration(model), seed, device, autocast
        if key in _LOADED:
            _LOADED.move_to_end(key)
            return _LOADED[key]
        adapter = make_adapter(model, seed)
        with torch.inference_mode(False):  # else its tensors would not tell when they change
            network = adapter.load()
        print_ = fingerprint(network)
        if hasattr(network, "to"):
            network = network.to(device)
        else:
            device = "cpu"
        loaded = Model(adapter, network, print_, device)
        check_model(loaded, adapter_key(model, adapter))
        loaded.autocast = autocast
        if autocast and model in catalogued_models() and isinstance(network, torch.nn.Module):
            _halve_weights(network)
        _remember_source(model, adapter, print_)
        _LOADED[key] = loaded
        while len(_LOADED) > KEPT:
            _LOADED.popitem(last=False)
        return loaded


def _halve_weights(network: torch.nn.Module) -> None:
    """Keep weights of matrix products as autocast takes them, rather than cast them at each call.

    A reader's own model may switch autocast off for some of its layers, and is left as it is.
    """
    import torch

    for module in network.modules():
        plain = isinstance(module, (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d))
        if plain and not torch.nn.utils.parametrize.is_parametrized(module):
            module.to(torch.bfloat16)


def forget_models() -> None:
    """Drop all loaded models."""
    with _LOCK:
        _LOADED.clear()


def known_fingerprint(model: str, seed: int, device: str | None) -> tuple[Adapter, str]:
    """The adapter and the fingerprint of a model, without loading it where that can be known.

    A model whose files are those that passed the gate before (same paths, sizes and times) has
    the fingerprint that it had then; so vectors are found in the cache without its weights.
    """
    adapter = make_adapter(model, seed)
    path = _source_path(model, adapter)
    if path is not None and path.is_file():
        if record := read_record(path):
            return adapter, record["fingerprint"]
        path.unlink(missing_ok=True)  # damaged: as if it had not been seen before
    loaded = load_model(model, seed=seed, device=device)
    return loaded.adapter, loaded.fingerprint


def _remember_source(model: str, adapter: Adapter, print_: str) -> None:
    path = _source_path(model, adapter)
    if path is not None:
        with atomic_path(path) as part:
            part.write_text(json.dumps({"fingerprint": print_}), encoding="utf-8")


def _source_path(model: str, adapter: Adapter) -> Path | None:
    """Where the fingerprint of an adapter's weight files is kept; None if it names no files."""
    files = getattr(adapter, "files", None)
    if files is None:
        return None
    stamps = [adapter_key(model, adapter)]
    try:
        # other code, there or beside it, may fill the same weights into another network
        beside = Path(inspect.getfile(type(adapter))).parent.glob("*.py")
        stamps += [hash_file(file) for file in sorted(beside)]
        for file in files():
            status = os.stat(file)
            stamps.append(f"{os.path.realpath(file)} {status.st_size} {status.st_mtime_ns}")
    except (OSError, TypeError):
        return None
    name = hash_bytes(*stamps)[:32]
    return cache_folder() / "models" / name[:2] / f"{name}.json"
