"""Parameters reach the chapters that have them, and the pages show their values."""

import ast
import os

import nbformat
import pytest
import yaml
from expect import raises

from groove_utils.book.errors import BookError
from groove_utils.book.parameters import (
    check_parameters,
    fill_parameters,
    read_parameters,
    split_parameters,
)

CHAPTERS = ["01-one", "02-two"]


def test_parameters_are_split_and_unchanged_ones_left_alone(tmp_path):
    sections = {
        "all": {"seed": 1, "n": 5},
        "chapters": {"01-one": {"n": 7}},
        "study": {"demo": {"n_bands": 3}},
    }
    out = tmp_path / "params"
    split_parameters(sections, CHAPTERS, out)
    written = {file.name: yaml.safe_load(file.read_text()) for file in out.iterdir()}
    assert written == {
        "01-one.yml": {"seed": 1, "n": 7},
        "02-two.yml": {"seed": 1, "n": 5},
        "study-demo.yml": {"study": {"demo": {"n_bands": 3}}},
    }
    for file in out.iterdir():
        os.utime(file, (1000, 1000))
    sections["chapters"]["02-two"] = {"n": 6}
    split_parameters(sections, CHAPTERS, out)
    assert [f.name for f in sorted(out.iterdir()) if f.stat().st_mtime > 1000] == ["02-two.yml"]


SCRIPT = """# %% [markdown]
# # One

# %% tags=["parameters"]
study = "demo"
seed = 2026
n_splits = 500
share = 0.5
seconds = 8
models = []
separator = ""
exact = False
limit = None

# %%
other = 1
"""
RIGHT = {"seed": 1, "n_splits": 0, "share": 1, "seconds": 2.5, "models": ["a"], "exact": True}


@pytest.fixture
def read(tmp_path):
    """Function that reads the parameters of a chapter from the text of a parameter file."""
    (tmp_path / "01-one.py").write_text(SCRIPT)
    file = tmp_path / "params" / "mine.yml"
    file.parent.mkdir()

    def read(content):
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return read_parameters(file, CHAPTERS, tmp_path)

    return read


def test_right_files(read):
    whole = {"all": {"seed": 3}, "chapters": {"01-one": RIGHT}, "study": {"demo": {"n": 1}}}
    assert read(whole) == whole
    assert read("all:\nchapters:\n  01-one:\n") == {
        "all": {}, "chapters": {"01-one": {}}, "study": {},
    }  # fmt: skip
    assert read({"chapters": {"02-two": {"anything": 1}}})  # a chapter without a script
    assert read({"chapters": {"01-one": {"models": "paper"}}})  # a name for a list


@pytest.mark.parametrize(
    ("content", "kind", "column"),
    [
        ("", "not_a_mapping", ""),
        ("just words", "not_a_mapping", ""),
        ("- all", "not_a_mapping", ""),
        ("all: [1, 2]", "not_a_mapping", "all"),
        ("all: {seed: 1", "yaml", None),
        ("all: {seed: 1}\nall: {seed: 2}", "yaml", None),
        ("chapters:\n  01-one: {seed: 1, seed: 2}", "yaml", None),
        ("all: !!python/object/apply:os.getcwd []", "yaml", None),
        (b"all: {seed: \xff}", "unreadable", None),
        ("a: " + "[" * 5000, "unreadable", None),
        ({"al": {"seed": 1}}, "unknown_section", "al"),
        ({3: {"seed": 1}}, "unknown_section", "3"),
        ({"chapters": {"03-three": {"n": 1}}}, "unknown_chapter", "03-three"),
        ({"study": {"../demo": {}}}, "unknown_study", "../demo"),
        ({"chapters": {"01-one": 5}}, "not_a_mapping", "chapters: 01-one"),
        ({"study": {"demo": [1]}}, "not_a_mapping", "study: demo"),
        ({"chapters": {"01-one": {"n_split": 1}}}, "unknown_parameter", "n_split"),
        ({"all": {"other": 1}}, "unknown_parameter", "other"),
        *(
            ({"chapters": {"01-one": {name: value}}}, "wrong_value", name)
            for name, value in [
                ("seed", "one"), ("seed", 1.5), ("seed", -1), ("seed", True), ("n_splits", -5),
                ("n_splits", 2.0), ("n_splits", None), ("share", "half"), ("share", float("nan")),
                ("share", float("inf")), ("seconds", [1]), ("models", "one"),
                ("models", ""), ("models", None),
                ("separator", 3), ("exact", "no"), ("exact", 1),
            ]
        ),
    ],
)  # fmt: skip
def test_wrong_files_name_file_and_key(read, content, kind, column):
    with raises(BookError, kind, path="mine.yml", column=column) as caught:
        read(content)
    message = str(caught.value)
    assert "mine.yml" in message
    assert "expected" in message
    assert (column or "") in message
    assert "\n" not in message or kind == "yaml"


def test_a_missing_file_and_a_line_of_a_wrong_one(read, tmp_path):
    with raises(BookError, "unreadable", path="absent.yml"):
        read_parameters(tmp_path / "absent.yml", CHAPTERS, tmp_path)
    with raises(BookError, "yaml", row=3):
        read("all:\n  seed: 1\n  seed: 2\n")


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
    check_parameters(nbformat.v4.new_notebook(), {"x": 1}, file)  # no cell with parameters
