"""The real book on studies of the tests' own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_make import run_make

from groove_utils.book.page import WITHOUT_STUDY
from groove_utils.manifest import read_manifest, write_manifest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "build" / "demo-smoke"


@pytest.fixture
def make_book() -> Iterator:
    """A function that makes a study folder's smoke book, or a part, and gives its build folder."""
    made = []

    def make(study: Path, *words: str) -> Path:
        build = ROOT / "build" / (re.sub(r"[^\w.-]", "-", study.name) + "-smoke")
        shutil.rmtree(build, ignore_errors=True)
        made.append(build)
        settings = f"STUDY={study}", "PARAMS=smoke"
        if not words:
            run_make(ROOT, "chapter", "CH=01-listeners-and-tracks", *settings)
            copy_chapters_without_study(study, build)
        run_make(ROOT, *(words or ["book"]), *settings)
        return build

    yield make
    for build in made:
        shutil.rmtree(build, ignore_errors=True)


def copy_chapters_without_study(study: Path, build: Path) -> None:
    """Copy from the demo's smoke book the chapters that show nothing of a study, with manifests."""
    demo = os.path.relpath(DEMO, ROOT)

    def moved(name: str) -> Path:
        if name == f"{demo}/study":
            return study
        inside = name.startswith(f"{demo}/")
        return build / os.path.relpath(name, demo) if inside else ROOT / name

    for script in (ROOT / "analysis").glob("*.py"):
        if WITHOUT_STUDY not in script.read_text(encoding="utf-8").splitlines()[0]:
            continue
        manifest = read_manifest(DEMO / "made" / f"{script.stem}.json")
        for name in manifest["outputs"]:
            moved(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, moved(name))
        inputs, outputs = ([moved(name) for name in manifest[k]] for k in ("inputs", "outputs"))
        write_manifest(build / "made" / f"{script.stem}.json", inputs=inputs, outputs=outputs)
