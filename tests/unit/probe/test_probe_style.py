"""Style baseline, parts of R² by style, and transfer between styles."""

import numpy as np
import pytest
from expect import raises
from sklearn.metrics import r2_score

from groove_utils.probe import (
    ProbeError,
    Protocol,
    nested_ridge,
    style_baseline,
    style_scores,
    transfer_matrix,
)

ONCE, TWICE = Protocol(n_repeats=1), Protocol(n_repeats=2)


@pytest.fixture(scope="module")
def shifted(small):
    X, y, artists, styles = small
    return X, y + np.where(styles == "funk", 20, 0)[:, None], artists, styles


def test_style_baseline_is_the_training_mean_of_the_style(shifted):
    X, y, artists, styles = shifted
    result = style_baseline(y, artists, styles, TWICE)
    held = result.folds[1] == 2
    values = y["dance"].to_numpy()
    for style in set(styles):
        at = held & (styles == style)
        expected = values[~held & (styles == style)].mean()
        np.testing.assert_allclose(result.predicted[1, at, 0], expected)
    assert result.scores()["r2"][1] > 0.5
    same = nested_ridge(X, y, artists, styles, TWICE)
    assert np.array_equal(same.folds, result.folds)


def test_style_parts_add_up_and_a_style_model_has_nothing_within(shifted):
    X, y, artists, styles = shifted
    result = nested_ridge(X, y, artists, styles, TWICE)
    table = style_scores(result, n_boot=200)
    np.testing.assert_allclose(table[table.part == "all"]["r2"], result.scores()["r2"], atol=1e-9)
    for j, name in enumerate(y):
        one = table[table.target == name].set_index("part")
        parts = sum(one.loc[p, "share"] * one.loc[p, "r2"] for p in ("between", "within"))
        assert parts == pytest.approx(one.loc["all", "r2"], abs=1e-9)
        inside = one.loc[["funk", "pop", "rock"], "share"].sum()
        assert inside == pytest.approx(one.loc["within", "share"])
        funk = styles == "funk"
        expected = np.mean([r2_score(y[name][funk], p[funk]) for p in result.predicted[..., j]])
        assert one.loc["funk", "r2"] == pytest.approx(expected)
        assert one.loc["funk", "n_songs"] == funk.sum()
    flat = style_scores(style_baseline(y, artists, styles), n_boot=50).set_index(["target", "part"])
    assert flat.loc[("listen", "within"), "r2"] <= 0.0
    assert flat.loc[("listen", "between"), "r2"] > 0.9


def test_transfer_fails_where_styles_obey_opposite_rules():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((150, 4))
    styles = np.repeat(["funk", "pop", "rock"], 50)
    sign = np.where(styles == "rock", -1, 1)
    y = sign * X[:, 0] + 0.4 * rng.standard_normal(150)
    table = transfer_matrix(X, y, np.arange(150) // 2, styles, ONCE, n_boot=200)
    rows = table.set_index(["train", "test"])
    assert rows.loc[("funk", "pop"), "r2"] > 0.5
    assert rows.loc[("funk", "funk"), "r2"] > 0.5
    assert rows.loc[("funk", "rock"), "r2"] < 0
    assert rows.loc[("others", "rock"), "r2"] < 0
    assert rows.loc[("others", "rock"), "spearman"] < -0.5
    assert (table["low"] <= table["r2"]).all()
    assert rows.loc[("others", "funk"), "n_train"] == 100
    styles = ["funk", "pop", "rock"]
    pairs = rows.loc[[(a, b) for a in styles for b in styles if a != b]]
    mean = rows.loc[("another style", "mean")]
    assert mean["spearman"] == pytest.approx(pairs["spearman"].mean())
    assert mean["r2"] == pytest.approx(pairs["r2"].mean())
    assert mean["spearman_low"] < mean["spearman"] < mean["spearman_high"]
    same = rows.loc[("the same style", "mean")]
    assert same["spearman_low"] > 0.5
    with raises(ProbeError, "one_style", value="all"):
        transfer_matrix(X, y)


def test_transfer_tests_no_artist_it_trained_on():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    styles = np.repeat(["funk", "rock"], 30)
    artists = np.r_[np.arange(30), np.arange(10), np.arange(100, 120)]  # ten play both
    table = transfer_matrix(X, y, artists, styles, ONCE, n_boot=50).set_index(["train", "test"])
    assert table.loc[("funk", "rock"), "n_test"] == 20
    assert table.loc[("rock", "rock"), "n_test"] == 30
