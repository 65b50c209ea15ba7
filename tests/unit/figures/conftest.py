"""Figures are drawn in the book's theme, without a screen, and closed after each test."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from groove_utils import figures


@pytest.fixture(autouse=True)
def _theme():
    mpl.use("agg")
    figures.use_theme()
    yield
    plt.close("all")
    mpl.rcdefaults()


@pytest.fixture(autouse=True, scope="module")
def _own_cache(own_cache):
    """Slow probes and mixed models keep their results."""
