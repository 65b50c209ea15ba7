"""Chapters are run whole or not at all, and leave what Make and the pages need."""

import ast
import json
import os
import subprocess
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml

from groove_utils.book import run
from groove_utils.book.__main__ import main
from groove_utils.book.run import (
    ChapterError,
    _check_parameters,
    _with_values,
    depfile,
    run_chapter,
    split_parameters,
)
from groove_utils.paths import project_root

CHAPTERS = ["01-one", "02-two"]


def params(tmp_path, sections):
    file = tmp_path / "default.yml"
    file.write_text(yaml.safe_dump(sections))
    return file


def test_parameters_are_split_and_unchanged_ones_left_alone(tmp_path):
    sections = {
        "all": {"seed": 1, "n": 5},
        "chapters": {"01-one": {"n": 7}},
        "study": {"demo": {"n_bands": 3}},
    }
    out = tmp_path / "params"
    split_parameters(params(tmp_path, sections), CHAPTERS, out)
    told = {file.name: yaml.safe_load(file.read_text()) for file in out.iterdir()}
    assert told == {
        "01-one.yml": {"seed": 1, "n": 7},
        "02-two.yml": {"seed": 1, "n": 5},
        "study-demo.yml": {"study": {"demo": {"n_bands": 3}}},
    }
    for file in out.iterdir():
        os.utime(file, (1000, 1000))
    sections["chapters"]["02-two"] = {"n": 6}
    split_parameters(params(tmp_path, sections), CHAPTERS, out)
    assert [f.name for f in sorted(out.iterdir()) if f.stat().st_mtime > 1000] == ["02-two.yml"]


def test_parameters_of_an_unknown_chapter(tmp_path, capsys):
    file = params(tmp_path, {"chapters": {"03-three": {"n": 1}}})
    with pytest.raises(ValueError, match=r"default.yml: parameters for 03-three, .*01-one, 02-two"):
        split_parameters(file, CHAPTERS, tmp_path / "params")
    assert main(["params", str(file), str(tmp_path / "params"), *CHAPTERS]) == 1
    assert "03-three" in capsys.readouterr().err
    assert not (tmp_path / "params").exists()


CELL = """study = "demo"  # a study's name
text = "a # b = c"  # not a comment
models: list = [
    "one",  # the first
    "two",
]
n_splits: int = 5
ratio = -1.5e-3; flag = True
ä = "ü" + "ö"  # behind"""


def test_values_replace_any_expression_and_keep_comments():
    values = {
        "study": "mine's",
        "text": "x#y",
        "models": ["a", "b"],
        "n_splits": 9,
        "ratio": 0.25,
        "ä": "é",
        "n": 3,
    }
    page = _with_values(CELL, values)
    assert page.splitlines() == [
        "study = \"mine's\"  # a study's name",
        "text = 'x#y'  # not a comment",
        "models: list = ['a', 'b']",
        "n_splits: int = 9",
        "ratio = 0.25; flag = True",
        "ä = 'é'  # behind",
    ]
    ast.parse(page)
    assert _with_values(CELL, {}) == CELL


def test_unknown_parameters_are_refused(tmp_path):
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})]
    _check_parameters(book, {"n_splits": 1, "models": []}, tmp_path / "01.yml")
    with pytest.raises(ChapterError, match=r"01.yml sets n_split; .* has flag, models, n_splits"):
        _check_parameters(book, {"n_split": 1}, tmp_path / "01.yml")
    book.cells[0].source = "%matplotlib inline\nx = 1"
    with pytest.raises(ChapterError, match="parameters cell is no plain Python"):
        _check_parameters(book, {"x": 1}, tmp_path / "01.yml")


# ---- what Make makes of a depfile ----


