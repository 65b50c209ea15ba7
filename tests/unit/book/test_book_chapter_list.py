"""Chapters are added to and removed from `chapters.mk` without other changes to the file."""

import pytest
import yaml
from expect import raises

from groove_utils.book.chapter_list import (
    add_chapter,
    declared_tables,
    listed_chapters,
    remove_chapter,
)
from groove_utils.book.errors import BookError

ONE_LINE = """# The chapters
CHAPTERS := 01-one 05-five 09-nine

01-one.writes  := means
05-five.reads  := means
05-five.writes := models
"""
SEVERAL_LINES = """# The chapters
CHAPTERS := \\
    01-one \\
    05-five \\
    09-nine

01-one.writes  := means
"""


@pytest.fixture(params=[ONE_LINE, SEVERAL_LINES], ids=["one line", "several lines"])
def folder(tmp_path, request):
    analysis = tmp_path / "analysis"
    (analysis / "params").mkdir(parents=True)
    (analysis / "chapters.mk").write_text(request.param)
    return analysis


def chapters(folder):
    return listed_chapters((folder / "chapters.mk").read_text())


@pytest.mark.parametrize(
    ("slug", "expected"),
    [
        ("00-zero", ["00-zero", "01-one", "05-five", "09-nine"]),
        ("04-four", ["01-one", "04-four", "05-five", "09-nine"]),
        ("05-fi", ["01-one", "05-fi", "05-five", "09-nine"]),
        ("12-tempo", ["01-one", "05-five", "09-nine", "12-tempo"]),
    ],
)
def test_a_chapter_is_added_in_order_and_removed_again(folder, slug, expected, tmp_path):
    before = (folder / "chapters.mk").read_text()
    script = add_chapter(folder, slug)
    assert chapters(folder) == expected
    assert {script, script.with_suffix(".ipynb")} <= set(folder.iterdir())
    after = (folder / "chapters.mk").read_text()
    changed = [a for a, b in zip(after.splitlines(), before.splitlines(), strict=True) if a != b]
    assert len(changed) == 1
    text = script.read_text()
    assert remove_chapter(folder, slug, tmp_path / "kept") == tmp_path / "kept"
    assert (folder / "chapters.mk").read_text() == before
    assert [file.name for file in folder.glob("*.*")] == ["chapters.mk"]
    assert (tmp_path / "kept" / f"{slug}.py").read_text() == text


def test_declarations_and_parameters_go_with_a_chapter(tmp_path):
    (tmp_path / "params").mkdir()
    (tmp_path / "chapters.mk").write_text(ONE_LINE)
    text = "all:\n  seed: 1\nchapters:\n  01-one:\n    n: 1\n"
    rest = "  09-nine:\n    n: 3\nstudy:\n  demo: {}\n"
    params = tmp_path / "params" / "default.yml"
    params.write_text(f"{text}  05-five:\n    n: 2  # much\n    names:\n      - a\n{rest}")
    remove_chapter(tmp_path, "05-five", tmp_path / "kept")
    assert "05-five" not in (tmp_path / "chapters.mk").read_text()
    assert params.read_text() == text + rest
    assert yaml.safe_load(text + rest)["chapters"] == {"01-one": {"n": 1}, "09-nine": {"n": 3}}


def test_what_cannot_be_added_or_removed(tmp_path):
    file = tmp_path / "chapters.mk"
    file.write_text(ONE_LINE)
    with raises(BookError, "taken_name", value="05-five"):
        add_chapter(tmp_path, "05-five")
    with raises(BookError, "invalid_name", value="tempo"):
        add_chapter(tmp_path, "tempo")
    with raises(BookError, "unknown_chapter", value="12-tempo"):
        remove_chapter(tmp_path, "12-tempo", tmp_path / "kept")
    with raises(BookError, "table_in_use", value="means", column="05-five"):
        remove_chapter(tmp_path, "01-one", tmp_path / "kept")
    assert file.read_text() == ONE_LINE
    with raises(BookError, "unwritten_table", value="means", column="05-five"):
        declared_tables(ONE_LINE.replace("01-one 05", "05"))
    file.write_text("")
    with raises(BookError, "no_chapters"):
        add_chapter(tmp_path, "12-tempo")
