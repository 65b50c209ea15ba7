"""Chapter sources keep the form: short cells, lesson box, exercises, summary."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from groove_utils.book.jupytext_sync import chapter_sources, read_chapter

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = chapter_sources(ROOT / "analysis")


def code_cells(script: Path) -> list[str]:
    """Return the code that a reader sees without unfolding anything."""
    cells = [cell for cell in read_chapter(script).cells if cell.cell_type == "code"]
    folded = {"hide-input", "solution"}
    return [cell.source for cell in cells if not folded & set(cell.metadata.get("tags", []))]


def prose(script: Path) -> str:
    cells = read_chapter(script).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def n_code_lines(source: str) -> int:
    """All lines but blank ones and comments; captions and alt texts count."""
    lines = [line.strip() for line in source.splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in lines)


@pytest.mark.parametrize("script", CHAPTERS, ids=lambda script: script.stem)
def test_code_cells_are_short(script):
    lengths = [n_code_lines(source) for source in code_cells(script)]
    assert np.median(lengths) <= 8, f"lines of the cells: {sorted(lengths)}"
    assert np.percentile(lengths, 90) <= 20, f"lines of the cells: {sorted(lengths)}"


@pytest.mark.parametrize("script", CHAPTERS, ids=lambda script: script.stem)
def test_chapter_has_all_its_parts(script):
    text = prose(script)
    assert re.match(r"# \S+", text), "the first line is not a title"
    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1, "more than one title"
    assert ":class: tip lesson" in text, "no lesson box"
    for part in ("You will learn", "You need", "It runs"):
        assert f"**{part}**" in text, f"the lesson box does not say “{part}”"
    tagged = [
        cell for cell in read_chapter(script).cells if "parameters" in cell.metadata.get("tags", [])
    ]
    assert len(tagged) == 1, "expected one cell tagged parameters"
    assert "\n## Summary" in text, "no summary"


@pytest.mark.parametrize("script", CHAPTERS, ids=lambda script: script.stem)
def test_chapter_has_exercises_with_folded_solutions(script):
    text = prose(script)
    assert "## Exercises" in text
    exercises = text.split("## Exercises", 1)[1].split("\n## ", 1)[0]
    n_exercises = len(re.findall(r"^(?:\d\. |```\{exercise\})", exercises, flags=re.MULTILINE))
    n_solutions = len(re.findall(r"\{dropdown\} Solution|\{solution-start\}", exercises))
    assert n_exercises >= 2, f"{n_exercises} exercises, at least 2 expected"
    assert n_solutions == n_exercises, f"{n_exercises} exercises, {n_solutions} solutions"