def make(folder, *options):
    command = ["make", "-f", "Makefile", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def graph(tmp_path):
    """A Makefile that includes a depfile, and the function that writes one."""
    (tmp_path / "Makefile").write_text(
        "build/book/01-one.ipynb:\n\techo ran; touch $@\nbuild/study.valid:\n\ttouch $@\n"
        "-include deps.mk\n"
    )
    page = tmp_path / "build" / "book" / "01-one.ipynb"
    page.parent.mkdir(parents=True)

    def write(files, **options):
        for file in [*files, "module.py", "build/study.valid"]:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
            os.utime(tmp_path / file, (1000, 1000))
        facts = {"modules": ["module.py"], "study_files": files}
        (tmp_path / "deps.mk").write_text(depfile(page, facts, tmp_path, **options))
        page.touch()
        os.utime(page, (2000, 2000))

    return tmp_path, write


def ran(folder):
    told = make(folder, "build/book/01-one.ipynb")
    assert told.returncode == 0, told.stderr
    assert "warning" not in told.stderr
    done = "ran" in told.stdout.splitlines()
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


def test_a_chapter_that_lacked_something_depends_on_the_whole_study(graph):
    folder, write = graph
    write(["tracks.csv"])
    touch(folder / "build" / "study.valid")
    assert not ran(folder)
    write(["tracks.csv"], whole=True)
    assert not ran(folder)
    touch(folder / "build" / "study.valid")
    assert ran(folder)


# ---- a tiny chapter from end to end ----

TINY = """# %% [markdown]
# # Is it short?

# %% tags=["parameters"]
study = "demo"  # which
n_songs: int = 3
names = [
    "dance",
]

# %%
import sys

from groove_utils.book import open_chapter, report_text, report_value

chapter = open_chapter("01-tiny", study)
print("noise", file=sys.stderr)
print("said")

# %%
songs = chapter.study.tracks.head(n_songs)
means = chapter.study.song_means(names[0])
report_value("songs", len(songs), fmt=".0f", n=len(songs))
report_text("first", songs["track_id"].iloc[0])
chapter.save_table(means.to_frame(), "means")

# %% [markdown] tags=["needs-stems"]
# ## Stems

# %% tags=["needs-stems"]
chapter.save_table(songs, "stems")

# %% [markdown]
# There are {glue:text}`songs`.
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A function that runs a chapter's text on a study; gives the page."""
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    script = tmp_path / "analysis" / "01-tiny.py"
    script.parent.mkdir()
    build = tmp_path / "build"
    file = tmp_path / "01-tiny.yml"
    file.write_text(yaml.safe_dump({"n_songs": 5, "names": ["listen"]}))

    def run(study, text=TINY, reads=(), writes=("means", "stems")):
        script.write_text(text, encoding="utf-8")
        return run_chapter(script, str(study), build, file, reads=list(reads), writes=list(writes))

    run.script, run.build, run.params = script, build, file
    return run


def test_a_chapter_from_end_to_end(tiny, make_study, read):
    study = make_study("a study", simulated=True)
    before = dict(os.environ)
    page = tiny(study)
    build = tiny.build
    assert dict(os.environ) == before
    assert page == build / "book" / "01-tiny.ipynb"

    values = json.loads((build / "values" / "01-tiny.json").read_text())
    assert values["songs"]["value"] == 5
    assert values["songs"]["n"] == 5
    assert values["first"] == {"text": "song0", "full": "song0"}

    means = pd.read_parquet(build / "tables" / "means.parquet")
    ratings = pd.read_csv(study / "ratings.csv")
    own = ratings[ratings["query"] == "listen"].groupby("track_id")["rating"].mean()
    assert means["listen"].to_dict() == pytest.approx(own.to_dict())
    # listed, but not written, since its cell was left out: an empty file says so to Make
    assert (build / "tables" / "stems.parquet").stat().st_size == 0

    book = read(page)
    nbformat.validate(book)
    texts = [cell.source for cell in book.cells]
    tags = [tag for cell in book.cells for tag in cell.metadata.get("tags", [])]
    assert tags == ["parameters"]
    assert "Simulated listeners" in texts[1]
    cell = next(c for c in book.cells if c.metadata.get("tags") == ["parameters"])
    assert cell.source.splitlines() == [
        "study = 'a study'  # which",
        "n_songs: int = 5",
        "names = ['listen']",
    ]
    assert "finish_chapter" not in "".join(texts)
    assert [t for t in texts if "Not run for this study" in t and "«Stems»" in t]
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    streams = [output for output in outputs if output.output_type == "stream"]
    assert [(output.name, output.text) for output in streams] == [("stdout", "said\n")]
    assert str(Path(study).parent) not in page.read_text()  # no path of somebody's machine
    glued = [o.metadata.scrapbook.name for o in outputs if "scrapbook" in o.get("metadata", {})]
    assert glued == ["songs", "songs_full", "first"]
    assert "noise" in (build / "logs" / "01-tiny.txt").read_text()

    run = json.loads((build / "runs" / "01-tiny.json").read_text())
    assert run["parameters"] == {"n_songs": 5, "names": ["listen"]}
    assert run["seconds"] > 0
    assert 20 < run["peak_memory_mib"] < 5000

    deps = (build / "deps" / "01-tiny.mk").read_text()
    for module in ("book/outputs.py", "book/chapter.py", "study/folder.py", "files.py"):
        assert f"\n  groove_utils/{module} \\\n" in deps
        assert f"\ngroove_utils/{module}:\n" in deps
    for module in ("probe", "embed", "synth", "mixed"):  # not imported, so not depended on
        assert f"groove_utils/{module}/" not in deps
    for file in ("study.yml", "tracks.csv", "ratings.csv"):
        path = os.path.relpath(study / file, project_root()).replace(" ", "\\ ")
        assert f"\n  {path} \\\n" in deps
    assert "study.valid" in deps  # a study that gains stems runs the chapter again
    assert not any((build / "work").iterdir())


def test_a_failing_chapter_says_where_and_leaves_the_notebook(tiny, make_study, read):
    study = make_study()
    page = tiny.build / "book" / "01-tiny.ipynb"
    page.parent.mkdir(parents=True)
    page.write_text("the last good one")
    tiny.script.write_text(TINY.replace('report_text("', '1 / 0\nreport_text("'))
    # as Make calls it, and keeps the message for the end of its output
    command = ["run", str(tiny.script), "--study", str(study), "--build", str(tiny.build)]
    assert main([*command, "--params", str(tiny.params), "--writes", "means", "stems"]) == 1
    failed = tiny.build / "failed" / "01-tiny.ipynb"
    told = failed.with_suffix(".txt").read_text()
    book = read(failed)
    (at,) = [c for c in book.cells if "\n1 / 0\n" in c.source]
    assert "Chapter 01-tiny failed in cell 4 (execution 4):" in told
    assert "\n    1 / 0\n" in told
    assert "ZeroDivisionError: division by zero" in told
    assert os.path.relpath(failed) in told
    (error,) = [o for o in at.outputs if o.output_type == "error"]
    assert error.ename == "ZeroDivisionError"
    assert page.read_text() == "the last good one"
    assert not (tiny.build / "deps").exists()
    assert not (tiny.build / "tables" / "means.parquet").exists()


def test_undeclared_tables_are_refused(tiny, make_study):
    study = make_study()
    with pytest.raises(
        ChapterError, match=r"01-tiny writes the table 'means', which .*chapters.mk"
    ):
        tiny(study, writes=["stems"])
    assert not (tiny.build / "book").exists()
    tables = tiny.build / "tables"
    assert not (tables / "means.parquet").exists()  # refused before it was written
    tables.mkdir(exist_ok=True)
    (tables / "other.parquet").write_bytes(pd.DataFrame({"a": [1]}).to_parquet())
    reading = TINY.replace("songs = ", 'chapter.load_table("other")\nsongs = ')
    with pytest.raises(ChapterError, match=r"reads the table 'other'.*`01-tiny.reads`"):
        tiny(study, reading)
    assert not (tiny.build / "book").exists()


def test_a_chapter_that_is_left_out_altogether(tiny, make_study, read, monkeypatch):
    monkeypatch.setattr(run, "_execute", None)  # there is nothing to start a kernel for
    whole = TINY.replace("# %% [markdown]\n# # Is", '# %% [markdown] tags=["needs-styles"]\n# # Is')
    page = tiny(make_study(styles=("funk",)), whole)
    texts = [cell.source for cell in read(page).cells]
    assert len(texts) == 2
    assert "This chapter was left out, because the study has no second style" in texts[1]
    assert json.loads((tiny.build / "values" / "01-tiny.json").read_text()) == {}
    assert (tiny.build / "tables" / "means.parquet").stat().st_size == 0
    assert "study.valid" in (tiny.build / "deps" / "01-tiny.mk").read_text()


def test_a_table_that_is_not_there(in_book):
    chapter = in_book()
    with pytest.raises(FileNotFoundError, match=r"No table 'means'.*make chapter CH=01-one"):
        chapter.load_table("means")
    assert chapter.find_table("means") is None
    chapter.save_table(pd.DataFrame({"a": [1, 2]}), "means")
    path = chapter.build / "tables" / "means.parquet"
    os.utime(path, (1000, 1000))
    chapter.save_table(pd.DataFrame({"a": [1, 2]}), "means")
    assert path.stat().st_mtime == 1000
    assert chapter.load_table("means")["a"].tolist() == [1, 2]
    assert chapter.find_table("means")["a"].tolist() == [1, 2]
    assert (chapter.tables_read, chapter.tables_written) == ({"means"}, {"means"})
    path.write_bytes(b"")
    assert not chapter.has_table("means")
    assert chapter.find_table("means") is None


def test_the_log_names_the_cells_that_took_long():
    cells = [
        nbformat.v4.new_code_cell(source) for source in ("quick()", "slow()\nmore()", "never()")
    ]
    for cell, seconds in zip(cells, (0.2, 12.34, None), strict=True):
        cell.metadata["papermill"] = {"duration": seconds}
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_markdown_cell("text")])
    log = run._cell_times(notebook)
    assert "12.3 s  cell 1: slow()" in log
    assert "quick" not in log
    assert run._cell_times(nbformat.v4.new_notebook(cells=cells[:1])) == ""
