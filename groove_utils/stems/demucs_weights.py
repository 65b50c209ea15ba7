"""Find and load Demucs networks: pretrained networks by name, or local files by path.

Demucs's own loaders find, download and verify the files.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import NamedTuple

import yaml

from groove_utils.embed import ModelUnavailableError
from groove_utils.errors import DetailedError
from groove_utils.files import hash_bytes, hash_file

__all__ = [
    "SeparatorUnavailableError",
    "Weights",
    "find_weights",
    "load_network",
    "pretrained_names",
]


class SeparatorUnavailableError(ModelUnavailableError):
    """Error raised if a separator cannot be loaded; the message states how to obtain it."""


class Weights(NamedTuple):
    """Weights of a Demucs network, or of a bag of networks whose outputs are averaged.

    Attributes
    ----------
    name : str
        Name of the bag, or signature of the network.
    folder : Path, optional
        Folder with local files, as for ``demucs --repo``; None for pretrained networks.
    """

    name: str
    folder: Path | None = None

    def fingerprint(self) -> str:
        """Return an identifier of the weights, without loading them.

        For pretrained networks, the identifier consists of the name and the signatures of the
        networks, so that cached stems are found even if the weights are not installed. For local
        files, it is a hash of their content.

        Raises
        ------
        SeparatorUnavailableError
            If the bag's ``.yaml`` file is damaged.
        """
        bag = (self.folder or _descriptions()) / f"{self.name}.yaml"
        try:
            content = yaml.safe_load(bag.read_text(encoding="utf-8")) if bag.is_file() else {}
            signatures = list(map(str, content.get("models", [self.name])))
        except (yaml.YAMLError, AttributeError, TypeError) as error:
            raise _unavailable(self, error) from error
        if self.folder is None:
            return f"demucs {self.name} {' '.join(signatures)}"
        files = [file for sig in signatures for file in sorted(self.folder.glob(f"{sig}*.th"))]
        return "demucs " + hash_bytes(repr(content), *map(hash_file, files))


def find_weights(separator: str | os.PathLike) -> Weights:
    """Find the weights of a Demucs network by name or path.

    Parameters
    ----------
    separator : str or path-like
        Name of a pretrained network, ``hf://OWNER/NAME``, a ``.th`` file, the ``.yaml`` file of a
        bag of networks, or ``FOLDER/NAME`` for local files called ``NAME``.

    Returns
    -------
    Weights
        Name and folder of the weights; nothing is loaded.

    Raises
    ------
    DetailedError
        If there are no weights with the given name or path (``kind="unknown_separator"``).
    """
    name = os.fspath(separator)
    if "://" in name or name in pretrained_names():  # hf://OWNER/NAME
        return Weights(name)
    path = Path(name).expanduser()
    stem = path.stem if path.suffix in (".th", ".yaml") else path.name
    if path.suffix == ".th":  # <signature>-<checksum>.th
        stem = stem.rpartition("-")[0] or stem
    if not any([*path.parent.glob(f"{stem}.yaml"), *path.parent.glob(f"{stem}*.th")]):
        raise DetailedError(
            f"separator {name!r} is neither 'hpss', nor one of Demucs's networks "
            f"{', '.join(pretrained_names())}, nor a file (.th or a bag's .yaml), nor FOLDER/NAME.",
            kind="unknown_separator",
            value=name,
        )
    return Weights(stem, path.parent)


def pretrained_names() -> list[str]:
    """Return the names of the pretrained networks in the installed version of Demucs."""
    return sorted(file.stem for file in _descriptions().glob("*.yaml"))


def _descriptions() -> Path:
    import demucs

    return Path(demucs.__file__).parent / "remote"


def load_network(weights: Weights):
    """Load a Demucs network; the two most recently used networks are kept in memory.

    Returns
    -------
    torch.nn.Module
        Demucs network or :class:`demucs.apply.BagOfModels`, in evaluation mode, on the CPU.

    Raises
    ------
    SeparatorUnavailableError
        If the weights are not installed and cannot be downloaded (``kind="weights_missing"``), or
        local files are damaged (``kind="weights_damaged"``).
    """
    return _load(weights, weights.fingerprint())


@functools.lru_cache(maxsize=2)
def _load(weights: Weights, _fingerprint: str):
    from demucs.pretrained import get_model

    options = {} if weights.folder is None else {"repo": weights.folder}
    try:
        return get_model(weights.name, **options).eval()
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # raised by various downloaders and formats
        raise _unavailable(weights, error) from error


def _unavailable(weights: Weights, error: BaseException) -> SeparatorUnavailableError:
    name, reason = weights.name, f"({type(error).__name__}: {error})"
    if weights.folder is not None:
        path = weights.folder / name
        message = f"{path}: the installed version of Demucs cannot load this network {reason}. Copy"
        return SeparatorUnavailableError(
            f"{message} its files again.", kind="weights_damaged", path=path
        )
    return SeparatorUnavailableError(
        f"{name}: its weights are not installed, and could not be downloaded {reason}. With an "
        f"internet connection, run `python -m groove_utils.stems fetch {name}`. Without one, copy "
        "its .th and .yaml files into a folder, and pass FOLDER/NAME as the separator. The "
        "separator 'hpss' needs no weights.",
        kind="weights_missing",
        value=name,
    )
