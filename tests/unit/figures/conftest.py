"""Draw figures in the book's theme without a screen, and close them after each test."""

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
    """Use a temporary cache, since results of slow probes and mixed models are cached."""
