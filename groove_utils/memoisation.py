"""Results of slow functions that are computed once and kept in the cache.

A result is found again by the function, the content of all its arguments, the source of all modules
of this package that the function uses, and the versions of the numerical packages. So it is
computed again whenever one of these has changed, and no version has to be increased by hand.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import io
import json
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from groove_utils.cache import ArrayCache, cache_key
from groove_utils.files import hash_bytes

__all__ = ["memoised"]

OWN = __name__.partition(".")[0]  # this package
NUMERICAL = ("librosa", "numpy", "pandas", "scikit-learn", "scipy", "statsmodels")
STRUCTURE = "structure"  # name of the array that describes how the others are put together


def memoised(kind: str) -> Callable:
    """Decorate a slow function, so that each of its results is computed only once.

    The function must depend on nothing but its arguments, and return tables, arrays, numbers and
    texts, or lists, tuples, dicts and this package's dataclasses of them. It warns only when it
    computes. With the additional keyword ``cache``, results are kept in another store than the
    project's.

    Parameters
    ----------
    kind : str
        One of :data:`groove_utils.cache.VERSIONS`, and the name of the store.

    Examples
    --------
    >>> import tempfile
    >>> @memoised("probes")
    ... def total(values):
    ...     print("computing")
    ...     return values.sum()
    >>> store = ArrayCache(tempfile.mkdtemp())
    >>> total(np.arange(4.0), cache=store), total(np.arange(4.0), cache=store)
    computing
    (np.float64(6.0), np.float64(6.0))
    """

    def decorate(function: Callable) -> Callable:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def look_up(*args, cache: ArrayCache | None = None, **options):
            bound = signature.bind(*args, **options)
            bound.apply_defaults()
            store = ArrayCache(namespace=kind) if cache is None else cache
            code = _hash_code(function.__module__)
            content = joblib.hash(_content(bound.arguments), hash_name="sha1")
            key = cache_key(kind, function.__qualname__, code, content)
            if (entry := store.get(key)) is not None:
                structure = json.loads(entry.pop(STRUCTURE).item())
                return _assemble(structure, entry)
            result = function(*args, **options)
            arrays: dict[str, np.ndarray] = {}
            structure = json.dumps(_take_apart(result, arrays))
            store.put(key, arrays | {STRUCTURE: np.array(structure)})
            return result

        return look_up

    return decorate


@functools.cache
def _hash_code(module: str) -> str:
    """Hash a module, the modules of this package that it uses, and the numerical packages."""
    found, todo = {}, [module]
    while todo:
        name = todo.pop()
        if name in found or not _is_own(name):
            continue
        found[name] = Path(sys.modules[name].__file__).read_bytes()
        for value in list(vars(sys.modules[name]).values()):
            # of functions and classes the module that defines them
            used = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
            todo += [used] if used in sys.modules else []
    parts = [part for name in sorted(found) for part in (name, found[name])]
    return hash_bytes(*parts, *(f"{package} {version(package)}" for package in NUMERICAL))


def _is_own(module: str) -> bool:
    return module.partition(".")[0] == OWN


def _content(value: object) -> object:
    """Replace tables by arrays, since pandas keeps more in its objects than their content."""
    if isinstance(value, pd.DataFrame):
        columns = [column for _, column in value.items()]
        return [_content(part) for part in (value.columns, value.index, *columns)]
    if isinstance(value, pd.Series):
        return [value.name, _content(value.index), _content(value.array)]
    if isinstance(value, (pd.Index, pd.api.extensions.ExtensionArray)):
        return [repr(value.dtype), value.to_numpy()]
    if isinstance(value, Mapping):
        return [[key, _content(item)] for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [_content(item) for item in value]
    if dataclasses.is_dataclass(value):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return [type(value).__qualname__, *map(_content, fields)]
    return value


def _take_apart(value: object, arrays: dict[str, np.ndarray]) -> dict:
    """Describe a result in JSON, and put its arrays and tables into `arrays`."""
    inside = functools.partial(_take_apart, arrays=arrays)
    name = str(len(arrays))
    if isinstance(value, np.ndarray) and value.dtype == object:  # labels
        return {"labels": value.tolist()}
    if isinstance(value, (np.ndarray, np.generic)):
        arrays[name] = np.asarray(value)
        return {"scalar" if isinstance(value, np.generic) else "array": name}
    if isinstance(value, pd.DataFrame) and value.columns.nlevels > 1:
        numbered = value.set_axis([str(k) for k in range(value.shape[1])], axis=1)
        columns = [list(value.columns.names), *value.columns.tolist()]
        return {"levels": [inside(numbered), inside(columns)]}
    if isinstance(value, pd.DataFrame):
        arrays[name] = np.frombuffer(value.to_parquet(), np.uint8)
        return {"table": name}
    if isinstance(value, pd.Series):
        parts = [value.tolist(), value.index.tolist(), str(value.dtype), value.name]
        return {"series": [inside(part) for part in parts]}
    if type(value) is dict:
        return {"dict": [[key, inside(item)] for key, item in value.items()]}
    if type(value) in {list, tuple}:
        return {type(value).__name__: [inside(item) for item in value]}
    if dataclasses.is_dataclass(value) and _is_own(type(value).__module__):
        fields = {f.name: inside(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": [type(value).__module__, type(value).__qualname__, fields]}
    if value is None or type(value) in {bool, int, float, str}:
        return {"plain": value}
    raise TypeError(f"a result with a {type(value).__name__} cannot be kept")


def _assemble(structure: dict, arrays: dict[str, np.ndarray]) -> object:
    """Return the result that :func:`_take_apart` described."""
    ((kind, value),) = structure.items()
    if kind == "array":
        return arrays[value].copy()  # as read, it cannot be written to
    if kind == "scalar":
        return arrays[value][()]
    if kind == "labels":
        return np.array(value, dtype=object)
    if kind == "table":
        return pd.read_parquet(io.BytesIO(arrays[value].tobytes()))
    if kind == "levels":
        table, (names, *columns) = (_assemble(part, arrays) for part in value)
        return table.set_axis(pd.MultiIndex.from_tuples(columns, names=names), axis=1)
    if kind == "series":
        return pd.Series(*(_assemble(part, arrays) for part in value))
    if kind == "dict":
        return {key: _assemble(item, arrays) for key, item in value}
    if kind in {"list", "tuple"}:
        items = [_assemble(item, arrays) for item in value]
        return tuple(items) if kind == "tuple" else items
    if kind == "class":
        module, name, fields = value
        made = getattr(importlib.import_module(module), name) if _is_own(module) else None
        if not dataclasses.is_dataclass(made):  # an entry that another program wrote
            raise TypeError(f"{module}.{name} is not a dataclass of this package")
        return made(**{field: _assemble(item, arrays) for field, item in fields.items()})
    return value
