"""Cache keys for embeddings and for model records."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import json
import os
from collections.abc import Iterator
from pathlib import Path

from groove_utils.cache import VERSIONS
from groove_utils.embed.adapters import Adapter
from groove_utils.embed.catalogue import registered_models
from groove_utils.files import hash_bytes, hash_file
from groove_utils.paths import cache_folder

__all__ = [
    "adapter_files",
    "adapter_key",
    "difference_key",
    "model_recipe",
    "record_path",
    "vector_key",
    "weights_key",
]

_MODELS = Path(__file__).resolve().with_name("models")


def model_recipe(
    model: str, adapter: Adapter, fingerprint: str, pooling: str, autocast: bool
) -> str:
    """Return a JSON string with all settings and versions that determine a model's vectors."""
    facts = {
        "version": VERSIONS["embeddings"],
        "model": fingerprint,
        "adapter": adapter_key(model, adapter),
        "rate": adapter.sample_rate,
        "window": adapter.window,
        "hop": getattr(adapter, "hop", adapter.window),
        "lead": getattr(adapter, "lead", 0),
        "layers": adapter.layers,
        "pooling": pooling,
        "autocast": autocast,
    }
    return json.dumps(facts, sort_keys=True)


def vector_key(recipe: str, content: str) -> str:
    """Return the cache key for a track's vectors.

    Parameters
    ----------
    recipe : str
        Result of :func:`model_recipe`.
    content : str
        Hash of the track's audio.
    """
    return hash_bytes(recipe, content)


def difference_key(total: str, mix: str) -> str:
    """Return the cache key for the comparison of a sum of stems with a mix, from their hashes."""
    return hash_bytes("difference", total, mix)


def record_path(key: str) -> Path:
    """Return the path of the cache file for a model's recorded fingerprint.

    Parameters
    ----------
    key : str
        Result of :func:`adapter_key` or :func:`weights_key`.
    """
    name = hash_bytes(key)[:32]
    return cache_folder() / "models" / name[:2] / f"{name}.json"


def adapter_key(model: str, adapter: Adapter) -> str:
    """Return the key of a model's record: name, version and, for an untrained twin, seed.

    If an adapter has no version, a hash of its code and of its JSON-serialisable attributes is used
    instead. The vectors of a user-defined model are therefore recomputed if the model is edited and
    registered again.
    """
    version = getattr(adapter, "version", None)
    if not version:  # hash a new adapter, because load() may have modified this one
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
            with contextlib.suppress(TypeError, ValueError):  # not JSON-serialisable
                parts.append(f"{name} {json.dumps(member, sort_keys=True)}")
    return hash_bytes(*parts)[:16]


def weights_key(model: str, adapter: Adapter) -> str | None:
    """Return a key for the files that determine a model's fingerprint: its weights and its code.

    Weights are identified by path, size and modification time, and code by its content. The result
    is None if the adapter has no method ``files()``, if a file cannot be read, or if the adapter's
    class is not defined in a file.
    """
    files = getattr(adapter, "files", None)
    if files is None:
        return None
    stamps = [adapter_key(model, adapter)]
    try:
        stamps += [hash_file(file) for file in adapter_files(type(adapter))]
        for file in files():
            status = os.stat(file)
            stamps.append(f"{os.path.realpath(file)} {status.st_size} {status.st_mtime_ns}")
    except (OSError, TypeError):
        return None
    return hash_bytes(*stamps)


def adapter_files(kind: type) -> list[Path]:
    """List the source files of an adapter's class and of the local modules that it imports.

    For an adapter in this package, the local modules are the modules of
    :mod:`groove_utils.embed.models` that it imports directly or indirectly. For a user-defined
    adapter, they are the imported modules in its folder and subfolders.

    Raises
    ------
    OSError, TypeError
        If the class is not defined in a file, for example in an interactive session.

    Examples
    --------
    >>> from groove_utils.embed.models.basic_pitch import BasicPitch
    >>> [file.name for file in adapter_files(BasicPitch)]
    ['basic_pitch.py', 'frame_statistics.py', 'packaged_graph.py', 'packaged_model.py']
    """
    start = Path(inspect.getfile(kind)).resolve()
    if start.is_relative_to(_MODELS):
        root, prefix = _MODELS, "groove_utils.embed.models."
    else:
        root, prefix = start.parent, ""
    files, queue = {start}, [start]
    while queue:
        new = set(_imported_files(queue.pop(), root, prefix)) - files
        files |= new
        queue += new
    return sorted(files)


def _imported_files(file: Path, root: Path, prefix: str) -> Iterator[Path]:
    """Yield the modules under `root` that `file` imports and whose names begin with `prefix`."""
    for name in _imported_names(file, hash_file(file)):
        place = root.joinpath(*name.removeprefix(prefix).split("."))
        if name.startswith(prefix):
            candidates = place.with_suffix(".py"), place / "__init__.py"
            yield from (path for path in candidates if path.is_file())


@functools.lru_cache(maxsize=256)
def _imported_names(file: Path, _content: str) -> frozenset[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names |= {module, *(f"{module}.{alias.name}".lstrip(".") for alias in node.names)}
    return frozenset(names)
