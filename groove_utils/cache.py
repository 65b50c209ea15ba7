"""Content-addressed store of arrays on disk, shared by descriptors, embeddings and stems.

An entry is a dict of arrays. Its key is a hash of everything that the arrays depend on (the bytes
of the audio, the model's fingerprint, settings, a version), so an entry never has to be updated.

Entries are written atomically and end with the SHA-256 of their bytes. A damaged entry is removed
with a warning when it is read, and is then computed again. Several processes may use the same store
at once. ``python -m groove_utils.cache clear`` empties all stores.
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
    "ablation": "1",  # probes of subsets of stems
    "descriptors": "3",  # values of handcrafted descriptors
    "embeddings": "7",  # windows, preprocessing, pooling
    "explanations": "1",  # saliency maps of spectrograms
    "genre-corpus": "4",  # songs of the genre corpus
    "genre-networks": "1",  # style classifiers and their training
    "inversions": "1",  # sounds made from representations
    "listening-tasks": "1",  # sounds of 03-networks and their features
    "mels": "1",  # log-mel spectrograms of clips
    "mixed-models": "1",  # simulations and repeated fits of mixed models
    "model-costs": "1",  # time and memory of models on a machine
    "probes": "1",  # predictions of nested ridge probes
    "rendering": "3",  # audio rendered from a score
    "song-maps": "1",  # UMAP projections of embeddings
    "stem-measures": "2",  # descriptors, coupling and gains of sums of stems
    "training": "1",  # networks trained on spectrograms
    "stems": "1",  # processing before and after a separator
}
"""Version of each kind of cached result, part of its key. Increase it when results change."""

_DIGEST_SIZE = hashlib.sha256().digest_size
# glob patterns of a store's folders; downloaded studies, which are next to the stores, do not match
_FOLDERS = ("[0-9a-f][0-9a-f]", "damaged")


def format_bytes(size: int) -> str:
    """Format a number of bytes as text with a unit.

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
    """Return the key of a result: a hash of its kind, the kind's version, and its inputs.

    Parameters
    ----------
    kind : str
        Kind of result, a key of :data:`VERSIONS`.
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
        A module-level function, or a `functools.partial` of such a function. If not given, the
        description is empty.

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
    """On-disk store of dicts of arrays, with hexadecimal keys.

    Parameters
    ----------
    folder : path-like, optional
        Folder that contains all stores; :func:`groove_utils.paths.cache_folder` by default.
    namespace : str
        Name of this store's sub-folder; each kind of content has its own sub-folder.

    Raises
    ------
    DetailedError
        If `namespace` is not a valid folder name.

    Notes
    -----
    An entry is the file ``<folder>/<namespace>/<key[:2]>/<key>.entry``. It contains the arrays in
    the safetensors format, followed by the SHA-256 of these bytes. Reading many small arrays is
    twenty times faster than reading them from a NumPy archive.

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
                f"namespace {namespace!r} cannot name a folder; use letters, digits, -, _ and '.'.",
                kind="invalid_name",
                value=namespace,
            )
        self.folder = Path(cache_folder() if folder is None else folder) / namespace
        self.namespace = namespace

    def __repr__(self) -> str:
        return f"ArrayCache({str(self.folder)!r})"

    def path(self, key: str) -> Path:
        """Return the path of an entry's file, which need not exist.

        Raises
        ------
        DetailedError
            If `key` is not a hexadecimal string of at least 8 characters.
        """
        if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{8,}", key):
            raise DetailedError(
                f"cache key {key!r} is not a lower-case hexadecimal string of 8 characters or "
                "more; make one with groove_utils.cache.cache_key().",
                kind="invalid_key",
                value=key,
            )
        return self.folder / key[:2] / f"{key}.entry"

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """Read the arrays of an entry from the store.

        Parameters
        ----------
        key : str
            Hexadecimal key.

        Returns
        -------
        dict of str to ndarray, or None
            Arrays by name; None if the entry does not exist or is damaged.

        Warns
        -----
        RuntimeWarning
            If the entry is damaged; its file is removed.
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
                reason = "another program wrote it"
        path.unlink(missing_ok=True)
        warnings.warn(
            f"{path}: the cache entry is damaged ({reason}). It was removed and will be computed "
            "again.",
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
            with suppress(OSError):  # the folder is absent, or another process has written into it
                folder.rmdir()
        return freed

    def _files(self) -> Iterator[tuple[Path, int]]:
        for path in [path for name in _FOLDERS for path in self.folder.glob(f"{name}/*")]:
            with suppress(FileNotFoundError):  # removed by another process
                if path.is_file():
                    yield path, path.stat().st_size


def run_cached_jobs(jobs: Iterable[tuple], cache: ArrayCache | None, n_jobs: int = 1) -> list:
    """Run jobs in parallel, starting processes only for results that are not yet in the cache.

    Parameters
    ----------
    jobs : iterable of (function, args, options)
        Calls wrapped by `joblib.delayed`. Each function accepts a store as the keyword argument
        ``cache``, and computes only results that it does not find there.
    cache : ArrayCache, optional
        Store to look up and save results in. If not given, everything is computed.
    n_jobs : int
        Number of processes.

    Returns
    -------
    list
        Results in the order of the jobs.

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
        read_only = _FullCache(cache.folder.parent, cache.namespace)
        for number, (function, args, options) in enumerate(jobs):
            with suppress(_MissingEntry):
                results[number] = function(*args, **options, cache=read_only)
        read_only.has_all = False  # a result may keep a reference to this store and use it later
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
    """Error raised for a missing entry."""


class _FullCache(ArrayCache):
    """Store whose `get` raises an error for a missing entry, as long as `has_all` is true."""

    has_all = True

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        if (entry := super().get(key)) is None and self.has_all:
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
    # safetensors has no text arrays, and does not preserve the order of arrays
    text = [name for name, array in arrays.items() if array.dtype.kind == "U"]
    tensors = arrays | {name: _encode(arrays[name]) for name in text}
    facts = {"entry": json.dumps({"order": list(arrays), "text": text})}
    return save({name: np.asarray(array, order="C") for name, array in tensors.items()}, facts)


def unpack_arrays(archive: bytes) -> dict[str, np.ndarray]:
    """Restore arrays from the output of :func:`pack_arrays`."""
    length = int.from_bytes(archive[:8], "little")
    facts = json.loads(json.loads(archive[8 : 8 + length])["__metadata__"]["entry"])
    tensors = load(archive)
    tensors |= {name: _decode(tensors[name]) for name in facts["text"]}
    return {name: tensors[name] for name in facts["order"]}


def _encode(text: np.ndarray) -> np.ndarray:
    return np.frombuffer(json.dumps(text.tolist()).encode(), np.uint8)


def _decode(code: np.ndarray) -> np.ndarray:
    return np.array(json.loads(code.tobytes()), dtype=str)


def main(argv: list[str] | None = None) -> int:
    """Run the command ``python -m groove_utils.cache clear``, which clears all stores."""
    parser = argparse.ArgumentParser(prog="python -m groove_utils.cache")
    parser.add_argument("action", choices=["clear"], help="delete all entries in $GROOVE_CACHE")
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
