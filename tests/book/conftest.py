from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

GENERATED = {"genindex.html", "search.html", "py-modindex.html"}


@pytest.fixture(scope="session")
def soups(built_book: Path) -> dict[str, BeautifulSoup]:
    """Parsed HTML of all pages by file name, including the generated index and search pages."""
    return {
        page.name: BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        for page in sorted(built_book.glob("*.html"))
    }


@pytest.fixture(scope="session")
def articles(soups: dict[str, BeautifulSoup]) -> dict[str, BeautifulSoup]:
    """The element with the content of each page, without the generated pages."""
    found = {name: soup.find("article") for name, soup in soups.items() if name not in GENERATED}
    assert found
    assert all(found.values()), [name for name, article in found.items() if article is None]
    return found
