"""Weights from the Hugging Face hub: where they are, and how they come here.

Nothing is downloaded behind a reader's back: a model that is not here says which command fetches
it. That command needs the network once; from then on the pinned revision is read from the cache,
or from a folder that was filled by hand.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from groove_utils.embed.adapters import ModelUnavailableError

__all__ = ["fetch_weights", "find_weights", "weights_folder"]

PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model"]
LEGACY = ["*.json", "*.bin", "*.txt", "*.model"]


def own_folder(name: str) -> Path:
    """Where a reader may put a model's files by hand: ``$GROOVE_MODELS/<name>``.

    ``$GROOVE_MODELS`` is ``build/models`` where it is not set.
    """
    from groove_utils.paths import cache_folder

    chosen = os.environ.get("GROOVE_MODELS")
    return (Path(chosen) if chosen else cache_folder().parent / "models") / name


def find_weights(name: str, repository: str, revision: str) -> Path | None:
    """The folder with a model's files on this machine, or None.

    Parameters
    ----------
    name : str
        In the catalogue.
    repository, revision : str
        On the hub; the revision is a commit.
    """
    if (own_folder(name) / "config.json").is_file():
        return own_folder(name)
    if importlib.util.find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import constants

    snapshots = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}/snapshots"
    for folder in sorted(snapshots.glob(f"{revision}*")):
        if (folder / "config.json").is_file() and weight_files(folder):
            return folder
    return None


def weight_files(folder: Path) -> list[Path]:
    """A model's weight files; safetensors where there are any."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))


def weights_folder(name: str, repository: str, revision: str) -> Path:
    """As :func:`find_weights`, but with an error that says how to get what is missing.

    Raises
    ------
    ModelUnavailableError
    """
    folder = find_weights(name, repository, revision)
    if folder is None:
        raise ModelUnavailableError(
            f"{name}: its weights are not on this machine. With a network, run "
            f"`python -m groove_utils.embed fetch {name}`. Without one, copy the files of "
            f"{repository} at revision {revision} (config.json, preprocessor_config.json, "
            f"model.safetensors) into {own_folder(name)}."
        )
    if not weight_files(folder):
        raise ModelUnavailableError(
            f"{name}: {folder} holds config.json but neither model.safetensors nor "
            "pytorch_model.bin. Copy one of them there."
        )
    return folder


def fetch_weights(name: str, repository: str, revision: str) -> Path:
    """Download a model's files at its pinned revision, and give their folder.

    Raises
    ------
    ModelUnavailableError
        If the hub cannot be reached.
    """
    from huggingface_hub import HfApi, snapshot_download

    try:
        files = HfApi().list_repo_files(repository, revision=revision)
        safe = any(file.endswith(".safetensors") and "/" not in file for file in files)
        patterns = PATTERNS if safe else LEGACY
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except Exception as error:
        raise ModelUnavailableError(
            f"{name}: {repository} at revision {revision} could not be fetched "
            f"({type(error).__name__}: {error}). Run the command where there is a network, or copy "
            f"its files into {own_folder(name)}."
        ) from error


def read_tensors(folder: Path) -> dict:
    """All tensors of a model's weight files, by their names there."""
    tensors = {}
    for file in weight_files(folder):
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            tensors |= load_file(file)
        else:
            import torch

            tensors |= torch.load(file, map_location="cpu", weights_only=True)
    return tensors
