"""Results that are out of date or damaged are made again, under a lock; Make is replaced."""

import os
import stat
import subprocess
import sys
import time

import pytest
from expect import raises

from groove_utils.book.__main__ import main
from groove_utils.book.errors import BookError
from groove_utils.book.incremental import (
    lock_build,
    make_inputs,
    make_results,
    remove_stale,
)
from groove_utils.book.settings import Settings
from groove_utils.manifest import write_manifest

# makes all results that its last argument depends on, and records its arguments
MAKE = """#!{python}
import sys
from pathlib import Path
from groove_utils import manifest

manifest.project_root = Path.cwd
target = Path(sys.argv[-1])
with Path("calls").open("a") as calls:
    calls.write(target.stem + "\\n")
if Path("fails").exists():
    failed = target.parents[1] / "failed"
    failed.mkdir()
    (failed / "01-one.txt").write_text("Chapter 01-one failed\\n")
    sys.exit(2)
names = ["01-one", "02-two", "html"] if target.stem == "html" else [target.stem]
for name in names:
    file = target.with_name(name + ".json")
    if not file.exists():
        manifest.write_manifest(file, inputs=["source"], outputs=[])
    if Path("grows").exists():
        Path("source").write_text(Path("source").read_text() + "+")
"""
CHAPTERS = ["01-one", "02-two"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Settings of a checkout with two chapters and a study."""
    monkeypatch.chdir(tmp_path)
    for module in ("manifest", "book.incremental", "book.__main__"):
        monkeypatch.setattr(f"groove_utils.{module}.project_root", lambda: tmp_path)
    params = tmp_path / "analysis" / "params" / "default.yml"
    params.parent.mkdir(parents=True)
    params.write_text("all: {}\n")
    (tmp_path / "analysis" / "chapters.mk").write_text(f"CHAPTERS := {' '.join(CHAPTERS)}\n")
    for chapter in CHAPTERS:
        (tmp_path / "analysis" / f"{chapter}.py").touch()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "study.yml").touch()
    (tmp_path / "source").write_text("x")
    make = tmp_path / "make"
    make.write_text(MAKE.format(python=sys.executable))
    make.chmod(make.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("MAKE", str(make))
    monkeypatch.setenv("MAKEFLAGS", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, sys.path)))
    monkeypatch.setenv("STUDY", "own")
    monkeypatch.setenv("PARAMS", "default")
    return Settings("own", True, params, tmp_path / "build" / "own")


def calls(project):
    file = project.params_file.parents[2] / "calls"
    lines = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_make_is_called_only_for_what_is_out_of_date(project, capsys):
    root = project.params_file.parents[2]
    assert make_results(project, CHAPTERS) == 0
    assert calls(project) == ["valid", "html"]
    assert make_results(project, CHAPTERS) == 0
    assert calls(project) == []
    (project.build / "made" / "02-two.json").unlink()
    assert make_results(project, CHAPTERS) == 0
    assert calls(project) == ["html"]
    assert (project.build / "study.path").read_text() == "own\n"
    assert (project.build / "params" / "01-one.yml").is_file()
    (root / "fails").touch()
    (project.build / "made" / "01-one.json").unlink()
    assert make_results(project, CHAPTERS) == 2
    assert capsys.readouterr().out.splitlines()[-1] == "Chapter 01-one failed"


def test_only_what_a_chapter_reads_is_made_for_it(project):
    file = project.params_file.parents[1] / "chapters.mk"
    file.write_text(file.read_text() + "\n01-one.writes := means\n02-two.reads := means\n")
    assert make_inputs(project, CHAPTERS, "01-one") == 0
    assert calls(project) == ["valid"]
    assert make_inputs(project, CHAPTERS, "02-two") == 0
    assert calls(project) == ["01-one"]


def test_lab_opens_the_notebook_of_a_chapter(project, monkeypatch, capsys):
    commands = []
    monkeypatch.setattr("groove_utils.book.jupyterlab.sync_pairs", lambda folder: [])

    def run(command, **options):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("groove_utils.book.jupyterlab.subprocess.run", run)
    monkeypatch.setenv("JUPYTER_FLAGS", "--no-browser --port=1234")
    monkeypatch.setenv("CH", "02-two")
    assert main(["lab", *CHAPTERS]) == 0
    assert commands[0][-3:] == ["--no-browser", "--port=1234", "analysis/02-two.ipynb"]
    assert "set study = 'own'" in capsys.readouterr().out
    monkeypatch.setenv("CH", "03-three")
    assert main(["lab", *CHAPTERS]) == 1
    assert "CH=03-three: expected one of 01-one, 02-two" in capsys.readouterr().err
    assert len(commands) == 1


def test_inputs_that_always_change_are_named(project, capsys):
    (project.params_file.parents[2] / "grows").touch()
    assert make_results(project, CHAPTERS) == 1
    assert "Run make again" in capsys.readouterr().out


def test_a_dry_run_removes_nothing(project, monkeypatch, capsys):
    manifest = project.build / "made" / "01-one.json"
    source = project.params_file.parents[2] / "source"
    write_manifest(manifest, inputs=[source], outputs=[])
    source.write_text("y")
    monkeypatch.setenv("MAKEFLAGS", "n -- STUDY=own")
    assert make_results(project, CHAPTERS) == 0
    assert manifest.exists()
    assert "01-one is out of date: source has changed." in capsys.readouterr().out


def test_damaged_files_are_removed_and_named(project):
    build, root = project.build, project.params_file.parents[2]
    sound, table, folder = (root / name for name in ("sound", "table", "folder"))
    for file in (sound, table, folder):
        file.write_text("whole")
    for name in ("sounds", "whole"):
        outputs = [sound, table, folder] if name == "sounds" else []
        manifest = build / "made" / f"{name}.json"
        write_manifest(manifest, inputs=[root / "source"], outputs=outputs)
    sound.write_text("half")
    folder.unlink()
    folder.mkdir()
    table.unlink()
    reasons = remove_stale(build, ["sounds", "whole", "absent"])
    assert reasons == {"sounds": "sounds is out of date: sound is damaged, and 2 more."}
    assert not sound.exists()
    assert not folder.exists()
    assert [file.name for file in (build / "made").iterdir()] == ["whole.json"]


def test_a_missing_script_and_an_unknown_chapter(project, monkeypatch, capsys):
    with raises(BookError, "missing_chapter", path="03-three.py"):
        make_results(project, [*CHAPTERS, "03-three"])
    monkeypatch.setenv("CH", "03-three")
    assert main(["make", "chapter", *CHAPTERS]) == 1
    assert "CH=03-three: expected one of 01-one, 02-two" in capsys.readouterr().err


def test_the_commands(project, monkeypatch, capsys):
    assert main(["make", "book", *CHAPTERS]) == 0
    monkeypatch.setenv("CH", "01-one")
    assert main(["make", "chapter", *CHAPTERS]) == 0
    assert "Executed: build/own/book/01-one.ipynb" in capsys.readouterr().out
    assert main(["folder"]) == 0
    assert capsys.readouterr().out.strip() == str(project.build)
    assert main(["clean"]) == 0
    assert not project.build.exists()
    assert main(["clean"]) == 0
    monkeypatch.setenv("STUDY", "nonsense")
    assert main(["make", "book", *CHAPTERS]) == 1
    assert "STUDY=nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "slow"),
    [
        (
            "groove_utils.book.incremental; groove_utils.study.catalogue.dataset_names()",
            {"nbformat", "jupytext", "pandas", "numpy"},
        ),
        ("groove_utils.book.__main__, nbformat", {"lark"}),
    ],
)
def test_commands_start_without_slow_packages(start, slow):
    code = f"import sys, {start}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not slow & set(run.stdout.split())


HOLD = """
import sys, time
from pathlib import Path
from groove_utils.book.incremental import lock_build

with lock_build(Path(sys.argv[1]), "make book"):
    Path(sys.argv[1], "held").touch()
    time.sleep(1)
"""


def test_a_lock_names_its_holder(tmp_path, capsys):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path])
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    with lock_build(tmp_path, "make clean"):
        assert (
            f"process {os.getpid()} (make clean"
            in tmp_path.with_name(f".{tmp_path.name}.holder").read_text()
        )
    said = capsys.readouterr().out
    assert f"is in use by process {holder.pid} (make book, since " in said
    assert holder.wait() == 0
    with lock_build(tmp_path, "make book"):  # at once
        pass
    assert capsys.readouterr().out == ""


def test_a_folder_that_cannot_be_made(project, capsys):
    project.build.parent.write_text("a file")
    assert main(["make", "book", *CHAPTERS]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "build" in message
