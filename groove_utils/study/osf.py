"""Download projects from the Open Science Framework (osf.io)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import requests
from osfclient.api import OSF
from osfclient.exceptions import OSFException
from tqdm import tqdm

from groove_utils.files import hash_file, write_if_changed
from groove_utils.study.download import TIMEOUT, download_file
from groove_utils.study.problems import StudyError, problem

__all__ = ["RemoteFile", "download_files", "list_files"]

API = "https://api.osf.io/v2"


class RemoteFile(NamedTuple):
    """A file on OSF: project and path, URL of the content, and SHA-256 hash (None if unknown)."""

    path: str
    url: str
    sha256: str | None


def list_files(project: str) -> Iterator[RemoteFile]:
    """List the files of a project and of its components.

    Parameters
    ----------
    project : str
        Five-character identifier, as in ``osf.io/3zjkd``.

    Yields
    ------
    RemoteFile

    Raises
    ------
    OSError, RuntimeError
        If OSF does not respond, or responds in an unexpected format.

    Notes
    -----
    If the environment variable ``OSF_TOKEN`` contains an access token, it is used.
    """
    try:
        for storage in OSF(token=os.environ.get("OSF_TOKEN")).project(project).storages:
            for file in storage.files:
                sha256 = (file.hashes or {}).get("sha256")
                yield RemoteFile(f"{project}/{file.path.lstrip('/')}", file._download_url, sha256)
    except (OSFException, KeyError) as error:
        raise RuntimeError(f"project {project}: {error}") from error
    # osfclient does not list components
    response = requests.get(f"{API}/nodes/{project}/children/", timeout=TIMEOUT)
    response.raise_for_status()
    for child in response.json()["data"]:
        yield from list_files(child["id"])


def download_files(files: Iterable[RemoteFile], folder: Path) -> None:
    """Download files to ``<folder>/<path>``, and record their hashes in ``hashes.json``.

    Files that exist with the recorded hash are not downloaded again, so an interrupted download can
    be resumed.

    Parameters
    ----------
    files : iterable of RemoteFile
        Files from :func:`list_files`.
    folder : pathlib.Path
        Output folder.

    Raises
    ------
    ConnectionError
        If OSF does not respond.
    StudyError
        If a file has changed since it was first downloaded, or does not match the hash stated by
        OSF.
    """
    record = folder / "hashes.json"
    hashes = json.loads(record.read_text()) if record.is_file() else {}
    problems = []
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
