"""Exercise notebooks contain no solutions, and their checks say what is wrong with an answer."""

import contextlib
import html
import io
from pathlib import Path

import nbformat
import pytest

from groove_utils.book.exercise_notebooks import (
    exercise_notebook,
    link_exercises,
    write_exercises,
)
from groove_utils.book.jupytext_sync import chapter_sources
from groove_utils.book.page import published_page
from groove_utils.study import load_study

ROOT = Path(__file__).resolve().parents[3]
CHAPTER = """# %% [markdown]
# # A question
#
# See {doc}`02-next` and {numref}`fig-a`: {glue:text}`n_full` songs by {term}`bands <band>`, $x_i$.

# %% tags=["hide-input"]
secret = 2

# %% [markdown]
# ## Exercises
#
# ```{exercise} Double it
# :label: ex-double
#
# Call it `double`.
# ```
#
# ```{solution-start} ex-double
# :class: dropdown
# ```

# %% tags=["solution"]
double = 2 * secret

# %% [markdown]
# Because twice two is four.
#
# ```{solution-end}
# ```

# %% tags=["check"]
assert double != 2, "is it the number itself?"
assert double == 4, (
    "try 2 times the number"
)

# %% [markdown]
# ## Summary
"""
VALUES = {"01-one.n": {"text": "8", "full": "8 (n = 8)"}, "02-next.n": {"text": "9", "full": "9"}}


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "01-one.py"
    path.write_text(CHAPTER)
    return path


def test_solutions_are_left_out_and_roles_become_text(script):
    notebook = exercise_notebook(script, VALUES)
    nbformat.validate(notebook)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "2 * secret" not in text
    assert "twice two" not in text
    assert "{" not in notebook.cells[1].source
    assert "See chapter 2 and “fig-a”: 8 (n = 8) songs by bands, $x_i$." in text
    assert "### Double it\n\nCall it `double`." in text
    assert "## Summary" in text


def test_texts_of_a_study_stay_texts(script):
    text = "![x](/etc/passwd) <script>alert(1)</script>"
    values = {"01-one.n": {"text": text, "full": text}}
    shown = "\n".join(cell.source for cell in exercise_notebook(script, values).cells)
    assert "](" not in shown
    assert "<script" not in shown
    assert html.unescape(shown).count(text) == 1


def test_code_that_the_page_hides_is_folded(script):
    cells = exercise_notebook(script).cells
    hidden = [cell for cell in cells if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert [cell.source for cell in hidden] == ["secret = 2"]


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({}, "Not yet: name 'double' is not defined"),
        ({"double": 2}, "Not yet: is it the number itself?"),
        ({"double": 5}, "Not yet: try 2 times the number"),
        ({"double": 4}, "Your answer passes the check."),
    ],
)
def test_the_check_says_what_is_wrong_but_not_the_answer(script, answer, shown):
    (check,) = [c for c in exercise_notebook(script).cells if "check" in c.metadata.get("tags", [])]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(check.source, dict(answer))
    assert printed.getvalue().strip() == shown


def test_only_chapters_with_exercises_have_a_notebook(script, tmp_path):
    other = tmp_path / "02-next.py"
    other.write_text("# %% [markdown]\n# # No exercises\n")
    written = write_exercises([script, other], tmp_path / "html", VALUES)
    assert written == [tmp_path / "html" / "exercises" / "01-one.ipynb"]
    assert nbformat.read(written[0], as_version=4).cells


def test_the_page_links_the_notebook_and_leaves_out_the_checks(script, make_study):
    study = load_study(make_study())
    cells = [nbformat.v4.new_markdown_cell("## Exercises\n\n```{exercise} A\n:label: a\n\nB\n```")]
    cells.append(nbformat.v4.new_code_cell("assert True", metadata={"tags": ["check"]}))
    page = published_page(nbformat.v4.new_notebook(cells=cells), {}, study, chapter="01-one")
    assert [cell.cell_type for cell in page.cells] == ["markdown"]
    assert 'href="exercises/01-one.ipynb"' in page.cells[0].source
    assert link_exercises("## Summary", "01-one") == "## Summary"


@pytest.mark.parametrize("script", chapter_sources(ROOT / "analysis"), ids=lambda s: s.stem)
def test_every_chapter_makes_a_valid_notebook(script):
    notebook = exercise_notebook(script)
    nbformat.validate(notebook)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "{solution" not in text
    assert "{glue" not in text
    for cell in notebook.cells:
        if cell.cell_type == "code":
            compile(cell.source, script.name, "exec")
