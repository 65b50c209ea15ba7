"""Files that are whole or absent: atomic writes, content hashes, write-if-changed.

Everything under ``build/`` is written through this module, so that a run that is interrupted at
any moment (also by ``kill -9`` or a full disk) never leaves half a file under its final name.
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

_UMASK = os.umask(0)  # read once, while importing: asking for it means setting it
os.umask(_UMASK)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path that becomes `path` when the block ends without an error.

    Parameters
    ----------
    path : path-like
        Final name. Its folder is made if need be.

    Yields
    ------
    pathlib.Path
        A name in the same folder and with the same suffix, to be written to. It is flushed to
        disk and renamed over `path` on success, and removed on any exception.

    Examples
    --------
    >>> with atomic_path("build/table.csv") as part:  # doctest: +SKIP
    ...     frame.to_csv(part)
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
    """Write `content` to `path` unless it holds just that already.

    Leaving an unchanged file alone keeps its modification time, by which Make decides what has to
    be run again.

    Returns
    -------
    bool
        Whether the file was written.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == data:
        return False
    with atomic_path(path) as part:
        part.write_bytes(data)
    return True


def hash_bytes(*chunks: bytes | str) -> str:
    """SHA-256 (hex, 64 characters) of the chunks, each preceded by its length."""
    digest = hashlib.sha256()
    for chunk in chunks:
        data = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def hash_file(path: str | os.PathLike) -> str:
    """SHA-256 (hex, 64 characters) of a file's bytes.

    A file is read once by a process, as long as its place on the disk, its size and its time of
    change stay as they are.
    """
    path = Path(path)
    facts = path.stat()
    stamp = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
    return _hash_content(path.absolute(), stamp)


@functools.lru_cache(maxsize=1 << 14)
def _hash_content(path: Path, stamp: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
