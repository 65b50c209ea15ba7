"""Verify each loaded model against its recorded fingerprint and outputs.

Three kinds of fault raise no error and still produce plausible embeddings: random weights, an
uninitialised buffer, and a random step in the preprocessing. Each model is therefore checked when
it is loaded:

- Its fingerprint, a hash of weights and buffers, must equal the recorded fingerprint.
- A probe signal is embedded twice. The results must agree with each other and with the record.

The records of catalogued models are in ``fingerprints.json`` next to this module, written by
``python -m groove_utils.embed record NAME``. Any other model is recorded in the cache when it is
first used on a machine; whenever it is loaded afterwards, it is compared with this record.
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
# above the effect of rounding on another processor, below the effect of different weights
TOLERANCE = 2e-3


def fingerprint(network: Any) -> str:
    """Return the SHA-256 hash (hex) of a network's class name, parameters and buffers.

    Parameters
    ----------
    network : torch.nn.Module or object
        If it is a module, all parameters and buffers are hashed, including non-persistent buffers.
        If it is another object with a method ``content()``, the bytes that this method returns are
        hashed.
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
    """Return a probe signal of clicks, tones and noise as a float32 array of shape (n_samples,).

    The signal is computed from formulas, without a random number generator, so that it is the same
    on every machine, apart from rounding. The rhythm repeats every second, but pitch and loudness
    change, so an excerpt differs from the whole signal.
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
    """Return a model's fingerprint and a summary of its outputs for the probe signal.

    Parameters
    ----------
    model : groove_utils.embed.engine.Model
        Loaded model.

    Returns
    -------
    dict
        ``fingerprint``, a hash; and ``probe``, a dict that maps each layer to a list containing the
        norm, the mean and six elements of its output.

    Raises
    ------
    ModelRefusedError
        If two passes over the probe signal give different outputs, or a layer contains NaN or
        infinite values.
    """
    from groove_utils.embed.engine import forward_windows  # imports torch

    adapter = model.adapter
    name = getattr(adapter, "name", type(adapter).__name__)
    probe = probe_signal(model.length, adapter.sample_rate)

    def embed() -> dict[str, np.ndarray]:
        ready = model.prepare(probe, model.length)[None]  # a faulty prepare() may crop at random
        layers = forward_windows(model, ready, np.array([model.length]))
        return {layer: mean[0] for layer, (mean, _) in layers.items()}

    first, second = embed(), embed()
    summaries = {}
    for layer, values in first.items():
        if not np.isfinite(values).all():
            raise ModelRefusedError(
                f"{name}: refused. For the probe signal, layer {layer} is not finite.",
                kind="not_finite",
                column=layer,
            )
        if not np.allclose(values, second[layer], rtol=1e-4, atol=1e-5 * np.abs(values).max()):
            raise ModelRefusedError(
                f"{name}: refused. Two passes over the same signal give different values in "
                f"{layer}, because a step is random, such as dropout or a random crop. Call eval() "
                "on the network, and do not crop windows at random.",
                kind="random_output",
                column=layer,
            )
        picks = values[np.linspace(0, len(values) - 1, 6).astype(int)]
        summary = [np.linalg.norm(values), values.mean(), *picks]
        summaries[layer] = [float(f"{x:.6g}") for x in summary]
    return {"fingerprint": model.fingerprint, "probe": summaries}


def check_model(model, key: str, *, registry: Path | None = None) -> None:
    """Compare a model with its recorded fingerprint and outputs, or add a record if it has none.

    Parameters
    ----------
    model : groove_utils.embed.engine.Model
        Loaded model.
    key : str
        Key of the record: name and version of the model, as returned by
        :func:`groove_utils.embed.cache_keys.adapter_key`.
    registry : pathlib.Path, optional
        File with the version-controlled records; :data:`REGISTRY` by default.

    Raises
    ------
    ModelRefusedError
        If the fingerprint or an output for the probe signal differs from the record; the message
        says which of the two differs and how to fix the problem.
    """
    name = key.partition("@")[0]
    record = model_record(model)
    expected, where = _recorded(key, registry)
    if expected is None:
        write_record(key, {"key": key, **record})
        return
    custom = name not in catalogued_models()
    remedy = "If you changed the model, give its class a new `version`. If not, " * custom
    if record["fingerprint"] != expected["fingerprint"]:
        remedy += (
            "it has an uninitialised buffer, or random weights that change with each load: seed "
            "them, or read them from a file."
            if custom
            else "Either they were not loaded from the file (random weights, an uninitialised "
            "buffer), or the file is a different version. Fetch the weights again, and install the "
            "package versions in requirements.lock."
        )
        raise ModelRefusedError(
            f"{name}: refused. Its weights and buffers have the fingerprint "
            f"{record['fingerprint'][:12]}…, but {where} has {expected['fingerprint'][:12]}… for "
            f"{key}. {remedy}",
            kind="other_weights",
            value=where,
        )
    for layer, summary in expected["probe"].items():
        actual = record["probe"].get(layer)
        atol = TOLERANCE * (max(abs(x) for x in summary[1:]) or 1.0)
        if actual is None or not np.allclose(actual, summary, rtol=TOLERANCE, atol=atol):
            remedy += (
                "something else that the model depends on has changed."
                if custom
                else "The preprocessing or the architecture differs. Install the package versions "
                "in requirements.lock."
            )
            raise ModelRefusedError(
                f"{name}: refused. Its weights match the record, but for the probe signal, layer "
                f"{layer} is {actual}, whereas {where} has {summary}. {remedy}",
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
    return (record, "the cached record") if usable else (None, "")


def read_record(key: str) -> dict | None:
    """Read a model's record from the cache; return None if it is missing or damaged."""
    try:
        record = json.loads(record_path(key).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    valid = isinstance(record, dict) and isinstance(record.get("fingerprint"), str)
    return record if valid else None


def write_record(key: str, record: Mapping) -> None:
    """Write a model's record, which contains its fingerprint, to the cache."""
    with atomic_path(record_path(key)) as part:
        part.write_text(json.dumps(record), encoding="utf-8")


def read_registry(path: Path | None = None) -> dict[str, dict]:
    """Return the records in a registry file (by default, :data:`REGISTRY`) as a dict by key."""
    path = path or REGISTRY
    return _read_registry(path, path.stat().st_mtime_ns) if path.is_file() else {}


@functools.lru_cache(maxsize=4)
def _read_registry(path: Path, _mtime: int) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def write_records(records: Mapping[str, dict], path: Path | None = None) -> None:
    """Add records to a registry file, replacing records that have the same key.

    The file, by default :data:`REGISTRY`, has one line per record.
    """
    path = path or REGISTRY
    registry = read_registry(path) | records
    lines = [f"{json.dumps(key)}: {json.dumps(registry[key])}" for key in sorted(registry)]
    with atomic_path(path) as part:
        part.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
