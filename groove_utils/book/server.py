"""Local web server for the built pages."""

from __future__ import annotations

import errno
import functools
import http.server
from pathlib import Path

from groove_utils.book.errors import BookError

__all__ = ["serve_pages"]


def serve_pages(html: Path, port: int) -> None:
    """Serve a folder of pages on this machine until interrupted.

    Parameters
    ----------
    html : pathlib.Path
        Folder of the pages.
    port : int
        Port on which the server listens.

    Raises
    ------
    BookError
        If the port is in use or reserved by the system.
    """
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=html)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        other = port + 1 if 1024 < port < 65535 else 8001
        reason = "is in use" if error.errno == errno.EADDRINUSE else "is reserved by the system"
        raise BookError(
            f"PORT={port} {reason}; choose another: `make serve PORT={other}`.",
            kind="busy_port",
            column="PORT",
            value=port,
        ) from None
    with server:
        print(f"The book: http://localhost:{port} (press Ctrl+C to stop)", flush=True)
        server.serve_forever()
