"""Weights of Demucs: pretrained networks by name, and a reader's own files.

Demucs's own loaders find, download and verify them.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from groove_utils.embed import ModelUnavailableError
from groove_utils.embed.weights import own_folder
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
    """A separator that cannot be loaded here; the message says what would make it loadable."""


@dataclass(frozen=True)
class Weights:
    """A network, or a bag of networks whose outputs are averaged.

    Attributes
    ----------
    name : str
        Name of a bag, or signature of a network.
    folder : Path, optional
        Folder of a reader's own files, as ``demucs --repo`` takes it; None if pretrained.
    """

    name: str
    folder: Path | None = None

    def signatures(self) -> list[str]:
        """Return the signatures of the networks, without loading them."""
        bag = (self.folder or _remote()) / f"{self.name}.yaml"
        if not bag.is_file():
            return [self.name]
        try:
            return list(map(str, yaml.safe_load(bag.read_text(encoding="utf-8"))["models"]))
        except (yaml.YAMLError, KeyError, TypeError) as error:
            raise DetailedError(
                f"{bag}: does not describe a bag of networks. Expected `models: [SIGNATURE, …]`, "
                "and perhaps `weights` and `segment`.",
                kind="not_a_bag",
                path=bag,
            ) from error

    def files(self) -> list[Path]:
        """Return the reader's own files."""
        names = [f"{sig}{end}.th" for sig in self.signatures() for end in ("", "-*")]
        return [file for name in names for file in sorted((self.folder or _remote()).glob(name))]

    def fingerprint(self) -> str:
        """Return what the network is, without loading it.

        Pretrained networks have their name and signatures, so that cached stems are found where
        the weights are not; own files have a hash.
        """
        if self.folder is None:
            return f"demucs {self.name} {' '.join(self.signatures())}"
        bag = self.folder / f"{self.name}.yaml"
        files = [*self.files(), *([bag] if bag.is_file() else [])]
        return "demucs " + hash_bytes(*map(hash_file, files))


def find_weights(separator: str | os.PathLike) -> Weights:
    """Return the weights of a name or a path.

    Raises
    ------
    DetailedError
        If there are none (``kind="unknown_separator"``).
    """
    name = os.fspath(separator)
    path = Path(name).expanduser()
    if "://" in name or name in pretrained_names():  # hf://OWNER/NAME
        return Weights(name)
    if path.suffix == ".th":  # <signature>-<checksum>.th
        path = path.with_name(path.stem.rpartition("-")[0] or path.stem)
    elif path.suffix == ".yaml":
        path = path.with_suffix("")
    weights = Weights(path.name, path.parent)
    if not weights.files() and not (path.parent / f"{path.name}.yaml").is_file():
        raise DetailedError(
            f"separator {name!r} is neither 'hpss', nor one of Demucs's networks "
            f"{', '.join(pretrained_names())}, nor a file (.th or a bag's .yaml), nor FOLDER/NAME.",
            kind="unknown_separator",
            value=name,
        )
    return weights


def pretrained_names() -> list[str]:
    """Return the names of the pretrained networks that the installed Demucs knows."""
    return sorted(file.stem for file in _remote().glob("*.yaml"))


def load_network(weights: Weights):
    """Load a network, or return the one that was loaded before.

    Returns
    -------
    torch.nn.Module
        A Demucs network or :class:`demucs.apply.BagOfModels`, in evaluation mode, on the CPU.

    Raises
    ------
    SeparatorUnavailableError
        If its weights are not here and cannot be downloaded (``kind="weights_missing"``), or a
        file is damaged (``kind="weights_damaged"``).
    """
    return _load(weights, weights.fingerprint())


@functools.lru_cache(maxsize=2)
def _load(weights: Weights, _fingerprint: str):
    from demucs.pretrained import get_model
    from demucs.repo import BagOnlyRepo, LocalRepo

    name, own = weights.name, own_folder("demucs")
    try:
        if weights.folder is not None:
            return get_model(name, repo=weights.folder).eval()
        if all(any(own.glob(f"{sig}*.th")) for sig in weights.signatures()):  # copied by hand
            return BagOnlyRepo(_remote(), LocalRepo(own)).get_model(name).eval()
        return get_model(name).eval()
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # of several downloaders and formats
        reason = f"({type(error).__name__}: {error})"
        if weights.folder is not None:
            raise SeparatorUnavailableError(
                f"{weights.folder / name}: cannot be loaded as a network of this Demucs {reason}. "
                "Copy or download its files again.",
                kind="weights_damaged",
                path=weights.folder / name,
            ) from error
        raise SeparatorUnavailableError(
            f"{name}: its weights are not on this machine, and could not be downloaded {reason}. "
            f"With a network, run `python -m groove_utils.stems fetch {name}`. Without one, copy "
            f"{', '.join(f'{sig}-*.th' for sig in weights.signatures())} into {own}. Separator "
            "'hpss' needs no weights.",
            kind="weights_missing",
            value=name,
        ) from error


def _remote() -> Path:
    """Return Demucs's folder of descriptions of pretrained networks."""
    import demucs

    return Path(demucs.__file__).parent / "remote"
