"""Memoisation of slow functions, using the on-disk cache.

The key of a result is a hash of the function's name, the content of all its arguments, the source
code of all modules of this package that the function and its arguments use, and the versions of
Python and of the packages that these modules import. If any of these changes, the result is
recomputed, so there is no version number to increase by hand.

If one of these modules was edited after this process imported the package, results are neither read
nor stored, since the process may still be running the old code. A result is stored only if it can
be read back exactly.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import json
import logging
import platform
from collections.abc import Callable, Mapping

import joblib
import numpy as np
import pandas as pd

import groove_utils
from groove_utils.cache import ArrayCache, cache_key, pack_arrays, unpack_arrays
from groove_utils.files import hash_bytes
from groove_utils.import_graph import module_path, reachable_modules
from groove_utils.packages import installed_versions, normalise_name

__all__ = ["memoised"]

PACKAGE = __name__.partition(".")[0]  # this package
# packages that other packages use to compute, or whose names differ from their module names
NUMERICAL = ("formulaic", "librosa", "numba", "numpy", "pandas", "scikit-learn", "scipy",
             "statsmodels", "umap-learn")  # fmt: skip
COARSE = 1.0  # seconds; file time stamps are less precise than the clock
PLAIN = {bool, int, float, str, type(None)}  # types that JSON can represent
STRUCTURE = "structure"  # name of the array that describes a result's structure

log = logging.getLogger(__name__)


def memoised(kind: str) -> Callable:
    """Decorate a slow function so that each result is computed once and then stored on disk.

    The function's results must depend only on its arguments. A result may be a table, an array, a
    number or a string, or a list, tuple, dict or dataclass (of this package) that contains such
    objects; any other result is returned but not stored. Dataclass fields with ``compare=False``
    are not part of the key. The function's warnings are issued only when a result is computed, not
    when it is read from the store. The decorated function accepts an additional keyword argument,
    ``cache``: a store to use instead of the project's store.

    Parameters
    ----------
    kind : str
        Kind of result: a key in :data:`groove_utils.cache.VERSIONS`, and the name of the store.

    Returns
    -------
    callable
        The decorator.

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
            modules = {function.__module__}
            content = joblib.hash(_content(bound.arguments, modules), hash_name="sha1")
            if (code := _hash_code(modules)) is None:
                _report(function.__qualname__, "its code was edited after being imported")
                return function(*args, **options)
            store = ArrayCache(namespace=kind) if cache is None else cache
            key = cache_key(kind, function.__module__, function.__qualname__, code, content)
            if (entry := store.get(key)) is not None:
                return _assemble(json.loads(entry.pop(STRUCTURE).item()), entry)
            result = function(*args, **options)
            # worker processes may have imported a module that was edited in the meantime
            if _hash_code(modules) and (arrays := _to_arrays(result, function.__qualname__)):
                store.put(key, arrays)
            return result

        return look_up

    return decorate


# hashing of code ----------------------------------------------------------------------------------


def _hash_code(modules: set[str]) -> str | None:
    """Hash modules and their imports, or return None if any was edited after being imported."""
    try:
        names, digest = _hash_modules(frozenset(modules))
        files = [module_path(name).stat() for name in names]
    except (OSError, SyntaxError, ValueError, AttributeError):  # file missing or being replaced
        return None
    # copying a file with its time stamps can set st_mtime back, but not st_ctime
    edited = max((max(file.st_mtime, file.st_ctime) for file in files), default=0.0)
    return None if edited > groove_utils.IMPORTED_AT - COARSE else digest


@functools.cache  # valid until a file is edited; after that, it is not used
def _hash_modules(modules: frozenset[str]) -> tuple[list[str], str]:
    """Return the names of this package's modules that `modules` use, and a hash of their code.

    The hash includes the versions of Python and of all packages that these modules import.
    """
    used = reachable_modules(*modules)
    names = sorted(name for name in used if _in_package(name))
    sources = [part for name in names for part in (name, module_path(name).read_bytes())]
    packages = {normalise_name(name.partition(".")[0]) for name in used} | set(NUMERICAL)
    installed = installed_versions()
    versions = [f"{name} {installed[name]}" for name in sorted(packages & installed.keys())]
    return names, hash_bytes(*sources, platform.python_version(), *versions)


