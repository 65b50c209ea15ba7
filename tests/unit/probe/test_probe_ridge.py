"""Ridge probes held to plain scikit-learn loops."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from groove_utils.probe import (
    ClippedStandardScaler,
    ProbeError,
    ProbeResult,
    artist_folds,
    nested_ridge,
    nested_ridges,
    paper_protocol,
)
from groove_utils.probe.nested_cv import ridge_splits


def test_paper_protocol_is_the_scikit_learn_calls_it_names(small):
    X, y, *_ = small
    order = np.argsort(y.index.to_numpy())
    features = np.hstack([X["low"], X["high"]])[order]
    for name in y:
        target = y[name].to_numpy()[order]
        seeds = []
        for seed in range(5):
            cut = KFold(4, shuffle=True, random_state=seed)
            model = Ridge(alpha=0.2, solver="cholesky")
            seeds.append(cross_val_score(model, features, target, cv=cut, scoring="r2").mean())
        found = paper_protocol(X, y).scores().set_index("target").loc[name]
        assert found["fold_r2"] == pytest.approx(np.mean(seeds), abs=1e-10)
        assert found["fold_r2_sd"] == pytest.approx(np.std(seeds), abs=1e-10)


def test_paper_protocol_does_not_depend_on_row_order(small):
    X, y, *_ = small
    shuffle = np.random.default_rng(0).permutation(len(y))
    a = paper_protocol(X["low"], y).scores()
    b = paper_protocol(X["low"][shuffle], y.iloc[shuffle]).scores()
    pd.testing.assert_frame_equal(a, b, rtol=1e-12)
    c = paper_protocol(X["low"], y.reset_index(drop=True), ids=y.index).scores()
    pd.testing.assert_frame_equal(a, c)


def _loop(X, y, artists, styles, alphas, sizes, n_repeats, layers):
    """The nested procedure as one would write it with scikit-learn, slowly."""
    folds = artist_folds(artists, styles, n_repeats=n_repeats, seed=0)
    splits = ridge_splits(folds, artists, styles, n_inner=4, seed=0)
    predicted = np.empty((n_repeats, len(y)))
    chosen = []
    for split in splits:
        best = None
        for name in layers:
            model = Pipeline(
                [("scale", ClippedStandardScaler()), ("pca", "passthrough"), ("ridge", Ridge())]
            )
            steps = ["passthrough" if k is None else PCA(k) for k in sizes]
            search = GridSearchCV(
                model,
                {"pca": steps, "ridge__alpha": alphas},
                scoring="neg_mean_squared_error",
                cv=PredefinedSplit(split.inner),
            ).fit(X[name][split.train], y[split.train])
            if best is None or search.best_score_ > best[0]:
                best = (search.best_score_, name, search)
        predicted[split.repeat, split.test] = best[2].predict(X[best[1]][split.test])
        chosen.append((best[1], best[2].best_params_["ridge__alpha"], -best[0]))
    return predicted, chosen


def test_nested_ridge_equals_a_plain_nested_loop(small):
    X, y, artists, styles = small
    alphas, sizes = np.logspace(-1, 4, 6), [3, None]
    result = nested_ridge(X, y, artists, styles, n_repeats=2, alphas=alphas, pca=sizes)
    for j, name in enumerate(y):
        predicted, chosen = _loop(
            X, y[name].to_numpy(), artists, styles, alphas, sizes, 2, ["low", "high"]
        )
        np.testing.assert_allclose(result.predicted[..., j], predicted, rtol=0, atol=1e-8)
        mine = result.choices[result.choices.target == name]
        assert mine["layer"].tolist() == [one[0] for one in chosen]
        np.testing.assert_allclose(mine["alpha"], [one[1] for one in chosen])
        np.testing.assert_allclose(mine["inner_mse"], [one[2] for one in chosen], rtol=1e-8)


def test_concatenated_layers_equal_one_wide_layer(small):
    X, y, artists, styles = small
    wide = np.hstack([X["low"], X["high"]])
    # the floor is relative to a block's own median SD, so it is put out of play here
    a = nested_ridge(X, y, artists, styles, n_repeats=1, layers="concat", floor=0)
    b = nested_ridge(wide, y, artists, styles, n_repeats=1, floor=0)
    np.testing.assert_allclose(a.predicted, b.predicted, atol=1e-8)


def test_a_named_layer_is_the_only_one_used(small):
    X, y, artists, styles = small
    named = nested_ridge(X, y, artists, styles, n_repeats=1, layers="high")
    alone = nested_ridge(X["high"], y, artists, styles, n_repeats=1)
    np.testing.assert_allclose(named.predicted, alone.predicted, atol=1e-10)
    assert set(named.choices["layer"]) == {"high"}
    with pytest.raises(ProbeError, match=r"no such layers: \['top'\]; X has \['low', 'high'\]"):
        nested_ridge(X, y, artists, styles, layers="top")


def test_one_component_per_model_is_principal_component_regression(small):
    X, y, artists, styles = small
    result = nested_ridge(
        X["high"], y["listen"], artists, styles, n_repeats=1, alphas=[1e-9], pca=5
    )
    model = make_pipeline(ClippedStandardScaler(), PCA(5), LinearRegression())
    for number in range(4):
        test = result.folds[0] == number
        model.fit(X["high"][~test], y["listen"][~test])
        np.testing.assert_allclose(
            result.predicted[0, test, 0], model.predict(X["high"][test]), atol=1e-6
        )


def test_many_targets_at_once_are_the_targets_one_by_one(small):
    X, y, artists, styles = small
    both = nested_ridge(X, y, artists, styles, n_repeats=2)
    for j, name in enumerate(y):
        alone = nested_ridge(X, y[name], artists, styles, n_repeats=2)
        np.testing.assert_allclose(both.predicted[..., [j]], alone.predicted, atol=1e-9)


def test_threads_do_not_change_the_result(small):
    X, y, artists, styles = small
    a = nested_ridge(X, y, artists, styles, n_repeats=2)
    b = nested_ridge(X, y, artists, styles, n_repeats=2, n_jobs=2)
    np.testing.assert_array_equal(a.predicted, b.predicted)


def test_nuisance_is_taken_out_inside_the_folds(small):
    X, y, artists, styles = small
    target = y["dance"] + pd.Series(styles, y.index).map({"funk": 30, "pop": 0, "rock": -30})
    result = nested_ridge(
        X["low"], target, artists, styles, n_repeats=1, alphas=[10.0], nuisance=styles
    )
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


def test_a_style_absent_from_training_falls_back_on_the_mean():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(40) + 50
    styles = np.array(["funk"] * 15 + ["pop"] * 15 + ["jazz"] * 10)
    artists = np.where(styles == "jazz", "one", np.arange(40).astype(str))
    X = rng.standard_normal((40, 3))
    result = nested_ridge(X, y, artists, styles, nuisance=styles, n_repeats=1, alphas=[1e9])
    jazz = styles == "jazz"
    fold = result.folds[0][jazz][0]
    expected = y[result.folds[0] != fold].mean()
    np.testing.assert_allclose(result.baseline[0, jazz, 0], expected, atol=0.1)


def test_a_near_constant_unit_cannot_explode():
    rng = np.random.default_rng(1)
    n = 80
    X = rng.standard_normal((n, 20))
    y = X[:, 0] + 0.5 * rng.standard_normal(n)
    dead = 1e-9 * rng.standard_normal(n)
    dead[11] = 1.0  # it moves for one song only
    planted = np.column_stack([X, dead])
    score = nested_ridge(planted, y, seed=2, n_repeats=1).scores()["r2"][0]
    clean = nested_ridge(X, y, seed=2, n_repeats=1).scores()["r2"][0]
    assert score == pytest.approx(clean, abs=0.1)
    folds = nested_ridge(X, y, seed=2, n_repeats=1).folds[0]
    test = folds == folds[11]
    naive = make_pipeline(StandardScaler(), Ridge(10.0)).fit(planted[~test], y[~test])
    assert r2_score(y[test], naive.predict(planted[test])) < -1000


def test_scaler_floor_clip_and_constants():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 6)) * [1, 2, 1, 1e-9, 0, 1] + [0, 0, 0, 5, 3, 100]
    Z = ClippedStandardScaler().fit(X).transform(X)
    plain = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(Z[:, [0, 1, 2, 5]], plain[:, [0, 1, 2, 5]], atol=1e-9)
    assert np.abs(Z[:, 3]).max() < 1e-3  # held down by the floor
    assert (Z[:, 4] == 0).all()
    far = ClippedStandardScaler(clip=4).fit(X).transform(X + 1e6)
    assert far.max() == 4
    assert (far[:, 4] == 0).all()


def test_scores_are_those_of_scikit_learn_and_scipy(small):
    from scipy.stats import spearmanr

    X, y, artists, styles = small
    result = nested_ridge(X, y, artists, styles, n_repeats=3)
    table = result.scores().set_index("target")
    for j, name in enumerate(y):
        truth, guesses = y[name].to_numpy(), result.predicted[..., j]
        r2 = [r2_score(truth, guess) for guess in guesses]
        assert table.loc[name, "r2"] == pytest.approx(np.mean(r2))
        assert table.loc[name, "r2_sd"] == pytest.approx(np.std(r2))
        rho = [spearmanr(truth, guess)[0] for guess in guesses]
        assert table.loc[name, "spearman"] == pytest.approx(np.mean(rho))
        assert table.loc[name, "rmse"] == pytest.approx(np.sqrt(((truth - guesses) ** 2).mean()))
        folds = [
            [r2_score(truth[f == k], guess[f == k]) for k in range(4)]
            for f, guess in zip(result.folds, guesses, strict=True)
        ]
        assert table.loc[name, "fold_r2"] == pytest.approx(np.mean(folds))


def test_predictions_are_tidy_and_can_be_read_back(small):
    X, y, artists, styles = small
    result = nested_ridge(X, y, artists, styles, n_repeats=2)
    frame = result.predictions
    assert len(frame) == 2 * 60 * 2
    one = frame[(frame.track_id == "t05") & (frame.target == "listen")]
    assert one["observed"].tolist() == [y.loc["t05", "listen"]] * 2
    again = ProbeResult.from_predictions(frame.sample(frac=1, random_state=0).sort_values("repeat"))
    table = again.scores().set_index("target").loc[result.targets].reset_index()
    pd.testing.assert_frame_equal(table, result.scores())
    with pytest.raises(ProbeError, match="cut short or doubled"):
        ProbeResult.from_predictions(frame.iloc[1:])
    mean = result.mean_predictions()
    assert len(mean) == 120
    alone = result.select("listen").scores()["r2"][0]
    assert alone == pytest.approx(result.scores()["r2"][1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X["low"][:-1], y), "59 rows but there are 60 songs"),
        (lambda X, y: (np.where(X["low"] > 9, np.nan, X["low"]), y), "NaN or infinite"),
        (lambda X, y: (X["low"], y.mask(y > 60)), "missing or infinite for song"),
        (lambda X, y: ({}, y), "empty mapping"),
        (lambda X, y: (pd.DataFrame(X["low"], y.index[::-1]), y), "different indices"),
        (lambda X, y: (X["low"], y.set_axis(["a"] * 60)), "twice"),
    ],
)
def test_unusable_data_is_described(small, change, message):
    X, y, artists, styles = small
    X, y = change(X, y)
    with pytest.raises(ProbeError, match=message):
        nested_ridge(X, y, artists, styles)


def test_unusable_settings_are_described(small):
    X, y, artists, _ = small
    with pytest.raises(ProbeError, match="alphas"):
        nested_ridge(X, y, alphas=[0.0])
    with pytest.raises(ProbeError, match="pca is 0"):
        nested_ridge(X, y, pca=0)
    with pytest.raises(ProbeError, match=r"artists have shape \(59,\)"):
        nested_ridge(X, y, artists[:-1])
    with pytest.raises(ProbeError, match="is split over folds"):
        nested_ridge(X, y, artists, folds=np.arange(60) % 4)


def test_representations_side_by_side_are_those_one_by_one():
    rng = np.random.default_rng(0)
    artists = np.arange(40) // 2
    features = {name: rng.standard_normal((40, 5)) for name in ("second", "first")}
    y = features["first"][:, 0] + rng.standard_normal(40)
    settings = {"artists": artists, "n_repeats": 1, "seed": 3}
    found = nested_ridges(features, y, n_jobs=2, **settings)
    assert list(found) == list(features)
    for name, X in features.items():
        np.testing.assert_array_equal(
            found[name].predicted, nested_ridge(X, y, **settings).predicted
        )
    with pytest.raises(ProbeError):
        nested_ridges({"short": np.ones((3, 2))}, y, n_jobs=2, **settings)
