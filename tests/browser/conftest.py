from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from groove_utils.book.pdf import find_chromium


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    absent = pytest.mark.skipif(
        find_chromium() is None,
        reason="no Chromium: install Debian's package chromium, or set CHROMIUM",
    )
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(absent)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def address(built_book: Path) -> Iterator[str]:
    """Address of the book's pages, served on a free local port."""
    handler = functools.partial(Quiet, directory=str(built_book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]
    arguments.append("--autoplay-policy=no-user-gesture-required")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser, address):
    """Function that loads a page, without access to other hosts.

    An example is ``visit("index", width=1280, theme="dark")``.

    ``page.complaints`` collects console errors, uncaught errors and failed local requests.
    """
    contexts = []

    def go(name: str, *, width: int = 1280, theme: str = "light"):
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        set_mode = "; ".join(
            f"localStorage.setItem('{key}', '{theme}')" for key in ("mode", "theme")
        )
        context.add_init_script(f"if (!localStorage.getItem('mode')) {{ {set_mode} }}")
        page = context.new_page()
        page.complaints = []

        def own(url: str) -> bool:
            return f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" == address

        def decide(route):
            local = own(route.request.url) or urlsplit(route.request.url).scheme in {"data", "blob"}
            route.continue_() if local else route.abort()

        def on_console(message):
            source = message.location.get("url", "")
            if message.type == "error" and (not source or own(source)):
                page.complaints.append(f"console: {message.text} ({source})")

        def on_error(error):
            page.complaints.append(f"error: {error}")

        def on_response(response):
            if own(response.url) and response.status >= 400:
                page.complaints.append(f"{response.status}: {response.url}")

        page.route("**/*", decide)
        page.on("console", on_console)
        page.on("pageerror", on_error)
        page.on("response", on_response)
        page.goto(f"{address}/{name}", wait_until="load")
        return page

    yield go
    for context in contexts:
        context.close()
