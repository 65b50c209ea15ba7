"""Texts that try to run code on the pages of a book, or to show a file of the machine there."""

import nbformat
import pandas as pd
import yaml
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

SECRET = "MALLOW-SECRET"
# {} is replaced by a file that a page must not show
PLANTS = [
    "{{include}}`{}`",
    "```{{include}} {}",
    "```{{literalinclude}} {}",
    ":::{{include}} {}",
    "~~~{{eval-rst}} .. include:: {}",
    "{{download}}`x <{}>`",
    "[x]({})",
    "![x]({})",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "x\"'><script>alert(1)</script>",
    "(label)=",
    "# heading $x$ **bold** {{ref}}`nothing`",
    "- item | cell \\| cell &lt;b&gt;",
]


def write_secret(folder):
    """Write a file that no page may show; return its path."""
    path = folder / "secret.txt"
    path.write_text(f"{SECRET}\n")
    return path


def plant(folder, secret):
    """Write all these texts into every field of a study that allows any text."""
    text = " ".join(each.format(secret) for each in PLANTS)
    name = "```{include} x ~~~ {download}`x` ![x](x) <script>alert(1)<script> <b>"  # no path
    meta = yaml.safe_load((folder / "study.yml").read_text())
    meta |= dict.fromkeys(("title", "licence", "citation", "description"), text)
    meta["queries"] = {
        query: entry | {"wording": text} if isinstance(entry, dict) else text
        for query, entry in meta["queries"].items()
    }
    (folder / "study.yml").write_text(yaml.safe_dump(meta))
    tables = {
        file: pd.read_csv(folder / f"{file}.csv", dtype={"listener_id": str, "track_id": str})
        for file in ("tracks", "listeners", "ratings")
    }
    tables["tracks"]["title"] = text
    tables["tracks"]["artist"] += " " + text
    tables["tracks"]["label of it"] = tables["tracks"]["label: " + text] = text
    tables["listeners"]["town"] = text
    # the first column of numbers colours a figure, whose caption names it
    tables["listeners"].insert(1, "years: " + text, range(len(tables["listeners"])))
    for table in tables.values():
        for column in table.columns.intersection(["track_id", "listener_id"]):
            table[column] = name + table[column]
    for file, table in tables.items():
        table.to_csv(folder / f"{file}.csv", index=False)


def check_pages(html):
    """Check all files of a built book, and the output of its notebooks, for secrets and scripts."""
    for file in html.rglob("*"):
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file
    pages = {page: page.read_text(encoding="utf-8") for page in html.glob("*.html")}
    pages |= {file: _notebook_html(file) for file in html.rglob("*.ipynb")}
    for page, text in pages.items():
        soup = BeautifulSoup(text, "html.parser")
        scripts = soup.find_all("script", type=lambda kind: kind != "application/json")
        assert not [tag for tag in scripts if "alert" in tag.get_text()], page
        assert not soup.find_all(attrs={"onerror": True}), page
        assert not [tag for tag in soup.find_all(src="x")], page


def _notebook_html(file):
    """Render a notebook as Jupyter would: its prose, and its outputs in Markdown and HTML."""
    shown = []
    for cell in nbformat.read(file, as_version=4).cells:
        outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
        texts = [cell.source] if cell.cell_type == "markdown" else []
        texts += [data["text/markdown"] for data in outputs if "text/markdown" in data]
        shown += [MarkdownIt().render(text) for text in texts]
        shown += [data["text/html"] for data in outputs if "text/html" in data]
    return "\n".join(shown)
