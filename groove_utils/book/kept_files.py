"""Files kept from earlier builds of the pages, under the hash of what they were made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from groove_utils.files import hash_bytes, write_if_changed

__all__ = ["KeptFiles"]


class KeptFiles:
    """Folder of files that are made only if they are not there yet.

    Parameters
    ----------
    folder : pathlib.Path

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
        """Return the file made from `sources`, after calling `make` if it is absent.

        Parameters
        ----------
        sources : list of bytes or str
            All that the file depends on.
        make : callable
            Returns the content.
        """
        file = self.folder / hash_bytes(*sources)
        if not file.is_file():
            write_if_changed(file, make())
        self._used.add(file)
        return file

    def remove_unused(self) -> None:
        """Delete the files that :meth:`get` has not returned."""
        for file in set(self.folder.glob("[!.]*")) - self._used:
            file.unlink()
