"""Manifests detect every change in the inputs and outputs of a result."""

import os
import shutil
import subprocess
import sys

import pytest

from groove_utils.manifest import (
    ALWAYS_HASHED,
    find_changes,
    list_folder,
    read_manifest,
    take_stamps,
    write_manifest,
)

NAMES = ["a.wav", "a b.wav", "it's.wav", "ünï (live).wav", "#1.wav", "100%.wav", "a:b$HOME*[x].wav",
         "s p/a  b/(c d)", "new\nline.wav", os.fsdecode(b"latin-\xe9.wav")]  # fmt: skip


@pytest.fixture
def result(tmp_path, monkeypatch):
    """Folder with an input, an output, an input folder, and their manifest."""
    monkeypatch.setattr("groove_utils.manifest.project_root", lambda: tmp_path)
    for name in ("source", "page", "study/tracks.csv", "study/audio/a.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}")
    write(tmp_path)
    return tmp_path


def write(folder, **options):
    inputs = [folder / "source", folder / "study"]
    write_manifest(folder / "page.json", inputs=inputs, outputs=[folder / "page"], **options)


def changes(folder):
    return find_changes(folder / "page.json")


def edit(path, old_time=False):
    facts = path.stat()
    path.write_text(path.read_text().replace("content", "CONTENT"))
    if old_time:
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: None, {}),
        (lambda f: os.utime(f / "source", (1, 1)), {}),  # touched, or written with a wrong clock
        (lambda f: (f / "unrelated").touch(), {}),
        (lambda f: (f / "study" / ".hidden").touch(), {}),
        (lambda f: edit(f / "study" / "tracks.csv"), {}),  # for a folder, only file names count
        (lambda f: edit(f / "source"), {"source": "has changed"}),
        (lambda f: edit(f / "source", old_time=True), {"source": "has changed"}),
        (lambda f: (f / "source").unlink(), {"source": "was deleted"}),
        (lambda f: (f / "study" / "new").touch(), {"study": "has changed"}),
        (lambda f: (f / "study" / "audio" / "a.wav").unlink(), {"study": "has changed"}),
        (lambda f: shutil.rmtree(f / "study"), {"study": "was deleted"}),
        (lambda f: edit(f / "page", old_time=True), {"page": "is damaged"}),
        (lambda f: (f / "page").write_text(""), {"page": "is damaged"}),
        (lambda f: (f / "page").unlink(), {"page": "is missing"}),
        (lambda f: ((f / "page").unlink(), (f / "page").mkdir()), {"page": "is damaged"}),
        (lambda f: (f / "page.json").write_text(""), {"page.json": "is damaged"}),
        (lambda f: (f / "page.json").write_bytes(b"\xff{}"), {"page.json": "is damaged"}),
        (lambda f: edit(f / "page.json"), {}),  # `edit` changes nothing here
        (lambda f: (f / "page.json").open("a").write("x"), {"page.json": "is damaged"}),
    ],
)
def test_changes(result, change, expected):
    change(result)
    assert changes(result) == expected


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_file(result, name):
    file = result / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("content")
    write_manifest(result / "page.json", inputs=[file, result / "study"], outputs=[])
    assert changes(result) == {}
    edit(file)
    assert changes(result) == {name: "has changed"}
    file.unlink()
    assert changes(result) == {name: "was deleted"}


def test_every_bit_counts(result):
    page = result / "page"
    whole = page.read_bytes()
    for k in range(0, 8 * len(whole), 7):
        flipped = bytearray(whole)
        flipped[k // 8] ^= 1 << k % 8
        page.write_bytes(flipped)
        assert changes(result) == {"page": "is damaged"}
    page.write_bytes(whole)
    assert changes(result) == {}


@pytest.mark.parametrize("larger", [0, 1])
def test_a_large_file_is_read_only_if_its_time_differs(result, larger):
    page, size = result / "page", ALWAYS_HASHED + larger
    page.write_bytes(bytes(size))
    write(result)
    facts = page.stat()
    page.write_bytes(b"x" * size)
    os.utime(page, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert changes(result) == ({} if larger else {"page": "is damaged"})
    os.utime(page, (1, 1))
    assert changes(result) == {"page": "is damaged"}


def test_an_input_that_changes_meanwhile_is_out_of_date(result):
    stamps = take_stamps(result)
    edit(result / "source")
    write(result, stamps=stamps)
    assert changes(result) == {"source": "has changed"}
    write(result, stamps=take_stamps(result))
    assert changes(result) == {}


def test_another_version_of_a_package_is_a_change(result, monkeypatch):
    versions = {"num-py": "2.4.1", "swing": "1.0"}
    monkeypatch.setattr("groove_utils.manifest.installed_versions", lambda: versions)
    write(result, packages=["Num_Py", "swing", "absent"])
    assert changes(result) == {}
    versions |= {"num-py": "2.4.2", "unrelated": "3"}
    assert changes(result) == {"num-py 2.4.1": "is 2.4.2 now"}
    versions |= {"num-py": "2.4.1", "absent": "1"}
    del versions["swing"]
    assert changes(result) == {"absent": "is 1 now", "swing 1.0": "was removed"}


def test_an_input_that_never_was_there_is_out_of_date(result):
    write_manifest(result / "page.json", inputs=[result / "absent"], outputs=[])
    assert changes(result) == {"absent": "was deleted"}


def test_folders_are_listed_without_hidden_files(result):
    (result / "study" / ".git").mkdir()
    (result / "study" / ".git" / "config").touch()
    (result / "study" / ".DS_Store").touch()
    (result / "study" / "tracks.csv~").touch()
    names = [os.path.relpath(file, result) for file in list_folder(result / "study")]
    assert names == ["study/audio/a.wav", "study/tracks.csv"]


def test_a_manifest_is_read_back(result):
    manifest = read_manifest(result / "page.json")
    assert set(manifest["inputs"]) == {"source", "study"}
    assert set(manifest["outputs"]) == {"page"}
    assert read_manifest(result / "absent.json") is None


def test_imported_and_opened_files_of_the_package_are_listed():
    code = """
import groove_utils.study
from groove_utils import cache, files
from groove_utils.manifest import package_files, watch_files
watch_files()
files.hash_file(files.__file__.replace("files.py", "synth/__init__.py"))
files.hash_file("/bin/sh")
print(*package_files(), sep="\\n")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {line.partition("groove_utils/")[2] for line in run.stdout.splitlines()}
    assert {"__init__.py", "cache.py", "study/__init__.py", "synth/__init__.py"} <= names
    assert "" not in names
    assert not {"study/folder.py", "audio/__init__.py"} & names  # loaded lazily, and not used
