"""Manifests, which record checksums of the input and output files of a result.

A result is an executed chapter, a catalogued study, a validated study, or the compiled pages. Its
manifest is written last, so a result without a manifest is incomplete. A result is out of date if
an input file, or the version of a package used for the result, has changed; it is damaged if an
output file has changed. File contents are compared, not only modification times, so ``touch``,
restored backups and changes to the system clock are handled correctly. Imported modules count as
inputs. Packages must therefore import their submodules lazily; otherwise, modules that a result
does not use would be recorded as inputs.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from groove_utils.files import hash_bytes, write_if_changed
from groove_utils.packages import installed_versions, normalise_name
from groove_utils.paths import project_root

__all__ = [
    "find_changes", "list_folder", "package_files", "read_manifest", "take_stamps", "watch_files",
    "write_manifest",
]  # fmt: skip

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
ALWAYS_HASHED = 2**18  # bytes; larger files are hashed only if their modification time has changed

_opened: set[str] = set()


def watch_files() -> None:
    """Start recording which files of this package (such as data files) this process opens."""

    def record(event: str, arguments: tuple) -> None:
        if event == "open" and str(arguments[0]).startswith(PACKAGE):
            _opened.add(str(arguments[0]))

    sys.addaudithook(record)


def package_files() -> list[str]:
    """List the files of this package that the current process has imported or opened.

    Opened files are recorded only after :func:`watch_files` has been called.
    """
    modules = list(sys.modules.values())
    files = _opened | {getattr(module, "__file__", None) or "" for module in modules}
    return sorted(f for f in files if f.startswith(PACKAGE) and not f.endswith(".pyc"))


def list_folder(folder: str | os.PathLike) -> list[str]:
    """List the files in a folder and its subfolders, except hidden files and editor backups."""
    paths = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and name != "__pycache__"]
        paths += [
            os.path.join(parent, name) for name in names if name[0] != "." and name[-1] != "~"
        ]
    return sorted(paths)


def take_stamps(*folders: str | os.PathLike) -> dict[str, tuple[int, int]]:
    """Return the size and modification time of all files in this package and in `folders`.

    Call this function before computing a result, and pass its output to :func:`write_manifest`,
    which then detects inputs that changed during the computation.
    """
    files = [file for folder in [PACKAGE, *folders] for file in list_folder(folder)]
    return {os.path.abspath(file): _stamp(file) for file in files}


def write_manifest(
    path: str | os.PathLike,
    *,
    inputs: Iterable[str | os.PathLike],
    outputs: Iterable[str | os.PathLike],
    packages: Iterable[str] = (),
    stamps: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Write a manifest that records a result's inputs, outputs and package versions.

    Parameters
    ----------
    path : path-like
        Path of the manifest to write.
    inputs : iterable of path-like
        Files or folders. For a folder, only the names of the files in it and its subfolders are
        recorded.
    outputs : iterable of path-like
        Files that make up the result.
    packages : iterable of str
        Names of the packages that were used; their versions are recorded.
    stamps : mapping, optional
        Output of :func:`take_stamps`. Inputs that have changed since that function was called are
        recorded as changed, so the result counts as out of date.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> source, page = folder / "source", folder / "page"
    >>> source.write_text("groove"), page.write_text("Groove.")
    (6, 7)
    >>> write_manifest(folder / "page.json", inputs=[source], outputs=[page])
    >>> find_changes(folder / "page.json")
    {}
    >>> _ = source.write_text("swing")
    >>> [change for change in find_changes(folder / "page.json").values()]
    ['has changed']
    """
    inputs, outputs = (
        {_relative(file): _state(Path(file)) for file in files} for files in (inputs, outputs)
    )
    for file in inputs:
        before = (stamps or {}).get(os.path.abspath(project_root() / file))
        if before and before != _stamp(project_root() / file):
            inputs[file] = None
    installed = installed_versions()
    versions = {name: installed.get(name) for name in sorted(map(normalise_name, packages))}
    body = json.dumps({"inputs": inputs, "outputs": outputs, "packages": versions}, indent=0)
    write_if_changed(path, f"{hash_bytes(body)}\n{body}\n")
    os.utime(path)


def read_manifest(path: str | os.PathLike) -> dict[str, dict] | None:
    """Read the recorded ``inputs``, ``outputs`` and ``packages`` from a manifest.

    Return None if the manifest is missing or damaged.
    """
    try:
        digest, _, body = Path(path).read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return json.loads(body) if hash_bytes(body.removesuffix("\n")) == digest else None


def find_changes(path: str | os.PathLike) -> dict[str, str]:
    """Find the differences between a manifest and the current files and package versions.

    Parameters
    ----------
    path : path-like
        Path of the manifest. A manifest that cannot be read is itself reported as damaged.

    Returns
    -------
    dict of str to str
        One item per difference; empty if there are none. Keys are file paths relative to the
        project, or package names with their recorded versions, such as "numpy 2.4.1". Values are
        "has changed" or "was deleted" for an input, "is damaged" or "is missing" for an output, and
        "is 2.4.2 now" or "was removed" for a package.
    """
    manifest = read_manifest(path)
    if manifest is None:
        return {_relative(path): "is damaged"}
    changes = {}
    for part, words in (
        ("inputs", ("has changed", "was deleted")),
        ("outputs", ("is damaged", "is missing")),
    ):
        for name, state in manifest[part].items():
            file = project_root() / name
            if not _is_same(file, state):
                changes[name] = words[0] if file.exists() else words[1]
    installed = installed_versions()
    for name, version in manifest.get("packages", {}).items():
        if (present := installed.get(name)) != version:
            changes[f"{name} {version or ''}".rstrip()] = (
                f"is {present} now" if present else "was removed"
            )
    return changes


def _relative(path: str | os.PathLike) -> str:
    return os.path.relpath(path, project_root())


def _stamp(path: str | os.PathLike) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _state(path: Path) -> list | str | None:
    """Return [size, modification time, hash] of a file, or a hash of the file names in a folder.

    Return None if the file or folder does not exist.
    """
    if path.is_dir():
        return hash_bytes(*(os.fsencode(os.path.relpath(file, path)) for file in list_folder(path)))
    stamp = _stamp(path)
    return None if stamp is None else [*stamp, _hash(path)]


def _is_same(path: Path, state: list | str | None) -> bool:
    if not isinstance(state, list):
        return state is not None and path.is_dir() and _state(path) == state
    try:
        status = os.stat(path)
        if status.st_size != state[0] or not stat.S_ISREG(status.st_mode):
            return False
        if status.st_mtime_ns == state[1] and status.st_size > ALWAYS_HASHED:
            return True
        return _hash(path) == state[2]
    except OSError:
        return False


def _hash(path: Path) -> str:
    # not files.hash_file(), which reuses the hash if the modification time is unchanged
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
