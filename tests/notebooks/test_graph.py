"""Make's dependency graph in a small project: what is run again, and what survives a kill.

Most tests run the real Makefile with ``stub_python.py``, whose chapters take milliseconds; two run
real chapters and pages.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from real_make import clean_environment, make_command, run_make
from small_project import STUBS, STUDY, add_stub, checkout

BUILD = Path("build/own-study")
# for tests without HTML pages: a chapter that reads the other chapter's table
BOTH = ("chapter", "CH=02-second")
FIRST = """# %% [markdown]
# # A first chapter

# %% tags=["parameters"]
study = "demo"
seed = 0

# %%
from groove_utils.book import open_chapter, report_value
from groove_utils.figures import plot_forest

chapter = open_chapter("01-first", study)
means = chapter.study.song_means("groove").round(0).rename("mean").to_frame()
chapter.save_table(means, "means")
report_value("mean", means["mean"].mean())
"""
SECOND = """# %% [markdown]
# # A second chapter

# %% tags=["parameters"]
study = "demo"
seed = 0
factor = 1

# %%
from groove_utils.book import open_chapter, report_value
from groove_utils.figures import plot_song_maps

chapter = open_chapter("02-second", study)
report_value("songs", len(chapter.load_table("means")) * factor)
"""


# ---- with stub chapters ----


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return add_stub(checkout(tmp_path_factory.mktemp("a project") / "checkout", STUBS))


def make(root, *goals, check=True):
    return run_make(root, *goals, f"STUDY={STUDY}", check=check, python="./stub_python")


def stamps(root):
    files = [*(root / BUILD / "book").glob("*.ipynb"), root / BUILD / "html" / "index.html"]
    return {file.stem: file.stat().st_mtime_ns for file in files if file.exists()}


def run_again(root, change, *goals):
    """Apply `change` to an up-to-date project, and return what Make renews."""
    make(root, *goals)
    before = stamps(root)
    time.sleep(0.02)
    change()
    make(root, *goals)
    after = stamps(root)
    return {name for name in after if after[name] != before.get(name)}


def append(file, text="\n"):
    return lambda: file.write_text(file.read_text() + text)


def raise_ratings(root, by):
    file = root / STUDY / "ratings.csv"

    def change():
        ratings = pd.read_csv(file)
        ratings["rating"] = ratings["rating"] + by
        ratings.to_csv(file, index=False)

    return change


def test_an_unchanged_book_is_left_alone(project):
    assert run_again(project, lambda: None, "-j2", "book") == set()


def test_a_chapters_text_runs_that_chapter(project):
    change = append(project / "analysis" / "02-second.py")
    assert run_again(project, change, "book") == {"02-second", "index"}


def test_a_module_runs_the_chapters_that_imported_it(project):
    change = append(project / "groove_utils" / "figures" / "maps.py")
    assert run_again(project, change, *BOTH) == {"02-second"}


def test_a_module_that_no_chapter_imported_runs_nothing(project):
    change = append(project / "groove_utils" / "mixed" / "power.py")
    assert run_again(project, change, "book") == set()


def test_a_deleted_module_is_no_error(project):
    extra = project / "groove_utils" / "figures" / "extra.py"
    script = project / "analysis" / "02-second.py"
    text = script.read_text()
    extra.write_text("ANSWER = 1\n")
    script.write_text(text + "# uses groove_utils/figures/extra.py\n")
    make(project, *BOTH)

    def change():
        extra.unlink()
        script.write_text(text)

    assert run_again(project, change, *BOTH) == {"02-second"}


def test_a_parameter_runs_the_chapter_that_has_it(project):
    file = project / "analysis" / "params" / "default.yml"

    def change():
        params = yaml.safe_load(file.read_text())
        params["chapters"]["02-second"]["factor"] += 1
        file.write_text(yaml.safe_dump(params))

    assert run_again(project, change, *BOTH) == {"02-second"}


def test_a_study_file_runs_what_read_it_and_an_equal_table_stops_there(project):
    # the rounded means stay the same, and so does the table; the second chapter read tracks.csv
    assert run_again(project, raise_ratings(project, 0.1), *BOTH) == {"01-first"}


def test_a_changed_table_runs_its_readers(project):
    assert run_again(project, raise_ratings(project, 3), *BOTH) == {"01-first", "02-second"}


def test_one_chapter_runs_only_what_it_needs(project):
    shutil.rmtree(project / BUILD, ignore_errors=True)
    make(project, "chapter", "CH=01-first")
    assert set(stamps(project)) == {"01-first"}
    make(project, "chapter", "CH=02-second")
    assert set(stamps(project)) == {"01-first", "02-second"}


def test_a_failing_chapter_is_named_last(project):
    make(project, "book")
    script = project / "analysis" / "02-second.py"
    text = script.read_text()
    before = stamps(project)
    script.write_text(text + "# fails\n")
    run = make(project, "-j2", "book", check=False)
    assert run.returncode != 0
    assert run.stdout.splitlines()[-1] == "Chapter 02-second failed in cell 3"
    assert stamps(project) == before
    script.write_text(text)
    make(project, "book")
    assert not (project / BUILD / "failed").exists()


def test_an_invalid_study_stops_before_any_chapter(project):
    make(project, "book")
    file = project / STUDY / "ratings.csv"
    good = file.read_text()
    file.write_text(good.replace("t 3,groove", "t 9,groove"))
    before = stamps(project)
    run = make(project, "book", check=False)
    assert run.returncode != 0
    assert "'t 9'" in run.stdout + run.stderr
    assert stamps(project) == before
    file.write_text(good)
    make(project, "book")


def changed_files(root):
    status = subprocess.run(["git", "status", "--short", "-uall"], cwd=root, capture_output=True)
    return sorted(line[3:] for line in status.stdout.decode().splitlines())


def new_and_removed(root, make):
    """Add a chapter, run it, and remove it, without editing anything in between."""
    (root / ".gitignore").write_text("build/\n__pycache__/\nstub_python\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Start"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "gc.auto=0"]
        subprocess.run(["git", *identity, *command], cwd=root, check=True)
    make("new-chapter", "CH=12-tempo")
    new = ["analysis/12-tempo.ipynb", "analysis/12-tempo.py", "analysis/chapters.mk"]
    assert changed_files(root) == new
    lines = subprocess.run(["git", "diff", "--numstat"], cwd=root, capture_output=True, text=True)
    assert lines.stdout.split() == ["1", "1", "analysis/chapters.mk"]
    make("chapter", "CH=12-tempo")
    assert changed_files(root) == new
    assert (root / BUILD / "book" / "12-tempo.ipynb").is_file()
    make("book")
    assert (root / BUILD / "html" / "12-tempo.html").is_file()
    make("remove-chapter", "CH=12-tempo")
    assert changed_files(root) == []
    make("book")
    assert not (root / BUILD / "html" / "12-tempo.html").exists()


def test_a_new_chapter_is_in_the_book_at_once(tmp_path):
    root = add_stub(checkout(tmp_path / "checkout", STUBS))
    new_and_removed(root, lambda *words: make(root, *words))


# ---- with real chapters and pages ----


@pytest.fixture(scope="module")
def real_project(tmp_path_factory):
    chapters = {"01-first": FIRST, "02-second": SECOND}
    return checkout(tmp_path_factory.mktemp("a real project") / "checkout", chapters)


def values(root):
    return json.loads((root / BUILD / "values.json").read_text())


def test_killed_at_three_moments_it_completes(real_project):
    for moment in (
        "work/01-first/in.ipynb",  # the first chapter is run
        "book/01-first.ipynb",  # it has just been written
        "work/pages",  # pages are compiled
    ):
        kill_when_there_is(real_project, moment)
        assert not (real_project / BUILD / "html").exists()
    run_make(real_project, "-j2", "book", f"STUDY={STUDY}")
    reported = {name: entry["value"] for name, entry in values(real_project).items()}
    assert reported == {"01-first.mean": 3.5, "02-second.songs": 8}
    assert "8.00 songs" in (real_project / BUILD / "html" / "index.html").read_text()


def kill_when_there_is(root, moment):
    running = subprocess.Popen(
        make_command("book", f"STUDY={STUDY}"),
        cwd=root,
        env=clean_environment(root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while running.poll() is None and not (root / BUILD / moment).exists():
        time.sleep(0.01)
    assert running.returncode is None, f"Make ended before {moment}: choose an earlier moment"
    os.killpg(running.pid, signal.SIGKILL)
    status = running.wait()
    assert status == -signal.SIGKILL, f"Make ended before the kill at {moment}: choose an earlier"


def test_real_chapters_and_pages_keep_to_the_graph(real_project):
    def make_real(*words):
        run_make(real_project, *words, f"STUDY={STUDY}")
        return stamps(real_project)

    first = make_real("book")
    assert make_real("book") == first
    append(real_project / "groove_utils" / "figures" / "maps.py")()
    second = make_real(*BOTH)
    assert {name for name in second if second[name] != first[name]} == {"02-second"}


@pytest.mark.weekly
def test_damaged_results_of_real_chapters_are_made_again(real_project):
    def make_second():
        return run_make(real_project, *BOTH, f"STUDY={STUDY}").stdout

    def results():
        files = [*build.glob("tables/*"), *build.glob("values/*"), *build.glob("book/*.ipynb")]
        return {file.name: file.read_bytes() for file in files}

    make_second()
    build = real_project / BUILD
    whole = results()
    for damage in (
        {"tables/means.parquet": b""},
        {"tables/means.parquet": whole["means.parquet"][:-9] + b"~" + whole["means.parquet"][-8:]},
        {"values/01-first.json": b"{}", "book/02-second.ipynb": b"{"},
    ):
        for name, content in damage.items():
            (build / name).write_bytes(content)
        said = make_second()
        assert all(
            f"{build.relative_to(real_project) / name} is damaged" in said for name in damage
        )
        assert results() == whole


@pytest.mark.slow
def test_the_template_is_a_chapter_of_the_real_book(real_project):
    exercises = real_project / BUILD / "html" / "exercises" / "12-tempo.ipynb"
    linked = []

    def make_real(*words):
        run_make(real_project, *words, f"STUDY={STUDY}")
        page = real_project / BUILD / "html" / "12-tempo.html"
        if page.exists():
            assert 'href="exercises/12-tempo.ipynb"' in page.read_text()
            text = exercises.read_text()
            assert "count artists, not styles" in text
            assert "value_counts()\\n" not in text
            assert text == (real_project / "build/exercises/12-tempo.ipynb").read_text()
            linked.append(words)

    new_and_removed(real_project, make_real)
    assert linked
    assert not exercises.exists()
