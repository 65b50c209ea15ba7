"""Learning curves increase, and end at the score with all songs or raters."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.probe import (
    ProbeError,
    Protocol,
    learning_curve,
    nested_ridge,
    rater_learning_curve,
)

PROTOCOL = Protocol(n_repeats=3)


def test_learning_curve_rises_and_ends_at_the_whole(planted):
    layers, y, artists, styles = planted
    data = (layers["late"], y, artists, styles, PROTOCOL)
    table = learning_curve(*data, shares=(0.2, 1.0))
    assert table["r2"].is_monotonic_increasing
    assert table["n_train"].tolist() == pytest.approx([18, 90], abs=4)
    assert table["n_draws"].tolist() == [3, 3]
    whole = nested_ridge(*data).scores()["r2"][0]
    assert table["r2"].iloc[-1] == pytest.approx(whole, abs=0.04)
    with raises(ProbeError, "out_of_range", column="shares"):
        learning_curve(layers["late"], y, shares=(0,))


def test_more_raters_make_ratings_easier_to_predict(planted):
    layers, _, artists, styles = planted
    rng = np.random.default_rng(8)
    truth = layers["middle"].mean(axis=1)
    matrix = truth + 2 * rng.standard_normal((40, 120))
    ids = [f"t{i}" for i in range(120)]
    long = pd.DataFrame(matrix, columns=ids).rename_axis("listener_id").reset_index()
    long = long.melt("listener_id", var_name="track_id", value_name="rating")
    table = rater_learning_curve(
        layers["middle"], long, ids, artists, styles, n_raters=(2, 10, 40), n_draws=4
    )
    assert table["r2"].is_monotonic_increasing
    assert table["r2_all"].is_monotonic_increasing
    assert (table["r2"] < table["ceiling"] + 0.05).all()
    share = truth.var() / (truth.var() + 4 / np.array([2, 10, 40]))
    np.testing.assert_allclose(table["ceiling"], share, atol=0.06)
    everyone = pd.Series(matrix.mean(axis=0), ids)
    once = replace(PROTOCOL, n_repeats=1)
    whole = nested_ridge(layers["middle"], everyone, artists, styles, once).scores()["r2"][0]
    assert table["r2"].iloc[-1] == pytest.approx(whole, abs=1e-9)
    few = long[long["listener_id"] < 10]  # no song has 40 raters
    capped = rater_learning_curve(layers["middle"], few, ids, n_raters=(2, 20, 40), n_draws=1)
    assert capped["n_raters"].tolist() == [2, 10]
    with raises(ProbeError, "unrated", value=["t7"]):
        rater_learning_curve(layers["middle"], long[long.track_id != "t7"], ids)
    with raises(ProbeError, "several_queries"):
        two = long.assign(query=np.arange(len(long)) % 2)
        rater_learning_curve(layers["middle"], two, ids)
