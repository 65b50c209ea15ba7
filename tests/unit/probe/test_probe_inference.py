"""Intervals, comparisons and permutation tests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import bootstrap, spearmanr
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from groove_utils.probe import (
    ClippedStandardScaler,
    ProbeError,
    ProbeResult,
    bootstrap_scores,
    compare_models,
    nested_ridge,
    paper_protocol,
    permutation_test,
    permute_songs,
    style_baseline,
    style_scores,
)
from groove_utils.probe.bootstrap import artist_weights, influence_interval, interval
from groove_utils.probe.result import SCORES, score_statistic


@pytest.fixture
def result(small):
    X, y, artists, styles = small
    return nested_ridge(X, y, artists, styles, n_repeats=2)


def test_weights_draw_whole_artists(small):
    artists = small[2]
    weights = artist_weights(artists, 200, seed=1)
    for one in np.unique(artists):
        assert (np.ptp(weights[:, artists == one], axis=1) == 0).all()
    assert weights.mean() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("score", SCORES)
def test_weighted_scores_are_scores_of_repeated_songs(result, score):
    weights = artist_weights(result.artists, 3, seed=0)
    found = score_statistic(result, score)(weights)
    for w, row in zip(weights.astype(int), found, strict=True):
        pick = np.repeat(np.arange(60), w)
        for j in range(2):
            y, p = result.observed[pick, j], result.predicted[:, pick, j]
            base, folds = result.baseline[:, pick, j], result.folds[:, pick]
            expected = {
                "r2": lambda y=y, p=p: np.mean([r2_score(y, one) for one in p]),
                "rmse": lambda y=y, p=p: np.sqrt(((y - p) ** 2).mean()),
                "spearman": lambda y=y, p=p: np.mean([spearmanr(y, one)[0] for one in p]),
                "fold_r2": lambda y=y, p=p, folds=folds: np.mean(
                    [r2_score(y[f == k], one[f == k]) for one, f in zip(p, folds, strict=True)
                     for k in range(4)]
                ),
                "r2_over_baseline": lambda y=y, p=p, base=base: (
                    1 - ((y - p) ** 2).sum() / ((y - base) ** 2).sum()
                ),
            }[score]()  # fmt: skip
            assert row[j] == pytest.approx(expected, abs=1e-9)


def test_bca_agrees_with_scipy_for_songs_without_groups():
    rng = np.random.default_rng(0)
    x = rng.exponential(size=40)

    def mean(w):
        return (w @ x[:, None]) / w.sum(axis=1, keepdims=True)

    _, low, high, se = interval(mean, np.arange(40), n_boot=20000)
    theirs = bootstrap((x,), np.mean, n_resamples=20000, rng=1, method="BCa")
    assert low[0] == pytest.approx(theirs.confidence_interval.low, abs=0.02)
    assert high[0] == pytest.approx(theirs.confidence_interval.high, abs=0.02)
    assert se[0] == pytest.approx(theirs.standard_error, rel=0.03)


def test_bootstrap_scores_table(result):
    table = bootstrap_scores(result, n_boot=300)
    assert table["refit"].all()
    assert table["target"].tolist() == ["dance"] * 3 + ["listen"] * 3
    assert (table["low"] < table["estimate"]).all()
    assert (table["estimate"] < table["high"]).all()
    r2 = table[table["score"] == "r2"]["estimate"].to_numpy()
    np.testing.assert_allclose(r2, result.scores()["r2"])
    pd.testing.assert_frame_equal(table, bootstrap_scores(result, n_boot=300))
    with pytest.raises(ProbeError, match="no such score: 'mse'"):
        bootstrap_scores(result, scores=["mse"])


def test_a_better_model_is_found_and_a_model_equals_itself(small):
    X, _, artists, styles = small
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((60, 12))
    y = X["low"][:, :3].sum(axis=1) + 2 * rng.standard_normal(60)
    probes = {
        name: nested_ridge(features, y, artists, styles, n_repeats=2)
        for name, features in {"low": X["low"], "noise": noise, "again": X["low"]}.items()
    }
    table = compare_models(probes, n_boot=1000).set_index(["first", "second"])
    assert table.loc[("low", "noise"), "p_holm"] < 0.01
    assert table.loc[("low", "noise"), "low"] > 0
    assert table.loc[("low", "again"), "difference"] == 0
    assert table.loc[("low", "again"), "p"] == 1
    assert (table["p_holm"] >= table["p"]).all()
    only = compare_models(probes, reference="noise", n_boot=100)
    assert only["second"].unique().tolist() == ["noise"]


def test_unpaired_results_are_refused(small):
    X, y, artists, styles = small
    a = nested_ridge(X["low"], y, artists, styles, n_repeats=1)
    b = nested_ridge(X["low"], y, artists, styles, n_repeats=1, seed=1)
    with pytest.raises(ProbeError, match="differ in their folds"):
        compare_models({"a": a, "b": b})
    with pytest.raises(ProbeError, match="one model only"):
        compare_models({"a": a})


def test_permutations_keep_to_their_groups(small):
    artists, styles = small[2:]
    for row in permute_songs(20, within=styles, seed=1):
        assert (styles[row] == styles).all()
        assert sorted(row) == list(range(60))
    counts = pd.Series(artists).value_counts()
    moved = 0
    for row in permute_songs(20, artists=artists, unit="artist", seed=1):
        assert sorted(row) == list(range(60))
        for one in np.unique(artists):
            source = set(artists[row[artists == one]])
            assert len(source) == 1
            assert counts[source.pop()] == counts[one]
        moved += (row != np.arange(60)).sum()
    assert moved > 100
    both = permute_songs(5, artists=artists, within=styles, unit="artist")
    assert all((styles[row] == styles).all() for row in both)


def test_permutation_test_repeats_the_whole_probe(small):
    X, y, artists, styles = small
    table, null = permutation_test(
        {"both": X, "low": X["low"]}, y, artists, styles, n_permutations=5, n_repeats=2,
        return_null=True,
    )  # fmt: skip
    orders = permute_songs(5, 60, seed=0)
    expected = nested_ridge(X, y, artists, styles, n_repeats=2).scores()["r2"]
    np.testing.assert_allclose(table[table.model == "both"]["r2"], expected, atol=1e-9)
    shuffled = pd.DataFrame(y.to_numpy()[orders[3]], y.index, y.columns)
    again = nested_ridge(X, shuffled, artists, styles, n_repeats=2).scores()["r2"]
    np.testing.assert_allclose(null[3, :2], again, atol=1e-9)


def test_p_values_are_family_wise(small):
    X, y, artists, styles = small
    rng = np.random.default_rng(5)
    models = {"real": X, **{f"noise {i}": rng.standard_normal((60, 10)) for i in range(6)}}
    table, null = permutation_test(
        models, y["dance"], artists, styles, n_permutations=99, n_repeats=1, return_null=True
    )
    assert (table["p"] <= table["p_target"]).all()
    assert (table["p_target"] <= table["p_family"]).all()
    real = table.set_index("model").loc["real"]
    assert real["p_family"] <= 0.02
    best = null.max(axis=1)
    assert real["p_family"] == (1 + (best >= real["r2"]).sum()) / 100
    layers = permutation_test(
        {"real": X}, y, artists, styles, n_permutations=19, n_repeats=1, each_layer=True
    )
    assert layers["layer"].tolist() == ["low", "low", "high", "high"]


def test_style_baseline_is_the_training_mean_of_the_style(small):
    _, y, artists, styles = small
    y = y + np.where(styles == "funk", 20, 0)[:, None]
    result = style_baseline(y, artists, styles, n_repeats=2)
    held = result.folds[1] == 2
    values = y["dance"].to_numpy()
    for style in set(styles):
        at = held & (styles == style)
        expected = values[~held & (styles == style)].mean()
        np.testing.assert_allclose(result.predicted[1, at, 0], expected)
    assert result.scores()["r2"][1] > 0.5
    same = nested_ridge(small[0], y, artists, styles, n_repeats=2)
    assert np.array_equal(same.folds, result.folds)


def test_style_parts_add_up_and_a_style_model_has_nothing_within(small):
    X, y, artists, styles = small
    y = y + np.where(styles == "funk", 20, 0)[:, None]
    result = nested_ridge(X, y, artists, styles, n_repeats=2)
    table = style_scores(result, n_boot=200)
    np.testing.assert_allclose(table[table.part == "all"]["r2"], result.scores()["r2"], atol=1e-9)
    for name in y:
        one = table[table.target == name].set_index("part")
        parts = sum(one.loc[p, "share"] * one.loc[p, "r2"] for p in ("between", "within"))
        assert parts == pytest.approx(one.loc["all", "r2"], abs=1e-9)
        inside = one.loc[["funk", "pop", "rock"], "share"].sum()
        assert inside == pytest.approx(one.loc["within", "share"])
        funk = styles == "funk"
        expected = np.mean(
            [
                r2_score(y[name][funk], p[funk])
                for p in result.predicted[..., y.columns.get_loc(name)]
            ]
        )
        assert one.loc["funk", "r2"] == pytest.approx(expected)
    flat = style_scores(style_baseline(y, artists, styles), n_boot=50).set_index(["target", "part"])
    assert flat.loc[("listen", "within"), "r2"] <= 0.0
    assert flat.loc[("listen", "between"), "r2"] > 0.9


def _refitted(X, y, artists, one, name, nuisance=None):
    """Predictions of the result's models, refitted by scikit-learn without one artist."""
    predicted = one.predicted.copy()
    choices = one.choices.set_index(["repeat", "fold"])
    for (repeat, fold), choice in choices.iterrows():
        test = one.folds[repeat] == fold
        train = ~test & (artists != name)
        features = X[choice["layer"]]
        Z = (
            ClippedStandardScaler().fit(features[~test]).transform(features)
        )  # scaling stays as it was
        model = Ridge(choice["alpha"]).fit(Z[train], y[train])
        predicted[repeat, test, 0] = model.predict(Z[test])
    return predicted


