"""What the tests of the built book share: where it is, and its pages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Workers that compile librosa's functions at once can read each other's half-written cache.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["NUMBA_CACHE_DIR"] = str(ROOT / "build" / "numba" / worker)


@pytest.fixture(scope="session")
def built_book() -> Path:
    """The folder of HTML pages: ``$GROOVE_HTML``, else the smoke book, which Make brings up."""
    if named := os.environ.get("GROOVE_HTML"):
        folder = ROOT / named
        assert (folder / "index.html").is_file(), f"GROOVE_HTML={named} holds no index.html"
        return folder
    command = ["make", "book", "PARAMS=smoke", f"PY={sys.executable}"]
    clean = {k: v for k, v in os.environ.items() if k not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    run = subprocess.run(
        command, cwd=ROOT, env=clean, capture_output=True, text=True, errors="replace", check=False
    )
    assert run.returncode == 0, f"{' '.join(command)}:\n{run.stdout[-3000:]}\n{run.stderr[-5000:]}"
    return ROOT / "build" / "demo-smoke" / "html"


@pytest.fixture(scope="session")
def chapter_names() -> list[str]:
    """The chapters of ``analysis/chapters.mk``."""
    lines = (ROOT / "analysis" / "chapters.mk").read_text(encoding="utf-8")
    joined = lines.replace("\\\n", " ").splitlines()
    listed = next(line for line in joined if line.startswith("CHAPTERS"))
    return listed.split("=", 1)[1].split()
