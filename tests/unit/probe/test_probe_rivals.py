"""Rivals and controls held to scikit-learn on the same folds."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.preprocessing import KernelCenterer

from groove_utils.probe import (
    ClippedStandardScaler,
    ProbeError,
    nested_estimator,
    nested_ridge,
    nested_rival,
    random_projection_control,
)


def test_kernel_ridge_equals_scikit_learn(small):
    X, y, artists, styles = small
    result = nested_rival(X["low"], y["dance"], artists, styles, kind="kernel", n_repeats=1)
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
    y = X[:, 0] ** 2 + 0.2 * rng.standard_normal(120)  # an inverted U, say of syncopation
    line = nested_ridge(X, y, n_repeats=1).scores()["r2"][0]
    curve = nested_rival(X, y, kind="kernel", n_repeats=1).scores()["r2"][0]
    assert line < 0.1
    assert curve > 0.6


def test_partial_least_squares_equals_scikit_learn(small):
    X, y, artists, styles = small
    result = nested_estimator(
        X["low"], y, artists, styles, estimator=PLSRegression(), grid={"n_components": [2]},
        n_repeats=1, method="two components",
    )  # fmt: skip
    cut = PredefinedSplit(result.folds[0])
    for j, name in enumerate(y):
        expected = cross_val_predict(PLSRegression(2), X["low"], y[name], cv=cut)
        np.testing.assert_allclose(result.predicted[0, :, j], np.ravel(expected), atol=1e-10)
    assert result.method == "two components"
    assert result.without is None


@pytest.mark.parametrize("kind", ["pls", "boosting", "kernel"])
def test_rivals_run_on_the_folds_of_the_ridge(small, kind):
    X, y, artists, styles = small
    ridge = nested_ridge(X["low"], y["dance"], artists, styles, n_repeats=1)
    rival = nested_rival(X["low"], y["dance"], artists, styles, kind=kind, n_repeats=1)
    np.testing.assert_array_equal(ridge.folds, rival.folds)
    assert rival.scores()["r2"][0] > 0
    again = nested_rival(X["low"], y["dance"], artists, styles, kind=kind, n_repeats=1)
    np.testing.assert_array_equal(rival.predicted, again.predicted)


def test_unknown_rival_is_told(small):
    with pytest.raises(ProbeError, match="no such kind: 'forest'"):
        nested_rival(small[0], small[1], kind="forest")


def test_projection_keeps_signal_and_noise_has_none():
    rng = np.random.default_rng(1)
    signal = rng.standard_normal(100)
    X = signal[:, None] + rng.standard_normal((100, 200))
    y = signal + 0.5 * rng.standard_normal(100)
    table = random_projection_control(X, y, n_components=16, n_draws=3, n_repeats=1)
    mean = table.groupby("control")["r2"].mean()
    assert mean["projection"] > 0.4
    assert mean["noise"] < 0.1
    assert len(table) == 6
    with pytest.raises(ProbeError, match="whole number"):
        random_projection_control(X, y, n_components=0)


def test_projection_equals_a_projection_after_scaling():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((40, 30)) * 5, rng.standard_normal(40)
    table = random_projection_control(
        X, y, n_components=4, n_draws=1, n_repeats=1, alphas=[3.0], seed=9
    )
    R = np.random.default_rng([9, 0]).standard_normal((30, 4)) / np.sqrt(30)
    folds = nested_ridge(X, y, n_repeats=1, seed=9).folds[0]
    found = np.empty(40)
    for fold in range(4):
        test = folds == fold
        scale = ClippedStandardScaler().fit(X[~test])
        Z = scale.transform(X[~test]) @ R
        Z0, held = Z - Z.mean(axis=0), scale.transform(X[test]) @ R - Z.mean(axis=0)
        mean = y[~test].mean()
        found[test] = mean + held @ np.linalg.solve(
            Z0.T @ Z0 + 3 * np.eye(4), Z0.T @ (y[~test] - mean)
        )
    expected = 1 - ((y - found) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert table[table.control == "projection"]["r2"].iloc[0] == pytest.approx(expected, abs=1e-10)
