import nbformat
import pytest

from groove_utils.book import open_chapter, outputs, players


@pytest.fixture
def shown(monkeypatch):
    """Displayed objects, as a list of (object, metadata)."""
    seen = []

    def display(what, raw=False, metadata=None):
        seen.append((what, metadata))

    monkeypatch.setattr(outputs, "display", display)
    monkeypatch.setattr(players, "display", display)
    return seen


@pytest.fixture
def in_book(make_study, tmp_path, monkeypatch, shown):
    """Function that opens a chapter for a tiny study, as the book's runner does."""

    def begin(**options):
        monkeypatch.setenv("GROOVE_BUILD", str(tmp_path / "build"))
        return open_chapter("01-one", make_study(**options))

    return begin


@pytest.fixture
def at_home(make_study, tmp_path, monkeypatch, shown):
    """A chapter that a reader has opened in Jupyter."""
    monkeypatch.delenv("GROOVE_BUILD", raising=False)
    return open_chapter("01-one", make_study())


@pytest.fixture
def read():
    return lambda path: nbformat.read(path, as_version=4)
