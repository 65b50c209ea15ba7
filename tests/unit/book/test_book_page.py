"""Progress bars and run times go to the log, not to the page."""

import nbformat
import pandas as pd
import pytest

from groove_utils.book.page import published_page, slow_cells, take_stderr
from groove_utils.study import load_study


def test_the_log_names_the_cells_that_took_long():
    cells = [
        nbformat.v4.new_code_cell(source) for source in ("quick()", "slow()\nmore()", "never()")
    ]
    for cell, seconds in zip(cells, (0.2, 12.34, None), strict=True):
        cell.metadata["papermill"] = {"duration": seconds}
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_markdown_cell("text")])
    log = slow_cells(notebook)
    assert "12.3 s  cell 1: slow()" in log
    assert "quick" not in log
    assert slow_cells(nbformat.v4.new_notebook(cells=cells[:1])) == ""


def test_stderr_is_taken_off_the_page():
    said, noise = (nbformat.v4.new_output("stream", name=n, text=n) for n in ("stdout", "stderr"))
    cell = nbformat.v4.new_code_cell("x", outputs=[said, noise])
    notebook = nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_markdown_cell("text")])
    assert take_stderr(notebook) == "stderr"
    assert [output.name for output in notebook.cells[0].outputs] == ["stdout"]


@pytest.mark.parametrize(("tags", "n_boxes"), [([], 1), (["without-study"], 0)])
def test_a_box_marks_the_numbers_of_a_simulated_study_only(tags, n_boxes, make_study):
    title = nbformat.v4.new_markdown_cell("# Question", metadata={"tags": tags})
    notebook = nbformat.v4.new_notebook(cells=[title, nbformat.v4.new_markdown_cell("text")])
    page = published_page(notebook, {}, load_study(make_study(simulated=True)))
    assert sum("Simulated listeners" in cell.source for cell in page.cells) == n_boxes


def test_a_question_with_one_answer_is_named_on_pages_that_read_ratings(make_study):
    folder = make_study()
    ratings = pd.read_csv(folder / "ratings.csv")
    queries = sorted(set(ratings["query"]))
    ratings.loc[ratings["query"] == queries[0], "rating"] = 4
    ratings.to_csv(folder / "ratings.csv", index=False)
    for files, n_boxes in ((["x/ratings.csv"], 1), (["x/tracks.csv"], 0)):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Question")])
        page = published_page(notebook, {}, load_study(folder), files)
        text = "".join(cell.source for cell in page.cells)
        assert text.count(f"all ratings of “{queries[0]}” are 4") == n_boxes
