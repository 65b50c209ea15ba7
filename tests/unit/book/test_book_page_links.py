"""Links to chapters are named by number, and links to other pages by title."""

import subprocess
import sys

import pytest
from bs4 import BeautifulSoup

from groove_utils.book.page_links import link_text

CONFIG = """
extensions = ["myst_parser", "groove_utils.book.page_links", "groove_utils.book.unanswered"]
unanswered_chapters = {"08-stems": "Which instruments?"}
"""
PAGES = {
    "index.md": """# Start

{doc}`06-probing` follows {doc}`05-maps`, and *{doc}`08-stems`* is missing. See {doc}`adapt`, or
{doc}`the maps <05-maps>`. → {doc}`06-probing`

| time | read |
|---|---|
| 1 hour | {doc}`05-maps` to {doc}`06-probing` |

```{toctree}
:numbered:
05-maps
06-probing
```
```{toctree}
adapt
unanswered
```
""",
    "05-maps.md": "# What is *near*?\n",
    "06-probing.md": "# Can we predict?\n",
    "adapt.md": "# How to adapt\n",
    "unanswered.md": "# Unanswered\n\n(unanswered-08-stems)=\n## Stems\n",
}


def test_links_in_sentences_and_tables(tmp_path):
    for name, text in {**PAGES, "conf.py": CONFIG}.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", tmp_path, tmp_path / "html"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    page = BeautifulSoup((tmp_path / "html" / "index.html").read_text(), "html.parser")
    links = page.select('section a[href$=".html"], section a[href*="#unanswered"]')
    texts = [link.get_text() for link in links if not link.find_parent(class_="toctree-wrapper")]
    assert texts == [
        "Chapter 2",
        "chapter 1",
        "the chapter “Which instruments?”",
        "the page “How to adapt”",
        "the maps",
        "Chapter 2: Can we predict?",
        "Chapter 1",
        "chapter 2",
    ]


@pytest.mark.parametrize(
    ("before", "expected"),
    [("", "Chapter 6"), ("It is done. ", "Chapter 6"), ("It is done. (", "Chapter 6"),
     ("Next: ", "Chapter 6"), ("as in ", "chapter 6"), ("is shown (", "chapter 6"),
     ("one; ", "chapter 6")],
)  # fmt: skip
def test_a_link_at_the_beginning_of_a_sentence_has_a_capital(before, expected):
    assert link_text("Title", "6", before) == expected
