"""Deliberate leaks are detected, and the package's own probes have none."""

import numpy as np
import pytest
from expect import raises
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from groove_utils.probe import (
    ProbeError,
    Protocol,
    artist_folds,
    find_leaks,
    nested_estimator,
    nested_ridge,
    style_baseline,
)


@pytest.fixture
def case():
    rng = np.random.default_rng(4)
    n = 48
    artists = rng.integers(0, 24, n).astype(str)
    X = {f"layer {i}": rng.standard_normal((n, 6)) for i in range(6)}
    y = rng.standard_normal(n)
    return X, y, artists, artist_folds(artists, n_splits=4, seed=0)[0]


def _leaks(probe, case):
    X, y, artists, folds = case
    return find_leaks(probe, X, y, artists, folds=folds, n_tries=1).set_index("check")["leaks"]


def _plain(X, y, folds):
    """Predict with ridge regression on the first layer, scaled inside the folds."""
    X, y = X["layer 0"], np.ravel(y)
    found = np.empty(len(y))
    for fold in np.unique(folds):
        test = folds == fold
        scale = StandardScaler().fit(X[~test])
        model = Ridge(5.0).fit(scale.transform(X[~test]), y[~test])
        found[test] = model.predict(scale.transform(X[test]))
    return found


def test_honest_probes_have_no_leak(case):
    artists = case[2]

    def nested(X, y, folds):
        return nested_ridge(X, y, artists, protocol=Protocol(pca=[2, None]), folds=folds)

    def residualised(X, y, folds):
        styles = (np.arange(len(artists)) % 3).astype(str)
        return nested_ridge(X, y, artists, folds=folds, nuisance=styles)

    def kernel(X, y, folds):
        return nested_estimator(X, y, artists, folds=folds, estimator="kernel")

    def styles(X, y, folds):
        return style_baseline(y, artists, np.arange(len(artists)) % 3, folds=folds)

    for probe in (_plain, nested, residualised, kernel, styles):
        assert not _leaks(probe, case).any(), probe.__name__


def test_targets_standardised_over_all_folds_are_caught(case):
    styles = np.arange(48) % 3

    def over_all(X, y, folds):  # predicts z scores computed over all songs
        y = np.ravel(y)
        return _plain(X, (y - y.mean()) / y.std(), folds)

    def over_styles(
        X, y, folds
    ):  # here, even the inverse transform uses the mean of the test songs
        y = np.ravel(y)
        mean = np.array([y[styles == one].mean() for one in range(3)])[styles]
        return mean + _plain(X, y - mean, folds)

    caught = {"artists": False, "ratings": True, "features": False}
    assert _leaks(over_all, case).to_dict() == caught
    assert _leaks(over_styles, case).to_dict() == caught


def test_an_artist_split_over_folds_is_caught(case):
    X, y, artists, _ = case
    split = np.arange(len(y)) % 4
    found = find_leaks(_plain, X, y, artists, folds=split).set_index("check")
    assert found["leaks"].to_dict() == {"artists": True, "ratings": False, "features": False}


def test_a_layer_chosen_outside_is_caught_and_flatters(case):
    def best_layer(X, y, folds):
        found = [_plain({"layer 0": block}, y, folds) for block in X.values()]
        return min(found, key=lambda one: ((one - np.ravel(y)) ** 2).sum())

    assert _leaks(best_layer, case).to_dict() == {
        "artists": False, "ratings": True, "features": True
    }  # fmt: skip
    X, _, artists, folds = case
    chosen, honest = [], []
    for seed in range(8):  # no signal, but the selected layer has a higher score
        y = np.random.default_rng(seed).standard_normal(48)
        total = ((y - y.mean()) ** 2).sum()
        chosen.append(1 - ((best_layer(X, y, folds) - y) ** 2).sum() / total)
        honest.append(nested_ridge(X, y, artists, folds=folds).scores()["r2"][0])
    assert np.mean(honest) < 0
    assert np.mean(chosen) > np.mean([
        1 - ((_plain(X, y, folds) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        for y in (np.random.default_rng(seed).standard_normal(48) for seed in range(8))
    ]) + 0.1  # fmt: skip


def test_features_scaled_over_all_songs_are_caught(case):
    def leaky(X, y, folds):
        scaled = {name: StandardScaler().fit_transform(block) for name, block in X.items()}
        return _plain_unscaled(scaled, y, folds)

    def _plain_unscaled(X, y, folds):
        X, y = X["layer 0"], np.ravel(y)
        found = np.empty(len(y))
        for fold in np.unique(folds):
            test = folds == fold
            found[test] = Ridge(5.0).fit(X[~test], y[~test]).predict(X[test])
        return found

    assert _leaks(leaky, case).to_dict() == {"artists": False, "ratings": False, "features": True}


def test_a_probe_of_the_wrong_shape_is_told(case):
    X, y, artists, folds = case
    with raises(ProbeError, "shape", value=(48, 3)):
        find_leaks(lambda X, y, folds: np.zeros((48, 3)), X, y, artists, folds=folds)
