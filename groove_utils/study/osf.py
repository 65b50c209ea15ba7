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
    """File on OSF.

    Attributes
    ----------
    path : str
        Identifier of the project, followed by the path of the file in the project.
    url : str
        URL of the file's content.
    sha256 : str or None
        SHA-256 hash; None if OSF does not report one.
    """

    path: str
    url: str
    sha256: str | None


def list_files(project: str) -> Iterator[RemoteFile]:
    """List the files in a project and in its components.

    Parameters
    ----------
    project : str
        Five-character identifier of the project, such as ``3zjkd`` for ``osf.io/3zjkd``.

    Yields
    ------
    RemoteFile

    Raises
    ------
    OSError, RuntimeError
        If OSF does not respond, reports an error, or responds in an unexpected format.

    Notes
    -----
    If the environment variable ``OSF_TOKEN`` is set, its value is used as the access token.
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
    """Download files to ``<folder>/<path>``, and record their hashes in ``<folder>/hashes.json``.

    Files that already exist and match their recorded hash are not downloaded again, so an
    interrupted download can be resumed.

    Parameters
    ----------
    files : iterable of RemoteFile
        Files to download, for example from :func:`list_files`.
    folder : pathlib.Path
        Output folder.

    Raises
    ------
    ConnectionError
        If a file cannot be downloaded.
    StudyError
        If a file has changed since it was first downloaded, or does not match the hash reported by
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
            raise ConnectionError(f"{file.url}: {error}. Run again to resume.") from error
        write_if_changed(record, json.dumps(hashes, indent=1, sort_keys=True))
    StudyError.raise_any(folder, problems)
