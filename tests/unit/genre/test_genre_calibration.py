import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from groove_utils.genre.calibration import (
    calibration_change,
    calibration_error,
    change_temperature,
    fit_temperature,
    reliability_curve,
)


def draw(seed, n=200, k=5, sharpness=3.0):
    """Draw logits and labels of a classifier that is calibrated at temperature 1."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(n, k))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(k, p=row) for row in p])
    return y, p


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([1, 7, 10, 15]))
def test_calibration_error_equals_torchmetrics(seed, n, n_bins):
    y, p = draw(seed, n)
    expected = multiclass_calibration_error(
        torch.tensor(p), torch.tensor(y), num_classes=p.shape[1], n_bins=n_bins
    )
    assert calibration_error(y, p, n_bins) == pytest.approx(float(expected), abs=1e-6)  # float32


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 60), st.sampled_from([1, 7, 10, 15]))
def test_reliability_and_calibration_error_equal_scikit_learn(seed, n, n_bins):
    y, p = draw(seed, n)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    accuracy, mean = calibration_curve(right, confidence, n_bins=n_bins)
    table = reliability_curve(y, p, n_bins)
    np.testing.assert_allclose(table["accuracy"], accuracy, rtol=0, atol=1e-12)
    np.testing.assert_allclose(table["confidence"], mean, rtol=0, atol=1e-12)
    counts = np.histogram(confidence, n_bins, range=(0, 1))[0]
    expected = np.average(np.abs(accuracy - mean), weights=counts[counts > 0])
    assert calibration_error(y, p, n_bins) == pytest.approx(expected, abs=1e-12)


def test_reliability_worked_by_hand():
    p = np.array([[0.55, 0.45], [0.95, 0.05], [0.91, 0.09], [1.0, 0.0]])
    table = reliability_curve([1, 0, 0, 0], p)
    assert table["n"].tolist() == [1, 3]
    np.testing.assert_allclose(table["low"], [0.5, 0.9])
    np.testing.assert_allclose(table["confidence"], [0.55, 2.86 / 3])
    np.testing.assert_allclose(table["accuracy"], [0, 1])


class Fixed(ClassifierMixin, BaseEstimator):
    """Classifier that returns its features as logits."""

    def fit(self, X, y):
        self.classes_ = np.arange(X.shape[1])
        return self

    def decision_function(self, X):
        return X

    def predict(self, X):
        return X.argmax(axis=1)


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_temperature_equals_scikit_learn_and_finds_the_planted_one(true):
    y, p = draw(1, n=4000)
    wrong = change_temperature(p, 1 / true)  # overconfident for true > 1
    found = fit_temperature(y, wrong)
    assert found == pytest.approx(true, rel=0.08)
    logits = np.log(wrong)
    model = CalibratedClassifierCV(FrozenEstimator(Fixed().fit(logits, y)), method="temperature")
    model.fit(logits, y)
    ours = change_temperature(wrong, found)
    np.testing.assert_allclose(model.predict_proba(logits), ours, atol=2e-6)
    # not above the loss that a general minimiser finds, to 1e-12
    search = minimize_scalar(
        lambda t: log_loss(y, change_temperature(wrong, t)), bounds=(0.05, 20), method="bounded",
        options={"xatol": 1e-10},
    )  # fmt: skip
    assert log_loss(y, ours) <= search.fun + 1e-12
    assert (ours.argmax(axis=1) == p.argmax(axis=1)).all()


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_temperature_of_two_classes_has_a_closed_form(share):
    y = (np.arange(100) >= 100 * share).astype(int)
    p = np.tile([0.97, 0.03], (100, 1))
    expected = np.log(0.97 / 0.03) / np.log(share / (1 - share))
    assert fit_temperature(y, p) == pytest.approx(expected, rel=1e-12)


def test_temperatures_without_an_optimum_stop_at_a_bound():
    p = np.tile([0.8, 0.2], (5, 1))
    assert fit_temperature(np.zeros(5, int), p) == 0.01  # always right: lowest temperature
    assert fit_temperature(np.ones(5, int), p) == 100.0
    assert np.isfinite(fit_temperature([0, 1], [[1.0, 0.0], [1.0, 0.0]]))


def test_the_change_of_calibration_has_an_interval_over_bands():
    y, p = draw(5, n=600)
    bands = np.arange(600) // 6
    sharp = change_temperature(p, 0.3)
    worse = calibration_change(y, p, sharp, bands)
    gap = calibration_error(y, sharp) - calibration_error(y, p)
    assert worse["estimate"] == pytest.approx(gap)
    assert 0 < worse["low"] < gap < worse["high"]
    better = calibration_change(y, sharp, p, bands)
    assert better["high"] == pytest.approx(-worse["low"], abs=0.005)
    rng = np.random.default_rng(0)
    boot = []
    for _ in range(300):
        k = np.concatenate([np.flatnonzero(bands == band) for band in rng.integers(0, 100, 100)])
        boot.append(calibration_error(y[k], sharp[k]) - calibration_error(y[k], p[k]))
    assert worse["high"] - worse["low"] == pytest.approx(4 * np.std(boot), rel=0.3)
    nothing = calibration_change(y, p, p, bands)
    assert nothing == {"estimate": 0, "low": 0, "high": 0}
