"""Draw figures in the book's theme without a screen, and close them after each test."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Text

from groove_utils import figures


@pytest.fixture(autouse=True)
def _theme():
    mpl.use("agg")
    figures.use_theme()
    yield
    texts = [t.get_text() for k in plt.get_fignums() for t in plt.figure(k).findobj(Text)]
    plt.close("all")
    mpl.rcdefaults()
    # the theme does not typeset mathematics, as in the default labels of logarithmic axes
    assert not [text for text in texts if "\\math" in text]


@pytest.fixture(autouse=True, scope="module")
def _own_cache(own_cache):
    """Use a temporary cache, since results of slow probes and mixed models are cached."""
