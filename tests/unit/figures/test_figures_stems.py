"""Plots of the chapter on stem ablation agree with their tables."""

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from groove_utils import figures

STEMS = ["drums", "bass"]


def test_subsets_have_dots_for_the_stems_that_sound():
    table = pd.DataFrame(
        {"subset": ["none", "drums", "bass", "drums+bass"], "estimate": [-0.02, 0.2, -3.5, 0.3],
         "low": [-0.1, 0.1, -5, 0.0], "high": [0.0, 0.3, -2, 0.6]}
    )  # fmt: skip
    figure = figures.plot_subset_scores(table, STEMS)
    dots, axes = figure.axes
    full = [c.get_offsets().tolist() for c in dots.collections if c.get_sizes()[0] > 20]
    assert full == [[[0, 1], [0, 3]], [[1, 2], [1, 3]]]
    assert [tick.get_text() for tick in dots.get_xticklabels()] == STEMS
    line = axes.containers[0].lines[0]
    assert line.get_xdata().tolist() == [-0.02, 0.2, 0.3]
    assert line.get_ydata().tolist() == [0, 1, 3]
    assert [text.get_text() for text in axes.texts] == ["−3.5"]


def test_subsets_by_reading_have_a_colour_each():
    table = pd.DataFrame(
        {"subset": ["drums", "bass"] * 2, "estimate": [0.1, 0.2, 0.3, 0.4], "low": 0.0,
         "high": 0.5, "trained_on": ["mix", "mix", "stem", "stem"]}
    )  # fmt: skip
    _, axes = figures.plot_subset_scores(table, STEMS, hue="trained_on").axes
    assert [c.get_label() for c in axes.containers] == ["mix", "stem"]
    assert axes.containers[1].lines[0].get_xdata().tolist() == [0.3, 0.4]
    colours = {to_hex(c.lines[0].get_color()) for c in axes.containers}
    assert len(colours) == 2


def test_shares_have_a_panel_each_and_one_scale():
    table = pd.DataFrame(
        [(stem, model, measure, i / 10, i / 10 - 0.1, i / 10 + 0.1)
         for i, (model, measure, stem) in enumerate(
             (m, k, s) for m in ("a", "b", "c", "d") for k in ("alone", "Shapley") for s in STEMS)],
        columns=["stem", "model", "measure", "estimate", "low", "high"],
    )  # fmt: skip
    figure = figures.plot_stem_shares(table, panel="model", hue="measure", columns=3)
    axes = figure.axes
    assert [one.get_title(loc="left") for one in axes[:4]] == ["a", "b", "c", "d"]
    assert not axes[4].axison
    drawn = [c.lines[0].get_xdata().tolist() for c in axes[1].containers]
    np.testing.assert_allclose(drawn, [[0.4, 0.5], [0.6, 0.7]])
    assert [tick.get_text() for tick in axes[0].get_yticklabels()] == STEMS
    assert len({one.get_xlim() for one in axes[:4]}) == 1
    low, high = axes[0].get_xlim()
    assert low < 0 < 1.5 < high


def test_shares_keep_estimates_in_sight_when_an_interval_is_long():
    table = pd.DataFrame(
        {"stem": [f"s{i}" for i in range(20)], "model": "a", "estimate": 0.1, "low": 0.0,
         "high": [0.2] * 19 + [50.0]}
    )  # fmt: skip
    axes = figures.plot_stem_shares(table, panel="model").axes[0]
    assert axes.get_xlim()[1] < 5


def test_shares_below_the_floor_are_arrows():
    table = pd.DataFrame(
        {"stem": STEMS, "model": "a", "estimate": [-7.0, 0.4], "low": [-9, 0.2], "high": [-5, 0.6]}
    )
    axes = figures.plot_stem_shares(table, panel="model", floor=-1.0).axes[0]
    arrows = [c.get_offsets().tolist() for c in axes.collections if hasattr(c, "get_sizes")]
    assert [[-1.0, 0.0]] in arrows
    assert axes.containers[0].lines[0].get_xdata().tolist() == [0.4]
    low, high = axes.get_xlim()
    assert -1.2 < low < -1 < 0.6 < high < 1
    lost = figures.plot_stem_shares(table[:1], panel="model", floor=-1.0).axes[0]
    assert lost.get_xlim()[0] < -1 < 0 < lost.get_xlim()[1] < 0.5


def test_pushes_lead_from_the_mean_to_the_prediction():
    songs = pd.DataFrame(
        {"track_id": ["x", "x", "y", "y"], "stem": STEMS * 2, "estimate": [3.0, -1, -2, 0.5],
         "baseline": [50.0, 50, 52, 52], "predicted": [52.0, 52, 50.5, 50.5],
         "observed": [60.0, 60, 40, 40]}
    )  # fmt: skip
    axes = figures.plot_attributions(songs).axes[0]
    bars = [(p.get_x(), p.get_width()) for p in axes.patches]
    assert bars == [(50, 3), (53, -1), (52, -2), (50, 0.5)]
    observed = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]
    assert observed == [60, 40]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["x", "y"]
    ends = bars[1][0] + bars[1][1], bars[3][0] + bars[3][1]
    assert ends == (52, 50.5)
