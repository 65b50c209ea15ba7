"""On-disk cache of arrays, such as descriptors, embeddings and predictions.

Each kind of result has its own store. An entry in a store is a dict of arrays. Its key is a hash of
everything that the arrays depend on (such as the audio file, the model's weights, the settings and
a version number), so an entry never has to be updated.

Entries are written atomically and end with a SHA-256 checksum. A damaged entry is removed with a
warning when it is read, and has to be recomputed. Multiple processes may use the same store at the
same time. ``python -m groove_utils.cache clear`` empties all stores.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from groove_utils.errors import DetailedError
from groove_utils.files import atomic_path, hash_bytes
from groove_utils.paths import cache_folder

__all__ = [
    "VERSIONS",
    "ArrayCache",
    "cache_key",
    "describe_function",
    "format_bytes",
    "pack_arrays",
    "run_cached_jobs",
    "unpack_arrays",
]

VERSIONS = {
    "ablation": "1",  # probes fitted to subsets of stems
    "descriptors": "3",  # values of handcrafted descriptors
    "embeddings": "7",  # windows, preprocessing, pooling
    "explanations": "1",  # saliency maps of spectrograms
    "genre-corpus": "4",  # songs in the genre corpus
    "genre-networks": "2",  # style classifiers and their training
    "inversions": "1",  # sounds reconstructed from representations
    "listening-tasks": "1",  # sounds used in 03-networks, and their features
    "mels": "1",  # log-mel spectrograms of clips
    "mixed-models": "1",  # simulations and repeated fits of mixed models
    "model-costs": "1",  # running time and memory use of models on a machine
    "probes": "1",  # nested probes and their permutation tests
    "rendering": "3",  # audio rendered from a score
    "song-maps": "1",  # UMAP projections of embeddings
    "stem-measures": "2",  # coupling of bass and drums, and gains of stem sums
    "training": "1",  # networks trained on spectrograms
    "stems": "1",  # processing before and after stem separation
}
"""Version of each kind of cached result. It is part of the key: increase it if results change."""

_DIGEST_SIZE = hashlib.sha256().digest_size
# glob patterns for the folders in a store; downloaded studies in the cache folder do not match
_FOLDERS = ("[0-9a-f][0-9a-f]", "damaged")


def format_bytes(size: int) -> str:
    """Format a number of bytes as text with a suitable unit.

    Examples
    --------
    >>> format_bytes(3400)
    '3.4 kB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.{unit != 'B':d}f} {unit}"
        size /= 1000


def cache_key(kind: str, *parts: bytes | str) -> str:
    """Return the key for a result: a hash of its kind, the kind's version, and its inputs.

    Parameters
    ----------
    kind : str
        Kind of result; must be a key in :data:`VERSIONS`.
    *parts : bytes or str
        Everything else that the result depends on.

    Examples
    --------
    >>> cache_key("descriptors", "hash of the audio")[:8]
    '41ff7f90'
    """
    return hash_bytes(kind, VERSIONS[kind], *parts)


def describe_function(function: Callable | None) -> str:
    """Describe a function by its name and bound arguments, for use in a cache key.

    Parameters
    ----------
    function : callable, optional
        A module-level function, or a `functools.partial` of such a function. If None, the
        description is an empty string.

    Examples
    --------
    >>> describe_function(functools.partial(format_bytes, size=3))
    "format_bytes () {'size': 3}"
    """
    if function is None:
        return ""
    if isinstance(function, functools.partial):
        return f"{function.func.__qualname__} {function.args} {function.keywords}"
    return function.__qualname__


