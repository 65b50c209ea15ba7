"""Cells that fail in a reader's study become boxes, and what depends on them is left out."""

import ast

import nbformat
import pytest

from groove_utils.book import failed_cells
from groove_utils.book.failed_cells import CellGuard, drop_unresolved


@pytest.fixture
def kernel(monkeypatch):
    """A function that runs a cell as a guarded kernel does; gives its namespace."""
    guard, space = CellGuard(), {}
    monkeypatch.setattr(failed_cells, "GUARD", guard)
    monkeypatch.setattr(failed_cells, "current_chapter", lambda: object())
    boxes = []
    monkeypatch.setattr("IPython.display.display", lambda box: boxes.append(box.data))

    def run(source):
        exec(compile(guard.visit(ast.parse(source)), "cell", "exec"), space)
        return space

    run.guard, run.boxes = guard, boxes
    return run


def test_a_failing_cell_is_one_box_and_its_dependents_are_skipped(kernel):
    kernel("a = 1\nb = [a for a in range(3)]")
    kernel("c = a + int('one')\nd = 5")
    kernel("e = c + 1")
    kernel("def f():\n    return e")
    kernel("g = f()")
    space = kernel("h = a + len(b)")
    assert space["h"] == 4
    assert not {"c", "e", "f", "g"} & set(space)
    assert kernel.guard.missing == {"c", "d", "e", "f", "g"}
    assert len(kernel.boxes) == 1
    assert "invalid literal" in kernel.boxes[0]


def test_a_name_defined_again_is_usable_again(kernel):
    kernel("row = int('x')")
    kernel("row = 3")
    assert kernel("twice = 2 * row")["twice"] == 6
    kernel("row = int('x')")
    assert "then" not in kernel("row = row + 1\nthen = 1")
    assert kernel("for row in range(2):\n    last = row")["last"] == 1


def test_the_last_expression_is_the_value_of_the_cell(kernel):
    tree = kernel.guard.visit(ast.parse("x = 2\nx + 1"))
    assert isinstance(tree.body[-1], ast.Expr)
    assert kernel("x = 2\nx + 1")[failed_cells.SHOWN] == 3
    assert kernel("x = 2")[failed_cells.SHOWN] is None


def test_errors_of_code_and_before_the_chapter_is_open_stop_it(kernel, monkeypatch):
    for source, error in (("1 / 0", ZeroDivisionError), ("nowhere", NameError)):
        with pytest.raises(error):
            kernel(source)
    monkeypatch.setattr(failed_cells, "current_chapter", lambda: None)
    with pytest.raises(ValueError, match="invalid literal"):
        kernel("int('x')")


def test_sentences_about_what_was_not_made_are_dropped():
    new = nbformat.v4
    notebook = new.new_notebook(
        cells=[
            new.new_code_cell('show_figure(figure, "scores", "…")\nshow_figure(f, f"causes-{x}")'),
            new.new_markdown_cell("# Title\n\nR² {glue:text}`r2_full`.\n\nA {numref}`fig-other`."),
            new.new_markdown_cell("Only {glue:text}`gone`."),
            new.new_markdown_cell("In {numref}`fig-scores`.\n\nIn {numref}`fig-causes-sound`."),
        ]
    )  # fmt: skip
    drop_unresolved(notebook, {"r2"}, {"r2", "fig-causes-sound"})
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert texts == [
        "# Title\n\nR² {glue:text}`r2_full`.\n\nA {numref}`fig-other`.",
        "In {numref}`fig-causes-sound`.",
    ]
