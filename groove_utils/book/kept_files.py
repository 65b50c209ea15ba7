"""Cache of files from earlier builds of the pages, named by the hashes of their sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from groove_utils.files import hash_bytes, write_if_changed

__all__ = ["KeptFiles"]


class KeptFiles:
    """Folder of generated files, each created only if it does not exist yet.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the files.

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
        """Return the path of the file made from `sources`; create the file if it is missing.

        Parameters
        ----------
        sources : list of bytes or str
            Everything that the content of the file depends on.
        make : callable
            Function that returns the content; called only if the file is missing.
        """
        file = self.folder / hash_bytes(*sources)
        if not file.is_file():
            write_if_changed(file, make())
        self._used.add(file)
        return file

    def remove_unused(self) -> None:
        """Delete all files that :meth:`get` has not returned."""
        for file in set(self.folder.glob("[!.]*")) - self._used:
            file.unlink()