def _in_package(module: str | None) -> bool:
    return (module or "").partition(".")[0] == PACKAGE


@functools.cache  # logged once per function and reason
def _report(function: str, reason: str) -> None:
    log.info("the result of %s is not stored: %s", function, reason)


# hashing of arguments and results -----------------------------------------------------------------


def _content(value: object, modules: set[str]) -> object:
    """Convert a value to nested lists of types, names and content, from which to compute a hash.

    Values are not simply pickled and hashed, since equal values may have different pickles. The
    modules of this package that define the value's types are added to `modules`.
    """
    inside = functools.partial(_content, modules=modules)
    kind = type(value).__name__
    if _in_package(module := getattr(value, "__module__", None)):
        modules.add(module)
        kind = f"{module}.{kind}"
    if isinstance(value, (np.ndarray, np.generic)):
        items = inside(np.ravel(value).tolist()) if value.dtype == object else value.tobytes()
        return [kind, str(value.dtype), np.shape(value), items]
    if isinstance(value, pd.DataFrame):
        columns = [inside(column.array) for _, column in value.items()]
        return [kind, inside(value.columns), inside(value.index), inside(value.attrs), *columns]
    if isinstance(value, pd.Series):
        parts = (value.name, value.index, value.attrs, value.array)
        return [kind, *map(inside, parts)]
    if isinstance(value, pd.MultiIndex):
        levels = [value.get_level_values(level) for level in range(value.nlevels)]
        return [kind, *map(inside, levels)]
    if isinstance(value, pd.Index):
        return [kind, inside(value.name), inside(value.array)]
    if isinstance(value, pd.Categorical):
        return [kind, value.ordered, inside(value.codes), inside(value.categories)]
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return [kind, repr(value.dtype), inside(value.to_numpy())]
    if isinstance(value, Mapping):
        return [kind, *([inside(key), inside(item)] for key, item in value.items())]
    if isinstance(value, (list, tuple)):
        return [kind, *(value if set(map(type, value)) <= PLAIN else map(inside, value))]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.compare]
        return [kind, *(inside(getattr(value, name)) for name in fields)]
    return value


# storing results as arrays ------------------------------------------------------------------------


def _to_arrays(result: object, function: str) -> dict[str, np.ndarray] | None:
    """Convert a result to arrays for the store, or return None if it cannot be restored."""
    arrays: dict[str, np.ndarray] = {}
    try:
        structure = json.dumps(_take_apart(result, arrays))
        restored = _assemble(json.loads(structure), unpack_arrays(pack_arrays(arrays)))
        same = joblib.hash(_content(restored, set())) == joblib.hash(_content(result, set()))
        reason = "" if same else "it would change when read back"
    except Exception as error:  # the result was slow to compute and must not be lost
        reason = f"{type(error).__name__}: {error}"
    if reason:
        _report(function, reason)
        return None
    return arrays | {STRUCTURE: np.array(structure)}


