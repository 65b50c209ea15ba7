"""Pages are compiled again only if they, or what they use of other pages, have changed."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import yaml
from expect import raises

from groove_utils.book.compilation import compile_pages, shared_parts
from groove_utils.book.errors import BookError

TABLE = "~~~~{table} Numbers.\n:name: tab-a\n\n| a |\n|---|\n| 1 |\n~~~~"


def notebook(*markdown, code="x = 1", output=TABLE):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": [text]} for text in markdown]
    shown = {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": [output]}}
    cell = {"cell_type": "code", "metadata": {}, "source": [code], "outputs": [shown]}
    cells.append(cell | {"execution_count": 1})
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 4})


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "build" / "book"
    (folder / "_static").mkdir(parents=True)
    (folder.parent / "runs").mkdir()
    (folder.parent / "runs" / "01-one.json").write_text('{"seconds": 5}')
    extensions = ["groove_utils.book.run_times"]
    config = {"execute": {"execute_notebooks": "off"}, "sphinx": {"extra_extensions": extensions}}
    config["sphinx"]["config"] = {"nb_render_markdown_format": "myst"}
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    toc = {"format": "jb-book", "root": "index"}
    toc["chapters"] = [{"file": "01-one"}, {"file": "02-two"}]
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    (folder / "index.md").write_text("# Book\n\nSee {doc}`01-one`.\n")
    (folder / "01-one.ipynb").write_text(notebook("# One", "Runs in {run-time}`01-one`."))
    (folder / "02-two.ipynb").write_text(notebook("# Two", "Text.", output="Shown."))
    return folder


def test_what_other_pages_depend_on(sources):
    (sources / "_static" / "a.css").write_text("a {}")
    first = shared_parts(sources)
    one = sources / "01-one.ipynb"

    def changed(text, file=one):
        before = file.read_text()
        file.write_text(text)
        differs = shared_parts(sources) != first
        file.write_text(before)
        return differs

    assert not changed(notebook("# One", "Other words."))
    assert not changed(notebook("# One", "Words.", code="# a comment"))
    assert not changed(notebook("# One", output=TABLE.replace("1", "2")))
    assert changed(notebook("# Another title"))
    assert changed(notebook("# One", "{cite:t}`witek2014`"))
    assert changed(notebook("# One", output=TABLE.replace("tab-a", "tab-b")))
    assert changed("a {color: red}", sources / "_static" / "a.css")
    assert changed("title: A book", sources / "_config.yml")
    copied = shutil.copytree(sources, sources.parent / "copy")
    assert shared_parts(copied) != first
    assert shared_parts(sources) == first
    (sources / "03-three.md").write_text("# Three")
    assert shared_parts(sources) != first


@pytest.mark.slow
def test_only_a_changed_page_is_read_again_unless_it_fails(sources, tmp_path):
    log = tmp_path / "log.txt"

    def compiled():
        pages = compile_pages(sources, tmp_path / "work", log)
        added, changed = re.search(r"(\d+) added, (\d+) changed", log.read_text()).groups()
        return pages, int(added), int(changed)

    pages, *counts = compiled()
    assert counts == [3, 0]
    assert "5 seconds" in (pages / "01-one.html").read_text()
    (pages / "_images").mkdir(exist_ok=True)
    (pages / "_images" / "dropped.webp").touch()
    (sources / "02-two.ipynb").write_text(notebook("# Two", "Other words.", output="Shown."))
    (sources.parent / "runs" / "01-one.json").write_text('{"seconds": 7}')
    pages, *counts = compiled()
    assert counts == [0, 2]
    assert "Other words." in (pages / "02-two.html").read_text()
    assert "7 seconds" in (pages / "01-one.html").read_text()
    assert not (pages / "_images" / "dropped.webp").exists()
    (sources / "02-two.ipynb").write_text(notebook("# Two", "{doc}`absent`", output="Shown."))
    with raises(BookError, "jupyter_book"):
        compiled()
    assert not (tmp_path / "work" / "shared.txt").exists()  # so that the warning is repeated
