"""Parameters reach the chapters that have them, and the pages show their values."""

import ast
import os

import nbformat
import yaml
from expect import raises

from groove_utils.book.__main__ import main
from groove_utils.book.errors import BookError
from groove_utils.book.parameters import check_parameters, fill_parameters, split_parameters

CHAPTERS = ["01-one", "02-two"]


def params(tmp_path, sections):
    file = tmp_path / "default.yml"
    file.write_text(yaml.safe_dump(sections))
    return file


def test_parameters_are_split_and_unchanged_ones_left_alone(tmp_path):
    sections = {
        "all": {"seed": 1, "n": 5},
        "chapters": {"01-one": {"n": 7}},
        "study": {"demo": {"n_bands": 3}},
    }
    out = tmp_path / "params"
    split_parameters(params(tmp_path, sections), CHAPTERS, out)
    written = {file.name: yaml.safe_load(file.read_text()) for file in out.iterdir()}
    assert written == {
        "01-one.yml": {"seed": 1, "n": 7},
        "02-two.yml": {"seed": 1, "n": 5},
        "study-demo.yml": {"study": {"demo": {"n_bands": 3}}},
    }
    for file in out.iterdir():
        os.utime(file, (1000, 1000))
    sections["chapters"]["02-two"] = {"n": 6}
    split_parameters(params(tmp_path, sections), CHAPTERS, out)
    assert [f.name for f in sorted(out.iterdir()) if f.stat().st_mtime > 1000] == ["02-two.yml"]


def test_parameters_of_an_unknown_chapter(tmp_path, capsys):
    file = params(tmp_path, {"chapters": {"03-three": {"n": 1}}})
    with raises(BookError, "unknown_chapter", path=file, value=["03-three"]):
        split_parameters(file, CHAPTERS, tmp_path / "params")
    assert main(["params", str(file), str(tmp_path / "params"), *CHAPTERS]) == 1
    assert "03-three" in capsys.readouterr().err
    assert not (tmp_path / "params").exists()


CELL = """study = "demo"  # a study's name
text = "a # b = c"  # not a comment
models: list = [
    "one",  # the first
    "two",
]
n_splits: int = 5
ratio = -1.5e-3; flag = True
ä = "ü" + "ö"  # behind"""


def test_values_replace_any_expression_and_keep_comments():
    values = {
        "study": "mine's",
        "text": "x#y",
        "models": ["a", "b"],
        "n_splits": 9,
        "ratio": 0.25,
        "ä": "é",
        "n": 3,
    }
    page = fill_parameters(CELL, values)
    assert page.splitlines() == [
        "study = \"mine's\"  # a study's name",
        "text = 'x#y'  # not a comment",
        "models: list = ['a', 'b']",
        "n_splits: int = 9",
        "ratio = 0.25; flag = True",
        "ä = 'é'  # behind",
    ]
    ast.parse(page)
    assert fill_parameters(CELL, {}) == CELL


def test_unknown_parameters_are_refused(tmp_path):
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})]
    file = tmp_path / "01.yml"
    check_parameters(book, {"n_splits": 1, "models": []}, file)
    with raises(BookError, "unknown_parameter", path=file, value=["n_split"]):
        check_parameters(book, {"n_split": 1}, file)
    book.cells[0].source = "%matplotlib inline\nx = 1"
    with raises(BookError, "parameters_cell"):
        check_parameters(book, {"x": 1}, file)
    check_parameters(nbformat.v4.new_notebook(), {"x": 1}, file)  # left out altogether
