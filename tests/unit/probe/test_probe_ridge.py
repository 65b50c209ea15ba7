"""Nested ridge probes compared with plain scikit-learn loops."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from expect import raises
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from groove_utils.probe import (
    ClippedStandardScaler,
    ProbeError,
    Protocol,
    nested_ridge,
    nested_ridges,
    style_baseline,
)
from groove_utils.probe.folds import nested_splits
from groove_utils.probe.songs import as_songs
from groove_utils.stats import StatsError

ONCE = Protocol(n_repeats=1)


def loop(X, y, songs, folds, protocol):
    """Run the nested procedure with scikit-learn."""
    predicted, chosen = np.empty(len(y)), []
    for split in nested_splits(songs, folds, protocol):
        best = None
        for name in X:
            model = Pipeline(
                [("scale", ClippedStandardScaler()), ("pca", "passthrough"), ("ridge", Ridge())]
            )
            steps = ["passthrough" if k is None else PCA(k) for k in protocol.pca]
            search = GridSearchCV(
                model,
                {"pca": steps, "ridge__alpha": protocol.alphas},
                scoring="neg_mean_squared_error",
                cv=PredefinedSplit(split.inner),
            ).fit(X[name][split.train], y[split.train])
            if best is None or search.best_score_ > best[0]:
                best = (search.best_score_, name, search)
        predicted[split.test] = best[2].predict(X[best[1]][split.test])
        chosen.append((best[1], best[2].best_params_["ridge__alpha"], -best[0]))
    return predicted, chosen


def test_nested_ridge_equals_a_plain_nested_loop(small):
    X, y, artists, styles = small
    protocol = replace(ONCE, alphas=[0.1, 30.0, 1000.0], pca=[3, None])
    result = nested_ridge(X, y, artists, styles, protocol)
    songs = as_songs(y, artists, styles)
    predicted, chosen = loop(X, y["listen"].to_numpy(), songs, result.folds, protocol)
    np.testing.assert_allclose(result.predicted[0, :, 1], predicted, rtol=0, atol=1e-8)
    choices = result.choices[result.choices.target == "listen"]
    assert choices["layer"].tolist() == [layer for layer, _, _ in chosen]
    np.testing.assert_allclose(choices["alpha"], [alpha for _, alpha, _ in chosen])
    np.testing.assert_allclose(choices["inner_mse"], [mse for _, _, mse in chosen], rtol=1e-8)


def test_concatenated_layers_equal_one_wide_layer(small):
    X, y, artists, styles = small
    wide = np.hstack([X["low"], X["high"]])
    # the floor is relative to a block's own median SD, so it is switched off here
    protocol = replace(ONCE, layers="concat", floor=0)
    a = nested_ridge(X, y, artists, styles, protocol)
    b = nested_ridge(wide, y, artists, styles, protocol)
    np.testing.assert_allclose(a.predicted, b.predicted, atol=1e-8)


def test_a_named_layer_is_the_only_one_used(small):
    X, y, artists, styles = small
    named = nested_ridge(X, y, artists, styles, replace(ONCE, layers="high"))
    alone = nested_ridge(X["high"], y, artists, styles, ONCE)
    np.testing.assert_allclose(named.predicted, alone.predicted, atol=1e-10)
    assert set(named.choices["layer"]) == {"high"}
    both = nested_ridge(X, y, artists, styles, replace(ONCE, layers=["high", "low"]))
    every = nested_ridge(X, y, artists, styles, ONCE)
    np.testing.assert_allclose(both.predicted, every.predicted, atol=1e-10)
    with raises(ProbeError, "unknown", column="layers", value=["top"]):
        nested_ridge(X, y, artists, styles, replace(ONCE, layers="top"))


def test_one_component_per_model_is_principal_component_regression(small):
    X, y, artists, styles = small
    protocol = replace(ONCE, alphas=1e-9, pca=5)
    result = nested_ridge(X["high"], y["listen"], artists, styles, protocol)
    model = make_pipeline(ClippedStandardScaler(), PCA(5), LinearRegression())
    for number in range(4):
        test = result.folds[0] == number
        model.fit(X["high"][~test], y["listen"][~test])
        np.testing.assert_allclose(
            result.predicted[0, test, 0], model.predict(X["high"][test]), atol=1e-6
        )


def test_many_targets_at_once_are_the_targets_one_by_one(small):
    X, y, artists, styles = small
    both = nested_ridge(X, y, artists, styles, ONCE)
    for j, name in enumerate(y):
        alone = nested_ridge(X, y[name], artists, styles, ONCE)
        np.testing.assert_allclose(both.predicted[..., [j]], alone.predicted, atol=1e-9)


def test_threads_do_not_change_the_result(small):
    X, y, artists, styles = small
    a = nested_ridge(X, y, artists, styles, ONCE)
    b = nested_ridge(X, y, artists, styles, ONCE, n_jobs=2)
    np.testing.assert_array_equal(a.predicted, b.predicted)


def test_representations_one_by_one(small):
    X, y, artists, styles = small
    results = nested_ridges(X, y, artists, styles, ONCE)
    assert list(results) == list(X)
    for name in X:
        alone = nested_ridge(X[name], y, artists, styles, ONCE)
        np.testing.assert_array_equal(results[name].predicted, alone.predicted)


def test_nuisance_is_taken_out_inside_the_folds(small):
    X, y, artists, styles = small
    target = y["dance"] + pd.Series(styles, y.index).map({"funk": 30, "pop": 0, "rock": -30})
    protocol = replace(ONCE, alphas=10.0)
    result = nested_ridge(X["low"], target, artists, styles, protocol, nuisance=styles)
    values = target.to_numpy()
    for number in range(4):
        test = result.folds[0] == number
        means = {s: values[~test][styles[~test] == s].mean() for s in set(styles)}
        base = np.array([means[s] for s in styles])
        np.testing.assert_allclose(result.baseline[0, test, 0], base[test], atol=1e-8)
        model = make_pipeline(ClippedStandardScaler(), Ridge(10.0)).fit(
            X["low"][~test], (values - base)[~test]
        )
        expected = base[test] + model.predict(X["low"][test])
        np.testing.assert_allclose(result.predicted[0, test, 0], expected, atol=1e-8)
    with raises(StatsError, "shape", column="nuisance"):
        nested_ridge(X["low"], target, nuisance=styles[1:])


def test_a_style_absent_from_training_falls_back_on_the_mean():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(40) + 50
    styles = np.array(["funk"] * 15 + ["pop"] * 15 + ["jazz"] * 10)
    artists = np.where(styles == "jazz", "one", np.arange(40).astype(str))
    X = rng.standard_normal((40, 3))
    result = nested_ridge(X, y, artists, styles, replace(ONCE, alphas=1e9), nuisance=styles)
    jazz = styles == "jazz"
    expected = y[result.folds[0] != result.folds[0][jazz][0]].mean()
    np.testing.assert_allclose(result.baseline[0, jazz, 0], expected, atol=0.1)


def test_residualised_targets_leave_what_style_does_not_predict(planted):
    layers, y, artists, styles = planted
    y = y + np.where(styles == "funk", 6.0, 0.0)
    only_style = (styles[:, None] == np.unique(styles)).astype(float)
    scores = {
        name: nested_ridge(X, y, artists, styles, ONCE, nuisance=styles).scores().iloc[0]
        for name, X in (("middle", layers["middle"]), ("style", only_style))
    }
    assert scores["middle"]["r2_over_baseline"] > 0.3
    assert scores["style"]["r2_over_baseline"] < 0.02
    assert scores["style"]["r2"] > 0.5
    base = style_baseline(y, artists, styles, ONCE).scores()["r2"][0]
    assert scores["style"]["r2"] == pytest.approx(base, abs=0.03)


def test_a_near_constant_unit_cannot_explode():
    rng = np.random.default_rng(1)
    n = 80
    X = rng.standard_normal((n, 20))
    y = X[:, 0] + 0.5 * rng.standard_normal(n)
    dead = 1e-9 * rng.standard_normal(n)
    dead[11] = 1.0  # it varies for one song only
    planted = np.column_stack([X, dead])
    protocol = replace(ONCE, seed=2)
    score = nested_ridge(planted, y, protocol=protocol).scores()["r2"][0]
    clean = nested_ridge(X, y, protocol=protocol)
    assert score == pytest.approx(clean.scores()["r2"][0], abs=0.1)
    test = clean.folds[0] == clean.folds[0][11]
    naive = make_pipeline(StandardScaler(), Ridge(10.0)).fit(planted[~test], y[~test])
    assert r2_score(y[test], naive.predict(planted[test])) < -1000


def test_folds_that_divide_an_artist_or_leave_one_are_refused(small):
    X, y, artists, _ = small
    with raises(ProbeError, "divided_artist"):
        nested_ridge(X, y, artists, folds=np.arange(60) % 4)
    two = np.where(np.arange(60) < 30, "a", "b")
    with raises(ProbeError, "one_artist"):
        nested_ridge(X, y, two, folds=np.arange(60) // 30)


def test_single_songs_in_folds_keep_the_artists_for_intervals(small):
    X, y, artists, styles = small
    loose = nested_ridge(X, y, artists, styles, Protocol(n_repeats=1, whole_artists=False))
    alone = nested_ridge(X, y, None, styles, Protocol(n_repeats=1))
    assert np.array_equal(
        np.sort(np.bincount(loose.folds[0])), np.sort(np.bincount(alone.folds[0]))
    )
    divided = pd.Series(loose.folds[0]).groupby(artists).nunique()
    assert (divided > 1).any()
    assert len(loose.leave_artist_out) == len(set(artists))
    same = nested_ridge(X, y, None, styles, Protocol(n_repeats=1), folds=loose.folds)
    assert same.predicted.shape == loose.predicted.shape
