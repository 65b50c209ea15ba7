"""Download published files and verify their hashes."""

from __future__ import annotations

from pathlib import Path

import pooch

__all__ = ["TIMEOUT", "download_file"]

# Seconds to connect (per address of the host) and to wait for a response. They are short because,
# without a network, a chapter shows a box instead of the results.
TIMEOUT = (2, 20)
pooch.get_logger().setLevel("WARNING")


def download_file(url: str, path: Path, sha256: str | None = None) -> Path:
    """Download a file unless it exists with the expected hash, and return its path.

    Parameters
    ----------
    url : str
        Address of the file.
    path : pathlib.Path
        Path to which the file is written.
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
