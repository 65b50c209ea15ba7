"""Cells that a study has no data for are dropped, with one box per requirement."""

import nbformat
import pytest
from expect import raises

from groove_utils.book.errors import BookError
from groove_utils.book.requirements import fit_to_study, is_met
from groove_utils.study import load_study

md, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell


def notebook(*cells):
    book = nbformat.v4.new_notebook()
    book.cells = [
        (md if kind == "md" else code)(source, metadata={"tags": list(tags)})
        for kind, source, *tags in cells
    ]
    return book


CHAPTER = notebook(
    ("md", "# Title"),
    ("code", "x = 1"),
    ("md", "## What listeners do\n\ntext", "needs-listeners"),
    ("code", "who()", "needs-listeners", "hide-input"),
    ("code", "sound()", "needs-audio-or-embeddings"),
    ("md", "## Between\n\n### Deeper", "needs-table-models"),
    ("md", "## Who else  ", "needs-listeners"),
    ("md", "The end"),
)


def sources(book):
    return [cell.source for cell in book.cells]


def test_nothing_is_dropped_where_all_is_met():
    assert sources(fit_to_study(CHAPTER, lambda need: True)) == sources(CHAPTER)


def test_one_box_a_need_where_its_first_cell_stood():
    fitted = fit_to_study(CHAPTER, lambda need: need == "embeddings")
    texts = sources(fitted)
    assert texts[:2] == ["# Title", "x = 1"]
    assert "Not run for this study" in texts[2]
    assert ":class: warning not-run" in texts[2]
    assert "no single listeners: `ratings.csv` has no column" in texts[2]
    assert "Left out: “What listeners do”; “Who else”." in texts[2]
    assert texts[3] == "sound()"
    assert "no table `models`, which an earlier chapter could not make" in texts[4]
    assert "“Between”; “Deeper”" in texts[4]
    assert texts[5:] == ["The end"]
    ids = [cell["id"] for cell in fitted.cells]
    assert len(set(ids)) == len(ids)
    assert len(CHAPTER.cells) == 8  # the given one is as it was


def test_either_of_two_is_enough_and_both_are_named():
    texts = sources(fit_to_study(CHAPTER, lambda need: need not in {"audio", "embeddings"}))
    box = next(text for text in texts if "Not run" in text)
    assert "no sound files" in box
    assert "and no embeddings: there is no folder" in box
    assert "Left out" not in box  # no heading among what was dropped


def test_a_tag_on_the_first_cell_speaks_for_the_chapter():
    book = notebook(("md", "# Stems", "needs-stems"), ("code", "x = 1"), ("md", "## More"))
    texts = sources(fit_to_study(book, lambda need: False))
    assert texts[0] == "# Stems"
    assert len(texts) == 2
    assert "This chapter was left out, because the study has no stems" in texts[1]
    assert sources(fit_to_study(book, lambda need: True)) == sources(book)


@pytest.mark.parametrize("tag", ["needs-listener", "needs-audio-or-embedings", "needs-truth"])
def test_a_mistyped_tag_is_an_error_on_any_study(tag):
    book = notebook(("md", "# Title"), ("code", "x = 1", tag))
    with raises(BookError, "unknown_tag", value=tag):
        fit_to_study(book, lambda need: True)


def test_what_a_study_meets(make_study, tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "models.parquet").write_bytes(b"x")
    (tables / "ceilings.parquet").touch()  # a table that the study does not allow

    def met(study, *requirements):
        return [is_met(requirement, load_study(study), tables) for requirement in requirements]

    common = "audio", "listeners", "styles", "simulation"
    full = make_study(simulated=True)
    assert met(full, *common) == [True] * 4
    assert met(full, "stems", "embeddings", "descriptors") == [False] * 3
    assert met(full, "table-models", "table-ceilings", "table-other") == [True, False, False]
    plain = make_study("plain", styles=("funk",), audio=False, listeners=False)
    assert met(plain, *common) == [False] * 4
