"""Pages are rendered with the reported values and compiled together; jupyter-book is replaced."""

import json
import subprocess
from pathlib import Path

import nbformat
import pytest
import yaml
from expect import raises

from groove_utils.book import build
from groove_utils.book.__main__ import main
from groove_utils.book.build import build_book, collect_values, repository
from groove_utils.book.errors import BookError
from groove_utils.manifest import read_manifest


@pytest.fixture
def compiled(monkeypatch):
    """Recorded commands of a fake jupyter-book, which writes a page and exits with `.status`."""

    class Commands(list):
        status = 0

    commands = Commands()
    real = subprocess.run

    def run(command, **options):
        if command[0] == "git":
            return real(command, **options)
        commands.append(command)
        html = Path(command[command.index("--path-output") + 1]) / "_build" / "html"
        html.mkdir(parents=True, exist_ok=True)
        (html / "index.html").write_text(f"page {len(commands)}")
        return subprocess.CompletedProcess(command, commands.status, "WARNING: \x1b[1mbad\n", "")

    monkeypatch.setattr(build.subprocess, "run", run)
    return commands


@pytest.fixture
def book(tmp_path, make_study):
    """Checkout with one page, a study, and a build folder with one executed chapter."""
    root, folder = tmp_path / "root", tmp_path / "build"
    (root / "book" / "_static").mkdir(parents=True)
    (root / "book" / "index.md").write_text('{{ full("01-one.songs") }} of {{ study.title }}')
    (root / "book" / "_static" / "logo.svg").write_text("<svg/>")
    (root / "_config.yml").write_text("title: A book\n")
    for name in ("requirements.txt", "requirements-nodeps.txt"):
        (root / name).write_text("numpy>=2\n")
    for place in ("book/figures", "book/_static/audio", "values", "tables"):
        (folder / place).mkdir(parents=True)
    value = {"text": "8", "full": "8 (n = 8)", "value": 8}
    (folder / "values" / "01-one.json").write_text(json.dumps({"songs": value}))
    cell = nbformat.v4.new_markdown_cell("figures/01-one-shown.png")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "book" / "01-one.ipynb")
    nbformat.write(nbformat.v4.new_notebook(), folder / "book" / "02-dropped.ipynb")
    for figure in ("01-one-shown.png", "01-one-unused.png"):
        (folder / "book" / "figures" / figure).touch()
    return root, str(make_study()), folder


def test_pages_are_rendered_and_replaced_as_a_whole(book, compiled, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/book")
    root, study, folder = book
    for number in (1, 2):
        page = build_book(root, study, folder, ["01-one"])
        assert page == folder / "html" / "index.html"
        assert page.read_text() == f"page {number}"
    sources = folder / "book"
    assert (sources / "index.md").read_text() == "8 (n = 8) of A tiny study"
    assert (sources / "_static" / "logo.svg").read_text() == "<svg/>"
    assert [path.name for path in (sources / "figures").iterdir()] == ["01-one-shown.png"]
    assert not (sources / "02-dropped.ipynb").exists()
    config = yaml.safe_load((sources / "_config.yml").read_text())
    assert config["repository"]["url"] == "https://github.com/someone/book"
    footer = config["html"]["extra_footer"]
    assert "Study: A tiny study" in footer
    assert '<a href="https://github.com/someone/book">' in footer
    assert config["sphinx"]["recursive_update"] is True
    assert collect_values(folder, ["01-one"])["01-one.songs"]["value"] == 8
    assert {"-W", "-n"} <= set(compiled[0])
    assert not (folder / "work" / "html").exists()


def test_a_failure_keeps_the_last_pages_and_says_why(book, compiled):
    root, study, folder = book
    build_book(root, study, folder, ["01-one"])
    compiled.status = 1
    with raises(BookError, "jupyter_book", path="jupyter-book.txt") as caught:
        build_book(root, study, folder, ["01-one"])
    assert "WARNING: bad" in str(caught.value)
    assert (folder / "html" / "index.html").read_text() == "page 1"


def test_a_page_may_only_ask_for_reported_values(book, compiled):
    root, study, folder = book
    with raises(BookError, "unknown_value", value="01-one.songs"):
        build_book(root, study, folder, [])
    (root / "book" / "index.md").write_text("{{ unknown }}")
    with raises(BookError, "template", path="index.md"):
        build_book(root, study, folder, ["01-one"])
    assert compiled == []


def test_a_checkout_without_a_remote_has_no_links(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert repository(tmp_path) is None
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    remote = ["git", "-C", tmp_path, "remote", "add", "origin", "git@github.com:ann/a.book.git"]
    subprocess.run(remote, check=True)
    monkeypatch.setenv("GITHUB_REF_NAME", "next")
    assert repository(tmp_path) == {"url": "https://github.com/ann/a.book", "branch": "next"}


def test_values_of_a_chapter_are_never_skipped(book, compiled):
    root, study, folder = book
    with pytest.raises(FileNotFoundError):
        build_book(root, study, folder, ["01-one", "03-absent"])


def test_the_command_writes_a_manifest_of_the_pages(book, compiled, monkeypatch, capsys):
    root, study, folder = book
    monkeypatch.setattr("groove_utils.book.__main__.project_root", lambda: root)
    (folder / "runs").mkdir()
    (folder / "runs" / "01-one.json").write_text(
        '{"parameters": {}, "seconds": 1, "peak_memory_mib": 1, "began": ""}'
    )
    assert main(["build", "--study", study, "--build", str(folder), "01-one"]) == 0
    assert "index.html" in capsys.readouterr().out
    manifest = read_manifest(folder / "made" / "html.json")
    names = {part: {Path(file).name for file in files} for part, files in manifest.items()}
    assert {"build.py", "index.md", "01-one.ipynb", "study.yml"} <= names["inputs"]
    assert {"index.html", "values.json"} <= names["outputs"]
