"""Plots of the chapter on probing, and some on listeners and tracks, agree with their tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from groove_utils import figures
from groove_utils.figures.forest import draw_panels

STYLES = ["funk", "pop"]


def dots(axes):
    found = [c for c in axes.collections if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(c.get_offsets()) for c in found])


def points(axes):
    return np.concatenate([bars.lines[0].get_xdata() for bars in axes.containers])


def test_settings_keep_their_rows_and_mark_what_falls_off():
    table = pd.DataFrame(
        [("a", "one", "dance", 0.2), ("a", "two", "dance", -1234.0), ("b", "one", "dance", 0.4),
         ("b", "two", "dance", 0.1), ("a", "one", "party", 0.0), ("b", "one", "party", -0.3)],
        columns=["model", "setting", "target", "r2"],
    )  # fmt: skip
    left, right = draw_panels(
        table, x="r2", y="model", panel="target", hue="setting",
        floor=-1.0, share_x=True,
    )[1]  # fmt: skip
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["a", "b"]
    assert sorted(points(left)) == pytest.approx([0.1, 0.2, 0.4])
    assert dots(left).tolist() == [[-1.0, 0.25]]
    assert [text.get_text() for text in left.texts] == ["−1.23e+03"]
    assert sorted(points(right)) == pytest.approx([-0.3, 0.0])
    assert (right.get_title(loc="left"), left.get_title(loc="left")) == ("party", "dance")


def test_scores_have_a_panel_a_question_and_their_ceiling():
    table = pd.DataFrame(
        {"model": ["a", "b"] * 2, "target": ["dance", "dance", "party", "party"],
         "r2": [0.2, 0.3, 0.4, 0.5], "low": [0.1] * 4, "high": [0.6] * 4}
    )  # fmt: skip
    bands = pd.DataFrame({"target": ["party"], "low": [0.7], "high": [0.9]})
    figure = figures.plot_scores(table, x="r2", bands=bands)
    dance, party = figure.axes
    assert [axes.get_title(loc="left") for axes in (dance, party)] == ["dance", "party"]
    drawn = [axes.containers[0].lines[0].get_xdata().tolist() for axes in (dance, party)]
    assert drawn == [[0.2, 0.3], [0.4, 0.5]]
    assert [len(axes.patches) for axes in (dance, party)] == [0, 1]
    assert party.patches[0].get_x() == pytest.approx(0.7)


def test_luck_shows_the_best_of_all_beside_each_model():
    rng = np.random.default_rng(0)
    luck = pd.DataFrame({"model": ["a", "a", "b", "b"], "target": ["x", "y", "x", "y"],
                         "r2": [0.3, 0.9, 0.1, 0.2]})  # fmt: skip
    null = rng.normal(-0.1, 0.05, (200, 4))
    axes = figures.plot_luck(luck, null, "x").axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b", "best of all"]
    assert dots(axes)[:, 0].tolist() == pytest.approx([0.3, 0.1, 0.9])
    cuts = [line.get_xdata()[0] for line in axes.lines]
    assert np.quantile(null.max(axis=1), 0.95) in cuts


def test_folds_show_what_is_held_out():
    outer, inner = np.array([2, 0, 1, 0, 1, 2]), np.array([0, 1, 0, 1])
    styles = ["rock", "funk", "funk", "funk", "rock", "rock"]
    axes = figures.plot_folds(outer, inner, list("cababc"), styles).axes[0]
    shown = axes.images[0].get_array()
    assert shown.tolist() == [
        [1, 1, 0, 0, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 1],
        [3, 3, 0, 2, 2, 0],
        [3, 3, 2, 0, 0, 2],
    ]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["funk", "rock"]


def test_forests_have_rows_of_their_own_and_common_colours():
    tables = {
        "scale": pd.DataFrame({"step": ["a", "b", "a"], "model": ["m", "m", "n"],
                               "estimate": [0.1, -7.0, 0.3]}),
        "size": pd.DataFrame({"step": ["c"], "model": ["n"], "estimate": [0.2]}),
    }  # fmt: skip
    figure = figures.plot_forests(tables, y="step", hue="model", floor=-1)
    first, second = figure.axes[:2]
    assert [tick.get_text() for tick in first.get_yticklabels()] == ["a", "b"]
    assert [tick.get_text() for tick in second.get_yticklabels()] == ["c"]
    assert [text.get_text() for text in first.texts] == ["−7"]
    (dot,) = [line for line in second.lines if list(line.get_xdata()) == [0.2]]
    (same,) = [line for line in first.lines if list(line.get_xdata()) == [0.3]]
    assert dot.get_color() == same.get_color()


def test_forests_take_columns_of_each_table():
    tables = {
        "parts": pd.DataFrame({"part": ["all", "within"], "model": ["m", "n"], "r2": [0.4, 0.1],
                               "low": [0.3, 0.0], "high": [0.5, 0.2]}),
        "models": pd.DataFrame({"model": ["m", "n"], "estimate": [0.2, 0.3]}),
    }  # fmt: skip
    names = {"x": ["r2", "estimate"], "y": ["part", "model"], "hue": ["model", None]}
    first, second = figures.plot_forests(tables, **names).axes
    assert [tick.get_text() for tick in second.get_yticklabels()] == ["m", "n"]
    assert sorted(points(first)) == [0.1, 0.4]
    (bars,) = second.containers
    assert bars.lines[0].get_xydata().tolist() == [[0.2, 0], [0.3, 1]]
    assert not bars.has_xerr
    colours = [one.lines[0].get_color() for one in (*first.containers, bars)]
    assert len(set(colours)) == 3  # a table without hue has none of the colours


def test_layer_profiles_fill_what_may_be_best():
    table = pd.DataFrame(
        {"model": ["m"] * 3 + ["n"] * 2, "target": "dance", "layer": ["l0", "l1", "l2", "p", "q"],
         "r2": [0.1, 0.3, 0.2, 0.0, 0.1], "may_be_best": [False, True, True, True, True],
         "nested_r2": [0.25] * 3 + [0.05] * 2}
    )  # fmt: skip
    axes = figures.plot_layer_profiles(table).axes[0]
    cloud = next(c for c in axes.collections if isinstance(c, PathCollection))
    white = (cloud.get_facecolors()[:, :3] == 1).all(axis=1)
    assert white.tolist() == [True, False, False]
    assert dots(axes)[:, 1].tolist() == [0.1, 0.3, 0.2]
    assert any(set(line.get_ydata()) == {0.25} for line in axes.lines)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["l0", "l1", "l2"]


def test_learning_curves_with_and_without_raters():
    songs = pd.DataFrame({"n_train": [10, 20], "target": "dance", "r2": [0.1, 0.2], "r2_sd": 0.05})
    raters = pd.DataFrame(
        {"n_raters": [2, 5], "r2": [0.1, 0.2], "r2_all": [0.2, 0.3], "ceiling": [0.4, 0.6]}
    )
    assert len(figures.plot_learning_curves(songs).axes) == 1
    first, second = figures.plot_learning_curves(songs, raters).axes
    assert list(first.lines[0].get_ydata()) == [0.1, 0.2]
    drawn = [list(line.get_ydata()) for line in second.lines]
    assert [0.4, 0.6] in drawn
    assert [0.2, 0.3] in drawn
    assert [tick.get_text() for tick in second.get_xticklabels()] == ["2", "5"]


def test_halves_and_scale_use_hold_every_dot():
    halves = pd.DataFrame({"one": [1.0, 2.0, 3.0], "other": [2.0, 1.0, 3.0],
                           "style": ["funk", "pop", "pop"]})  # fmt: skip
    assert len(dots(figures.plot_halves(halves, STYLES).axes[0])) == 3
    use = pd.DataFrame({"mean": [40.0, 60.0], "sd": [10.0, 20.0]})
    axes = figures.plot_scale_use(use, (1, 100)).axes[0]
    assert dots(axes).tolist() == [[40.0, 10.0], [60.0, 20.0]]
    assert axes.get_xlim() == (1, 100)


def test_gains_mark_the_clear_ones():
    table = pd.DataFrame(
        [("tags", "a", "tempo", 0.3, 0.1, 0.5, 0.01), ("tags", "a", "swing", -0.1, -0.3, 0.1, 0.4),
         ("beats", "b", "tempo", 0.2, -0.1, 0.5, 0.3),
         ("beats", "b", "swing", -0.4, -0.6, -0.2, 0.0)],
        columns=["task", "first", "target", "difference", "low", "high", "p_holm"],
    )  # fmt: skip
    axes = figures.plot_gains(table).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == [
        "+0.30*\n0.10 to 0.50", "−0.10\n−0.30 to 0.10",
        "+0.20\n−0.10 to 0.50", "−0.40*\n−0.60 to −0.20",
    ]  # fmt: skip
    weights = [text.get_fontweight() for text in axes.texts]
    assert weights == ["bold", "normal", "normal", "bold"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["tags\na", "beats\nb"]
    assert axes.collections[0].get_clim() == pytest.approx((-0.64, 0.64))