def test_closed_form_without_an_artist_is_a_refit_without_the_artist(small):
    X, y, artists, styles = small
    result = nested_ridge(X, y["dance"], artists, styles, n_repeats=2)
    for number, name in enumerate(np.unique(artists)[:5]):
        expected = _refitted(X, y["dance"].to_numpy(), artists, result, name)
        np.testing.assert_allclose(result.without[number], expected, atol=1e-8)


def test_paper_protocol_and_style_baseline_know_their_refits_too(small):
    X, y, artists, styles = small
    X = {"low": X["low"] / 10}
    order = np.argsort(y.index.to_numpy())
    paper = paper_protocol(X, y["dance"], artists, styles, seeds=[3])
    by, values, low = artists[order], y["dance"].to_numpy()[order], X["low"][order]
    base = style_baseline(y["dance"], artists, styles, n_repeats=1)
    for number, name in enumerate(np.unique(artists)[:5]):
        for fold in range(4):
            test = paper.folds[0] == fold
            train = ~test & (by != name)
            model = Ridge(0.2).fit(low[train], values[train])
            np.testing.assert_allclose(
                paper.without[number, 0, test, 0], model.predict(low[test]), atol=1e-8
            )
            test = base.folds[0] == fold
            for style in set(styles):
                train = ~test & (artists != name) & (styles == style)
                found = base.without[number, 0, test & (styles == style), 0]
                np.testing.assert_allclose(found, y["dance"].to_numpy()[train].mean())


