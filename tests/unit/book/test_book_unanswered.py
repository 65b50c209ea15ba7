"""Links to chapters that a study cannot answer lead to the page that lists these chapters."""

import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup

from groove_utils.book.study_requirements import fit_to_study
from groove_utils.book.unanswered import find_unanswered

TITLE = "Which instruments *carry* it?"
CONFIG = f"""
extensions = ["myst_parser", "groove_utils.book.unanswered"]
exclude_patterns = ["08-stems.md"]
unanswered_chapters = {{"08-stems": "{TITLE}"}}
"""
PAGES = {
    "index.md": "# Start\n\n{doc}`08-stems`, {doc}`the stems <08-stems>`, {doc}`unanswered`\n\n"
    "```{toctree}\nunanswered\n```\n",
    "unanswered.md": "# Unanswered\n\n(unanswered-08-stems)=\n## Stems\n",
    "08-stems.md": "# Stems\n",
}


@pytest.fixture
def executed(tmp_path):
    """Two chapters; one needs data that the study does not have."""
    for name, tag in {"01-one": "needs-listeners", "08-stems": "needs-stems"}.items():
        cells = [
            nbformat.v4.new_markdown_cell(f"# {TITLE}\n\nText", metadata={"tags": [tag]}),
            nbformat.v4.new_code_cell("x = 1"),
        ]
        chapter = fit_to_study(nbformat.v4.new_notebook(cells=cells), "listeners".__eq__)
        nbformat.write(chapter, tmp_path / f"{name}.ipynb")
    return tmp_path


def test_chapters_with_a_box_only_are_found(executed):
    (chapter,) = find_unanswered(executed, ["01-one", "08-stems"])
    assert (chapter.name, chapter.title) == ("08-stems", TITLE)
    assert chapter.reason.startswith("This chapter was left out, because the study has no stems")


def build(folder):
    for name, text in {**PAGES, "conf.py": CONFIG}.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", folder, folder / "html"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_links_lead_to_the_page_that_names_them(tmp_path):
    run = build(tmp_path)
    assert run.returncode == 0, run.stderr
    page = BeautifulSoup((tmp_path / "html" / "index.html").read_text(), "html.parser")
    links = page.select('a[href="unanswered.html#unanswered-08-stems"]')
    assert [link.get_text() for link in links] == [TITLE, "the stems"]
    assert not (tmp_path / "html" / "08-stems.html").exists()


def test_a_link_to_no_chapter_at_all_still_fails(tmp_path, monkeypatch):
    monkeypatch.setitem(PAGES, "index.md", PAGES["index.md"].replace("the stems <08", "<09"))
    assert build(tmp_path).returncode
