"""Plots of the chapters on sound and on descriptors draw their data at the right positions."""

import numpy as np
import pandas as pd
import pytest

from groove_utils import figures
from groove_utils.audio.representations import represent

STYLES = ["funk", "rock"]


@pytest.fixture(scope="module")
def shown():
    t = np.arange(22050 * 3) / 22050
    return represent(np.sin(2 * np.pi * 440 * t).astype(np.float32), 22050)


def test_representations_share_a_time_axis_and_mark_beats(shown):
    figure = figures.plot_representations({"a": shown, "b": shown}, (1, 2), {"a": [1.25, 1.75]})
    figure.canvas.draw()
    assert len(figure.axes) == 2 * len(shown)
    assert all(axes.get_xlim() == (1, 2) for axes in figure.axes)
    marked = [line for line in figure.axes[2].lines if list(line.get_xdata()) == [1.25, 1.25]]
    assert len(marked) == 1
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["a", "b"]


def test_spectrograms_have_a_panel_each(shown):
    figure = figures.plot_spectrograms(
        [{"one": shown["STFT"], "two": shown["STFT"]}, {"three": shown["STFT"]}], (0, 1), top=1000
    )
    titled = [axes.get_title(loc="left") for axes in figure.axes]
    assert titled == ["one", "two", "three", ""]
    assert figure.axes[0].get_ylim() == (0, 1000)


def test_losses_stand_at_their_values():
    losses = pd.DataFrame(
        {"song": ["a", "b"] * 2, "made_from": ["x", "x", "y", "y"], "rhythm": [0.9, 0.8, 0.3, 0.2]}
    )
    axes = figures.plot_losses(losses, {"rhythm": "Rhythm"}).axes[0]
    drawn = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
    assert drawn == [[0.9, 0.3], [0.8, 0.2]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]


def test_bar_profiles_put_the_lows_at_the_bottom():
    rows = [
        {"song": "s", "region": region, "step": step, "strength": step + 1}
        for region in ("low", "high")
        for step in range(16)
    ]
    figure = figures.plot_bar_profiles(pd.DataFrame(rows))
    assert [axes.get_ylabel() for axes in figure.axes] == ["high", "low"]
    assert [bar.get_height() for bar in figure.axes[0].patches] == list(range(1, 17))


def test_distributions_have_a_row_a_style_and_survive_missing_values():
    songs = pd.DataFrame({"style": STYLES * 5, "a": np.arange(10.0), "b": [np.nan] * 8 + [1, 2]})
    songs["unknown"] = np.nan
    figure = figures.plot_distributions(songs, {"a": "A", "unknown": "C", "b": "B"}, STYLES)
    figure.canvas.draw()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == STYLES
    assert sum(axes.get_visible() for axes in figure.axes) == 2


def test_what_correlates_stands_together():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 200))
    noise = 0.1 * rng.standard_normal((2, 200))
    table = pd.DataFrame({"a1": a, "b1": b, "a2": -a + noise[0], "b2": b + noise[1]})
    axes = figures.plot_clustered_correlations(table.corr()).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert abs(names.index("a1") - names.index("a2")) == 1
    assert abs(names.index("b1") - names.index("b2")) == 1


def test_curves_without_a_band_are_dashed():
    x = np.linspace(0, 1, 5)
    known = pd.DataFrame({"x": x, "estimate": x, "low": x - 1, "high": x + 1, "kind": "fit"})
    truth = pd.DataFrame({"x": x, "estimate": x, "kind": "truth"})
    axes = figures.plot_dependence(
        pd.concat([known, truth]), pd.Series([0.1, 0.5, 7.0]), "x", "y"
    ).axes[0]
    styles = {line.get_label(): line.get_linestyle() for line in axes.lines}
    assert (styles["fit"], styles["truth"]) == ("-", "--")
    ticks = next(line for line in axes.lines if line.get_marker() == "|")
    assert list(ticks.get_xdata()) == [0.1, 0.5]  # the third lies beyond the curves


def test_estimates_have_a_diagonal_and_their_bars():
    rows = pd.DataFrame(
        {
            "quantity": "tempo",
            "style": STYLES * 2,
            "truth": [90.0, 100, 110, 120],
            "estimate": [91.0, 100, np.nan, 119],
            "low": [90.0, np.nan, 1, 118],
            "high": [92.0, np.nan, 2, 120],
        }
    )
    axes = figures.plot_estimates(rows, {"tempo": "Tempo"}, STYLES).axes[0]
    line = axes.lines[0]
    assert list(line.get_xdata()) == list(line.get_ydata()) == [90, 120]
    offsets = [c.get_offsets() for c in axes.collections if hasattr(c, "get_sizes")]
    assert sum(len(np.atleast_2d(o)) for o in offsets) == 3


def test_the_clearest_pulse_is_marked_at_its_lag():
    step = 0.01
    onsets = np.zeros(1000)
    onsets[::50] = 1
    r = np.correlate(onsets, onsets, "full")[999:] / onsets.sum()
    left, right = figures.plot_pulse(onsets, r, step, best=0.5).axes
    assert left.lines[0].get_xdata().max() < 5
    ((lag, height),) = right.lines[1].get_xydata()
    assert lag == 0.5
    assert height == r[50]
