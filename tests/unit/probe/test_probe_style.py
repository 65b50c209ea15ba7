"""Style baseline, R² by style, and transfer between styles."""

import numpy as np
import pytest
from expect import raises
from sklearn.metrics import r2_score

from groove_utils.probe import (
    ProbeError,
    Protocol,
    matched_transfer,
    nested_ridge,
    style_baseline,
    style_scores,
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


@pytest.fixture(scope="module")
def opposed():
    """Draw songs in three styles; in rock, the effect of the features is reversed."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((150, 4))
    styles = np.repeat(["funk", "pop", "rock"], 50)
    y = np.where(styles == "rock", -1, 1) * X[:, 0] + 0.4 * rng.standard_normal(150)
    return X, y, np.arange(150) // 2, styles


def test_transfer_fails_where_styles_obey_opposite_rules(opposed):
    table = matched_transfer(*opposed, ONCE, n_boot=200)
    rows = table.set_index(["score", "train", "test"]).sort_index()
    rho = rows.loc["spearman"]
    assert rho.loc[("same style", "rock"), "estimate"] > 0.5
    assert rho.loc[("another style", "rock"), "estimate"] < -0.5
    assert rows.loc[("r2", "another style", "rock"), "estimate"] < 0
    assert abs(rho.loc[("another style", "funk"), "estimate"]) < 0.5  # pop helps, rock harms
    for score in ("r2", "spearman"):
        same = rows.loc[(score, "same style"), "estimate"]
        assert same["mean"] == pytest.approx(same.drop("mean").mean())
    for other in ("another", "mixed"):
        assert rho.loc[(f"same − {other}", "mean"), "low"] > 0
    sizes = table.dropna(subset="n_train").groupby("test")["n_train"]
    assert (sizes.max() == sizes.min()).all()
    assert rho.loc[("same style", "funk"), "n_train"] == 37.5  # 75% of 25 artists with two songs
    assert (rows.loc["r2", "low"] <= rows.loc["r2", "estimate"]).all()


def test_training_on_one_style_does_not_help_where_the_rule_is_the_same(opposed):
    X, _, artists, styles = opposed
    y = X[:, 0] + np.random.default_rng(4).standard_normal(150)
    table = matched_transfer(X, y, artists, styles, ONCE, n_boot=500)
    rows = table[table["score"] == "spearman"].set_index("train")
    for label in ("same − another", "same − mixed"):
        assert rows.loc[label, "low"] < 0 < rows.loc[label, "high"]


def test_transfer_never_tests_an_artist_it_trained_on():
    rng = np.random.default_rng(5)
    artists = np.arange(80) // 2 % 20  # each artist has two songs in either style
    X, y = rng.standard_normal((20, 6))[artists], rng.standard_normal(20)[artists]
    table = matched_transfer(X, y, artists, np.repeat(["funk", "rock"], 40), ONCE, n_boot=50)
    rho = table[(table["test"] == "mean") & (table["score"] == "spearman")]
    assert (rho["estimate"] < 0.4).all()  # 1 with a leak
    with raises(ProbeError, "one_style", value=["funk"]):
        matched_transfer(X[:40], y[:40], artists[:40], ["funk"] * 40)
