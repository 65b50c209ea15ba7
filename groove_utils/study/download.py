"""Download published files and verify their hashes."""

from __future__ import annotations

from pathlib import Path

import pooch

__all__ = ["TIMEOUT", "download_file"]

# Timeouts in seconds for connecting (for each IP address of the host) and for receiving a response.
# They are short, because a chapter shows a note instead of its results if there is no network.
TIMEOUT = (2, 20)
pooch.get_logger().setLevel("WARNING")


def download_file(url: str, path: Path, sha256: str | None = None) -> Path:
    """Download a file unless it already exists with the expected hash, and return its path.

    Parameters
    ----------
    url : str
        URL of the file.
    path : pathlib.Path
        Path to write the file to.
    sha256 : str, optional
        Expected SHA-256 hash. If None, any existing file is accepted.

    Raises
    ------
    OSError
        If the file cannot be downloaded.
    ValueError
        If the downloaded file has a different hash.
    """
    pooch.retrieve(
        url,
        known_hash=sha256 and f"sha256:{sha256}",
        fname=path.name,
        path=path.parent,
        downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
    )
    return path
