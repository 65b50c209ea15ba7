"""Fixture that builds the real book for studies that tests define."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_make import run_make

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def make_book() -> Iterator:
    """Function that builds the smoke book, or a part of it, and returns the build folder."""
    made = []

    def make(study: Path, *words: str) -> Path:
        build = ROOT / "build" / (re.sub(r"[^\w.-]", "-", study.name) + "-smoke")
        shutil.rmtree(build, ignore_errors=True)
        made.append(build)
        run_make(ROOT, *(words or ["book"]), f"STUDY={study}", "PARAMS=smoke")
        return build

    yield make
    for build in made:
        shutil.rmtree(build, ignore_errors=True)
