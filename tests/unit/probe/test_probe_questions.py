"""Layers, styles, shared variance, similarity and learning curves on effects that were planted."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from groove_utils.probe import (
    ProbeError,
    compare_models,
    layer_profile,
    learning_curve,
    nested_ridge,
    rater_learning_curve,
    songs_needed,
    style_baseline,
    transfer_matrix,
    variance_partition,
)
from groove_utils.similarity import rsa


@pytest.fixture
def planted():
    """120 songs: a cause that a middle layer hears, by 70 artists, in three styles."""
    rng = np.random.default_rng(11)
    n = 120
    artists = rng.integers(0, 70, n)
    styles = np.array(["funk", "pop", "rock"])[rng.integers(0, 3, 70)][artists]
    cause = rng.standard_normal(n)
    layers = {}
    for name, noise in (("early", 4.0), ("middle", 0.6), ("late", 2.0)):
        layers[name] = cause[:, None] + noise * rng.standard_normal((n, 15))
    y = pd.Series(cause + 0.7 * rng.standard_normal(n), [f"t{i}" for i in range(n)], name="groove")
    return layers, y, artists.astype(str), styles


def test_layer_profile_peaks_where_the_cause_is_heard(planted):
    layers, y, artists, styles = planted
    table = layer_profile(layers, y, artists, styles, n_permutations=49, n_repeats=2)
    table = table.set_index("layer")
    assert table["best"].idxmax() == "middle"
    assert table.loc["middle", "chosen"] > 0.7
    assert not table.loc["early", "may_be_best"]
    assert table.loc["middle", "p_layers"] == 0.02
    assert (table["p_layers"] >= table["p"]).all()
    assert table["nested_r2"].nunique() == 1
    alone = nested_ridge(layers["late"], y, artists, styles, n_repeats=2).scores()["r2"][0]
    assert table.loc["late", "r2"] == pytest.approx(alone, abs=1e-9)


def test_equal_layers_may_all_be_best_and_the_nested_score_is_not_flattered():
    rng = np.random.default_rng(0)
    peaks, nested, everyone = [], [], []
    for seed in range(8):
        y = rng.standard_normal(60)
        layers = {f"layer {i}": rng.standard_normal((60, 8)) for i in range(6)}
        table = layer_profile(layers, y, n_repeats=1, seed=seed)
        peaks.append(table["r2"].max())
        nested.append(table["nested_r2"].iloc[0])
        everyone.append(table["may_be_best"].all())
    assert np.mean(nested) < min(0, np.mean(peaks))
    assert np.mean(everyone) >= 0.6
    with pytest.raises(ProbeError, match="two or more layers"):
        layer_profile({"one": layers["layer 0"]}, y)


def test_transfer_fails_where_styles_obey_opposite_rules():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((150, 4))
    styles = np.repeat(["funk", "pop", "rock"], 50)
    sign = np.where(styles == "rock", -1, 1)
    y = sign * X[:, 0] + 0.4 * rng.standard_normal(150)
    table = transfer_matrix(X, y, np.arange(150) // 2, styles, n_repeats=1)
    r2 = table.pivot(index="train", columns="test", values="r2")
    assert r2.loc["funk", "pop"] > 0.5
    assert r2.loc["funk", "funk"] > 0.5
    assert r2.loc["funk", "rock"] < 0
    assert r2.loc["others", "rock"] < 0
    rho = table.set_index(["train", "test"])["spearman"]
    assert rho[("others", "rock")] < -0.5
    assert (table["low"] <= table["r2"]).all()
    assert table.set_index(["train", "test"]).loc[("others", "funk"), "n_train"] == 100
    with pytest.raises(ProbeError, match="only one style"):
        transfer_matrix(X, y)


def test_transfer_tests_no_artist_it_trained_on():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((60, 3)), rng.standard_normal(60)
    styles = np.repeat(["funk", "rock"], 30)
    artists = np.r_[np.arange(30), np.arange(10), np.arange(100, 120)]  # ten play both
    table = transfer_matrix(X, y, artists, styles, n_repeats=1).set_index(["train", "test"])
    assert table.loc[("funk", "rock"), "n_test"] == 20
    assert table.loc[("rock", "rock"), "n_test"] == 30


def test_partition_recovers_what_was_planted():
    rng = np.random.default_rng(2)
    n = 400
    own_a, own_b, common = rng.standard_normal((3, n))
    blocks = {
        "a": np.column_stack([own_a, common]) + 0.05 * rng.standard_normal((n, 2)),
        "b": np.column_stack([own_b, common]) + 0.05 * rng.standard_normal((n, 2)),
    }
    y = np.sqrt([0.2, 0.3, 0.1]) @ [own_a, common, own_b] + np.sqrt(0.4) * rng.standard_normal(n)
    table = variance_partition(blocks, y, n_repeats=1).set_index(["kind", "part"])
    assert table.loc[("unique", "a"), "r2"] == pytest.approx(0.2, abs=0.07)
    assert table.loc[("unique", "b"), "r2"] == pytest.approx(0.1, abs=0.07)
    assert table.loc[("shared", "a & b"), "r2"] == pytest.approx(0.3, abs=0.09)
    shares = table.loc[["unique", "shared"], "r2"].sum()
    assert shares == pytest.approx(table.loc[("model", "a & b"), "r2"], abs=1e-12)
    assert ((table["low"] <= table["r2"]) & (table["r2"] <= table["high"])).all()


def test_partition_of_three_adds_up_and_takes_labels(planted):
    layers, y, artists, styles = planted
    y = y + np.where(styles == "funk", 2.0, 0.0)
    noise = np.random.default_rng(0).standard_normal((120, 300))
    table = variance_partition(
        {"style": styles, "embedding": layers["middle"], "noise": noise},
        y, artists, styles, n_repeats=1, weights=(1.0, 0.1),
    ).set_index(["kind", "part"])  # fmt: skip
    shares = table.loc[["unique", "shared"], "r2"].sum()
    full = table.loc[("model", "style & embedding & noise"), "r2"]
    assert shares == pytest.approx(full, abs=1e-12)
    assert table.loc[("unique", "style"), "low"] > 0
    assert table.loc[("unique", "embedding"), "low"] > 0
    assert abs(table.loc[("unique", "noise"), "r2"]) < 0.05
    with pytest.raises(ProbeError, match="takes two or three"):
        variance_partition({"one": layers["late"]}, y)


def test_residualised_targets_leave_what_style_does_not_tell(planted):
    layers, y, artists, styles = planted
    y = y + np.where(styles == "funk", 6.0, 0.0)
    only_style = (styles[:, None] == np.unique(styles)).astype(float)
    scores = {
        name: nested_ridge(X, y, artists, styles, nuisance=styles, n_repeats=1).scores()
        for name, X in (("middle", layers["middle"]), ("style", only_style))
    }
    assert scores["middle"]["r2_over_baseline"][0] > 0.3
    assert scores["style"]["r2_over_baseline"][0] < 0.02
    assert scores["style"]["r2"][0] > 0.5  # which is what the style baseline has as well
    base = style_baseline(y, artists, styles, n_repeats=1).scores()["r2"][0]
    assert scores["style"]["r2"][0] == pytest.approx(base, abs=0.03)


def test_rsa_is_spearman_over_pairs(planted):
    layers, y, artists, styles = planted
    table = rsa(layers, y, same_artist=True, n_permutations=99).set_index("layer")
    for name, X in layers.items():
        expected = spearmanr(pdist(X, "cosine"), pdist(y.to_numpy()[:, None], "cityblock"))[0]
        assert table.loc[name, "rho"] == pytest.approx(expected, abs=1e-12)
    assert table.loc["middle", "p_layers"] == 0.01
    assert table.loc["middle", "low"] > 0
    assert table["n_pairs"].iloc[0] == 120 * 119 // 2
    fewer = rsa(layers["late"], y, artists, styles, n_permutations=9)
    pairs = sum(a != b for i, a in enumerate(artists) for b in artists[i + 1 :])
    assert fewer["n_pairs"][0] == pairs


def test_rsa_partial_correlation_takes_style_out(planted):
    _, y, artists, styles = planted
    y = pd.Series(np.where(styles == "funk", 9.0, np.where(styles == "pop", 5.0, 0.0)), y.index)
    y = y + 0.1 * np.random.default_rng(0).standard_normal(len(y))
    X = (styles[:, None] == np.unique(styles)) + 0.01 * np.random.default_rng(1).random((120, 3))
    raw = rsa(X, y, artists, styles, metric="euclidean", n_permutations=19)
    clean = rsa(
        X, y, artists, styles, metric="euclidean", control_style=True, within_style=True,
        n_permutations=99,
    )  # fmt: skip
    assert raw["rho"][0] > 0.5
    assert abs(clean["rho"][0]) < 0.15
    assert clean["p"][0] > 0.02


def test_mantel_p_is_calibrated_where_independent_pairs_would_not_be():
    p, naive = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((20, 2)), rng.standard_normal(20)
        p.append(rsa(X, y, metric="euclidean", n_permutations=99, n_boot=50)["p"][0])
        naive.append(
            spearmanr(pdist(X), pdist(y[:, None], "cityblock"), alternative="greater").pvalue
        )
    assert np.mean(np.array(p) < 0.05) <= 0.12
    assert np.mean(np.array(naive) < 0.05) > np.mean(np.array(p) < 0.05)


def test_rsa_refuses_what_has_no_distance(planted):
    X = planted[0]["late"].copy()
    X[3] = 0
    with pytest.raises(ProbeError, match="cosine distances of 'features' are not defined"):
        rsa(X, planted[1])


def test_learning_curve_rises_and_ends_at_the_whole(planted):
    layers, y, artists, styles = planted
    table = learning_curve(layers["late"], y, artists, styles, shares=(0.2, 1.0), n_draws=3)
    assert table["r2"].is_monotonic_increasing
    assert table["n_train"].tolist() == pytest.approx([18, 90], abs=4)
    whole = nested_ridge(layers["late"], y, artists, styles, n_repeats=3).scores()["r2"][0]
    assert table["r2"].iloc[-1] == pytest.approx(whole, abs=0.04)
    with pytest.raises(ProbeError, match="shares hold 0"):
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
    whole = nested_ridge(layers["middle"], everyone, artists, styles, n_repeats=1)
    assert table["r2"].iloc[-1] == pytest.approx(whole.scores()["r2"][0], abs=1e-9)
    with pytest.raises(ProbeError, match=r"1 songs have no ratings \(first: 't7'\)"):
        rater_learning_curve(layers["middle"], long[long.track_id != "t7"], ids)


def test_songs_needed_follows_from_the_standard_error(planted):
    layers, y, artists, styles = planted
    pair = {n: nested_ridge(layers[n], y, artists, styles) for n in ("middle", "late")}
    table = songs_needed(pair)
    row, known = table.iloc[0], compare_models(pair).iloc[0]
    assert row["difference"] == pytest.approx(known["difference"])
    assert row["se"] == pytest.approx(known["se"])
    expected = (1.959964 + 0.841621) ** 2 * known["se"] ** 2 * 120 / known["difference"] ** 2
    assert row["n_songs"] == np.ceil(expected)
    assert row["low"] <= row["n_songs"] <= row["high"]
    assert table["n_songs"].is_monotonic_increasing
    same = songs_needed({"a": pair["late"], "b": pair["late"]})
    assert np.isinf(same["n_songs"]).all()
    with pytest.raises(ProbeError, match="give the two"):
        songs_needed({"a": pair["late"]})
