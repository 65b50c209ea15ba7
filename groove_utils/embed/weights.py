"""Find, fetch and read weights from the Hugging Face hub.

Nothing is downloaded without being asked for: the error message of a missing model names the
command that fetches it. That command needs the network once; from then on the pinned revision is
read from the hub's cache, or from a folder that was filled by hand.
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
    "fetch_weights",
    "find_part",
    "find_weights",
    "offline",
    "read_json",
    "read_tensors",
    "weight_files",
    "weights_folder",
]

PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model"]
LEGACY = ["*.json", "*.bin", "*.txt", "*.model"]


def consented() -> set[str]:
    """Return the models whose own code may run: ``$GROOVE_REMOTE_CODE``, comma-separated."""
    return {name.strip() for name in os.environ.get("GROOVE_REMOTE_CODE", "").split(",")} - {""}


def availability(card: ModelCard) -> tuple[bool, str, str]:
    """Check whether a model can run here and now.

    Returns
    -------
    available : bool
    state : {'installed', 'cached', 'needs a download', 'needs an extra', 'needs consent',
            'through embeddings/', 'fails'}
    how : str
        The one command, or step, that makes it available; empty where it is.
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
    """Return the folder for a model's files copied by hand: ``$GROOVE_MODELS/<name>``.

    ``$GROOVE_MODELS`` is ``build/models`` where it is not set.
    """
    chosen = os.environ.get("GROOVE_MODELS")
    return (Path(chosen) if chosen else cache_folder().parent / "models") / name


def find_weights(card: ModelCard) -> Path | None:
    """Return the folder with all files that a model's load needs, or None if some are missing.

    Parameters
    ----------
    card : ModelCard
        Of a model with a `repository` on the hub; its `revision` is a commit.
    """
    if any(find_part(card, part) is None for part in card.parts):
        return None
    folders = [own_folder(card.name), *_snapshots(card.repository, card.revision)]
    return next((folder for folder in folders if not _missing(card, folder)), None)


def find_part(card: ModelCard, part: str) -> Path | None:
    """Return the ``config.json`` of another repository that a model's load needs, or None.

    It is that of the reader's own folder, ``$GROOVE_MODELS/<name>/<part's name>/config.json``, or
    else what the hub's cache holds as the part's latest version.
    """
    own = own_folder(card.name) / part.rpartition("/")[2] / "config.json"
    if own.is_file():
        return own
    from huggingface_hub import constants, try_to_load_from_cache

    found = try_to_load_from_cache(part, "config.json", cache_dir=constants.HF_HUB_CACHE)
    return Path(found) if isinstance(found, str) else None


def _snapshots(repository: str, revision: str) -> list[Path]:
    from huggingface_hub import constants

    root = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}/snapshots"
    return sorted(root.glob(f"{revision}*"))


def _missing(card: ModelCard, folder: Path) -> list[str]:
    """Required files missing from a folder."""
    missing = [
        pattern for pattern in card.files if not any(f.is_file() for f in folder.glob(pattern))
    ]
    return missing + [card.weights] * (not weight_files(folder))


def weight_files(folder: Path) -> list[Path]:
    """List a model's weight files; safetensors where there are any."""
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    return [file for file in files if file.is_file()]  # without broken links


def weights_folder(card: ModelCard) -> Path:
    """Return the folder of :func:`find_weights`, or raise an error that names what is missing.

    Raises
    ------
    ModelUnavailableError
    """
    folder = find_weights(card)
    if folder is not None:
        return folder
    own = own_folder(card.name)
    missing = _missing(card, own)
    begun = own.is_dir() and any(own.iterdir())
    found = f"{own} lacks {', '.join(missing)}" if begun and missing else ""
    raise ModelUnavailableError(
        f"{card.name}: {found or 'its files are not on this machine'}. With a network, run "
        f"`python -m groove_utils.embed fetch {card.name}`. Without one, {_by_hand(card)}",
        kind="missing_files",
        path=own,
        value=missing,
    )


