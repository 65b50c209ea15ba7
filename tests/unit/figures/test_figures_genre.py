"""Plots of the chapter on genre networks draw their data at the right positions."""

import numpy as np
import pandas as pd

from groove_utils import figures


def test_pictures_of_clips_have_a_panel_each():
    clips = {style: np.zeros((48, 94)) for style in "abcde"}
    figure = figures.plot_clip_pictures(clips, seconds=3.0)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [*"abcde", "", "", ""]
    assert figure.axes[0].get_xlim() == (0, 3)
    assert figure.axes[0].images[0].origin == "lower"


def test_reading_orders_stand_next_to_each_other():
    figure = figures.plot_reading_order({"one": np.arange(5), "two": np.arange(5)[::-1]})
    assert [list(axes.lines[0].get_ydata()) for axes in figure.axes] == [
        [0, 1, 2, 3, 4],
        [4, 3, 2, 1, 0],
    ]


def test_losses_have_a_panel_per_network():
    rows = [
        {"network": name, "seed": seed, "epoch": epoch, "loss": 2 - epoch, "valid_loss": 3 - epoch}
        for name in ("a", "b")
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    figure = figures.plot_training(pd.DataFrame(rows))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b"]
    drawn = [list(line.get_ydata()) for line in figure.axes[1].lines if len(line.get_ydata())]
    assert drawn == [[2, 1], [3, 2]]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "training",
        "validation",
    ]


def test_accuracies_are_drawn_in_per_cent():
    table = pd.DataFrame({"network": ["a", "b"], "accuracy": [0.5, 0.7], "low": 0.4, "high": 0.8})
    axes = figures.plot_accuracies(table, "network", chance=12.5).axes[0]
    dots = next(line for line in axes.lines if line.get_marker() == "o")
    assert list(dots.get_xdata()) == [50, 70]
    assert axes.get_xlabel() == "Clips classified correctly (%)"
    assert list(axes.lines[0].get_xdata()) == [12.5, 12.5]
    by_seed = pd.DataFrame({1: [0.6, 0.4], 2: [0.8, 0.6]}, index=["b", "a"])
    axes = figures.plot_accuracies(table, "network", by_seed=by_seed).axes[0]
    labels = [text.get_text() for text in axes.get_yticklabels()]
    for line in axes.lines[-2:]:
        place = line.get_ydata()[0]
        assert list(line.get_xdata()) == list(100 * by_seed.loc[labels[int(place)]])
