"""JupyterLab in headless Chromium: edit a cell, see its figure, save, and run the chapter."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from real_make import clean_environment, make_command, run_make

sys.path.append(str(Path(__file__).resolve().parents[1] / "notebooks"))
from small_project import STUDY, checkout

pytest.importorskip("jupyterlab")
FIRST = """# %% [markdown]
# # One
#
# There are {glue:text}`songs` songs.

# %% tags=["parameters"]
study = "STUDY"
seed = 0

# %%
import matplotlib.pyplot as plt

from groove_utils.book import open_chapter, report_value, show_figure

chapter = open_chapter("01-first", study)

# %%
height = 1

# %%
figure, axes = plt.subplots(figsize=(2, 2))
axes.bar([0], [height])
axes.set_ylim(0, 4)
show_figure(figure, "bar", "A bar.", "One bar of a certain height, and nothing else.")
report_value("height", height, fmt=".0f")
report_value("songs", len(chapter.study.tracks), fmt=".0f")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab") / "checkout"
    checkout(root, {"01-first": FIRST.replace("STUDY", str(root / STUDY))})
    (root / "analysis" / "chapters.mk").write_text("CHAPTERS := 01-first\n")
    (root / "analysis" / "params" / "default.yml").write_text("all: {seed: 1}\n")
    (root / "pyproject.toml").write_bytes(
        (Path(__file__).resolve().parents[2] / "pyproject.toml").read_bytes()
    )
    return root


@pytest.fixture(scope="module")
def lab(project):
    """Address of JupyterLab, started by ``make lab``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = f"--no-browser --port={port} --ip=127.0.0.1 --IdentityProvider.token= --allow-root"
    home = project.parent / "home"
    environment = clean_environment(project) | {"JUPYTER_FLAGS": flags, "HOME": str(home)}
    command = make_command("lab", "CH=01-first", f"STUDY={STUDY}")
    server = subprocess.Popen(
        command,
        cwd=project,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=2).close()
            break
        except OSError:
            assert server.poll() is None, server.stdout.read()
            time.sleep(0.5)
    yield address
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(timeout=30)


def images(page) -> list[str]:
    selector = ".jp-OutputArea-output img"
    return page.locator(selector).evaluate_all("found => found.map(image => image.src)")


def run_all(page) -> None:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(
        "() => !document.querySelector('.jp-InputPrompt')?.innerText.includes('*')"
    )


def test_a_changed_cell_changes_the_figure_and_the_chapter(browser, lab, project):
    script = project / "analysis" / "01-first.py"
    source = script.read_text()
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.goto(f"{lab}/lab/tree/analysis/01-first.ipynb")
    page.get_by_text("| Idle").wait_for(timeout=60_000)  # the kernel has started
    run_all(page)
    page.locator(".jp-OutputArea-output img").first.wait_for(timeout=90_000)
    assert page.get_by_text("height: 1").count() == 1
    before = images(page)
    cell = page.locator(".jp-CodeCell").filter(has_text="height = 1")
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.type("height = 3")
    run_all(page)
    page.get_by_text("height: 3").wait_for(timeout=60_000)
    assert len(before) == 1
    assert images(page) != before
    page.keyboard.press("Control+S")
    for _ in range(60):
        if script.read_text() != source:
            break
        time.sleep(0.5)
    assert script.read_text() == source.replace("height = 1", "height = 3")
    run_make(project, "chapter", "CH=01-first", f"STUDY={STUDY}")
    values = json.loads((project / "build/own-study/values/01-first.json").read_text())
    assert values["height"]["value"] == 3
    run_make(project, "sync")
    notebook = json.loads((project / "analysis" / "01-first.ipynb").read_text())
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    page.context.close()
