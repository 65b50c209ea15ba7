"""Notebooks to download install what they need, and contain figures and values."""

import ast
import base64
import html
import importlib.util
import io
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from groove_utils.book.downloads import download_notebook, install_cell, write_downloads
from groove_utils.book.kept_files import KeptFiles

ADDRESS = {"url": "https://example.org/a/b", "branch": "main"}
VALUES = {"01-one.n": {"text": "8", "full": "8 (n = 8)"}}
FIGURE = """~~~~{figure} figures/one.webp
:name: fig-one
:alt: A square that is all red.
:width: 40px

A square of {glue:text}`n` pixels. {download}`The plotted numbers <figures/one.csv>`.
~~~~"""
PLAYERS = (
    '<div class="players"><figure class="player"><figcaption>Drums</figcaption>'
    '<audio controls aria-label="Drums" src="_static/audio/1.mp3"></audio></figure></div>'
)


def markdown(text):
    return new_output("display_data", {"text/markdown": text, "text/plain": ""})


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "figures").mkdir()
    Image.new("RGB", (8, 8), "red").save(tmp_path / "figures/one.webp", lossless=True)
    value = new_output("display_data", {"application/papermill.record/text/plain": "'8'"})
    players = new_output("display_data", {"text/html": PLAYERS, "text/plain": ""})
    number = new_output("execute_result", {"text/plain": "3"}, execution_count=1)
    table = markdown("~~~~{table} Songs.\n:name: tab-a\n\n| n |\n|---|\n| 8 |\n~~~~")
    cells = [
        new_markdown_cell("# One\n\n{glue:text}`n` songs, see {doc}`02-next`."),
        new_code_cell(
            "1 + 2",
            outputs=[value, markdown(FIGURE), table, players, number],
            metadata={"tags": ["hide-input"]},
        ),
        new_markdown_cell("```{solution-start} ex\n:class: dropdown\n```"),
        new_markdown_cell("```{solution-end}\n```"),
        new_markdown_cell('In the <a href="exercises/1.ipynb" download>notebook</a>.'),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "01-one.ipynb")
    return tmp_path


@pytest.fixture
def notebook(sources):
    page = nbformat.read(sources / "01-one.ipynb", as_version=4)
    return download_notebook(page, "01-one", sources, VALUES, ADDRESS)


def test_a_downloaded_notebook_is_valid_and_begins_with_the_installation(notebook):
    nbformat.validate(notebook)
    assert notebook.cells[0].source == install_cell("01-one", ADDRESS).source


def test_texts_of_a_study_stay_texts(sources):
    label = "![x](x) <script>alert(1)</script> {download}`x`"
    page = nbformat.read(sources / "01-one.ipynb", as_version=4)
    players = page.cells[1].outputs[3].data
    players["text/html"] = PLAYERS.replace("Drums", html.escape(label))
    values = {"01-one.n": {"text": label, "full": label}}
    notebook = download_notebook(page, "01-one", sources, values, ADDRESS)
    shown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    shown += [o.data["text/markdown"] for c in notebook.cells for o in c.get("outputs", [])
              if "text/markdown" in o.data]  # fmt: skip
    shown = "\n".join(shown)
    assert html.unescape(shown).count(label) == 3  # prose, caption, players
    assert not re.search(r"]\(|<script|`x`", shown)


def test_prose_carries_values_and_no_directive(notebook):
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert texts == ["# One\n\n8 songs, see chapter 2.", "**Solution**", "In the notebook."]


def test_figures_are_inside_and_sounds_are_named(notebook):
    figure, caption, table, sounds, number = notebook.cells[2].outputs
    image = Image.open(io.BytesIO(base64.b64decode(figure.data["image/png"])))
    assert image.getpixel((0, 0)) == (255, 0, 0)
    assert figure.data["text/plain"] == "A square that is all red."
    assert figure.metadata["image/png"]["width"] == 40
    assert caption.data["text/markdown"] == "*A square of 8 pixels.*"
    assert table.data["text/markdown"].startswith("**Songs.**\n\n| n |")
    assert sounds.data["text/markdown"] == "*Run this cell to hear: Drums.*"
    assert number.data["text/plain"] == "3"
    assert notebook.cells[2].metadata["jupyter"]["source_hidden"]


def test_downloads_replace_the_sources_of_the_pages(sources, tmp_path):
    write_downloads(
        ["01-one"], sources, tmp_path / "html", VALUES, None, KeptFiles(tmp_path / "kept")
    )
    written = nbformat.read(tmp_path / "html/_sources/01-one.ipynb", as_version=4)
    assert 'REPOSITORY = ""' in written.cells[0].source


def run_cell(source, monkeypatch, *, installed):
    commands = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object() if installed else None)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.setattr(sys, "path", list(sys.path))
    exec(source, {})
    return commands


def test_nothing_is_installed_in_the_books_own_environment(monkeypatch):
    assert run_cell(install_cell("01-one", ADDRESS).source, monkeypatch, installed=True) == []


def test_elsewhere_the_package_is_fetched_and_the_tables_are_made(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    commands = run_cell(install_cell("01-one", ADDRESS).source, monkeypatch, installed=False)
    clone = "git clone -q --depth 1 -b main https://example.org/a/b book"
    assert commands[0] == clone.split()
    assert [command[-1] for command in commands if "-r" in command] == [
        "book/requirements.txt",
        "book/requirements-nodeps.txt",
    ]
    assert commands[-1] == [
        *["make", "-s", "-C", "book", "tables", "CH=01-one"],
        f"PY={sys.executable}",
    ]


def test_an_address_is_text_and_not_code():
    address = {"url": 'https://example.org/a"; x = 1 #', "branch": "$(touch x)"}
    tree = ast.parse(install_cell("01-one", address).source)
    assert not any(isinstance(node, ast.Name) and node.id == "x" for node in ast.walk(tree))
    assert "shell" not in install_cell("01-one", address).source


def test_an_unknown_address_is_asked_for(monkeypatch):
    source = install_cell("01-one", None).source
    with pytest.raises(RuntimeError, match="address"):
        run_cell(source, monkeypatch, installed=False)
    assert run_cell(source.replace('""', '"/b"', 1), monkeypatch, installed=False)