def test_influence_interval_of_a_mean_is_students(small):
    rng = np.random.default_rng(2)
    x = rng.standard_normal(25)[:, None]
    influence = x - x.mean()
    low, high, se = influence_interval(x.mean(axis=0), influence, n_boot=200_000)
    expected = stats.t.interval(0.95, 24, loc=x.mean(), scale=stats.sem(x[:, 0]))
    np.testing.assert_allclose([low[0], high[0]], expected, atol=0.01)
    assert se[0] == pytest.approx(stats.sem(x[:, 0]))


def test_intervals_that_forget_training_are_marked_and_narrower(small):
    X, y, artists, styles = small
    result = nested_ridge(X["low"], y["dance"], artists, styles)
    whole = bootstrap_scores(result, scores=["r2"]).iloc[0]
    part = bootstrap_scores(result, scores=["r2"], method="bca").iloc[0]
    assert part["se"] < whole["se"]
    read_back = ProbeResult.from_predictions(result.predictions)
    again = bootstrap_scores(read_back, scores=["r2"]).iloc[0]
    assert not again["refit"]
    assert again["low"] == pytest.approx(part["low"])
    pair = compare_models({"a": result, "b": style_baseline(y["dance"], artists, styles)})
    assert pair["refit"].all()
    assert not compare_models({"a": result, "b": read_back})["refit"].any()
