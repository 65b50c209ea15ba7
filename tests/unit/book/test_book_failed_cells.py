"""Cells that fail for a reader's study become boxes, and cells that depend on them are skipped."""

import ast
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from groove_utils.book import failed_cells
from groove_utils.book.errors import BookError
from groove_utils.book.failed_cells import (
    CAUSE,
    INCOMPLETE,
    CellGuard,
    drop_unresolved,
    gather_boxes,
)
from groove_utils.errors import DetailedError


@pytest.fixture
def kernel(monkeypatch):
    """Function that runs a cell like a guarded kernel and returns the namespace."""
    guard, space = CellGuard(), {}
    monkeypatch.setattr(failed_cells, "GUARD", guard)
    study = SimpleNamespace(path="/machine/my study")
    chapter = SimpleNamespace(study=study, build=Path("build/x"))
    monkeypatch.setattr(failed_cells, "current_chapter", lambda: chapter)
    boxes, causes = [], []

    def show(box, metadata):
        if box.data:
            boxes.append(box.data)
        causes.append(metadata[CAUSE])

    monkeypatch.setattr("IPython.display.display", show)

    def run(source):
        exec(compile(guard.visit(ast.parse(source)), "cell", "exec"), space)
        return space

    run.guard, run.boxes, run.causes = guard, boxes, causes
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
    assert set(kernel.guard.missing) == {"c", "d", "e", "f", "g"}
    assert len(kernel.boxes) == 1
    assert len(set(kernel.causes)) == 1  # skipped cells have the same cause as the failed cell
    assert len(kernel.causes) == 4
    assert "invalid literal" in kernel.boxes[0]


@pytest.mark.parametrize(
    "source",
    ["part = {layer: X for layer, X in {1: 2}.items()}", "f = lambda layer: layer",
     "def g(layer):\n    return layer", "def h():\n    layer = 1\n    return layer"],
)  # fmt: skip
def test_a_variable_of_a_comprehension_or_function_defines_no_name(kernel, source):
    kernel("layer = int('one')")
    kernel(source)
    assert "layer" in kernel.guard.missing
    for needing in ("a = layer", "layer += 1", "b = [layer for _ in 'ab']", "c = lambda: layer"):
        kernel(needing)
    assert {"a", "b", "c", "layer"} <= set(kernel.guard.missing)
    assert len(kernel.boxes) == 1


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


def test_a_cause_is_the_kind_of_an_error_and_its_column(kernel, monkeypatch):
    def fail(error):
        kernel.guard.fail(error, [])
        return kernel.causes[-1]

    one = fail(DetailedError("160 rows are alike", kind="constant", column="rating"))
    assert fail(DetailedError("all are the same", kind="constant", column="rating")) == one
    assert fail(DetailedError("all are the same", kind="constant", column="x")) != one
    assert fail(ValueError("a")) != fail(ValueError("b"))
    fail(BookError("report_value('axis'): …", kind="not_finite", column="axis"))
    assert "“axis”" in kernel.boxes[-1]
    kernel("import numpy\nnumpy.testing.assert_allclose(float('nan'), 1)")
    assert "a check failed (Not equal to tolerance" in kernel.boxes[-1]


def test_a_box_names_files_but_no_folders_of_the_machine(kernel):
    place = Path("build/x/cache").resolve()
    kernel(f"raise ValueError('{place}/a.wav and /machine/my study/audio/b.wav differ')")
    assert kernel.boxes[-1] == "cache/a.wav and audio/b.wav differ"


def failed(text, cause):
    data = {"text/markdown": text}
    return nbformat.v4.new_output("display_data", data=data, metadata={CAUSE: cause})


def test_one_box_per_cause_lists_the_sections_that_it_left_out():
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# Title\n\n## Shares\n\ntext"),
        new.new_code_cell("a", outputs=[failed("all <b> alike", "constant")]),
        new.new_code_cell("b", outputs=[failed("", "constant")]),
        new.new_markdown_cell("text\n\n## Curve"),
        new.new_code_cell(
            "c", outputs=[failed("no variance", "constant"), new.new_output("stream")]
        ),
        new.new_code_cell("d", outputs=[failed("too few", "few")]),
        new.new_markdown_cell("### Deeper"),
        new.new_code_cell("e", outputs=[failed("", "constant")]),
    ]
    notebook = new.new_notebook(cells=cells)
    gather_boxes(notebook)
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    boxes = [o.data["text/markdown"] for o in outputs if o.output_type == "display_data"]
    assert len(boxes) == 2
    assert "data of this study: all &#60;b&#62; alike." in boxes[0]
    assert "parts of these sections are missing: “Curve”; “Deeper”." in boxes[0]
    assert "sections are missing" not in boxes[1]
    assert [o.output_type for o in outputs].count("stream") == 1
    assert not any(CAUSE in o.get("metadata", {}) for o in outputs)


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


def test_sections_of_which_nothing_is_left_are_dropped():
    new = nbformat.v4
    skipped = {INCOMPLETE: True}
    shown = new.new_output("stream", text="1")
    notebook = new.new_notebook(
        cells=[
            new.new_markdown_cell("# Title\n\n## One\n\ntext\n\n## Two"),
            new.new_code_cell("a", metadata=skipped),
            new.new_markdown_cell("{glue:text}`gone`\n\n### Below"),
            new.new_code_cell("b"),
            new.new_markdown_cell("## Three"),
            new.new_code_cell("c", metadata=skipped),
            new.new_code_cell("d", outputs=[shown]),
            new.new_markdown_cell("## Four"),
            new.new_code_cell("e"),
        ]
    )
    drop_unresolved(notebook, set(), set())
    assert [cell.source for cell in notebook.cells] == [
        "# Title\n\n## One\n\ntext", "## Three", "c", "d", "## Four", "e",
    ]  # fmt: skip
