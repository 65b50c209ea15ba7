"""A content-addressed store of arrays, shared by descriptors, embeddings and stems.

An entry is a dict of arrays under a hexadecimal key; whoever writes it derives the key from
everything that the arrays depend on (the audio's bytes, the model's fingerprint, settings, a
version), so an entry never has to be updated and never goes stale. Chapters 04 to 07 use it.

Entries are written whole or not at all, carry a SHA-256 of their bytes, and are checked on every
read: a damaged one is set aside, reported and treated as absent, so that it is computed again.
Several processes may read and write one store at once.

``python -m groove_utils.cache clear`` empties it and says what that freed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from groove_utils.files import atomic_path, hash_bytes
from groove_utils.paths import cache_folder

__all__ = ["VERSIONS", "ArrayCache", "cache_key", "format_bytes"]

VERSIONS = {
    "ablation": "1",  # probes of subsets of stems
    "descriptors": "3",  # any handcrafted descriptor's value
    "embeddings": "7",  # windows, preprocessing, pooling
    "rendering": "3",  # the sound of a score
    "stem-measures": "2",  # descriptors, coupling and gains of sums of stems
    "training": "1",  # networks trained on spectrograms
    "stems": "1",  # what is done around a separator
}
"""Version of each kind of cached result, part of its keys. Raise it when a result changes."""

_DIGEST_SIZE = hashlib.sha256().digest_size
_DAMAGED = "damaged"


def format_bytes(size: int) -> str:
    """A number of bytes as a reader says it, for instance ``'3.4 MB'``."""
    if size < 1000:
        return f"{size} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000 or unit == "GB":
            break
    return f"{size:.1f} {unit}"


def cache_key(kind: str, *parts: bytes | str) -> str:
    """Return the key of a result: a hash of its kind, the kind's version, and its inputs.

    Parameters
    ----------
    kind : str
        One of :data:`VERSIONS`.
    *parts : bytes or str
        Everything else that the result depends on.

    Examples
    --------
    >>> cache_key("descriptors", "hash of the audio")[:8]
    '41ff7f90'
    """
    return hash_bytes(kind, VERSIONS[kind], *parts)


class ArrayCache:
    """Dicts of arrays under hexadecimal keys, on disk.

    Parameters
    ----------
    folder : path-like, optional
        Where all stores live; :func:`groove_utils.paths.cache_folder` by
        default.
    namespace : str
        Sub-folder of this store, one for each kind of content.

    Notes
    -----
    An entry is the file ``<folder>/<namespace>/<key[:2]>/<key>.entry``: the arrays as safetensors
    (which reads twenty times faster than a NumPy archive, where there are many small arrays),
    followed by the SHA-256 of these bytes. Damaged files are moved to
    ``<folder>/<namespace>/damaged/``.

    Examples
    --------
    >>> store = ArrayCache(namespace="embeddings")  # doctest: +SKIP
    >>> store.put(key, {"penultimate": vectors})  # doctest: +SKIP
    >>> store.get(key)["penultimate"].shape  # doctest: +SKIP
    (4, 200)
    """

    def __init__(self, folder: str | os.PathLike | None = None, namespace: str = "embeddings"):
        if not re.fullmatch(r"[\w.-]+", namespace) or namespace in {".", ".."}:
            raise ValueError(
                f"namespace {namespace!r} cannot name a folder: use letters, digits, '-', '_', '.'."
            )
        self.folder = Path(cache_folder() if folder is None else folder) / namespace
        self.namespace = namespace

    def __repr__(self) -> str:
        return f"ArrayCache({str(self.folder)!r})"

    def path(self, key: str) -> Path:
        """The file that holds, or would hold, the entry `key`.

        Raises
        ------
        ValueError
            If `key` is not a hexadecimal string of at least 8 characters.
        """
        if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{8,}", key):
            raise ValueError(
                f"cache key {key!r} is not a lower-case hexadecimal string of 8 characters or "
                "more; make one with groove_utils.files.hash_bytes()."
            )
        return self.folder / key[:2] / f"{key}.entry"

    def __contains__(self, key: str) -> bool:
        return self.path(key).is_file()

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """Read an entry.

        Parameters
        ----------
        key : str
            Hexadecimal key.

        Returns
        -------
        dict of str to ndarray, or None
            None where there is no such entry, or where it was damaged: it is then moved out of
            the way and a RuntimeWarning names it.
        """
        path = self.path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            if not path.is_dir():
                raise
            self._set_aside(path, "it is a folder")
            return None
        archive, digest = content[:-_DIGEST_SIZE], content[-_DIGEST_SIZE:]
        if hashlib.sha256(archive).digest() != digest:
            self._set_aside(path, "its checksum does not match")
            return None
        try:
            return _unpack(archive)
        except (SafetensorError, ValueError, LookupError, TypeError):
            self._set_aside(path, "another program wrote it")
            return None

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write an entry, replacing one of the same key.

        Parameters
        ----------
        key : str
            Hexadecimal key.
        arrays : mapping of str to ndarray
            Of any shape and of any dtype but object.

        Raises
        ------
        ValueError
            If an array holds Python objects.
        """
        path = self.path(key)
        archive = _pack(arrays)
        with atomic_path(path) as part:
            part.write_bytes(archive + hashlib.sha256(archive).digest())

    def size(self) -> int:
        """Bytes on disk, damaged entries and remains of interrupted writes included."""
        return sum(size for _, size in self._files())

    def __len__(self) -> int:
        whole = [path for path, _ in self._files() if path.suffix in {".entry", ".json"}]
        return sum(path.parent.name != _DAMAGED and path.name[0] != "." for path in whole)

    def clear(self) -> int:
        """Remove every entry, and give the number of bytes that this freed."""
        freed = 0
        folders = set()
        for path, size in self._files():
            path.unlink(missing_ok=True)
            folders.add(path.parent)
            freed += size
        for folder in [*folders, self.folder]:
            try:
                folder.rmdir()
            except OSError:  # another process has just written into it, or it was never there
                continue
        return freed

    def _files(self) -> Iterator[tuple[Path, int]]:
        # downloads of studies lie beside the stores, and are none of their business
        folders = [*self.folder.glob("[0-9a-f][0-9a-f]"), self.folder / _DAMAGED]
        for path in [path for folder in folders for path in folder.glob("*")]:
            try:
                if path.is_file():
                    yield path, path.stat().st_size
            except FileNotFoundError:  # renamed or removed by another process meanwhile
                continue

    def _set_aside(self, path: Path, reason: str) -> None:
        aside = self.folder / _DAMAGED / path.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        while aside.is_dir() or (path.is_dir() and aside.exists()):  # a file replaces only a file
            aside = aside.with_name(f"{aside.name}~")
        try:
            path.replace(aside)
        except FileNotFoundError:  # another process has noticed it first
            return
        warnings.warn(
            f"{path}: the cache entry is damaged ({reason}). It was moved to {aside} and will be "
            "computed again.",
            RuntimeWarning,
            stacklevel=3,
        )


