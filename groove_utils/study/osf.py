"""Download projects from the Open Science Framework (osf.io)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm.auto import tqdm

from groove_utils.files import hash_file, write_if_changed
from groove_utils.study.download import TIMEOUT, download_file
from groove_utils.study.problems import StudyError, problem

__all__ = ["RemoteFile", "check_files", "download_files", "list_files"]

API = "https://api.osf.io/v2"
HASHES = "hashes.json"


@dataclass(frozen=True)
class RemoteFile:
    """A file on OSF.

    Parameters
    ----------
    path : str
        Project and path in it.
    url : str
        Address of its content.
    sha256 : str or None
        Its hash; None if OSF does not state one.
    """

    path: str
    url: str
    sha256: str | None


def list_files(project: str) -> Iterator[RemoteFile]:
    """List the files of a project and of its components.

    Parameters
    ----------
    project : str
        Five letters and digits, as in ``osf.io/3zjkd``. The token in ``OSF_TOKEN`` is used if set.

    Raises
    ------
    OSError, RuntimeError
        If OSF does not answer, or answers in another form.
    """
    from osfclient.api import OSF
    from osfclient.exceptions import OSFException

    try:
        for storage in OSF(token=os.environ.get("OSF_TOKEN")).project(project).storages:
            for file in storage.files:
                sha256 = (file.hashes or {}).get("sha256")
                yield RemoteFile(f"{project}/{file.path.lstrip('/')}", file._download_url, sha256)
    except (OSFException, KeyError) as error:
        raise RuntimeError(f"project {project}: {error}") from error
    answer = requests.get(f"{API}/nodes/{project}/children/", timeout=TIMEOUT)  # not in osfclient
    answer.raise_for_status()
    for child in answer.json()["data"]:
        yield from list_files(child["id"])


def download_files(files: Iterable[RemoteFile], folder: Path) -> None:
    """Download files into ``<folder>/<path>``, and record their hashes in ``hashes.json``.

    Files that are there with the recorded hash are not downloaded again, so an interrupted
    download continues.

    Raises
    ------
    ConnectionError
        If OSF does not answer.
    StudyError
        If a file has changed since it was first downloaded, or differs from the hash that OSF
        states.
    """
    record = folder / HASHES
    hashes, problems = _read_hashes(folder), []
    for file in tqdm(list(files), desc="OSF", unit="file"):
        sha256 = hashes.get(file.path) or file.sha256
        if file.sha256 not in (None, sha256):
            details = {"value": file.sha256, "expected": sha256, "record": record}
            problems.append(problem("changed_remote", file.path, **details))
            continue
        try:
            hashes[file.path] = hash_file(download_file(file.url, folder / file.path, sha256))
        except ValueError:
            problems.append(problem("wrong_hash", folder / file.path, expected=sha256))
        except OSError as error:
            raise ConnectionError(f"{file.url}: {error}. Run again to continue.") from error
        write_if_changed(record, json.dumps(hashes, indent=1, sort_keys=True))
    StudyError.raise_any(folder, problems)


def check_files(folder: Path) -> None:
    """Compare downloaded files with the recorded hashes.

    Raises
    ------
    StudyError
        If files have changed.
    """
    paths = {folder / name: sha256 for name, sha256 in _read_hashes(folder).items()}
    problems = [
        problem("wrong_hash", path, expected=sha256)
        for path, sha256 in paths.items()
        if path.is_file() and hash_file(path) != sha256
    ]
    StudyError.raise_any(folder, problems)


def _read_hashes(folder: Path) -> dict[str, str]:
    path = folder / HASHES
    return json.loads(path.read_text()) if path.is_file() else {}
