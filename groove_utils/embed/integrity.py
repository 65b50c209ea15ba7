"""Is a loaded model the one that it claims to be?

Libraries can hand out a network with random weights, or with a buffer that was never filled, and
report that all went well; a preprocessing step can crop at random. None of it raises an error, and
all of it gives plausible numbers. So no model is used before it has passed this gate:

1. its fingerprint, over weights and buffers, is the recorded one;
2. buffers that are not stored with the weights are those that a fresh network computes;
3. a probe signal, embedded twice, gives the same numbers twice, and the recorded ones.

The record is ``registry.json`` beside this module for the models that the package can vouch for;
for the others, what the first use on this machine saw is kept in the cache, and held to from then
on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from groove_utils.embed.adapters import ModelRefusedError
from groove_utils.embed.cards import catalogued_models
from groove_utils.files import atomic_path
from groove_utils.paths import cache_folder

__all__ = [
    "check_buffers",
    "check_model",
    "check_weights",
    "fingerprint",
    "probe_signal",
    "read_record",
    "record_of",
]

REGISTRY = Path(__file__).with_name("registry.json")
# float32 sums in another order, on another processor, differ by less; other weights by far more
TOLERANCE = 2e-3


def fingerprint(network: Any) -> str:
    """SHA-256 (hex) over everything that a network's output depends on.

    Parameters
    ----------
    network : torch.nn.Module or object
        Of a module, all parameters and all buffers count, those too that are not saved with it.
        Another object counts by its ``content()``, else by its type's name.
    """
    digest = hashlib.sha256(type(network).__qualname__.encode())
    if hasattr(network, "named_parameters"):
        tensors = [*network.named_parameters(), *network.named_buffers()]
        for name, tensor in sorted(tensors, key=lambda item: item[0]):
            values = np.ascontiguousarray(_as_array(tensor))
            digest.update(f"{name}{values.shape}{tensor.dtype}".encode())
            digest.update(values)
    elif hasattr(network, "content"):
        digest.update(network.content())
    return digest.hexdigest()


def _as_array(tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def check_weights(name: str, network, stored: Mapping[str, Any]) -> None:
    """Hold a network's parameters and buffers to the file that they should come from.

    A tensor has to have the values of its namesake in the file. A parameter without one, since
    libraries rename them, has to have those of any tensor there; a buffer without one is for
    :func:`check_buffers`.

    Parameters
    ----------
    name : str
        Of the model, for the message.
    network : torch.nn.Module
    stored : mapping of str to Tensor
        The file's tensors; their names may have another prefix than the network's.

    Raises
    ------
    ModelRefusedError
        If a parameter or buffer has other values.
    """
    values = {key: _values_hash(tensor) for key, tensor in stored.items()}
    namesakes = _namesakes(network, stored)
    held = {"parameters": network.named_parameters(), "buffers": network.named_buffers()}
    for what, tensors in held.items():
        strange = []
        for key, tensor in tensors:
            allowed = namesakes.get(key) or (values if what == "parameters" else ())
            if allowed and _values_hash(tensor) not in {values[other] for other in allowed}:
                strange.append(key)
        if strange:
            raise ModelRefusedError(
                f"{name}: refused. {len(strange)} of its {what} hold other values than its weights "
                f"file, the first is {strange[0]}: they were never loaded, whatever the library "
                "reports. Install the versions of requirements.lock, or fetch the weights anew."
            )


def _namesakes(network, stored: Mapping[str, Any]) -> dict[str, list[str]]:
    """For each name in a network, those in a file that are it or end with it, behind a prefix."""
    ends: dict[str, list[str]] = {}
    for key in stored:
        parts = key.split(".")
        for start in range(len(parts)):
            ends.setdefault(".".join(parts[start:]), []).append(key)
    names = [key for key, _ in [*network.named_parameters(), *network.named_buffers()]]
    return {key: ends[key] for key in names if key in ends}


def _values_hash(tensor) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(_as_array(tensor)).tobytes()).digest()


def check_buffers(name: str, network, stored: Mapping[str, Any], build: Callable[[], Any]) -> None:
    """Hold the buffers that a file does not have to those of a freshly built network.

    Parameters
    ----------
    name : str
    network : torch.nn.Module
    stored : mapping of str to Tensor
        As in :func:`check_weights`.
    build : callable
        Builds the network anew; called where there are such buffers.

    Raises
    ------
    ModelRefusedError
        If one differs or is not finite: it was left uninitialised.
    """
    namesakes = _namesakes(network, stored)
    computed = {key: tensor for key, tensor in network.named_buffers() if key not in namesakes}
    expected = dict(build().named_buffers()) if computed else {}
    for key, buffer in computed.items():
        if key not in expected or not np.array_equal(_as_array(buffer), _as_array(expected[key])):
            raise ModelRefusedError(
                f"{name}: refused. Its buffer {key} does not hold what its architecture computes; "
                "it was left uninitialised. Install the versions of requirements.lock."
            )


def probe_signal(n_samples: int, sr: int) -> np.ndarray:
    """A second-long rhythm of clicks, tones and noise, repeated: float32 (n_samples,).

    It is made by integer arithmetic and sines alone, so that it is the same everywhere, and its
    seconds differ in pitch and loudness, so that a crop of it is not like the whole.
    """
    t = np.arange(n_samples)
    second = t // sr
    seconds = t / sr
    tone = np.sin(2 * np.pi * (110 * (1 + second % 7)) * seconds)
    noise = (
        (t.astype(np.uint64) * np.uint64(1103515245) + np.uint64(12345)) >> np.uint64(16)
    ) & 255
    click = np.exp(-40 * ((4 * seconds) % 1) / 4)
    y = 0.2 * tone + 0.3 * click * ((noise & np.uint64(255)) / 127.5 - 1)
    return (y * (0.5 + 0.5 * (second % 3) / 2)).astype(np.float32)


def record_of(model) -> dict:
    """What the gate remembers of a model: fingerprint, and the probe's embedding in brief.

    Parameters
    ----------
    model : groove_utils.embed.engine.Model

    Raises
    ------
    ModelRefusedError
        If two passes over the probe differ, or a layer is not finite.
    """
    from groove_utils.embed.engine import forward_windows

    adapter = model.adapter
    probe = probe_signal(model.length, adapter.sample_rate)

    def embed() -> dict[str, np.ndarray]:
        layers = forward_windows(
            model, model.prepare(probe, model.length)[None], np.array([model.length])
        )
        return {layer: mean[0] for layer, (mean, _) in layers.items()}

    first, second = embed(), embed()
    name = getattr(adapter, "name", type(adapter).__name__)
    brief = {}
    for layer, values in first.items():
        if not np.isfinite(values).all():
            raise ModelRefusedError(
                f"{name}: refused. Layer {layer} of the probe signal is not finite."
            )
        if not np.allclose(values, second[layer], rtol=1e-4, atol=1e-5 * np.abs(values).max()):
            raise ModelRefusedError(
                f"{name}: refused. Two passes over the same signal give different {layer}: some "
                "step is random, such as dropout that was left on or a random crop. Cut windows "
                "before they reach the model, and call eval()."
            )
        brief[layer] = [float(f"{x:.6g}") for x in _brief(values)]
    return {"fingerprint": model.fingerprint, "probe": brief}


def _brief(values: np.ndarray) -> np.ndarray:
    """Norm, mean and six entries of a vector."""
    picks = values[np.linspace(0, len(values) - 1, 6).astype(int)]
    return np.array([np.linalg.norm(values), values.mean(), *picks], dtype=np.float64)


def check_model(model, key: str, *, registry: Path = REGISTRY) -> None:
    """Let a model pass, or refuse it.

    Parameters
    ----------
    model : groove_utils.embed.engine.Model
    key : str
        Name and version of its weights, under which it is recorded.
    registry : path-like
        The committed record.

    Raises
    ------
    ModelRefusedError
        If fingerprint or probe differ from the record; the message says which and what to do.
    """
    name = key.partition("@")[0]
    record = record_of(model)
    known, where = _known(key, registry)
    if known is None:
        _remember(key, record)
        return
    if record["fingerprint"] != known["fingerprint"]:
        raise ModelRefusedError(
            f"{name}: refused. Its weights and buffers have fingerprint "
            f"{record['fingerprint'][:12]}…, {where} has {known['fingerprint'][:12]}… for {key}. "
            + _cure(
                name,
                "Either they were not loaded from the file (random weights, an uninitialised "
                "buffer), or the file is another version. Fetch the weights anew, and install the "
                "versions of requirements.lock.",
                "it has an uninitialised buffer, or weights that are drawn anew at each load: seed "
                "them, or read them from a file.",
            )
        )
    for layer, expected in known["probe"].items():
        found = record["probe"].get(layer)
        scale = max(abs(x) for x in expected[1:]) or 1.0
        if found is None or not np.allclose(
            found, expected, rtol=TOLERANCE, atol=TOLERANCE * scale
        ):
            raise ModelRefusedError(
                f"{name}: refused. Its weights are those recorded, but layer {layer} of the probe "
                f"signal is {found}, {where} has {expected}. "
                + _cure(
                    name,
                    "The preprocessing or the architecture differs. Install the versions of "
                    "requirements.lock.",
                    "something that it depends on has changed beside its code.",
                )
            )


def _cure(name: str, catalogued: str, own: str) -> str:
    """What to do about a refused model; a reader's own may have been changed on purpose."""
    if name in catalogued_models():
        return catalogued
    return f"If you have changed it, give its class another `version`. If you have not, {own}"


