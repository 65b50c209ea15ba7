"""Other regressors and controls compared with scikit-learn on the same folds."""

from dataclasses import replace

import numpy as np
import pytest
from expect import raises
from sklearn.cross_decomposition import PLSRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.preprocessing import KernelCenterer

from groove_utils.probe import (
    ClippedStandardScaler,
    ProbeError,
    Protocol,
    nested_estimator,
    nested_ridge,
    random_projection_control,
)

ONCE = Protocol(n_repeats=1)


def test_kernel_ridge_equals_scikit_learn(small):
    X, y, artists, styles = small
    result = nested_estimator(X["low"], y["dance"], artists, styles, ONCE, estimator="kernel")
    values = y["dance"].to_numpy()
    for _, choice in result.choices.iterrows():
        test = result.folds[0] == choice["fold"]
        scale = ClippedStandardScaler().fit(X["low"][~test])
        train, held = scale.transform(X["low"][~test]), scale.transform(X["low"][test])
        gamma = float(choice["layer"].removeprefix("gamma "))
        gamma = min(np.array([0.1, 0.3, 1, 3]) / 12, key=lambda g: abs(g - gamma))
        centre = KernelCenterer().fit(rbf_kernel(train, gamma=gamma))
        model = KernelRidge(alpha=choice["alpha"], kernel="precomputed")
        mean = values[~test].mean()
        model.fit(centre.transform(rbf_kernel(train, gamma=gamma)), values[~test] - mean)
        expected = mean + model.predict(centre.transform(rbf_kernel(held, train, gamma=gamma)))
        np.testing.assert_allclose(result.predicted[0, test, 0], expected, atol=1e-8)


def test_a_kernel_finds_what_a_line_cannot():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 2))
    y = X[:, 0] ** 2 + 0.2 * rng.standard_normal(120)  # a U-shaped effect
    line = nested_ridge(X, y, protocol=ONCE).scores()["r2"][0]
    curve = nested_estimator(X, y, protocol=ONCE, estimator="kernel").scores()["r2"][0]
    assert line < 0.1
    assert curve > 0.6


def test_any_regressor_equals_scikit_learn(small):
    X, y, artists, styles = small
    result = nested_estimator(
        X["low"], y, artists, styles, ONCE,
        estimator=PLSRegression(), grid={"n_components": [2]},
    )  # fmt: skip
    cut = PredefinedSplit(result.folds[0])
    for j, name in enumerate(y):
        expected = cross_val_predict(PLSRegression(2), X["low"], y[name], cv=cut)
        np.testing.assert_allclose(result.predicted[0, :, j], np.ravel(expected), atol=1e-10)
    assert result.leave_artist_out is None


@pytest.mark.parametrize("estimator", ["pls", "boosting"])
def test_tuned_regressors_use_the_folds_of_the_ridge(estimator):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    y = X[:, 0] + 0.3 * rng.standard_normal(40)
    protocol = Protocol(n_splits=2, n_repeats=1, n_inner=2)
    result = nested_estimator(X, y, protocol=protocol, estimator=estimator)
    np.testing.assert_array_equal(result.folds, nested_ridge(X, y, protocol=protocol).folds)
    assert result.scores()["r2"][0] > 0
    assert result.choices["inner_mse"].notna().all()


def test_unknown_regressors_are_refused(small):
    with raises(ProbeError, "unknown", column="estimator", value="forest"):
        nested_estimator(small[0], small[1], estimator="forest")


def test_projection_keeps_signal_and_noise_has_none():
    rng = np.random.default_rng(1)
    signal = rng.standard_normal(100)
    X = signal[:, None] + rng.standard_normal((100, 200))
    y = signal + 0.5 * rng.standard_normal(100)
    table = random_projection_control(X, y, protocol=ONCE, n_components=16, n_draws=3)
    mean = table.groupby("control")["r2"].mean()
    assert mean["projection"] > 0.4
    assert mean["noise"] < 0.1
    assert len(table) == 6
    with raises(ProbeError, "out_of_range", column="n_components"):
        random_projection_control(X, y, n_components=0)


def test_projection_equals_a_projection_after_scaling():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((40, 30)) * 5, rng.standard_normal(40)
    protocol = replace(ONCE, alphas=3.0, seed=9)
    table = random_projection_control(X, y, protocol=protocol, n_components=4, n_draws=1)
    R = np.random.default_rng([9, 0]).standard_normal((30, 4)) / np.sqrt(30)
    folds = nested_ridge(X, y, protocol=protocol).folds[0]
    predicted = np.empty(40)
    for fold in range(4):
        test = folds == fold
        scale = ClippedStandardScaler().fit(X[~test])
        Z = scale.transform(X[~test]) @ R
        Z0, held = Z - Z.mean(axis=0), scale.transform(X[test]) @ R - Z.mean(axis=0)
        mean = y[~test].mean()
        predicted[test] = mean + held @ np.linalg.solve(
            Z0.T @ Z0 + 3 * np.eye(4), Z0.T @ (y[~test] - mean)
        )
    expected = 1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert table[table.control == "projection"]["r2"].iloc[0] == pytest.approx(expected, abs=1e-10)
