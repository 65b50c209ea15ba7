"""Equations in the pages are MathML, which needs neither scripts nor a network."""

import re
from pathlib import Path

import pytest
from sphinx.application import Sphinx

PAGE = """Page
====

Inline :math:`x^2`.

.. math:: p = \\frac{1}{1 + e^{-a}}
   :label: sigmoid

See :eq:`sigmoid`.
"""


@pytest.fixture
def page(tmp_path) -> str:
    (tmp_path / "index.rst").write_text(PAGE)
    config = {"extensions": ["groove_utils.book.mathml"], "html_math_renderer": "mathml"}
    app = Sphinx(
        tmp_path, None, tmp_path / "out", tmp_path / "trees", "html", confoverrides=config,
        status=None, warning=None,
    )  # fmt: skip
    app.build()
    return Path(tmp_path / "out" / "index.html").read_text()


def test_equations_are_mathml(page):
    assert re.findall(r'<math [^>]*display="(\w+)"', page) == ["inline", "block"]
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in page
    assert "mathjax" not in page.lower()


def test_a_labelled_equation_has_a_number_and_can_be_referred_to(page):
    assert '<span class="eqno">(1)' in page
    assert 'href="#equation-sigmoid"' in page
    assert 'id="equation-sigmoid"' in page