def _take_apart(value: object, arrays: dict[str, np.ndarray]) -> dict:
    """Describe a result's structure as a JSON-compatible dict, and add its arrays to `arrays`."""
    inside = functools.partial(_take_apart, arrays=arrays)
    if type(value) in PLAIN:
        return {"plain": value}
    if value is pd.NA:
        return {"missing": "NA"}
    if isinstance(value, np.ndarray) and value.dtype == object:
        return {"objects": [inside(value.ravel().tolist()), value.shape]}
    if isinstance(value, (np.ndarray, np.generic)):
        name = str(len(arrays))
        arrays[name] = np.asarray(value)
        if isinstance(value, np.generic):
            return {"scalar": name}
        return {"array": [name, value.dtype.str]}
    if type(value) is pd.DataFrame:
        columns = [value.iloc[:, k].array for k in range(value.shape[1])]
        return {"table": [inside(part) for part in (columns, value.index, value.columns)]}
    if type(value) is pd.Series:
        return {"series": [inside(part) for part in (value.array, value.index, value.name)]}
    if type(value) is pd.RangeIndex:
        return {"range": [value.start, value.stop, value.step, inside(value.name)]}
    if type(value) is pd.MultiIndex:
        levels = [value.get_level_values(level) for level in range(value.nlevels)]
        return {"levels": [inside(level) for level in levels]}
    if type(value) is pd.Index:
        return {"index": [inside(value.array), inside(value.name)]}
    if isinstance(value, pd.arrays.NumpyExtensionArray):
        return inside(value.to_numpy())
    if isinstance(value, pd.Categorical):
        return {"categories": [inside(value.codes), inside(value.categories), value.ordered]}
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return {"extension": [inside(value.tolist()), str(value.dtype)]}
    if type(value) is dict:
        return {"dict": [[inside(key), inside(item)] for key, item in value.items()]}
    if type(value) in {list, tuple}:
        plain = set(map(type, value)) <= PLAIN
        items = {"plain": list(value)} if plain else {"items": [inside(item) for item in value]}
        return items if type(value) is list else {"tuple": items}
    if dataclasses.is_dataclass(value) and _in_package(type(value).__module__):
        fields = {f.name: inside(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"class": [type(value).__module__, type(value).__qualname__, fields]}
    raise TypeError(f"objects of type {type(value).__name__} cannot be stored")


def _assemble(structure: dict, arrays: Mapping[str, np.ndarray]) -> object:
    """Rebuild a result from its structure and arrays; the inverse of :func:`_take_apart`."""
    inside = functools.partial(_assemble, arrays=arrays)
    ((kind, value),) = structure.items()
    if kind == "array":
        name, dtype = value
        return arrays[name].astype(dtype)  # a copy, since arrays from the store are read-only
    if kind == "scalar":
        return arrays[value][()]
    if kind == "dict":
        return {inside(key): inside(item) for key, item in value}
    if kind == "items":
        return [inside(item) for item in value]
    if kind == "tuple":
        return tuple(inside(value))
    if kind == "class":
        module, name, fields = value
        cls = getattr(importlib.import_module(module), name) if _in_package(module) else None
        if not dataclasses.is_dataclass(cls):  # the entry was written by another program
            raise TypeError(f"{module}.{name} is not a dataclass of this package")
        return cls(**{field: inside(item) for field, item in fields.items()})
    if kind in _ASSEMBLE:
        parts = [inside(part) if isinstance(part, dict) else part for part in value]
        return _ASSEMBLE[kind](*parts)
    return pd.NA if kind == "missing" else value


def _objects(items: list, shape: list[int]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):  # np.array(items) would unpack tuples
        array[i] = item
    return array.reshape(shape)


def _index(values, name) -> pd.Index:
    return pd.Index(values, dtype=values.dtype, name=name, tupleize_cols=False)


def _series(values, index: pd.Index, name=None) -> pd.Series:
    return pd.Series(values, index, dtype=values.dtype, name=name)


def _table(columns: list, index: pd.Index, labels: pd.Index) -> pd.DataFrame:
    table = pd.DataFrame({k: _series(column, index) for k, column in enumerate(columns)}, index)
    return table.set_axis(labels, axis=1)


_ASSEMBLE = {
    "categories": lambda codes, labels, ordered: pd.Categorical.from_codes(codes, labels, ordered),
    "extension": lambda items, dtype: pd.array(items, dtype=dtype),
    "index": _index,
    "levels": lambda *levels: pd.MultiIndex.from_arrays(levels),
    "objects": _objects,
    "range": lambda start, stop, step, name: pd.RangeIndex(start, stop, step, name=name),
    "series": _series,
    "table": _table,
}
