"""Order of tests, and fixtures for tests of the built book."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pytest
from real_make import run_make

ROOT = Path(__file__).resolve().parents[1]
# without this, --doctest-modules would import these files
collect_ignore_glob = ["*conftest.py", "golden/*", "bench/*"]


def copy_compiled_functions(folder: Path) -> None:
    """Copy librosa's compiled functions to a ``NUMBA_CACHE_DIR``.

    ``make setup`` has written them next to their sources; sub-folders are named as Numba does.
    """
    for file in Path(find_spec("librosa").origin).parent.rglob("__pycache__/*.nb[ci]"):
        source = file.parent.parent
        digest = hashlib.sha1(str(source).encode()).hexdigest()
        copy = folder / f"{source.name}_{digest}" / file.name
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)


# workers that compile librosa's functions at the same time can read each other's partial files
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["NUMBA_CACHE_DIR"] = str(ROOT / "build" / "numba" / worker)
    copy_compiled_functions(Path(os.environ["NUMBA_CACHE_DIR"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow test files first, and build the book in one worker before others use it."""
    fixtures = defaultdict(set)
    for item in items:
        fixtures[item.path].update(getattr(item, "fixturenames", ()))
    using = [path for path, names in fixtures.items() if "built_book" in names]
    building = [path for path in using if "make_book" in fixtures[path]]
    first = next(iter(building + using), None)

    def place(item: pytest.Item) -> int:
        if item.path == first:
            return 0
        return 3 if item.path in using else 2 - ("notebooks" in item.path.parts)

    items.sort(key=place)


@pytest.fixture(autouse=True, scope="session")
def _no_waiting_for_the_disk():
    """Skip `os.fsync`, which is slow and matters only if the power fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def built_book() -> Path:
    """Folder of HTML pages: ``$GROOVE_HTML``, or the smoke book, which is built if necessary."""
    if name := os.environ.get("GROOVE_HTML"):
        folder = ROOT / name
        assert (folder / "index.html").is_file(), f"GROOVE_HTML={name} contains no index.html"
        return folder
    lock = ROOT / "build" / "smoke.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:  # the first worker builds the book, and the others wait for it
        fcntl.flock(file, fcntl.LOCK_EX)
        run_make(ROOT, "book", "PARAMS=smoke")
    return ROOT / "build" / "demo-smoke" / "html"


@pytest.fixture(scope="session")
def chapter_names() -> list[str]:
    """Names of the chapters in ``analysis/chapters.mk``."""
    lines = (ROOT / "analysis" / "chapters.mk").read_text(encoding="utf-8")
    joined = lines.replace("\\\n", " ").splitlines()
    listed = next(line for line in joined if line.startswith("CHAPTERS"))
    return listed.split("=", 1)[1].split()
