"""Download weights from the Hugging Face hub at pinned revisions.

If a download is interrupted, start it again: files that are already complete are kept. If the
connection is lost only briefly, the hub's client resumes the download by itself.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from groove_utils.cache import format_bytes
from groove_utils.embed import fingerprints
from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.cards import ModelCard
from groove_utils.embed.loading import forget_models, verify_or_record
from groove_utils.embed.weights import (
    availability,
    consented,
    copy_steps,
    find_weights,
    missing_files,
)
from groove_utils.files import hash_file

__all__ = ["Download", "RemoteFile", "fetch_models", "fetch_weights", "plan_download"]

PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model"]
LEGACY = ["*.json", "*.bin", "*.txt", "*.model"]


class RemoteFile(NamedTuple):
    """A file on the hub: name, size in bytes, and SHA-256 hash (hex; None if unknown)."""

    name: str
    size: int
    sha256: str | None


@dataclass(frozen=True)
class Download:
    """Files to download from the Hugging Face hub for one model.

    Attributes
    ----------
    card : ModelCard
        Card of the model.
    revision : str
        Full hash of the commit.
    patterns : tuple of str
        Patterns for the names of the files to download.
    files : tuple of RemoteFile
        All matching files, including those that are already in the cache.
    """

    card: ModelCard
    revision: str
    patterns: tuple[str, ...]
    files: tuple[RemoteFile, ...]

    @property
    def missing_bytes(self) -> int:
        """Total size in bytes of the files that are not yet in the hub's local cache."""
        return sum(file.size for file in self.files if self._cached(file) is None)

    def _cached(self, file: RemoteFile) -> str | None:
        from huggingface_hub import constants, try_to_load_from_cache

        place = {"cache_dir": constants.HF_HUB_CACHE, "revision": self.revision}
        path = try_to_load_from_cache(self.card.repository, file.name, **place)
        return path if isinstance(path, str) else None


