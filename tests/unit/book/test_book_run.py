"""Chapters are run completely or not at all, and write what Make and the pages need."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
import yaml
from expect import raises

from groove_utils.book import run
from groove_utils.book.__main__ import main
from groove_utils.book.chapter import DECLARED, NOT_ALLOWED
from groove_utils.book.errors import BookError
from groove_utils.book.run import run_chapter
from groove_utils.manifest import find_changes, read_manifest
from groove_utils.paths import project_root

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

from groove_utils.book import open_chapter, report_texts, report_value

chapter = open_chapter("01-tiny", study)
print("noise", file=sys.stderr)
print("said")

# %%
songs = chapter.study.tracks.head(n_songs)
means = chapter.study.song_means(names[0])
report_value("songs", len(songs), fmt=".0f", n=len(songs))
report_texts(first=songs["track_id"].iloc[0])
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
    """Function that runs the text of a chapter on a study and returns the page."""
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
    # listed, but not written, since its cell was dropped: the file says so
    assert (build / "tables" / "stems.parquet").read_bytes() == NOT_ALLOWED

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
    assert [t for t in texts if "Not run for this study" in t and "“Stems”" in t]
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    streams = [output for output in outputs if output.output_type == "stream"]
    assert [(output.name, output.text) for output in streams] == [("stdout", "said\n")]
    assert str(Path(study).parent) not in page.read_text()  # no path of this machine
    glued = [o.metadata.scrapbook.name for o in outputs if "scrapbook" in o.get("metadata", {})]
    assert glued == ["songs", "songs_full", "first"]
    assert "noise" in (build / "logs" / "01-tiny.txt").read_text()

    run = json.loads((build / "runs" / "01-tiny.json").read_text())
    assert run["parameters"] == {"n_songs": 5, "names": ["listen"]}
    assert run["seconds"] > 0
    assert 20 < run["peak_memory_mib"] < 5000

    manifest = build / "made" / "01-tiny.json"
    # everything except what Make's caller would have written
    assert {Path(file).name for file in find_changes(manifest)} == {"study.path", "01-tiny.json"}
    inputs, outputs, packages = read_manifest(manifest).values()
    assert {"numpy", "pandas"} <= set(packages)
    assert "torch" not in packages
    for module in ("book/outputs.py", "book/chapter.py", "study/folder.py", "files.py"):
        assert f"groove_utils/{module}" in inputs
    for module in ("probe", "embed", "synth", "mixed"):  # not imported, so not a dependency
        assert not [file for file in inputs if file.startswith(f"groove_utils/{module}/")]
    for file in ("study.yml", "tracks.csv", "ratings.csv", ""):  # a new file may bring stems
        assert os.path.relpath(study / file, project_root()) in inputs
    for file in ("tables/means.parquet", "tables/stems.parquet", "values/01-tiny.json",
                 "runs/01-tiny.json", "book/01-tiny.ipynb"):  # fmt: skip
        assert os.path.relpath(build / file, project_root()) in outputs
    assert not any((build / "work").iterdir())


def test_a_failing_chapter_says_where_and_leaves_the_notebook(tiny, make_study, read):
    study = make_study()
    page = tiny.build / "book" / "01-tiny.ipynb"
    page.parent.mkdir(parents=True)
    page.write_text("the last good one")
    tiny.script.write_text(TINY.replace("report_texts(", "1 / 0\nreport_texts("))
    # as Make calls it, with the message saved for the end of the output
    command = ["run", str(tiny.script), "--study", str(study), "--build", str(tiny.build)]
    assert main([*command, "--params", str(tiny.params), "--writes", "means", "stems"]) == 1
    failed = tiny.build / "failed" / "01-tiny.ipynb"
    message = failed.with_suffix(".txt").read_text()
    book = read(failed)
    (at,) = [c for c in book.cells if "\n1 / 0\n" in c.source]
    assert "Chapter 01-tiny failed in cell 4 (execution 4):" in message
    assert "\n    1 / 0\n" in message
    assert "ZeroDivisionError: division by zero" in message
    assert os.path.relpath(failed) in message
    (error,) = [o for o in at.outputs if o.output_type == "error"]
    assert error.ename == "ZeroDivisionError"
    assert page.read_text() == "the last good one"
    assert not (tiny.build / "made").exists()
    assert not (tiny.build / "tables" / "means.parquet").exists()


def test_undeclared_tables_are_refused(in_book, monkeypatch):
    monkeypatch.setenv(DECLARED, json.dumps({"reads": [], "writes": ["stems"]}))
    chapter = in_book()
    with raises(BookError, "undeclared_table", value="means"):
        chapter.save_table(pd.DataFrame({"a": [1]}), "means")
    tables = chapter.build / "tables"
    assert not tables.exists()  # rejected before the table was written
    chapter.save_table(pd.DataFrame({"a": [1]}), "stems")
    with raises(BookError, "undeclared_table", value="stems"):
        chapter.load_table("stems")


def test_a_chapter_that_is_left_out_altogether(tiny, make_study, read, monkeypatch):
    monkeypatch.setattr("papermill.execute_notebook", None)  # no kernel is started
    whole = TINY.replace("# %% [markdown]\n# # Is", '# %% [markdown] tags=["needs-styles"]\n# # Is')
    page = tiny(make_study(styles=("funk",)), whole)
    texts = [cell.source for cell in read(page).cells]
    assert len(texts) == 2
    assert "This chapter was left out, because the study has no second style" in texts[1]
    assert json.loads((tiny.build / "values" / "01-tiny.json").read_text()) == {}
    assert (tiny.build / "tables" / "means.parquet").read_bytes() == NOT_ALLOWED
    inputs = read_manifest(tiny.build / "made" / "01-tiny.json")["inputs"]
    assert "tracks.csv" in {Path(file).name for file in inputs}  # a second style may come


def test_a_table_that_is_not_there(in_book):
    chapter = in_book()
    with raises(BookError, "missing_table", path="means.parquet"):
        chapter.load_table("means")
    assert chapter.find_table("means") is None
    chapter.save_table(pd.DataFrame({"a": [1, 2]}), "means")
    path = chapter.build / "tables" / "means.parquet"
    os.utime(path, (1000, 1000))
    chapter.save_table(pd.DataFrame({"a": [1, 2]}), "means")
    assert path.stat().st_mtime == 1000
    assert chapter.load_table("means")["a"].tolist() == [1, 2]
    assert chapter.find_table("means")["a"].tolist() == [1, 2]
    assert chapter.tables_written == {"means"}
    path.write_bytes(NOT_ALLOWED)
    assert not chapter.has_table("means")
    assert chapter.find_table("means") is None
    whole = pd.DataFrame({"a": range(1000)}).to_parquet(write_page_checksum=True)
    for damaged in (
        b"",
        whole[:200],
        whole[:100] + b"~" + whole[101:],
    ):  # not mistaken for such a file
        path.write_bytes(damaged)
        with raises(BookError, "damaged_table", path="means.parquet"):
            chapter.find_table("means")


def test_a_full_disk_is_described_with_its_remedy(tiny):
    error = SimpleNamespace(cell_index=4, exec_count=4, source="separate()", ename="OSError",
                            evalue="[Errno 28] No space left on device: 'x.wav'")  # fmt: skip
    message = run._failure("01-tiny", error, tiny.build / "failed" / "01-tiny.ipynb")
    assert "x.wav: No space left on device. Free some space on the disk" in message
    assert "separate()" in message
