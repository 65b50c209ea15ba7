"""Fixtures for tests of the built book: its folder and its pages."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from real_make import run_make

ROOT = Path(__file__).resolve().parents[1]
# not for --doctest-modules, which looks into any Python file
collect_ignore_glob = ["*conftest.py", "golden/*", "bench/*"]



def copy_compiled_functions(folder: Path) -> None:
    """Copy librosa's compiled functions, which ``make setup`` has left next to their sources.

    The names of sub-folders are Numba's, for a ``NUMBA_CACHE_DIR``.
    """
    for file in Path(find_spec("librosa").origin).parent.rglob("__pycache__/*.nb[ci]"):
        source = file.parent.parent
        copy = folder / f"{source.name}_{hashlib.sha1(str(source).encode()).hexdigest()}" / file.name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)


# Workers that compile librosa's functions at once can read each other's half-written cache.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["NUMBA_CACHE_DIR"] = str(ROOT / "build" / "numba" / worker)
    copy_compiled_functions(Path(os.environ["NUMBA_CACHE_DIR"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker build the book first, and use it last, so that no other waits for it."""
    using = dict.fromkeys(
        item.path for item in items if "built_book" in getattr(item, "fixturenames", ())
    )
    first = next(iter(using), None)
    items.sort(key=lambda item: 1 if item.path not in using else 0 if item.path == first else 2)


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The folder of HTML pages: ``$GROOVE_HTML``, else the smoke book, which Make brings up."""
    if named := os.environ.get("GROOVE_HTML"):
        folder = ROOT / named
        assert (folder / "index.html").is_file(), f"GROOVE_HTML={named} holds no index.html"
        return folder
    lock = ROOT / "build" / "smoke.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:  # one worker makes it, the others find it made
        fcntl.flock(held, fcntl.LOCK_EX)
        run_make(ROOT, "book", "PARAMS=smoke")
    return ROOT / "build" / "demo-smoke" / "html"


@pytest.fixture(scope="session")
def chapter_names() -> list[str]:
    """The chapters of ``analysis/chapters.mk``."""
    lines = (ROOT / "analysis" / "chapters.mk").read_text(encoding="utf-8")
    joined = lines.replace("\\\n", " ").splitlines()
    listed = next(line for line in joined if line.startswith("CHAPTERS"))
    return listed.split("=", 1)[1].split()
