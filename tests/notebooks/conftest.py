"""The real book on studies of the tests' own."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from real_make import run_make

from groove_utils.manifest import read_manifest, write_manifest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "build" / "demo-smoke"


@pytest.fixture
def make_book() -> Iterator:
    """A function that makes a study folder's smoke book, or a part, and gives its build folder.

    Chapters whose slugs are in `copied` are taken from the demo's smoke book.
    """
    made = []

    def make(study: Path, *words: str, copied: Sequence[str] = ()) -> Path:
        build = ROOT / "build" / (re.sub(r"[^\w.-]", "-", study.name) + "-smoke")
        shutil.rmtree(build, ignore_errors=True)
        made.append(build)
        for slug in copied:
            copy_chapter(slug, build)
        run_make(ROOT, *(words or ["book"]), f"STUDY={study}", "PARAMS=smoke")
        return build

    yield make
    for build in made:
        shutil.rmtree(build, ignore_errors=True)


def copy_chapter(slug: str, build: Path) -> None:
    """Copy a chapter that takes next to nothing from a study from the demo's smoke book.

    Its manifest depends on no file of the study and on no table of another chapter.
    """
    demo = os.path.relpath(DEMO, ROOT)
    (manifest,) = DEMO.glob(f"made/[0-9][0-9]-{slug}.json")
    made = read_manifest(manifest)
    outputs = [build / os.path.relpath(name, demo) for name in made["outputs"]]
    for name, copy in zip(made["outputs"], outputs, strict=True):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    inputs = [ROOT / name for name in made["inputs"] if not name.startswith(f"{demo}/")]
    packages = made["packages"]
    write_manifest(
        build / "made" / manifest.name, inputs=inputs, outputs=outputs, packages=packages
    )
    later = time.time() + 3600  # than the tables of chapters that are run now
    os.utime(build / "made" / manifest.name, (later, later))
