"""Plots of mistakes and explanations agree with their tables."""

import numpy as np
import pandas as pd
import pytest

from groove_utils import figures
from groove_utils.genre import compare_in_trees, reliability_curve

LABELS = ["funk", "disco", "folk"]


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=90)
    p = rng.dirichlet(np.ones(3), 90) + 0.3 * np.eye(3)[y]
    return y, p / p.sum(axis=1, keepdims=True)


def test_confusion_and_reliability(predictions):
    y, p = predictions
    counts = np.array([[8, 2, 0], [0, 10, 0], [0, 0, 0]])
    curves = pd.concat(
        [reliability_curve(y, p).assign(kind=kind) for kind in ("as trained", "with temperature")]
    )
    figure = figures.plot_confusion_and_reliability(counts, LABELS, curves)
    figure.canvas.draw()
    left, right = figure.axes
    assert [t.get_text() for t in left.texts] == ["80", "20", "0", "0", "100", "0", "0", "0", "0"]
    assert [t.get_text() for t in right.get_legend().get_texts()] == [*curves["kind"].unique()]
    np.testing.assert_allclose(right.lines[1].get_ydata(), reliability_curve(y, p)["accuracy"])


def test_severity_in_trees(predictions):
    y, p = predictions
    trees = {"by hand": {"funk": "dance", "disco": "dance"}, "flat": {}}
    table = compare_in_trees(y, {"a": p, "b": p[:, ::-1]}, trees, LABELS, n_draws=20)
    figure = figures.plot_severity(table)
    figure.canvas.draw()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["by hand", "flat"]
    severity = figure.axes[1].lines[0]
    assert severity.get_xdata().tolist() == [1, 1]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a", "b"]


def test_medley():
    p = np.eye(3)[[0] * 5 + [2] * 5]
    figure = figures.plot_medley(p, np.arange(10.0), LABELS, [4.5], [4.0], ["funk", "folk"])
    figure.canvas.draw()
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.texts] == ["funk", "folk"]
    names = [t.get_text() for t in figure.legends[0].get_texts()]
    assert names == [*LABELS, "true change", "detected change"]


@pytest.mark.parametrize("n_maps", [1, 3, 4])
def test_explanations(n_maps):
    x = np.random.default_rng(0).normal(size=(12, 20))
    maps = {f"map {k}": x for k in range(n_maps - 1)} | {"nothing": np.zeros_like(x)}
    figure = figures.plot_explanations(x, maps, truth=x > 1)
    figure.canvas.draw()
    shown = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert shown == ["log-mel spectrogram", *maps]


def test_hide_and_show():
    curves = pd.DataFrame(
        {"share": [0, 1] * 2, "deletion": [1, 0.2, 1, 0.4], "insertion": [0.1, 1, 0.2, 1],
         "explanation": ["a", "a", "b", "b"]}
    )  # fmt: skip
    figure = figures.plot_hide_and_show(curves)
    figure.canvas.draw()
    left, right = figure.axes
    assert left.lines[1].get_ydata().tolist() == [1, 0.4]
    assert right.lines[0].get_ydata().tolist() == [0.1, 1]
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["a", "b"]
