"""Names and versions of required packages agree with Python's metadata."""

import sys
from importlib import metadata

from groove_utils.packages import imported_packages, installed_versions, required_packages
from groove_utils.paths import project_root


def test_required_packages_are_the_lines_of_the_requirement_files(tmp_path):
    names = required_packages()
    assert {"numpy", "torch", "musicnn", "scikit-learn"} <= set(names)
    (tmp_path / "requirements.txt").write_text("# a comment\n\nnumpy>=2  # arrays\na.b_c==1\n")
    assert required_packages(tmp_path) == ["numpy", "a.b_c"]
    assert required_packages(tmp_path / "absent") == []


def test_versions_are_those_of_the_metadata():
    versions = installed_versions()
    for name in required_packages(project_root()):
        assert versions[metadata.metadata(name)["Name"].lower().replace("_", "-")] == (
            metadata.version(name)
        )


def test_the_first_folder_on_the_path_counts(tmp_path, monkeypatch):
    for folder, name in (("a", "Swing_Time-2.0"), ("b", "swing.time-1.0"), ("b", "other-1")):
        (tmp_path / folder / f"{name}.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / name) for name in ("absent", "a", "b")])
    assert installed_versions() == {"swing-time": "2.0", "other": "1"}


def test_imported_packages_are_found_by_their_modules(monkeypatch):
    monkeypatch.setattr(sys, "modules", {"sklearn.linear_model": None, "soundfile": None})
    assert imported_packages() == ["soundfile", "scikit-learn"]
