"""Cells that a study has no data for are dropped, with one box per requirement."""

import subprocess
import sys

import nbformat
import pytest
from expect import raises

from groove_utils.book.chapter import NOT_ALLOWED
from groove_utils.book.errors import BookError
from groove_utils.book.jupytext_sync import chapter_sources, read_chapter
from groove_utils.book.study_requirements import fit_to_study, is_met
from groove_utils.paths import project_root
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
    ("md", "## What one hears"),
    ("code", "sound()", "needs-audio-or-embeddings"),
    ("md", "## Between\n\n### Deeper", "needs-table-models"),
    ("md", "## Who else  ", "needs-listeners"),
    ("md", "## The end"),
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
    assert "no second listener: `ratings.csv` has no column" in texts[2]
    assert "Left out: “What listeners do”; “Who else”." in texts[2]
    assert texts[3:5] == ["## What one hears", "sound()"]
    assert "no table `models`, which an earlier chapter could not compute" in texts[5]
    assert "“Between”; “Deeper”" in texts[5]
    assert texts[6:] == ["## The end"]
    ids = [cell["id"] for cell in fitted.cells]
    assert len(set(ids)) == len(ids)
    assert len(CHAPTER.cells) == 9  # the given notebook is unchanged


def test_either_of_two_is_enough_and_both_are_named():
    texts = sources(fit_to_study(CHAPTER, lambda need: need not in {"audio", "embeddings"}))
    box = next(text for text in texts if "Not run" in text)
    assert "no sound files" in box
    assert "and no precomputed embeddings: there is no folder" in box
    assert "Left out" not in box  # headings are not listed


def test_a_section_that_is_left_out_needs_no_second_box():
    book = notebook(
        ("md", "# Title"),
        ("md", "## Listen", "needs-audio"),
        ("code", "play()", "needs-stems"),
        ("md", "## Look"),
        ("code", "look()", "needs-stems"),
    )
    texts = sources(fit_to_study(book, lambda need: False))
    assert [("no sound files" in text, "no stems" in text) for text in texts[1:]] == [
        (True, False), (False, False), (False, True),
    ]  # fmt: skip


def test_a_tag_on_the_first_cell_speaks_for_the_chapter():
    book = notebook(("md", "# Stems", "needs-stems"), ("code", "x = 1"), ("md", "## More"))
    texts = sources(fit_to_study(book, lambda need: False))
    assert texts[0] == "# Stems"
    assert len(texts) == 2
    assert "This chapter was left out, because the study has no stems" in texts[1]
    assert sources(fit_to_study(book, lambda need: True)) == sources(book)


def test_a_tag_on_a_heading_speaks_for_the_section():
    book = notebook(
        ("md", "# Title"),
        ("md", "## Styles\n\nWhat they share.", "needs-styles"),
        ("code", "between()"),
        ("md", "### Within"),
        ("code", "within()", "hide-input"),
        ("md", "More words."),
        ("md", "## Next"),
        ("md", "### Truth", "needs-simulation"),
        ("code", "truth()"),
        ("md", "### Last"),
    )
    texts = sources(fit_to_study(book, lambda need: False))
    assert texts[0::2] == ["# Title", "## Next", "### Last"]
    assert "Left out: “Styles”; “Within”." in texts[1]
    assert "Left out: “Truth”." in texts[3]
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
    (tables / "ceilings.parquet").write_bytes(NOT_ALLOWED)

    def met(study, *requirements):
        return [is_met(requirement, load_study(study), tables) for requirement in requirements]

    common = "audio", "listeners", "styles", "simulation"
    full = make_study(simulated=True)
    assert met(full, *common) == [True] * 4
    assert met(full, "stems", "embeddings", "descriptors") == [False] * 3
    assert met(full, "table-models", "table-ceilings", "table-other") == [True, False, False]
    plain = make_study("plain", styles=("funk",), audio=False, listeners=False)
    assert met(plain, *common) == [False] * 4


# ---- the real chapters on poorer studies ----

POORER = {
    "song means only": {"listeners": False, "audio": False, "styles": ("all",)},
    "listeners without audio": {"audio": False},
    "one style with audio": {"styles": ("funk",)},
    "no simulation": {"stems": True},
}
WITHOUT_AUDIO = {
    "05-embeddings": "`tracks.csv` names none in its column `audio`",
    "06-probing": "`tracks.csv` names none in its column `audio`",
    "08-stem-ablation": "`tracks.csv` names none in its column `audio`",
}
BOXES = {
    "song means only": WITHOUT_AUDIO | {"01-listeners-and-tracks": "no column `listener_id`"},
    "listeners without audio": WITHOUT_AUDIO,
    "one style with audio": {"07-objections": "have the same style"},
    "no simulation": {"06-probing": "known ground truth"},
}


@pytest.mark.parametrize("case", POORER)
def test_chapters_say_what_a_poorer_study_lacks_and_need_nothing_of_it(make_study, tmp_path, case):
    study = load_study(make_study(**POORER[case]))
    (tmp_path / "predictions.parquet").write_bytes(b"x")
    fitted = {
        script.stem: fit_to_study(read_chapter(script), lambda tag: is_met(tag, study, tmp_path))
        for script in chapter_sources(project_root() / "analysis")
    }
    for chapter, absent in BOXES[case].items():
        boxes = [text for text in sources(fitted[chapter]) if "Not run for this study" in text]
        assert sum(absent in box for box in boxes) == 1, boxes
    # remaining cells use no name that only dropped cells define
    for chapter, notebook in fitted.items():
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        (tmp_path / f"{chapter}.py").write_text("\n\n".join(code), encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", tmp_path]
    lint = subprocess.run(command, capture_output=True, text=True, check=False)
    assert lint.returncode == 0, lint.stdout