def _pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in arrays.items():
        if array.dtype.kind == "O":
            raise ValueError(
                f"Object arrays cannot be kept: {name!r} is one; give numbers or text."
            )
    # the format has no text, and puts tensors into an order of its own
    text = [name for name, array in arrays.items() if array.dtype.kind == "U"]
    tensors = arrays | {name: _encode(arrays[name]) for name in text}
    facts = {"entry": json.dumps({"order": list(arrays), "text": text})}
    return save({name: np.asarray(array, order="C") for name, array in tensors.items()}, facts)


def _unpack(archive: bytes) -> dict[str, np.ndarray]:
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
    """Show or clear the stores, as ``python -m groove_utils.cache`` does."""
    parser = argparse.ArgumentParser(
        prog="python -m groove_utils.cache", description="Show or clear the array cache."
    )
    parser.add_argument("action", choices=["size", "clear"])
    parser.add_argument("--folder", type=Path, help="default: $GROOVE_CACHE, else build/cache")
    parser.add_argument("--namespace", help="one store only, for instance embeddings")
    options = parser.parse_args(argv)

    folder = options.folder or cache_folder()
    names = [options.namespace] if options.namespace else _namespaces(folder)
    total = 0
    for name in names:
        store = ArrayCache(folder, name)
        n_entries = len(store)
        size = store.clear() if options.action == "clear" else store.size()
        total += size
        print(f"  {name}: {n_entries} entries, {format_bytes(size)}")
    verb = "freed" if options.action == "clear" else "holds"
    print(f"{folder}: {verb} {format_bytes(total)}")
    return 0


def _namespaces(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    stores = {path.parent.parent.name for path in folder.glob("*/[0-9a-f][0-9a-f]/*")}
    return sorted(stores | {path.parent.parent.name for path in folder.glob(f"*/{_DAMAGED}/*")})


if __name__ == "__main__":
    raise SystemExit(main())
