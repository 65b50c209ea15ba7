"""Atomic writes, writes that leave unchanged files alone, and content hashes.

All files under ``build/`` are written with this module, so an interrupted run never leaves a
partial file under its final name, even after ``kill -9`` or on a full disk.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["atomic_path", "hash_bytes", "hash_file", "write_if_changed"]

_UMASK = os.umask(0)  # read once, at import: os.umask() can only read the mask by setting it
os.umask(_UMASK)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    r"""Yield a temporary path; rename the file to `path` if the ``with`` block ends without error.

    Parameters
    ----------
    path : path-like
        Final path. Its folder is created if necessary.

    Yields
    ------
    pathlib.Path
        Temporary path in the same folder, with the same suffix. Write to this file: it is flushed
        to disk and renamed to `path` on success, and removed if the ``with`` block raises an
        exception.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "table.csv"
    >>> with atomic_path(path) as part:
    ...     size = part.write_text("track_id\n")
    >>> path.read_text()
    'track_id\n'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix
    )
    os.close(handle)
    part = Path(name)
    part.chmod(0o666 & ~_UMASK)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_if_changed(path: str | os.PathLike, content: bytes | str) -> bool:
    """Write `content` to `path` unless the file already has this content.

    An unchanged file keeps its modification time, so Make does not rebuild files that depend on it.

    Returns
    -------
    bool
        True if the file was written.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return False
    with atomic_path(path) as part:
        part.write_bytes(data)
    return True


def hash_bytes(*chunks: bytes | str) -> str:
    """Return the SHA-256 hash of `chunks` as 64 hexadecimal digits.

    Chunk lengths are hashed too, so ``"ab", "c"`` and ``"a", "bc"`` have different hashes.
    """
    digest = hashlib.sha256()
    for chunk in chunks:
        data = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def hash_file(path: str | os.PathLike) -> str:
    """Return the SHA-256 hash of a file's content as 64 hexadecimal digits.

    Hashes are cached in memory: a file is read again only if its inode, size or modification time
    has changed.
    """
    path = Path(path)
    status = path.stat()
    stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return _hash_content(path.absolute(), stamp)


@functools.lru_cache(maxsize=1 << 16)  # uses up to 50 MiB
def _hash_content(path: Path, stamp: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
