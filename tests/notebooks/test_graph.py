"""The real Makefile on a small project: what is run again, and what survives a kill."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from real_make import clean_environment, make_command, run_make

ROOT = Path(__file__).resolve().parents[2]

FIRST = """# %% [markdown]
# # A first chapter

# %% tags=["parameters"]
study = "demo"
seed = 0
{extra}

# %%
import pandas as pd
from groove_utils.book import open_chapter, report_value
from groove_utils.figures import {plot}

chapter = open_chapter("{name}", study)
{body}
"""
WRITES = """means = chapter.study.song_means("groove").round(0).rename("mean").to_frame()
chapter.save_table(means, "means")
report_value("mean", means["mean"].mean())"""
READS = """means = chapter.load_table("means")
report_value("songs", len(means) * factor)"""
MAKE_TWO = """CHAPTERS := 01-first 02-second
01-first.writes := means
02-second.reads := means
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A checkout with the real Makefile and package, two tiny chapters and a tiny study."""
    root = tmp_path_factory.mktemp("a project") / "checkout"
    (root / "analysis" / "params").mkdir(parents=True)
    (root / "book" / "_static").mkdir(parents=True)
    for name in ("Makefile", "_config.yml", "requirements.txt", "requirements-nodeps.txt"):
        shutil.copy(ROOT / name, root)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "groove_utils", root / "groove_utils", ignore=ignore)
    for file in ("logo.svg", "groove.css"):
        shutil.copy(ROOT / "book" / "_static" / file, root / "book" / "_static")
    toc = "format: jb-book\nroot: index\nchapters:\n"
    toc += "{% for c in chapters %}\n- file: {{ c }}\n{% endfor %}\n"
    (root / "book" / "_toc.yml").write_text(toc)
    (root / "book" / "references.bib").write_text("")
    (root / "book" / "index.md").write_text('# Index\n\n{{ value("02-second.songs") }} songs\n')
    (root / "analysis" / "chapters.mk").write_text(MAKE_TWO)
    texts = {
        "01-first": {"plot": "plot_forest", "extra": "", "body": WRITES},
        "02-second": {"plot": "plot_song_maps", "extra": "factor = 1", "body": READS},
    }
    for name, parts in texts.items():
        (root / "analysis" / f"{name}.py").write_text(FIRST.format(name=name, **parts))
    params = {"all": {"seed": 1}, "chapters": {"02-second": {"factor": 1}}}
    (root / "analysis" / "params" / "default.yml").write_text(yaml.safe_dump(params))
    _write_study(root / "own study")
    return root


def _write_study(folder):
    (folder / "audio").mkdir(parents=True)
    tracks = [f"t {k}" for k in range(8)]
    rng = np.random.default_rng(0)
    for track in tracks:
        soundfile.write(folder / "audio" / f"{track} [live].wav", rng.normal(0, 0.1, 8000), 8000)
    pd.DataFrame(
        {
            "track_id": tracks,
            "title": tracks,
            "artist": [f"a{k // 2}" for k in range(8)],
            "style": ["funk", "rock"] * 4,
            "audio": [f"audio/{track} [live].wav" for track in tracks],
        }
    ).to_csv(folder / "tracks.csv", index=False)
    pd.DataFrame({"track_id": tracks, "query": "groove", "rating": range(8)}).to_csv(
        folder / "ratings.csv", index=False
    )
    meta = {"title": "Own", "queries": {"groove": "Groove?"}, "scale": [0, 100]}
    (folder / "study.yml").write_text(yaml.safe_dump(meta))


BUILD = Path("build/own-study")


# where the pages' HTML is not in question: a chapter that reads the other's table
BOTH = ("chapter", "CH=02-second")


def make(root, *goals, check=True):
    return run_make(root, *goals, "STUDY=own study", check=check)


def stamps(root):
    files = [*(root / BUILD / "book").glob("*.ipynb"), root / BUILD / "html" / "index.html"]
    return {file.stem: file.stat().st_mtime_ns for file in files}


def run_again(root, change, *goals):
    """What Make renews after `change` was made to an up-to-date project."""
    make(root, *goals)
    before = stamps(root)
    time.sleep(0.02)
    change()
    make(root, *goals)
    after = stamps(root)
    return {name for name in after if after[name] != before.get(name)}


def values(root):
    return json.loads((root / BUILD / "values.json").read_text())


def test_an_unchanged_book_is_left_alone_within_five_seconds(project):
    make(project, "book")
    before, started = stamps(project), time.monotonic()
    make(project, "-j2", "book")
    assert stamps(project) == before
    assert time.monotonic() - started < 5
    assert values(project)["02-second.songs"]["value"] == 8
    assert "8.00 songs" in (project / BUILD / "html" / "index.html").read_text()


def test_a_chapters_text_runs_that_chapter(project):
    script = project / "analysis" / "02-second.py"

    def change():
        script.write_text(script.read_text() + "\n# %% [markdown]\n# More.\n")

    assert run_again(project, change, "book") == {"02-second", "index"}


def test_a_module_runs_the_chapters_that_imported_it(project):
    module = project / "groove_utils" / "figures" / "maps.py"

    def change():
        module.write_text(module.read_text() + "\n")

    assert run_again(project, change, *BOTH) == {"02-second"}


def test_a_module_that_no_chapter_imported_runs_nothing(project):
    module = project / "groove_utils" / "mixed" / "power.py"

    def change():
        module.write_text(module.read_text() + "\n")

    assert run_again(project, change, "book") == set()


def test_a_deleted_module_is_no_error(project):
    extra = project / "groove_utils" / "figures" / "extra.py"
    script = project / "analysis" / "02-second.py"
    text = script.read_text()
    extra.write_text("ANSWER = 1\n")
    script.write_text(text + "\n# %%\nimport groove_utils.figures.extra\n")
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
    file = project / "own study" / "ratings.csv"

    def change():  # the rounded means stay the same, and so does the table
        ratings = pd.read_csv(file)
        ratings["rating"] = ratings["rating"] + 0.1
        ratings.to_csv(file, index=False)

    # the second chapter read study.yml and tracks.csv only
    assert run_again(project, change, *BOTH) == {"01-first"}


def test_a_changed_table_runs_its_readers(project):
    file = project / "own study" / "ratings.csv"

    def change():
        ratings = pd.read_csv(file)
        ratings["rating"] = ratings["rating"] + 3
        ratings.to_csv(file, index=False)

    assert run_again(project, change, *BOTH) == {"01-first", "02-second"}


def test_one_chapter_runs_only_what_it_stands_on(project):
    shutil.rmtree(project / BUILD)
    make(project, "chapter", "CH=01-first")
    assert set(stamps_of_pages(project)) == {"01-first"}
    make(project, "chapter", "CH=02-second")
    assert set(stamps_of_pages(project)) == {"01-first", "02-second"}


def stamps_of_pages(root):
    return [file.stem for file in (root / BUILD / "book").glob("*.ipynb")]


def test_a_failing_chapter_is_named_last_and_left_for_inspection(project):
    make(project, "book")
    script = project / "analysis" / "02-second.py"
    text = script.read_text()
    page = (project / BUILD / "html" / "index.html").read_bytes()
    script.write_text(text + "\n# %%\nraise ValueError('the bass fell over')\n")
    run = make(project, "-j2", "book", check=False)
    assert run.returncode != 0
    told = run.stdout[run.stdout.rindex("Chapter 02-second failed in cell") :]
    assert "ValueError: the bass fell over" in told
    assert "raise ValueError" in told
    left = project / BUILD / "failed" / "02-second.ipynb"
    assert "the bass fell over" in left.read_text()
    assert (project / BUILD / "html" / "index.html").read_bytes() == page
    script.write_text(text)
    make(project, "book")
    assert not left.exists()


def test_an_invalid_study_stops_before_any_chapter(project):
    make(project, "book")
    file = project / "own study" / "ratings.csv"
    good = file.read_text()
    file.write_text(good.replace("t 3,groove", "t 9,groove"))
    before = stamps(project)
    run = make(project, "book", check=False)
    assert run.returncode != 0
    assert "unknown track_id 't 9'" in run.stdout + run.stderr
    assert stamps(project) == before
    file.write_text(good)
    make(project, "book")


@pytest.mark.parametrize("delay", [0.5, 2.5, 6.0])
def test_killed_at_any_moment_it_completes_with_equal_values(project, delay):
    make(project, "book")
    whole = values(project)
    shutil.rmtree(project / BUILD)
    running = subprocess.Popen(
        make_command("book", "STUDY=own study"),
        cwd=project,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(delay)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    make(project, "book")
    assert values(project) == whole
