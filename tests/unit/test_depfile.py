"""Make reads depfiles, whatever the names of the files are."""

import os
import subprocess
import sys

import pytest

from groove_utils.depfile import depfile


def make(folder, *options):
    command = ["make", "-f", "Makefile", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def graph(tmp_path, monkeypatch):
    """A Makefile that includes a depfile, and the function that writes one."""
    monkeypatch.setattr("groove_utils.depfile.project_root", lambda: tmp_path)
    (tmp_path / "Makefile").write_text(
        "build/book/01-one.ipynb:\n\techo ran; touch $@\nbuild/study.valid:\n\ttouch $@\n"
        "-include deps.mk\n"
    )
    page = tmp_path / "build" / "book" / "01-one.ipynb"
    page.parent.mkdir(parents=True)

    def write(files):
        for file in [*files, "module.py", "build/study.valid"]:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
            os.utime(tmp_path / file, (1000, 1000))
        paths = [tmp_path / file for file in ["module.py", *files]]
        cover = tmp_path / "build" / "study.valid"
        (tmp_path / "deps.mk").write_text(depfile(page, paths, cover))
        page.touch()
        os.utime(page, (2000, 2000))

    return tmp_path, write


def ran(folder):
    run = make(folder, "build/book/01-one.ipynb")
    assert run.returncode == 0, run.stderr
    assert "warning" not in run.stderr
    done = "ran" in run.stdout.splitlines()
    os.utime(folder / "build/book/01-one.ipynb", (2000, 2000))
    return done


def touch(path, when=3000):
    os.utime(path, (when, when))


@pytest.mark.parametrize(
    "name",
    ["a.wav", "a b.wav", "it's.wav", "ünï (live).wav", "x,y+z-1.wav", "s p/a  b/(c d).wav"],
)
def test_make_reads_names_of_files(graph, name):
    folder, write = graph
    write([name, "tracks.csv"])
    assert not ran(folder)
    touch(folder / name)
    assert ran(folder)
    touch(folder / name, 1000)
    assert not ran(folder)
    (folder / name).unlink()  # no error, but a reason to run again
    assert ran(folder)


@pytest.mark.parametrize(
    "name",
    ["#1.wav", "100%.wav", "a:b.wav", "$HOME.wav", "a*b.wav", "[x].wav", "lib (a)", "q?=;&.wav"],
)
def test_names_that_no_makefile_can_hold_are_covered_by_the_stamp(graph, name):
    folder, write = graph
    write([name, "tracks.csv"])
    assert not ran(folder)
    touch(folder / "module.py")
    assert ran(folder)
    touch(folder / "module.py", 1000)
    touch(folder / "build" / "study.valid")
    assert ran(folder)


def test_imported_and_opened_files_of_the_package_are_listed():
    code = """
import groove_utils.study
from groove_utils import cache, files
from groove_utils.depfile import package_files, watch_files
watch_files()
files.hash_file(files.__file__.replace("files.py", "synth/__init__.py"))
files.hash_file("/bin/sh")
print(*package_files(), sep="\\n")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {line.partition("groove_utils/")[2] for line in run.stdout.splitlines()}
    assert {"__init__.py", "cache.py", "study/__init__.py", "synth/__init__.py"} <= names
    assert "" not in names
    assert not {"study/folder.py", "audio/__init__.py"} & names  # lazy: nothing was asked of them
