"""A chapter's script and its notebook have the same content."""

import os
import subprocess
import sys

import nbformat
import pytest
from expect import raises

from groove_utils.book.__main__ import main
from groove_utils.book.errors import BookError
from groove_utils.book.jupytext_sync import (
    chapter_sources,
    new_chapter,
    read_chapter,
    sync_pairs,
    unsynced_pairs,
)
from groove_utils.paths import project_root

SCRIPT = """# %% [markdown]
# # Does it “groove”?
#
# Some `text`, and {glue:text}`songs`.

# %% tags=["parameters"]
study = "demo"  # which

# %%
if study:
    x = 1

x

# %% [markdown] tags=["needs-audio"]
# ## More
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "01-one.py").write_text(SCRIPT, encoding="utf-8")
    assert sync_pairs(tmp_path) == [tmp_path / "01-one.ipynb"]
    return tmp_path


def touch(path, when):
    os.utime(path, (when, when))


def test_a_pair_in_step_is_left_alone(folder):
    assert unsynced_pairs(folder) == []
    before = (folder / "01-one.ipynb").stat().st_mtime_ns
    assert sync_pairs(folder) == []
    assert (folder / "01-one.ipynb").stat().st_mtime_ns == before


def test_the_notebook_holds_the_script(folder):
    book = nbformat.read(folder / "01-one.ipynb", as_version=4)
    nbformat.validate(book)
    assert [cell.cell_type for cell in book.cells] == ["markdown", "code", "code", "markdown"]
    assert book.cells[2].source == "if study:\n    x = 1\n\nx"
    assert book.cells[3].metadata.tags == ["needs-audio"]
    assert not any(cell.get("outputs") for cell in book.cells)


def test_the_round_trip_loses_nothing(folder):
    touch(folder / "01-one.py", 1000)
    book = nbformat.read(folder / "01-one.ipynb", as_version=4)
    book.cells[2].source += "  # edited"
    nbformat.write(book, folder / "01-one.ipynb")
    assert "differ" in unsynced_pairs(folder)[0]
    assert sync_pairs(folder)[0] == folder / "01-one.py"
    assert (folder / "01-one.py").read_text() == SCRIPT.replace("\nx\n", "\nx  # edited\n")
    assert unsynced_pairs(folder) == []


def test_the_newer_one_wins(folder):
    script, pair = folder / "01-one.py", folder / "01-one.ipynb"
    book = nbformat.read(pair, as_version=4)
    book.cells[2].source = "y"
    nbformat.write(book, pair)
    script.write_text(SCRIPT.replace("x = 1", "x = 2"), encoding="utf-8")
    touch(pair, 1000)
    assert sync_pairs(folder) == [pair]
    assert "x = 2" in pair.read_text()
    assert "x = 2" in script.read_text()


def test_outputs_are_found_and_stripped(folder):
    pair = folder / "01-one.ipynb"
    book = nbformat.read(pair, as_version=4)
    book.cells[1].outputs = [nbformat.v4.new_output("stream", text="secret")]
    book.cells[1].execution_count = 3
    nbformat.write(book, pair)
    assert unsynced_pairs(folder) == [
        "01-one.py and 01-one.ipynb differ (or the notebook has outputs)"
    ]
    before = (folder / "01-one.py").read_text()
    assert sync_pairs(folder) == [pair]
    assert "secret" not in pair.read_text()
    assert (folder / "01-one.py").read_text() == before


def test_missing_halves(folder):
    (folder / "02-two.ipynb").write_bytes((folder / "01-one.ipynb").read_bytes())
    (folder / "01-one.ipynb").unlink()
    assert unsynced_pairs(folder) == [
        "01-one.ipynb is missing",
        "02-two.ipynb has no script of the same name",
    ]


def test_the_command(folder, capsys):
    assert main(["sync", str(folder), "--check"]) == 0
    (folder / "01-one.ipynb").unlink()
    assert main(["sync", str(folder), "--check"]) == 1
    assert "Run `make sync`" in capsys.readouterr().err
    assert main(["sync", str(folder)]) == 0
    assert main(["sync", str(folder), "--check"]) == 0


def test_only_chapters_are_taken(folder):
    (folder / "helper.py").touch()
    (folder / "00-Zero.py").touch()
    assert [path.name for path in chapter_sources(folder)] == ["01-one.py"]


def test_a_new_chapter_is_clean_and_paired(tmp_path):
    script = new_chapter(tmp_path, "12-tempo")
    assert unsynced_pairs(tmp_path) == []
    text = script.read_text()
    assert 'open_chapter("12-tempo", study)' in text
    assert "songs-tempo" in text
    assert "SLUG" not in text
    config = project_root() / "pyproject.toml"
    for verb in (["check"], ["format", "--check"]):
        # checked like a file in analysis/, for which fewer rules apply
        command = [sys.executable, "-m", "ruff", *verb, "--config", str(config)]
        command += ["--stdin-filename", str(project_root() / "analysis" / "12-tempo.py"), "-"]
        run = subprocess.run(
            command, input=script.read_text(), capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout + run.stderr
    cells = read_chapter(script).cells
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1


@pytest.mark.parametrize("slug", ["tempo", "1-tempo", "12-Tempo", "12-a b", "12-", "../12-tempo"])
def test_names_of_chapters(tmp_path, slug, capsys):
    with raises(BookError, "invalid_name", value=slug):
        new_chapter(tmp_path, slug)
    (tmp_path / "chapters.mk").write_text("CHAPTERS := 01-one\n")
    assert main(["new", str(tmp_path), slug]) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["chapters.mk"]


def test_an_existing_chapter_is_kept(folder):
    with raises(BookError, "taken_name", path="01-one.py"):
        new_chapter(folder, "01-one")
    assert (folder / "01-one.py").read_text() == SCRIPT
