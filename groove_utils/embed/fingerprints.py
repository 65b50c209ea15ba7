"""Compare a loaded model with its record before it is used.

Three faults raise no error and give plausible numbers: random weights, an uninitialised buffer, and
a random step in the preprocessing. Every model is therefore checked when it is loaded:

1. its fingerprint, a hash of weights and buffers, must equal the recorded one; 2. a probe signal,
embedded twice, must give the same numbers twice, equal to the recorded ones.

The record is ``fingerprints.json`` next to this module for models of the package, written by
``python -m groove_utils.embed record NAME``. For others, the first use on this machine is recorded
in the cache, and later uses are compared with it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from groove_utils.embed.adapters import ModelRefusedError
from groove_utils.embed.cache_keys import record_path
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.integrity import tensor_values
from groove_utils.files import atomic_path

__all__ = [
    "check_model",
    "fingerprint",
    "model_record",
    "probe_signal",
    "read_record",
    "read_registry",
    "write_record",
    "write_records",
]

REGISTRY = Path(__file__).with_name("fingerprints.json")
# float32 sums in a different order or on another processor differ by less, other weights by more
TOLERANCE = 2e-3


def fingerprint(network: Any) -> str:
    """Return the SHA-256 (hex) of a network's parameters and buffers.

    Parameters
    ----------
    network : torch.nn.Module or object
        For a module, all parameters and buffers are hashed, including buffers that are not saved.
        For any other object, the result of ``content()`` is hashed, or else the name of its type.
    """
    digest = hashlib.sha256(type(network).__qualname__.encode())
    if hasattr(network, "named_parameters"):
        tensors = [*network.named_parameters(), *network.named_buffers()]
        for name, tensor in sorted(tensors, key=lambda item: item[0]):
            values = np.ascontiguousarray(tensor_values(tensor))
            digest.update(f"{name}{values.shape}{tensor.dtype}".encode())
            digest.update(values)
    elif hasattr(network, "content"):
        digest.update(network.content())
    return digest.hexdigest()


def probe_signal(n_samples: int, sr: int) -> np.ndarray:
    """Return a probe signal of clicks, tones and noise, float32 (n_samples,).

    A one-second rhythm is repeated. It is generated with integer arithmetic and sines only, so that
    it is the same everywhere. The repetitions differ in pitch and loudness, so that a crop differs
    from the whole.
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


def model_record(model) -> dict:
    """Return a model's fingerprint, and norm, mean and six entries of each layer of the probe.

    Parameters
    ----------
    model : groove_utils.embed.engine.Model

    Raises
    ------
    ModelRefusedError
        If two passes over the probe differ, or a layer is not finite.
    """
    from groove_utils.embed.engine import forward_windows  # imports torch

    adapter = model.adapter
    name = getattr(adapter, "name", type(adapter).__name__)
    probe = probe_signal(model.length, adapter.sample_rate)

    def embed() -> dict[str, np.ndarray]:
        ready = model.prepare(probe, model.length)[None]  # may crop at random
        layers = forward_windows(model, ready, np.array([model.length]))
        return {layer: mean[0] for layer, (mean, _) in layers.items()}

    first, second = embed(), embed()
    summaries = {}
    for layer, values in first.items():
        if not np.isfinite(values).all():
            raise ModelRefusedError(
                f"{name}: refused. Layer {layer} of the probe signal is not finite.",
                kind="not_finite",
                column=layer,
            )
        if not np.allclose(values, second[layer], rtol=1e-4, atol=1e-5 * np.abs(values).max()):
            raise ModelRefusedError(
                f"{name}: refused. Two passes over the same signal give different {layer}: some "
                "step is random, such as active dropout or a random crop. Cut windows "
                "before they reach the model, and call eval().",
                kind="random_output",
                column=layer,
            )
        picks = values[np.linspace(0, len(values) - 1, 6).astype(int)]
        summary = [np.linalg.norm(values), values.mean(), *picks]
        summaries[layer] = [float(f"{x:.6g}") for x in summary]
    return {"fingerprint": model.fingerprint, "probe": summaries}


def check_model(model, key: str, *, registry: Path | None = None) -> None:
    """Compare a model with its record; without one, record it in the cache.

    Parameters
    ----------
    model : groove_utils.embed.engine.Model
    key : str
        Name and version of its weights, under which it is recorded.
    registry : pathlib.Path, optional
        File with the committed records; :data:`REGISTRY` by default.

    Raises
    ------
    ModelRefusedError
        If fingerprint or probe differ from the record; the message says which and how to fix it.
    """
    name = key.partition("@")[0]
    record = model_record(model)
    expected, where = _recorded(key, registry)
    if expected is None:
        write_record(key, {"key": key, **record})
        return
    own = name not in catalogued_models()
    remedy = "If you have changed it, give its class a new `version`. If you have not, " * own
    if record["fingerprint"] != expected["fingerprint"]:
        remedy += (
            "it has an uninitialised buffer, or weights that are drawn again at each load: seed "
            "them, or read them from a file."
            if own
            else "Either they were not loaded from the file (random weights, an uninitialised "
            "buffer), or the file is a different version. Fetch the weights again, and install the "
            "versions of requirements.lock."
        )
        raise ModelRefusedError(
            f"{name}: refused. Its weights and buffers have fingerprint "
            f"{record['fingerprint'][:12]}…, {where} has {expected['fingerprint'][:12]}… for "
            f"{key}. {remedy}",
            kind="other_weights",
            value=where,
        )
    for layer, summary in expected["probe"].items():
        found = record["probe"].get(layer)
        scale = max(abs(x) for x in summary[1:]) or 1.0
        if found is None or not np.allclose(found, summary, rtol=TOLERANCE, atol=TOLERANCE * scale):
            remedy += (
                "something outside its class that it depends on has changed."
                if own
                else "The preprocessing or the architecture differs. Install the versions of "
                "requirements.lock."
            )
            raise ModelRefusedError(
                f"{name}: refused. Its weights are those recorded, but layer {layer} of the probe "
                f"signal is {found}, {where} has {summary}. {remedy}",
                kind="other_output",
                column=layer,
                value=where,
            )


def _recorded(key: str, registry: Path | None) -> tuple[dict | None, str]:
    committed = read_registry(registry)
    if key in committed:
        return committed[key], "the registry"
    record = read_record(key)
    usable = record is not None and isinstance(record.get("probe"), dict)
    return (record, "the first use on this machine") if usable else (None, "")


def read_record(key: str) -> dict | None:
    """Read a model's cached record; None if it is missing or damaged."""
    try:
        record = json.loads(record_path(key).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    valid = isinstance(record, dict) and isinstance(record.get("fingerprint"), str)
    return record if valid else None


def write_record(key: str, record: Mapping) -> None:
    """Write a model's record to the cache."""
    with atomic_path(record_path(key)) as part:
        part.write_text(json.dumps(record), encoding="utf-8")


def read_registry(path: Path | None = None) -> dict[str, dict]:
    """Read the committed records, by key; :data:`REGISTRY` is their file by default."""
    path = path or REGISTRY
    return _read_registry(path, path.stat().st_mtime_ns) if path.is_file() else {}


@functools.lru_cache(maxsize=4)
def _read_registry(path: Path, _mtime: int) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def write_records(records: Mapping[str, dict], path: Path | None = None) -> None:
    """Add records, by key, to the committed registry, one line per model."""
    path = path or REGISTRY
    registry = read_registry(path) | records
    lines = [f"{json.dumps(key)}: {json.dumps(registry[key])}" for key in sorted(registry)]
    with atomic_path(path) as part:
        part.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
