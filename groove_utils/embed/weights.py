"""Find and read the weights of models from the Hugging Face hub.

Weights are downloaded only on request. If a model is missing, the error message gives the command
to download it. Once downloaded, the pinned revision is read from the hub's local cache. The files
can also be copied to a folder by hand.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
from pathlib import Path

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.cards import ModelCard
from groove_utils.paths import cache_folder

__all__ = [
    "availability",
    "consented",
    "copy_steps",
    "find_part",
    "find_weights",
    "missing_files",
    "offline",
    "read_json",
    "read_tensors",
    "weight_files",
    "weights_folder",
]


def consented() -> set[str]:
    """Return the names of models whose code the user has allowed via ``$GROOVE_REMOTE_CODE``."""
    return {name.strip() for name in os.environ.get("GROOVE_REMOTE_CODE", "").split(",")} - {""}


def availability(card: ModelCard) -> tuple[bool, str, str]:
    """Check whether a model can currently run on this machine.

    Returns
    -------
    available : bool
        True if the model can run.
    state : {'installed', 'cached', 'needs a download', 'needs an extra', 'needs consent',
            'through embeddings/', 'fails'}
        ``'installed'`` or ``'cached'`` if the model can run; otherwise, the reason it cannot.
    how : str
        Command or step that makes the model available; empty if it is available.
    """
    if card.fault:
        return False, "fails", card.fault
    if not card.factory:
        return False, "through embeddings/", card.install
    if any(not importlib.util.find_spec(package) for package in card.packages):
        return False, "needs an extra", card.install
    if card.opt_in and card.name not in consented():
        return False, "needs consent", f"export GROOVE_REMOTE_CODE={card.name}"
    if not card.repository:
        return True, "installed", ""
    if find_weights(card) is None:
        return False, "needs a download", f"python -m groove_utils.embed fetch {card.name}"
    return True, "cached", ""


def own_folder(name: str) -> Path:
    """Return the folder for model files copied by hand, ``$GROOVE_MODELS/<name>``.

    If this environment variable is not set, ``build/models/<name>`` is used.
    """
    chosen = os.environ.get("GROOVE_MODELS")
    return (Path(chosen) if chosen else cache_folder().parent / "models") / name


def find_weights(card: ModelCard) -> Path | None:
    """Return the folder with all files needed to load a model, or None if some are missing.

    Parameters
    ----------
    card : ModelCard
        Card of a model from the hub, with a `repository` and a commit hash as its `revision`.
    """
    if any(find_part(card, part) is None for part in card.parts):
        return None
    folders = [own_folder(card.name), *_snapshots(card.repository, card.revision)]
    return next((folder for folder in folders if not missing_files(card, folder)), None)


def find_part(card: ModelCard, part: str) -> Path | None:
    """Find a ``config.json`` file from another repository that is needed to load a model.

    Parameters
    ----------
    card : ModelCard
        Card of the model.
    part : str
        Name of the other repository, in the form ``owner/name``.

    Returns
    -------
    pathlib.Path or None
        ``$GROOVE_MODELS/<model>/<name>/config.json`` if it exists; otherwise the latest version in
        the hub's local cache, or None if there is none.
    """
    copy = own_folder(card.name) / part.rpartition("/")[2] / "config.json"
    if copy.is_file():
        return copy
    from huggingface_hub import constants, try_to_load_from_cache

    path = try_to_load_from_cache(part, "config.json", cache_dir=constants.HF_HUB_CACHE)
    return Path(path) if isinstance(path, str) else None


def _snapshots(repository: str, revision: str) -> list[Path]:
    from huggingface_hub import constants

    root = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}/snapshots"
    return sorted(root.glob(f"{revision}*"))


def missing_files(card: ModelCard, folder: Path) -> list[str]:
    """List the files that a model requires but that are missing from a folder."""
    missing = [
        pattern for pattern in card.files if not any(f.is_file() for f in folder.glob(pattern))
    ]
    return missing + [card.weights] * (not weight_files(folder))


def weight_files(folder: Path) -> list[Path]:
    """List the weights files in a folder: safetensors if there are any, otherwise PyTorch files."""
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    return [file for file in files if file.is_file()]  # not broken links


def weights_folder(card: ModelCard) -> Path:
    """Return the folder with all files needed to load a model.

    Raises
    ------
    ModelUnavailableError
        If files are missing; the message lists them and says how to obtain them.
    """
    folder = find_weights(card)
    if folder is not None:
        return folder
    target = own_folder(card.name)
    missing = missing_files(card, target)
    is_filled = target.is_dir() and any(target.iterdir())
    state = "its files are not on this machine"
    if is_filled and missing:
        state = f"{target} lacks {', '.join(missing)}"
    raise ModelUnavailableError(
        f"{card.name}: {state}. With an internet connection, run `python -m groove_utils.embed "
        f"fetch {card.name}`. Without one, {copy_steps(card)}",
        kind="missing_files",
        path=target,
        value=missing,
    )


def copy_steps(card: ModelCard) -> str:
    """Return instructions for copying a model's files by hand."""
    target = own_folder(card.name)
    steps = (
        f"copy the files of {card.repository} at revision {card.revision} "
        f"({', '.join([*card.files, card.weights])}) into {target}."
    )
    for part in card.parts:
        name = part.rpartition("/")[2]
        steps += f" Copy config.json of {part} into {target / name}."
    if card.text_files:
        steps += f" To embed text, copy {', '.join(card.text_files)} as well."
    return steps


