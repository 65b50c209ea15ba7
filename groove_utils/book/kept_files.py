"""Cache of generated files, named by the hash of their sources, that later builds can reuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from groove_utils.files import hash_bytes, write_if_changed

__all__ = ["KeptFiles"]


class KeptFiles:
    """Cache folder for generated files; a file is created only if it does not already exist.

    Parameters
    ----------
    folder : pathlib.Path
        Folder in which the files are stored.

    Examples
    --------
    >>> import tempfile
    >>> kept = KeptFiles(Path(tempfile.mkdtemp()))
    >>> kept.get(["a page"], lambda: "made").read_text()
    'made'
    >>> kept.get(["a page"], lambda: "not made again").read_text()
    'made'
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._used: set[Path] = set()

    def get(self, sources: list[bytes | str], make: Callable[[], str]) -> Path:
        """Return the path of the file generated from `sources`, creating the file if necessary.

        Parameters
        ----------
        sources : list of bytes or str
            Everything on which the content of the file depends.
        make : callable
            Function that returns the content. It is called only if the file does not exist.
        """
        file = self.folder / hash_bytes(*sources)
        if not file.is_file():
            write_if_changed(file, make())
        self._used.add(file)
        return file

    def remove_unused(self) -> None:
        """Delete all files in the folder that :meth:`get` has not returned."""
        for file in set(self.folder.glob("[!.]*")) - self._used:
            file.unlink()
