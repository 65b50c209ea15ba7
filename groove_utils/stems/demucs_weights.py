"""Demucs networks: which files make one, where they are, and how they come here.

A network is loaded by Demucs's own loaders, whether its files came from the hub, from Demucs's
older store, from a folder that was filled by hand, or were trained by the reader. Weights that are
on this machine are used without asking the network; others are downloaded on first use.
"""

from __future__ import annotations

import functools
import os
import pickle
import socket
import zipfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from groove_utils.embed import ModelUnavailableError
from groove_utils.embed.weights import own_folder
from groove_utils.files import hash_bytes, hash_file

__all__ = ["Package", "SeparatorUnavailableError", "find_package", "load_package"]

HOSTS = ("huggingface.co", "dl.fbaipublicfiles.com")  # where Demucs looks, in this order
PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
KEPT = 2  # loaded networks


class SeparatorUnavailableError(ModelUnavailableError):
    """A separator that cannot be loaded here; the message says what would make it loadable."""


@dataclass(frozen=True)
class Package:
    """The files of one network, or of a bag of networks whose outputs are averaged.

    Attributes
    ----------
    name : str
    files : tuple of Path
        One a network, in the bag's order; empty where they are not on this machine.
    signatures : tuple of str
        Of the networks, in the same order.
    weights : tuple of tuple of float, optional
        Of each network for each source.
    segment : float, optional
        Seconds; overrides that of the networks.
    bag : bool
        Whether it is a bag, perhaps of one.
    pretrained : bool
        Whether it was asked for by its name in Demucs, not by a path.
    """

    name: str
    files: tuple[Path, ...]
    signatures: tuple[str, ...] = ()
    weights: tuple[tuple[float, ...], ...] | None = None
    segment: float | None = None
    bag: bool = False
    pretrained: bool = False

    def fingerprint(self) -> str:
        """What the network is, without loading it.

        Of a pretrained one, its name and signatures; so its stems are found in the cache where
        its weights are not. Of others, a hash of the files.
        """
        if self.pretrained:
            return f"demucs {self.name} {' '.join(self.signatures)}"
        hashes = [hash_file(file) for file in self.files]
        return "demucs " + hash_bytes(*hashes, repr((self.weights, self.segment, self.bag)))


def find_package(separator: str | os.PathLike) -> Package:
    """The network of a name or a path.

    Raises
    ------
    ValueError
        If it is neither; the message lists what there is.
    """
    name = os.fspath(separator)
    if "://" in name:  # hf://someone/name
        return Package(name, (), (name,), pretrained=True)
    path = Path(name).expanduser()
    if path.exists() or len(path.parts) > 1 or path.suffix in (".th", ".safetensors", ".yaml"):
        return _local(path)
    known = pretrained_names()
    if name not in known:
        raise ValueError(
            f"separator {name!r} is neither 'hpss', nor a file or folder, nor one of Demucs's "
            f"networks {', '.join(known)}."
        )
    return _pretrained(name)


def pretrained_names() -> list[str]:
    """Bags of networks that the installed Demucs knows by name."""
    return sorted(file.stem for file in _remote().glob("*.yaml"))


def load_package(package: Package):
    """Load a network, or give the one that was loaded before.

    Returns
    -------
    torch.nn.Module
        A Demucs network or :class:`demucs.apply.BagOfModels`, in evaluation mode, on the CPU.

    Raises
    ------
    SeparatorUnavailableError
        If its weights are not here and cannot be downloaded, or a file is damaged.
    """
    stamps = tuple((file.stat().st_size, file.stat().st_mtime_ns) for file in package.files)
    return _load(package, stamps)


@functools.lru_cache(maxsize=KEPT)
def _load(package: Package, _stamps: tuple):
    if not package.files:
        return _download(package)
    networks = [_read(file, package.name) for file in package.files]
    if not package.bag:
        return networks[0].eval()
    from demucs.apply import BagOfModels

    weights = None if package.weights is None else [list(row) for row in package.weights]
    return BagOfModels(networks, weights, package.segment).eval()


def _read(file: Path, name: str):
    from demucs.hf import load_safetensors_model
    from demucs.repo import ModelLoadingError, check_checksum
    from demucs.states import load_model
    from safetensors import SafetensorError

    try:
        if file.suffix == ".safetensors":
            return load_safetensors_model(file)
        if "-" in file.stem:
            check_checksum(file, file.stem.rsplit("-", 1)[1])
        return load_model(file)
    except (
        *(ModelLoadingError, SafetensorError, pickle.UnpicklingError, zipfile.BadZipFile),
        *(EOFError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, OSError),
    ) as error:
        raise SeparatorUnavailableError(
            f"{name}: {file} is not a network that this Demucs can load "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no more'}). "
            "Expected a package written by Demucs (a dict with klass, args, kwargs, state), whole; "
            "copy or download the file anew."
        ) from error


def _download(package: Package):
    on_hub = "://" in package.name  # what was fetched before is found there without a network
    if not on_hub and not _online():
        raise _unavailable(package, f"neither {HOSTS[0]} nor {HOSTS[1]} can be reached")
    from demucs.pretrained import get_model

    try:
        return get_model(package.name).eval()
    except (Exception, SystemExit) as error:
        why = f"they could not be downloaded ({type(error).__name__}: {error})"
        raise _unavailable(package, why) from error


