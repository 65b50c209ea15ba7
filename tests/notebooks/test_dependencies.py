"""Editing a file of the package runs only the chapters that use it."""

from pathlib import Path

import pytest

from groove_utils.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def renewed(built_book):
    """Function that edits a file of the package and names what is made again."""
    made = ROOT / "build" / "demo-smoke" / "made"
    inputs = {file.stem: read_manifest(file)["inputs"] for file in made.glob("*.json")}

    def after_edit(file: str) -> set[str]:
        edited = f"groove_utils/{file}"
        assert (ROOT / edited).is_file(), f"{edited} has been moved: correct this test"
        return {name.lstrip("0123456789-") for name, files in inputs.items() if edited in files}

    return after_edit


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("book/provenance.py", {"html"}),
        ("book/run.py", set()),
        ("figures/descriptors.py", {"descriptors"}),
        ("figures/stems.py", {"stem-ablation"}),
        ("mixed/power.py", {"mixed-models"}),
        ("similarity/maps.py", {"embeddings"}),
        ("similarity/mantel.py", {"embeddings", "objections"}),
        ("study/start.py", set()),
        ("synth/soundfont.py", {"study", "networks", "genre-networks", "beyond-accuracy"}),
        (
            "embed/models.yaml",
            {
                "networks",
                "descriptors",
                "embeddings",
                "probing",
                "objections",
                "stem-ablation",
                "genre-networks",
                "beyond-accuracy",
                "html",
            },
        ),
    ],
)
def test_an_edit_renews_what_uses_the_file(renewed, file, expected):
    assert renewed(file) == expected


def test_an_edit_of_what_all_use_renews_every_chapter(renewed, chapter_names):
    assert renewed("study/folder.py") >= {name.partition("-")[2] for name in chapter_names}
