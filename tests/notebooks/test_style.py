"""Form of the chapters' sources: short cells, more prose than code, exercises, summary."""

from __future__ import annotations

import ast
import functools
import io
import itertools
import re
import tokenize
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from groove_utils.book.jupytext_sync import chapter_sources, read_chapter

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = chapter_sources(ROOT / "analysis")
WORDS_PER_LINE = 10  # of prose per visible line of code
WIDEST = 80  # characters of a visible line of code
FIGURES = 8  # of a chapter
HIDDEN = 0.15  # share of a chapter's lines that are hidden code
PROSE_LINE = 12  # words

each_chapter = pytest.mark.parametrize("script", CHAPTERS, ids=lambda script: script.stem)


@functools.cache
def cells_of(script: Path) -> list:
    return read_chapter(script).cells


def tags_of(cell) -> set[str]:
    return set(cell.metadata.get("tags", []))


def code_cells(script: Path) -> list[str]:
    """Return the code that a reader sees without unfolding anything."""
    cells = [cell for cell in cells_of(script) if cell.cell_type == "code"]
    folded = {"hide-input", "solution", "check"}
    return [cell.source for cell in cells if not folded & tags_of(cell)]


def hidden_cells(script: Path) -> list[str]:
    return [cell.source for cell in cells_of(script) if "hide-input" in tags_of(cell)]


def prose(script: Path) -> str:
    cells = cells_of(script)
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def n_code_lines(source: str) -> int:
    """Count lines that are neither blank nor comments; captions and alt texts count."""
    lines = [line.strip() for line in source.splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in lines)


def n_name_lines(source: str) -> int:
    """Count lines with a name or a number, so not brackets, captions and alt texts."""
    lines, depth = set(), 0  # from Python 3.12 on, an f-string consists of several tokens
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        depth += (kind == "FSTRING_START") - (kind == "FSTRING_END")
        if kind in ("NAME", "NUMBER") and not depth:
            lines.add(token.start[0])
    return len(lines)


def n_words(script: Path) -> int:
    return len(prose(script).split())


@each_chapter
def test_code_cells_are_short(script):
    lengths = [n_code_lines(source) for source in code_cells(script)]
    assert np.median(lengths) <= 8, f"lines of the cells: {sorted(lengths)}"
    assert np.percentile(lengths, 90) <= 20, f"lines of the cells: {sorted(lengths)}"


@each_chapter
def test_chapter_has_all_its_parts(script):
    text = prose(script)
    assert re.match(r"# \S+", text), "the first line is not a title"
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1, "more than one title"
    assert ":class: tip lesson" in text, "no lesson box"
    for part in ("You will learn", "You need", "Run time"):
        assert f"**{part}**" in text, f"the lesson box does not say “{part}”"
    tagged = [cell for cell in cells_of(script) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1, "expected one cell tagged parameters"
    assert "\n## Summary" in text, "no summary"


@each_chapter
def test_chapter_has_exercises_with_folded_solutions(script):
    text = prose(script)
    assert "## Exercises" in text
    exercises = text.split("## Exercises", 1)[1].split("\n## ", 1)[0]
    n_exercises = len(re.findall(r"^(?:\d\. |```\{exercise\})", exercises, flags=re.MULTILINE))
    n_solutions = len(re.findall(r"\{dropdown\} Solution|\{solution-start\}", exercises))
    assert n_exercises >= 2, f"{n_exercises} exercises, at least 2 expected"
    assert n_solutions == n_exercises, f"{n_exercises} exercises, {n_solutions} solutions"


@each_chapter
def test_prose_outweighs_code(script):
    n_lines = sum(map(n_code_lines, code_cells(script)))
    assert n_words(script) >= WORDS_PER_LINE * n_lines


@each_chapter
def test_visible_lines_fit_the_page(script):
    lines = [line for source in code_cells(script) for line in source.splitlines()]
    assert [line for line in lines if len(line) > WIDEST] == []


@each_chapter
def test_there_are_not_too_many_figures(script):
    code = "\n".join([*code_cells(script), *hidden_cells(script)])
    assert len(re.findall(r"\bshow_figure\(", code)) <= FIGURES


@each_chapter
def test_no_hidden_cell_follows_another(script):
    hidden = ["hide-input" in tags_of(cell) for cell in cells_of(script)]
    assert not any(a and b for a, b in itertools.pairwise(hidden))


@each_chapter
def test_little_code_is_hidden(script):
    hidden = sum(map(n_name_lines, hidden_cells(script)))
    visible = sum(map(n_name_lines, code_cells(script)))
    share = hidden / (hidden + visible + n_words(script) / PROSE_LINE)
    assert share <= HIDDEN


@each_chapter
def test_checks_follow_a_solution_and_say_what_is_wrong(script):
    cells = [cell for cell in cells_of(script) if cell.cell_type == "code"]
    for before, cell in itertools.pairwise(cells):
        if "check" in tags_of(cell):
            assert "solution" in tags_of(before)
            tree = ast.parse(cell.source)
            asserts = [node for node in tree.body if isinstance(node, ast.Assert)]
            assert asserts
            assert all(node.msg is not None for node in asserts)


def labels_of(script: Path) -> list[str]:
    """List the labels of figures, tables and exercises that are written as literals."""
    cells = cells_of(script)
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    labels = [
        f"{call.func.id} {call.args[1].value}"
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in {"show_figure", "show_table"}
        and isinstance(call.args[1], ast.Constant)
    ]
    return labels + re.findall(r"^:label: (\S+)", prose(script), flags=re.MULTILINE)


def test_labels_are_unique_over_the_book():
    """Find labels on two pages early; Sphinx rejects them only after all chapters have run."""
    labels = Counter(label for script in CHAPTERS for label in labels_of(script))
    assert sum(labels.values()) > 100
    assert [label for label, count in labels.items() if count > 1] == []
