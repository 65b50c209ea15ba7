"""An edit of a file of the package runs the chapters that use it, and no others."""

import re
from pathlib import Path

import pytest
from real_make import run_make

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def renewed(built_book, tmp_path):
    """A function that names what Make renews after an edit of a file of the package."""
    recorder = tmp_path / "python"
    recorder.write_text('#!/bin/sh\necho "$@"\n')  # runs nothing, so nothing is changed
    recorder.chmod(0o755)

    def after_edit(file: str) -> set[str]:
        edited = f"groove_utils/{file}"
        assert (ROOT / edited).is_file(), f"{edited} has been moved: correct this test"
        goal = "build/demo-smoke/html/index.html"
        run = run_make(ROOT, "-W", edited, "PARAMS=smoke", goal, python=recorder)
        chapters = re.findall(r"groove_utils\.book run analysis/\d\d-([a-z-]+)\.py", run.stdout)
        study = ["study"] if "groove_utils.study prepare" in run.stdout else []
        pages = ["pages"] if "groove_utils.book build" in run.stdout else []
        return {*chapters, *study, *pages}

    return after_edit


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("book/provenance.py", {"pages"}),
        ("book/run.py", set()),
        ("figures/descriptors.py", {"descriptors"}),
        ("figures/stems.py", {"stem-ablation"}),
        ("mixed/power.py", {"mixed-models"}),
        ("similarity/maps.py", {"embeddings"}),
        ("similarity/mantel.py", {"embeddings", "probing"}),
        ("study/start.py", set()),
        ("synth/soundfont.py", {"study", "networks"}),
        ("embed/models.yaml", {"networks", "embeddings", "probing", "stem-ablation", "pages"}),
    ],
)
def test_an_edit_renews_what_uses_the_file(renewed, file, expected):
    assert renewed(file) == expected


def test_an_edit_of_what_all_use_renews_every_chapter(renewed, chapter_names):
    assert renewed("study/folder.py") >= {name.partition("-")[2] for name in chapter_names}
