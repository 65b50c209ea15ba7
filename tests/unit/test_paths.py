"""Folders of generated files, and environment variables that change them."""

from pathlib import Path

import pytest

import groove_utils
from groove_utils import paths


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    for name in ("GROOVE_BUILD", "GROOVE_CACHE"):
        monkeypatch.delenv(name, raising=False)


def test_the_root_is_the_checkout():
    root = Path(groove_utils.__file__).parents[1]
    assert paths.project_root() == root
    assert (paths.project_root() / "Makefile").is_file()
    assert paths.build_folder() == root / "build" / "demo"
    assert paths.build_folder("mine") == root / "build" / "mine"
    assert paths.cache_folder() == root / "build" / "cache"


def test_an_installed_package_works_in_the_current_folder(monkeypatch, tmp_path):
    installed = tmp_path / "site-packages" / "groove_utils" / "paths.py"
    monkeypatch.setattr(paths, "__file__", str(installed))
    monkeypatch.chdir(tmp_path)
    assert paths.project_root() == tmp_path
    assert paths.cache_folder() == tmp_path / "build" / "cache"


def test_the_environment_overrides(monkeypatch, tmp_path):
    monkeypatch.setenv("GROOVE_BUILD", str(tmp_path / "b"))
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "c"))
    assert paths.build_folder("mine") == tmp_path / "b"
    assert paths.cache_folder() == tmp_path / "c"
    monkeypatch.setenv("GROOVE_BUILD", "")
    assert paths.build_folder("mine").parts[-2:] == ("build", "mine")