@contextlib.contextmanager
def offline(name: str):
    """Prevent a library from accessing the Hugging Face hub within a ``with`` block.

    Parameters
    ----------
    name : str
        Name of the model that the library loads; used in the error message.

    Raises
    ------
    ModelUnavailableError
        If the library tries to access the hub because a file is missing.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise ModelUnavailableError(
            f"{name}: loading it required files that are not on this machine "
            f"({type(error).__name__}: {error}). With an internet connection, run "
            f"`python -m groove_utils.embed fetch {name}`.",
            kind="missing_files",
            value=name,
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = before


def read_json(name: str, path: Path) -> dict:
    """Read a model's JSON configuration file.

    Parameters
    ----------
    name : str
        Name of the model, for the error message.
    path : pathlib.Path
        The configuration file.

    Raises
    ------
    ModelRefusedError
        If the file is not valid JSON, or its content is not a mapping.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _unreadable(name, path, error) from error
    if not isinstance(content, dict):
        raise _unreadable(name, path, f"it contains a {type(content).__name__}, not a mapping")
    return content


def read_tensors(name: str, folder: Path) -> dict:
    """Read all tensors from a model's weights files; return them by name.

    Parameters
    ----------
    name : str
        Name of the model, for the error message.
    folder : pathlib.Path
        Folder that contains the weights files.

    Raises
    ------
    ModelRefusedError
        If a file is damaged.
    """
    tensors = {}
    for file in weight_files(folder):
        try:
            if file.suffix == ".safetensors":
                from safetensors.torch import load_file

                tensors |= load_file(file)
            else:
                import torch

                tensors |= torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception as error:  # each file format raises its own errors
            raise _unreadable(name, file, error) from error
    return tensors


def _unreadable(name: str, path: Path, reason: object) -> ModelRefusedError:
    if isinstance(reason, Exception):
        reason = f"{type(reason).__name__}: {reason}"
    path = path.resolve()  # deleting only the link in the hub's cache would keep the file
    return ModelRefusedError(
        f"{name}: refused. {path} cannot be read ({reason}): it is damaged, or was not copied "
        f"completely. Delete it, then fetch it again with `python -m groove_utils.embed fetch "
        f"{name}`.",
        kind="damaged_file",
        path=path,
    )