def _unavailable(package: Package, why: str) -> SeparatorUnavailableError:
    names = _file_names()
    files = ", ".join(names.get(sig, sig) for sig in package.signatures)
    if "://" in package.name:
        files = "the repository's files, under a name for its .yaml,"
    return SeparatorUnavailableError(
        f"{package.name}: its weights are not on this machine, and {why}. With a network, run "
        f"`python -m groove_utils.stems fetch {package.name}`. Without one, copy {files} "
        f"(or the .safetensors files of the same signatures) into {own_folder('demucs')}. "
        "Separator 'hpss' needs no weights."
    )


def _online() -> bool:
    """Whether it is worth asking: the downloaders would go on trying for half a minute."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    if any(os.environ.get(name) for name in PROXIES):
        return True
    for host in HOSTS:
        try:
            socket.create_connection((host, 443), timeout=5).close()
        except OSError:
            continue
        return True
    return False


def _remote() -> Path:
    import importlib.util

    spec = importlib.util.find_spec("demucs")  # without importing torch
    if spec is None or spec.origin is None:
        raise SeparatorUnavailableError(
            "the package demucs is not installed: run `pip install -r requirements.txt`, or choose "
            "separator 'hpss'."
        )
    return Path(spec.origin).parent / "remote"


def _file_names() -> dict[str, str]:
    """Of each signature, the file's name in Demucs's older store."""
    lines = (_remote() / "files.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("-")[0]: line for line in map(str.strip, lines) if line.endswith(".th")}


def _pretrained(name: str) -> Package:
    bag = yaml.safe_load((_remote() / f"{name}.yaml").read_text(encoding="utf-8"))
    names = _file_names()
    files = [
        _in_folder(own_folder("demucs"), sig) or _downloaded(name, sig, names.get(sig))
        for sig in bag["models"]
    ]
    return _bag(name, bag, files, pretrained=True)


def _bag(name: str, bag: dict, files: list[Path | None], pretrained: bool = False) -> Package:
    weights = bag.get("weights")
    return Package(
        name,
        tuple(files) if all(files) else (),
        tuple(bag["models"]),
        None if weights is None else tuple(tuple(map(float, row)) for row in weights),
        bag.get("segment"),
        bag=True,
        pretrained=pretrained,
    )


def _in_folder(folder: Path, signature: str) -> Path | None:
    """A network's file in a folder: ``<signature>[-<checksum>].th`` or ``.safetensors``."""
    found = [folder / f"{signature}.safetensors", folder / f"{signature}.th"]
    found += sorted(folder.glob(f"{signature}-*.th"))
    return next((file for file in found if file.is_file()), None)


def _downloaded(name: str, signature: str, legacy: str | None) -> Path | None:
    """A network's file where Demucs's own downloads go."""
    from huggingface_hub import try_to_load_from_cache

    repository = "HTDemucs" if name == "htdemucs" else name.replace("htdemucs_", "HTDemucs-")
    repository = repository if repository.startswith("HTDemucs") else f"Demucs-{name}"
    found = try_to_load_from_cache(f"adefossez/{repository}", f"{signature}.safetensors")
    if isinstance(found, str):
        return Path(found)
    home = os.environ.get("TORCH_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch"
    )
    path = Path(home).expanduser() / "hub" / "checkpoints" / str(legacy)
    return path if path.is_file() else None


def _local(path: Path) -> Package:
    """The network of a file, of a folder with one network, or of FOLDER/NAME."""
    if path.is_file() and path.suffix in (".th", ".safetensors"):
        return Package(path.stem, (path,), (path.stem,))
    if path.is_file() and path.suffix == ".yaml":
        return _local_bag(path)
    if path.is_dir():
        bags = sorted(path.glob("*.yaml"))
        files = sorted([*path.glob("*.th"), *path.glob("*.safetensors")])
        if len(bags) == 1:
            return _local_bag(bags[0])
        if not bags and len(files) == 1:
            return _local(files[0])
        names = [file.stem for file in bags or files]
        raise ValueError(
            f"{path}: expected a folder with one network (a .th or .safetensors file, or a .yaml "
            f"file that names a bag of them), found {len(names)}"
            + (f": name one, as in {path / names[0]}." if names else ".")
        )
    if path.parent.is_dir():
        if (bag := path.parent / f"{path.name}.yaml").is_file():
            return _local_bag(bag)
        if (file := _in_folder(path.parent, path.name)) is not None:
            return _local(file)
    raise ValueError(
        f"{path}: no such file or folder, and no network of that name in {path.parent}. Expected a "
        ".th or .safetensors file, a bag's .yaml, a folder with one of them, or FOLDER/NAME."
    )


def _local_bag(path: Path) -> Package:
    try:
        bag = yaml.safe_load(path.read_text(encoding="utf-8"))
        signatures = list(map(str, bag["models"]))
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: does not describe a bag of networks ({type(error).__name__}). Expected "
            "`models: [SIGNATURE, …]`, and perhaps `weights` and `segment`."
        ) from error
    files = [_in_folder(path.parent, signature) for signature in signatures]
    if missing := [sig for sig, file in zip(signatures, files) if file is None]:
        raise SeparatorUnavailableError(
            f"{path}: names the networks {', '.join(missing)}, but {path.parent} holds no "
            f"{missing[0]}.th or {missing[0]}.safetensors. Copy them there."
        )
    return _bag(path.stem, bag | {"models": signatures}, files)