def _known(key: str, registry: Path) -> tuple[dict | None, str]:
    committed = _read_registry(registry, registry.stat().st_mtime_ns if registry.is_file() else 0)
    if key in committed:
        return committed[key], "the registry"
    path = _memory(key)
    if path.is_file():
        record = read_record(path)
        if isinstance(record.get("probe"), dict):
            return record, "the first use on this machine"
        path.unlink(missing_ok=True)  # damaged: as if it had not been seen before
    return None, ""


def read_record(path: Path) -> dict:
    """What was kept in the cache about a model; empty where the file is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    whole = isinstance(record, dict) and isinstance(record.get("fingerprint"), str)
    return record if whole else {}


@functools.lru_cache(maxsize=4)
def _read_registry(path: Path, _mtime: int) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _memory(key: str) -> Path:
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return cache_folder() / "models" / name[:2] / f"{name}.json"


def _remember(key: str, record: dict) -> None:
    with atomic_path(_memory(key)) as part:
        part.write_text(json.dumps({"key": key, **record}), encoding="utf-8")


def write_registry(models: Mapping[str, Any], path: str | os.PathLike = REGISTRY) -> None:
    """Record models, by key, in the committed registry; for whoever adds one to the package."""
    path = Path(path)
    registry = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    registry |= {key: record_of(model) for key, model in models.items()}
    with atomic_path(path) as part:
        text = json.dumps(dict(sorted(registry.items())), indent=1)
        part.write_text(text + "\n", encoding="utf-8")