class ArrayCache:
    """On-disk store that maps hexadecimal keys to dicts of arrays.

    Parameters
    ----------
    folder : path-like, optional
        Folder that contains all stores; by default, :func:`groove_utils.paths.cache_folder`.
    namespace : str
        Name of this store's subfolder. Each kind of result has its own subfolder.

    Raises
    ------
    DetailedError
        If `namespace` is not a valid folder name.

    Notes
    -----
    An entry is the file ``<folder>/<namespace>/<key[:2]>/<key>.entry``. It contains the arrays in
    the safetensors format, followed by the SHA-256 of these bytes. If an entry consists of many
    small arrays, reading it is about twenty times faster than reading a NumPy archive.

    Examples
    --------
    >>> import tempfile
    >>> store = ArrayCache(tempfile.mkdtemp())
    >>> store.put("0123abcd", {"penultimate": np.zeros((4, 200))})
    >>> store.get("0123abcd")["penultimate"].shape
    (4, 200)
    """

    def __init__(self, folder: str | os.PathLike | None = None, namespace: str = "embeddings"):
        if not re.fullmatch(r"[\w.-]+", namespace) or namespace in {".", ".."}:
            raise DetailedError(
                f"namespace {namespace!r} is not a valid folder name; use letters, digits, "
                "-, _ and '.'.",
                kind="invalid_name",
                value=namespace,
            )
        self.folder = Path(cache_folder() if folder is None else folder) / namespace
        self.namespace = namespace

    def __repr__(self) -> str:
        return f"ArrayCache({str(self.folder)!r})"

    def path(self, key: str) -> Path:
        """Return the path of an entry's file, whether or not the entry exists.

        Raises
        ------
        DetailedError
            If `key` is not a lower-case hexadecimal string of at least 8 characters.
        """
        if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{8,}", key):
            raise DetailedError(
                f"cache key {key!r} is not a lower-case hexadecimal string of at least 8 "
                "characters; create keys with groove_utils.cache.cache_key().",
                kind="invalid_key",
                value=key,
            )
        return self.folder / key[:2] / f"{key}.entry"

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """Read an entry from the store.

        Parameters
        ----------
        key : str
            Hexadecimal key.

        Returns
        -------
        dict of str to ndarray, or None
            Arrays keyed by name, or None if the entry does not exist or is damaged.

        Warns
        -----
        RuntimeWarning
            If the entry is damaged. The damaged file is removed.
        """
        path = self.path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        archive, digest = content[:-_DIGEST_SIZE], content[-_DIGEST_SIZE:]
        reason = "its checksum does not match"
        if hashlib.sha256(archive).digest() == digest:
            try:
                return unpack_arrays(archive)
            except (SafetensorError, ValueError, LookupError, TypeError):
                reason = "its format is invalid"
        path.unlink(missing_ok=True)
        warnings.warn(
            f"{path}: the cache entry is damaged ({reason}). It has been removed and will be "
            "recomputed.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write an entry, replacing any existing entry with the same key.

        Parameters
        ----------
        key : str
            Hexadecimal key.
        arrays : mapping of str to ndarray
            Arrays of any shape and any dtype except object.

        Raises
        ------
        DetailedError
            If an array has dtype object.
        """
        archive = pack_arrays(arrays)
        with atomic_path(self.path(key)) as part:
            part.write_bytes(archive + hashlib.sha256(archive).digest())

    def __len__(self) -> int:
        paths = [path for path, _ in self._files() if path.suffix in {".entry", ".json"}]
        return sum(path.name[0] != "." for path in paths)

    def clear(self) -> int:
        """Remove all entries, and return the number of bytes freed."""
        freed = 0
        for path, size in self._files():
            path.unlink(missing_ok=True)
            freed += size
        for folder in [*(f for p in _FOLDERS for f in self.folder.glob(p)), self.folder]:
            with suppress(OSError):  # the folder does not exist, or is not empty
                folder.rmdir()
        return freed

    def _files(self) -> Iterator[tuple[Path, int]]:
        for path in [path for name in _FOLDERS for path in self.folder.glob(f"{name}/*")]:
            with suppress(FileNotFoundError):  # removed by another process in the meantime
                if path.is_file():
                    yield path, path.stat().st_size


def run_cached_jobs(jobs: Iterable[tuple], cache: ArrayCache | None, n_jobs: int = 1) -> list:
    """Run jobs in parallel, starting processes only if results are missing from the cache.

    Parameters
    ----------
    jobs : iterable of (function, args, options)
        Function calls created with `joblib.delayed`. Each function must accept a store as the
        keyword argument ``cache``, and compute only results that are not in this store.
    cache : ArrayCache or None
        Store that is passed to the functions. If None, no results are looked up before the jobs are
        run, and each function is called with ``cache=None``.
    n_jobs : int
        Number of processes to run in parallel.

    Returns
    -------
    list
        Results, in the same order as the jobs.

    Examples
    --------
    >>> import tempfile
    >>> from joblib import delayed
    >>> def square(x, cache):
    ...     if (entry := cache.get(f"{x:08x}")) is None:
    ...         cache.put(f"{x:08x}", entry := {"square": np.array(x * x)})
    ...     return int(entry["square"])
    >>> run_cached_jobs([delayed(square)(3), delayed(square)(4)], ArrayCache(tempfile.mkdtemp()))
    [9, 16]
    """
    jobs, results = list(jobs), {}
    if cache is not None:
        strict = _StrictCache(cache.folder.parent, cache.namespace)
        for number, (function, args, options) in enumerate(jobs):
            with suppress(_MissingEntry):
                results[number] = function(*args, **options, cache=strict)
        strict.raises = False  # a result may keep a reference to this store and use it later
    missing = [number for number in range(len(jobs)) if number not in results]
    if missing:
        from joblib import Parallel, delayed

        computed = Parallel(n_jobs)(
            delayed(function)(*args, **options, cache=cache)
            for function, args, options in (jobs[number] for number in missing)
        )
        results |= zip(missing, computed, strict=True)
    return [results[number] for number in range(len(jobs))]


class _MissingEntry(LookupError):
    """Error raised if an entry is not in the store."""


class _StrictCache(ArrayCache):
    """Store whose `get` raises an error if an entry is missing, as long as `raises` is True."""

    raises = True

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        if (entry := super().get(key)) is None and self.raises:
            raise _MissingEntry(key)
        return entry


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Serialise arrays to bytes in the safetensors format.

    Raises
    ------
    DetailedError
        If an array has dtype object.
    """
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind == "O":
            raise DetailedError(
                f"array {name!r} contains Python objects; expected numbers or text.",
                kind="object_array",
                column=name,
            )
    # safetensors does not support text arrays or preserve the order of arrays
    text = [name for name, array in arrays.items() if array.dtype.kind == "U"]
    tensors = arrays | {name: _encode(arrays[name]) for name in text}
    metadata = {"entry": json.dumps({"order": list(arrays), "text": text})}
    return save({name: np.asarray(array, order="C") for name, array in tensors.items()}, metadata)


def unpack_arrays(archive: bytes) -> dict[str, np.ndarray]:
    """Restore arrays from the output of :func:`pack_arrays`."""
    length = int.from_bytes(archive[:8], "little")
    metadata = json.loads(json.loads(archive[8 : 8 + length])["__metadata__"]["entry"])
    tensors = load(archive)
    tensors |= {name: _decode(tensors[name]) for name in metadata["text"]}
    return {name: tensors[name] for name in metadata["order"]}


def _encode(text: np.ndarray) -> np.ndarray:
    return np.frombuffer(json.dumps(text.tolist()).encode(), np.uint8)


def _decode(code: np.ndarray) -> np.ndarray:
    return np.array(json.loads(code.tobytes()), dtype=str)


def main(argv: list[str] | None = None) -> int:
    """Clear all stores; entry point of ``python -m groove_utils.cache clear``."""
    parser = argparse.ArgumentParser(prog="python -m groove_utils.cache")
    description = "clear: delete all cached results in $GROOVE_CACHE (default: build/cache)"
    parser.add_argument("action", choices=["clear"], help=description)
    parser.parse_args(argv)
    folder, total = cache_folder(), 0
    for name in sorted({p.parent.parent.name for f in _FOLDERS for p in folder.glob(f"*/{f}/*")}):
        store = ArrayCache(folder, name)
        n_entries, freed = len(store), store.clear()
        total += freed
        print(f"  {name}: {n_entries} entries, {format_bytes(freed)}")
    print(f"{folder}: freed {format_bytes(total)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
