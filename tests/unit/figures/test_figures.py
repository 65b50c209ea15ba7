"""Plots have the right numbers and positions of dots, lines, panels and labels."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from expect import raises
from matplotlib.collections import PathCollection

from groove_utils import figures
from groove_utils.errors import DetailedError

STYLES = ["funk", "pop", "rock"]


def songs(n=12, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "track_id": [f"t{k}" for k in range(n)],
            "style": [STYLES[k % 3] for k in range(n)],
            "x": rng.normal(size=n),
            "y": rng.normal(size=n),
            "dance": rng.uniform(1, 100, n),
        }
    )


def dots(axes):
    found = [c for c in axes.collections if isinstance(c, PathCollection)]
    return np.concatenate([np.asarray(c.get_offsets()) for c in found])


def draw(figure):
    figure.canvas.draw()
    return figure


def test_every_name_of_the_family_is_there():
    assert sorted(figures.__all__) == sorted(n for n in figures.__all__ if hasattr(figures, n))
    with pytest.raises(AttributeError):
        _ = figures.plot_nothing


def test_colours_of_styles():
    palette = figures.style_palette(["rock", "soul", "funk", "dub"])
    assert palette["funk"] == figures.style_palette(["funk"])["funk"]
    assert list(palette) == ["rock", "soul", "funk", "dub"]
    assert len(set(palette.values())) == 4
    many = figures.style_palette([f"s{k}" for k in range(20)])
    assert len(many) == 20
    assert all(mpl.colors.is_color_like(colour) for colour in many.values())


def test_design_shows_each_rating_in_order_of_style():
    table = songs().set_index("track_id")
    matrix = pd.DataFrame(
        np.arange(36.0).reshape(3, 12), index=["a", "b", "c"], columns=table.index
    )
    matrix.iloc[1, 4] = np.nan
    figure = draw(figures.plot_design(matrix, table["style"]))
    axes = figure.axes[0]
    cells = axes.images[0].get_array()
    assert cells.shape == (3, 12)
    assert cells.mask.sum() == 1
    # funk is t0, t3, t6, t9; pop t1, t4, …
    assert cells[0].tolist() == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
    assert cells.mask[1, 5]
    assert [line.get_xdata()[0] for line in axes.lines] == [3.5, 7.5]
    assert [text.get_text() for text in axes.get_xticklabels()] == STYLES
    assert axes.get_xticks().tolist() == [1.5, 5.5, 9.5]


def test_a_design_of_one_style():
    table = songs().set_index("track_id").assign(style="funk")
    figure = draw(figures.plot_design(pd.DataFrame([table["dance"]]), table["style"]))
    assert len(figure.axes[0].lines) == 0


def test_distributions_show_every_song():
    means = pd.concat([songs(seed=k).assign(query=q) for k, q in enumerate(["dance", "beat"])])
    means = means.rename(columns={"dance": "mean"})
    figure = draw(figures.plot_rating_distributions(means, STYLES))
    shown = dots(figure.axes[0])
    assert sorted(shown[:, 1]) == pytest.approx(sorted(means["mean"]))
    assert sorted(np.round(shown[:, 0])) == [0] * 12 + [1] * 12
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == STYLES


def test_correlations_print_their_numbers_below_the_diagonal():
    r = pd.DataFrame([[1, 0.5, -0.25], [0.5, 1, 0.1], [-0.25, 0.1, 1]])
    figure = draw(figures.plot_correlations(r))
    printed = [text.get_text() for text in figure.axes[0].texts]
    assert printed == ["1.00", "0.50", "1.00", "−0.25", "0.10", "1.00"]


def test_rater_curve():
    curve = pd.DataFrame(
        {
            "query": ["dance"] * 3 + ["beat"] * 3,
            "k": [1, 10, 100] * 2,
            "reliability": [0.2, 0.7, 0.9, 0.1, 0.5, 0.8],
            "low": 0.05,
            "high": 0.95,
        }
    )
    figure = draw(figures.plot_rater_curve(curve, 30.0))
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.lines[:2]] == ["dance", "beat"]
    assert axes.lines[1].get_ydata().tolist() == [0.1, 0.5, 0.8]
    assert len(axes.collections) == 2
    assert axes.lines[2].get_xdata()[0] == 30
    assert axes.texts[0].get_text() == "this study: 30"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "10", "100"]


@pytest.fixture
def estimates():
    rows = [
        {"model": m, "target": t, "kind": k, "estimate": e, "low": e - 0.1, "high": e + 0.2}
        for e, (m, t, k) in enumerate(
            (m, t, k) for t in ("dance", "beat") for k in ("real", "twin") for m in ("a", "b", "c")
        )
    ]
    return pd.DataFrame(rows)


def test_forest_draws_each_interval_where_it_is(estimates):
    bands = pd.DataFrame({"target": ["dance", "beat"], "low": [0.7, 0.8], "high": [0.9, 0.95]})
    figure = draw(
        figures.plot_forest(estimates, y="model", panel="target", hue="kind", bands=bands)
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["dance", "beat"]
    for axes, target in zip(figure.axes, ["dance", "beat"], strict=True):
        own = estimates[estimates["target"] == target]
        assert len(axes.containers) == 2
        points = np.concatenate([bars[0].get_xydata() for bars in axes.containers])
        assert points[:, 0].tolist() == own["estimate"].tolist()
        assert np.round(points[:, 1]).tolist() == [0, 1, 2, 0, 1, 2]
        segments = [s for bars in axes.containers for s in bars[2][0].get_segments()]
        ends = np.array([segment[:, 0] for segment in segments])
        assert ends == pytest.approx(own[["low", "high"]].to_numpy())
        assert len(axes.patches) == 1
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b", "c"]
    assert figure.axes[0].yaxis_inverted()  # the first row on top
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [
        "noise ceiling",
        "real",
        "twin",
    ]


def test_forest_of_one_panel_and_an_estimate_outside_its_interval(estimates):
    one = estimates.head(3).assign(low=[0.5, 1, 2], high=[1, 1, 2])
    figure = draw(figures.plot_forest(one, y="model", reference=None))
    assert len(figure.axes) == 1
    assert not figure.legends
    segments = figure.axes[0].containers[0][2][0].get_segments()
    assert segments[0][:, 0].tolist() == [0, 1]


def test_forest_takes_the_columns_by_name(estimates):
    one = estimates.head(3).rename(columns={"low": "from", "high": "to"})
    one = one.assign(rho=[5.0, 6, 7], low=-9)  # an unrelated column of the usual name
    figure = draw(figures.plot_forest(one, x="rho", y="model", interval=("from", "to")))
    bars = figure.axes[0].containers[0]
    assert bars.lines[0].get_xdata().tolist() == [5, 6, 7]
    ends = np.array([segment[:, 0] for segment in bars[2][0].get_segments()])
    expected = np.c_[np.minimum(one["from"], one["rho"]), np.maximum(one["to"], one["rho"])]
    assert ends == pytest.approx(expected)


def test_forest_refuses_a_colour_that_lost_its_intervals(estimates):
    one = estimates[estimates["target"] == "dance"].copy()
    names = {"y": "model", "hue": "kind"}
    one.loc[one["kind"] == "twin", ["low", "high"]] = np.nan
    with raises(DetailedError, "not_finite", column="low", value=["twin"]):
        figures.plot_forest(one, **names)
    one.loc[one["kind"] == "twin", "estimate"] = np.nan  # nothing is drawn
    figures.plot_forest(one, **names)
    figures.plot_forest(one.assign(low=np.nan, high=np.nan), **names)  # none has an interval
    one.loc[one.index[0], ["low", "high"]] = np.nan  # one of several
    figures.plot_forest(one, **names)


def test_maps_show_every_song_twice():
    positions = pd.concat([songs(seed=k).assign(map=m) for k, m in enumerate(["one", "two"])])
    figure = draw(figures.plot_song_maps(positions, STYLES, "dance"))
    upper, lower = figure.axes[:2], figure.axes[2:4]
    for top, bottom, name in zip(upper, lower, ["one", "two"], strict=True):
        own = positions[positions["map"] == name]
        assert top.get_title(loc="left") == name
        assert len(top.collections) == 3
        assert sorted(dots(top)[:, 0]) == pytest.approx(sorted(own["x"]))
        assert dots(bottom) == pytest.approx(own[["x", "y"]].to_numpy())
        assert bottom.collections[0].get_array().tolist() == own["dance"].tolist()
    limits = {collection.get_clim() for axes in lower for collection in axes.collections}
    assert len(limits) == 1  # one colour scale for all maps
    assert [t.get_text() for t in figure.legends[0].get_texts()] == STYLES


@pytest.mark.parametrize(("n_models", "n_axes"), [(1, 3), (3, 3), (4, 6)])
def test_a_map_of_each_model_three_in_a_row(n_models, n_axes):
    names = [f"net {k}" for k in range(n_models)]
    positions = pd.concat([songs(seed=k).assign(map=name) for k, name in enumerate(names)])
    figure = draw(figures.maps.plot_model_maps(positions, STYLES))
    assert len(figure.axes) == n_axes
    assert [axes.get_title(loc="left") for axes in figure.axes[:n_models]] == names
    for axes, name in zip(figure.axes, names):
        own = positions[positions["map"] == name]
        assert sorted(dots(axes)[:, 0]) == pytest.approx(sorted(own["x"]))
    assert not any(axes.axison for axes in figure.axes[n_models:])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == STYLES


def test_neighbours_stand_beside_their_twins_and_chance():
    rows = [
        {"model": model, "label": label, "rate": rate, "low": rate - 0.1, "high": rate + 0.1}
        for label in ("style", "band")
        for model, rate in (("a", 0.7), ("b", 0.5), ("a-untrained", 0.6))
    ]
    figure = draw(figures.plot_neighbours(pd.DataFrame(rows).assign(chance=0.2)))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Same style", "Same band"]
    for axes in figure.axes:
        trained, twins = (bars.lines[0].get_xydata() for bars in axes.containers)
        assert trained[:, 0].tolist() == [0.7, 0.5]
        assert twins[:, 0].tolist() == [0.6]
        assert abs(twins[0, 1] - trained[0, 1]) < 0.6  # on the row of its model
        assert 0.2 in [line.get_xdata()[0] for line in axes.lines]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "trained",
        "untrained twin",
    ]


def test_predictions_show_every_song_and_a_line_over_all_of_them():
    table = pd.concat([songs(seed=k).assign(target=t) for k, t in enumerate(["dance", "beat"])])
    table = table.rename(columns={"x": "observed", "y": "predicted"})
    table.iloc[0, table.columns.get_loc("predicted")] = 9.0  # beyond all that was observed
    figure = draw(figures.plot_predictions(table, STYLES))
    for axes, target in zip(figure.axes, ["dance", "beat"], strict=True):
        own = table[table["target"] == target]
        assert axes.get_title(loc="left") == target
        expected = own.sort_values("style", kind="stable")[["predicted", "observed"]]
        assert dots(axes) == pytest.approx(expected.to_numpy())
        ends = axes.lines[0].get_xydata()
        assert ends[:, 0].tolist() == ends[:, 1].tolist()
        values = own[["observed", "predicted"]].to_numpy()
        assert (ends.min(), ends.max()) == (values.min(), values.max())


def test_fitted_lines():
    lines = pd.DataFrame({"intercept": [1.0, 2, 6], "slope": [0.5, 1, 0], "taste": [3, 4, 5]})
    for colour, n_axes in ((None, 1), ("taste", 2)):
        figure = draw(
            figures.plot_fitted_lines(lines, x="r", xlabel="", ylabel="rating", colour=colour)
        )
        axes = figure.axes[0]
        assert len(figure.axes) == n_axes
        assert len(axes.lines) == 4
        assert axes.lines[1].get_ydata().tolist() == [0, 4]
        assert axes.lines[-1].get_ydata().tolist() == [2, 4]
        assert axes.get_xlabel() == "r"
        shades = {mpl.colors.to_hex(line.get_color()) for line in axes.lines[:-1]}
        assert len(shades) == (1 if colour is None else 3)
