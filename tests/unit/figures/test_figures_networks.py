"""Plots of the chapter on networks draw their data at the right positions."""

import numpy as np
import pandas as pd
import pytest

from groove_utils import figures, networks


def test_the_receptive_field_is_drawn_through_the_means():
    table = pd.DataFrame({"ms": [40, 40, 120, 120], "accuracy": [0.5, 0.6, 0.8, 1.0]})
    axes = figures.plot_receptive_field(table, (100, 200)).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[40, 0.55], [120, 0.9]])
    assert axes.patches[0].get_x() == 100
    assert axes.patches[0].get_width() == 100


def test_label_curves_have_their_numbers_as_ticks_and_a_line_for_guessing():
    rows = [
        {"features": name, "labels": n, "accuracy": a}
        for name, level in (("mfcc", 0.3), ("tagger", 0.7))
        for n in (8, 32)
        for a in (level, level + 0.1)
    ]
    axes = figures.plot_label_curves(pd.DataFrame(rows), "labels", "Labels", chance=0.125).axes[0]
    assert axes.get_xticks().tolist() == [8, 32]
    assert axes.lines[0].get_ydata() == pytest.approx([0.35, 0.35])
    assert axes.lines[-1].get_ydata() == pytest.approx([0.125, 0.125])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mfcc", "tagger"]


def test_attention_is_written_into_its_cells():
    weights = pd.DataFrame([[0.1, 0.9], [0.75, 0.25]], ["bar 1", "bar 2"], ["bar 1", "bar 2"])
    axes = figures.plot_attention(weights).axes[0]
    assert [text.get_text() for text in axes.texts] == ["0.10", "0.90", "0.75", "0.25"]


def test_tasks_of_a_map_have_times_in_seconds():
    figure = figures.plot_task_map(networks.mir_tasks())
    figure.canvas.draw()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"0.01", "1", "100"} <= set(labels)