def _by_hand(card: ModelCard) -> str:
    """Instructions to copy a model's files by hand."""
    own = own_folder(card.name)
    steps = (
        f"copy the files of {card.repository} at revision {card.revision} "
        f"({', '.join([*card.files, card.weights])}) into {own}."
    )
    for part in card.parts:
        name = part.rpartition("/")[2]
        steps += f" Copy config.json of {part} into {own / name}."
    if card.text_files:
        steps += f" To embed text, copy {', '.join(card.text_files)} as well."
    return steps


def fetch_weights(card: ModelCard) -> Path:
    """Download a model's files at its pinned revision; return their folder.

    Its authors' code is downloaded only where the model needs it and the reader allows it by name.

    Raises
    ------
    ModelUnavailableError
        If the reader has not allowed that code, the hub cannot be reached, or the repository lacks
        what the load needs.
    """
    from huggingface_hub import HfApi, snapshot_download

    name, repository = card.name, card.repository
    if card.opt_in and name not in consented():
        raise ModelUnavailableError(
            f"{name}: it runs its authors' code, which is downloaded with the weights of "
            f"{repository}. Nothing was fetched. If you trust that code, run "
            f"`export GROOVE_REMOTE_CODE={name}` and fetch again.",
            kind="needs_consent",
            value=name,
        )
    try:
        revision = _whole_revision(repository, card.revision)
        files = HfApi().list_repo_files(repository, revision=revision)
        safe = any(file.endswith(".safetensors") and "/" not in file for file in files)
        patterns = [*(PATTERNS if safe else LEGACY), *["*.py"] * card.opt_in]
        folder = Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
        for part in card.parts:
            snapshot_download(part, allow_patterns=["config.json"])
    except Exception as error:
        raise ModelUnavailableError(
            f"{name}: {repository} at revision {card.revision} could not be fetched "
            f"({type(error).__name__}: {error}). Run the command where there is a network. Or "
            f"{_by_hand(card)}",
            kind="not_fetched",
            value=name,
        ) from error
    if missing := _missing(card, folder):
        raise ModelUnavailableError(
            f"{name}: {repository} at revision {card.revision} was fetched, but lacks "
            f"{', '.join(missing)}. If you have them from elsewhere, {_by_hand(card)}",
            kind="missing_files",
            path=folder,
            value=missing,
        )
    return folder


def _whole_revision(repository: str, revision: str) -> str:
    """Full name of a commit; the hub takes no short form."""
    if len(revision) == 40:
        return revision
    from huggingface_hub import HfApi

    names = [commit.commit_id for commit in HfApi().list_repo_commits(repository)]
    found = [name for name in names if name.startswith(revision)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} of its {len(names)} commits begin with {revision}")
    return found[0]


@contextlib.contextmanager
def offline(name: str):
    """Keep another library from reaching for the hub while it loads a model.

    Raises
    ------
    ModelUnavailableError
        In place of the hub's own errors, where it tries to.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise ModelUnavailableError(
            f"{name}: its load asked the hub for more than what is on this machine "
            f"({type(error).__name__}: {error}). With a network, run "
            f"`python -m groove_utils.embed fetch {name}`.",
            kind="missing_files",
            value=name,
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = before


def read_json(name: str, path: Path) -> dict:
    """Read a model's configuration file.

    Raises
    ------
    ModelRefusedError
        If it is not JSON, or holds no mapping.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _unreadable(name, path, error) from error
    if not isinstance(content, dict):
        raise _unreadable(name, path, f"it holds a {type(content).__name__}, expected a mapping")
    return content


def read_tensors(name: str, folder: Path) -> dict:
    """Read all tensors of a model's weight files, by their names there.

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
        except Exception as error:  # each format has its own
            raise _unreadable(name, file, error) from error
    return tensors


def _unreadable(name: str, path: Path, reason: object) -> ModelRefusedError:
    if isinstance(reason, Exception):
        reason = f"{type(reason).__name__}: {reason}"
    path = path.resolve()  # deleting only a link of the hub's cache would leave the damaged file
    return ModelRefusedError(
        f"{name}: refused. {path} cannot be read ({reason}): it is damaged, or was not copied "
        f"completely. Delete it, and fetch it again with `python -m groove_utils.embed fetch "
        f"{name}`.",
        kind="damaged_file",
        path=path,
    )