def plan_download(card: ModelCard) -> Download:
    """List the files that would be downloaded for a model, without downloading anything.

    Returns
    -------
    Download
        The files, and the commit from which they would be downloaded.

    Raises
    ------
    ModelUnavailableError
        If the model requires its authors' code and the user has not allowed it
        (``kind="needs_consent"``), if the hub does not respond (``"hub_unreachable"``), or if the
        hub returns an error (``"not_fetched"``).
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import filter_repo_objects

    if card.opt_in and card.name not in consented():
        raise ModelUnavailableError(
            f"{card.name}: this model runs its authors' code, which is downloaded with the weights "
            f"from {card.repository}. Nothing was fetched. If you trust this code, run "
            f"`export GROOVE_REMOTE_CODE={card.name}`, then fetch again.",
            kind="needs_consent",
            value=card.name,
        )
    try:
        revision = _full_revision(card.repository, card.revision)
        info = HfApi().model_info(card.repository, revision=revision, files_metadata=True)
    except (HfHubHTTPError, LookupError) as error:  # the hub has responded
        raise _not_fetched(card, error) from error
    except Exception as error:  # several libraries raise connection errors
        raise _not_fetched(card, error, "hub_unreachable") from error
    names = [file.rfilename for file in info.siblings]
    safe = any(name.endswith(".safetensors") and "/" not in name for name in names)
    patterns = [*(PATTERNS if safe else LEGACY), *["*.py"] * card.opt_in]
    wanted = set(filter_repo_objects(names, allow_patterns=patterns))
    files = [
        RemoteFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else None)
        for file in info.siblings
        if file.rfilename in wanted
    ]
    return Download(card, revision, tuple(patterns), tuple(files))


def _full_revision(repository: str, revision: str) -> str:
    """Return the full hash of a commit, because the hub does not accept abbreviated hashes."""
    if len(revision) == 40:
        return revision
    from huggingface_hub import HfApi

    commits = [commit.commit_id for commit in HfApi().list_repo_commits(repository)]
    matches = [commit for commit in commits if commit.startswith(revision)]
    if len(matches) != 1:
        raise LookupError(f"{len(matches)} of its {len(commits)} commits begin with {revision}")
    return matches[0]


def _not_fetched(
    card: ModelCard, error: Exception, kind: str = "not_fetched"
) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{card.name}: {card.repository} at revision {card.revision} could not be fetched "
        f"({type(error).__name__}: {error}). Run the command with an internet connection, or "
        f"{copy_steps(card)}",
        kind=kind,
        value=card.name,
    )


def fetch_weights(card: ModelCard, download: Download | None = None) -> Path:
    """Download a model's files from the hub at the pinned revision, and return their folder.

    The authors' code is downloaded only if the model requires it and the user has allowed it in
    ``$GROOVE_REMOTE_CODE``.

    Parameters
    ----------
    card : ModelCard
        Card of the model.
    download : Download, optional
        Files to download; by default, the result of :func:`plan_download`.

    Raises
    ------
    ModelUnavailableError
        If the model requires code that the user has not allowed, the files cannot be downloaded, or
        the repository lacks required files.
    ModelRefusedError
        If the hash of a file differs from the hash reported by the hub.
    """
    from huggingface_hub import snapshot_download

    download = download or plan_download(card)
    options = {"revision": download.revision, "allow_patterns": list(download.patterns)}
    try:
        folder = Path(snapshot_download(card.repository, **options))
        for part in card.parts:
            snapshot_download(part, allow_patterns=["config.json"])
    except Exception as error:  # several libraries raise connection and disk errors
        raise _not_fetched(card, error) from error
    if missing := missing_files(card, folder):
        raise ModelUnavailableError(
            f"{card.name}: {card.repository} at revision {card.revision} was fetched, but lacks "
            f"{', '.join(missing)}. If you have these files from elsewhere, {copy_steps(card)}",
            kind="missing_files",
            path=folder,
            value=missing,
        )
    for file in download.files:
        if file.sha256 and hash_file(folder / file.name) != file.sha256:
            path = (folder / file.name).resolve()  # the folder contains only links to the files
            raise ModelRefusedError(
                f"{card.name}: {path} does not match the hash that the hub reports for "
                f"{file.name}. Delete the file, then fetch again.",
                kind="damaged_file",
                path=path,
                value=file.sha256,
            )
    return folder


def fetch_models(cards: Iterable[ModelCard]) -> int:
    """Download models from the Hugging Face hub, and verify or record their fingerprints.

    Sizes and licences are printed before anything is downloaded. If one model fails, the others are
    still downloaded. A model with a record in the package's ``fingerprints.json`` is compared with
    that record; for any other model, a record is added.

    Parameters
    ----------
    cards : iterable of ModelCard
        Cards of the models.

    Returns
    -------
    int
        Number of models that could not be downloaded or verified, or that cannot run on this
        machine.

    Raises
    ------
    ModelUnavailableError
        If the hub does not respond (``kind="hub_unreachable"``), or the disk has too little space
        for the files (``"disk_full"``). In both cases, nothing is downloaded.
    """
    cards = list(cards)
    downloads, problems = _plan_downloads(cards)
    _check_space(downloads)
    for card in cards:
        download = downloads.get(card.name)
        if download is None and find_weights(card) is None:
            continue
        try:
            if download:
                print(f"{card.name}: fetched into {fetch_weights(card, download)}")
            available, _, how = availability(card)
            if available:
                result = "matches its record" if verify_or_record(card.name) else "recorded"
                print(f"{card.name}: {result} in {fingerprints.REGISTRY}")
            else:
                problems.append(f"{card.name}: its files are on this machine; to run it, {how}")
        except (ModelUnavailableError, ModelRefusedError) as error:
            problems.append(str(error))
        finally:
            forget_models()  # they may occupy gigabytes of memory
    for problem in problems:
        print(problem, file=sys.stderr)
    return len(problems)


def _plan_downloads(cards: Iterable[ModelCard]) -> tuple[dict[str, Download], list[str]]:
    """Print each model's state; return the planned downloads by model, and error messages."""
    downloads, problems = {}, []
    for card in cards:
        terms = f"{card.licence}{f' ({card.terms})' if card.terms else ''}"
        if not card.repository:
            print(f"{card.name}: not on the hub, {terms}; {card.install}")
        elif find_weights(card) is not None:
            print(f"{card.name}: on this machine, {terms}")
        elif card.opt_in and card.name not in consented():
            print(
                f"{card.name}: skipped, {terms}; it runs its authors' code. If you trust this "
                f"code, run `export GROOVE_REMOTE_CODE={card.name}`, then fetch again"
            )
        else:
            try:
                download = plan_download(card)
            except ModelUnavailableError as error:
                if error.kind == "hub_unreachable":
                    raise _unreachable(cards, error.__cause__) from error
                problems.append(str(error))
                continue
            downloads[card.name] = download
            size = format_bytes(download.missing_bytes)
            _, state, how = availability(card)
            needs = f"; to run it, {how}" if state == "needs an extra" else ""
            print(f"{card.name}: {size} to fetch from {card.repository}, {terms}{needs}")
    return downloads, problems


def _unreachable(cards: Iterable[ModelCard], error: Exception) -> ModelUnavailableError:
    from huggingface_hub import constants

    wanted = [
        card
        for card in cards
        if card.repository
        and find_weights(card) is None
        and not (card.opt_in and card.name not in consented())
    ]
    names = ", ".join(f"{card.name} ({card.repository})" for card in wanted)
    published = " To use their published vectors instead of weights, set STUDY=marmoret2026."
    if not all(card.in_paper for card in wanted):
        published = ""
    return ModelUnavailableError(
        f"The hub at {constants.ENDPOINT} does not respond ({type(error).__name__}: {error}). "
        f"Missing models: {names}. Nothing was fetched. Run the same command again with an "
        f"internet connection, or run it on another machine and copy the files that it downloads "
        f"to {constants.HF_HUB_CACHE} on this machine.{published}",
        kind="hub_unreachable",
        path=constants.HF_HUB_CACHE,
        value=[card.name for card in wanted],
    )


def _check_space(downloads: Mapping[str, Download]) -> None:
    """Print the total size of the downloads; raise an error if the disk has too little space."""
    from huggingface_hub import constants

    needed = sum(download.missing_bytes for download in downloads.values())
    if not needed:
        return
    folder = Path(constants.HF_HUB_CACHE)
    existing = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(existing).free
    sizes = f"{format_bytes(needed)} to fetch into {folder}, where {format_bytes(free)} is free"
    if needed > free:
        raise ModelUnavailableError(
            f"{sizes}. Nothing was fetched. Free some space, or set HF_HOME to a folder on a "
            "larger disk.",
            kind="disk_full",
            path=folder,
            value=needed,
        )
    print(f"{len(downloads)} models: {sizes}")
