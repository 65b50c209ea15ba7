"""Likelihood compared with dense textbook formulas, its gradient, and its optimisation."""

import warnings

import numpy as np
import pytest
from crossed_ratings import quiet_fit, simulate_ratings
from threadpoolctl import threadpool_info, threadpool_limits

from groove_utils.mixed import LmmWarning, fit_lmm
from groove_utils.mixed.design import build_frame
from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.search import minimise

CROSSED = "(1 | listener_id) + (1 | track_id)"
SLOPES = "(1 + x | listener_id) + (1 | track_id)"


@pytest.fixture(scope="module")
def ratings():
    data = simulate_ratings(24, 18, 12, effect=0.5, seed=3)
    odd = data["track_id"].str[1:].astype(int) // 3 % 2
    return data.assign(artist=data["style"] + odd.astype(str))


def deviance_of(formula, data, reml=True):
    frame = build_frame(formula, data)
    return frame, CrossedDeviance(frame.y, frame.X, frame.random, reml)


def test_deviance_is_the_textbook_one(ratings):
    """Compare with −2 log-likelihood of the multivariate normal, with dense matrices."""
    frame, deviance = deviance_of(f"rating ~ x * style + {SLOPES}", ratings)
    spread = np.sqrt((ratings["x"] ** 2).mean())
    theta = np.array([0.7, -0.2 * spread, 0.4 * spread, 0.6])
    blocks = [np.array([[0.7, 0], [-0.2, 0.4]]), np.array([[0.6]])]
    for own, expected in zip(deviance.unpack(theta), blocks):
        np.testing.assert_allclose(own, expected)
    X, y, n, p = frame.X, frame.y, *frame.X.shape
    V = np.eye(n)
    for term, L in zip(frame.random, blocks):
        Z = np.zeros((n, len(term.levels) * len(L)))
        for j in range(len(L)):
            Z[np.arange(n), term.codes * len(L) + j] = (term.Z @ L)[:, j]
        V += Z @ Z.T
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    beta = np.linalg.solve(information, X.T @ inverse @ y)
    rss = (y - X @ beta) @ inverse @ (y - X @ beta)
    ml = np.linalg.slogdet(V)[1] + n * (1 + np.log(2 * np.pi * rss / n))
    reml = (
        np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(information)[1]
        + (n - p) * (1 + np.log(2 * np.pi * rss / (n - p)))
    )
    for criterion, expected in ((False, ml), (True, reml)):
        model = deviance.with_reml(criterion)
        solution = model.solve(theta)
        assert model(theta) == pytest.approx(expected, abs=1e-8)
        assert solution.deviance == pytest.approx(expected, abs=1e-8)
        assert model(theta, solution.sigma) == pytest.approx(expected, abs=1e-8)
        np.testing.assert_allclose(solution.beta, beta, rtol=1e-9)
        df = n - p if criterion else n
        np.testing.assert_allclose(solution.vcov, rss / df * np.linalg.inv(information), rtol=1e-8)


@pytest.mark.parametrize(
    "formula",
    [
        "rating ~ x + (1 | listener_id)",
        f"rating ~ x * style + {SLOPES}",
        "rating ~ x + (1 | listener_id) + (1 + x || artist) + (1 | track_id)",
        "rating ~ 1 + (1 + style | listener_id) + (1 + x | track_id)",
    ],
)
@pytest.mark.parametrize("reml", [True, False])
def test_gradient_is_that_of_the_deviance(ratings, formula, reml):
    _, deviance = deviance_of(formula, ratings, reml)
    rng = np.random.default_rng(0)
    for edge in (False, True):
        theta = deviance.diagonal + 0.2 * rng.standard_normal(deviance.n_theta)
        if edge:
            theta[np.flatnonzero(deviance.diagonal)[-1]] = 0.0
        for sigma in (None, 1.3):
            numeric = [
                (deviance(theta + step, sigma) - deviance(theta - step, sigma)) / 2e-6
                for step in 1e-6 * np.eye(deviance.n_theta)
            ]
            own = deviance.at(theta).gradient(sigma)
            np.testing.assert_allclose(own[: len(numeric)], numeric, atol=1e-4, rtol=1e-5)
        rise = deviance(theta, 1.3 * np.exp(1e-6)) - deviance(theta, 1.3 * np.exp(-1e-6))
        assert own[-1] == pytest.approx(rise / 2e-6, rel=1e-5)


def test_units_do_not_matter(ratings):
    raw = ratings.assign(tempo=110 + 1e4 * ratings["x"])
    unit = quiet_fit(f"rating ~ x + {SLOPES}", ratings)
    scaled = quiet_fit("rating ~ tempo + (1 + tempo | listener_id) + (1 | track_id)", raw)
    # REML counts the scale of the fixed columns
    assert scaled.loglik == pytest.approx(unit.loglik - np.log(1e4), abs=1e-4)
    assert scaled.beta[1] * 1e4 == pytest.approx(unit.beta[1], rel=1e-4)
    assert scaled.fixed_effects()["df"][1] == pytest.approx(unit.fixed_effects()["df"][1], rel=0.01)


@pytest.mark.parametrize("formula", [f"rating ~ x + {CROSSED}", f"rating ~ x + {SLOPES}"])
def test_every_start_finds_the_same_optimum(ratings, formula):
    _, deviance = deviance_of(formula, ratings)
    best = deviance(minimise(deviance))
    rng = np.random.default_rng(0)
    for scale in (0.0, 0.05, 3.0, 30.0):
        start = scale * rng.standard_normal(deviance.n_theta)
        theta = minimise(deviance, start)
        assert deviance(theta) == pytest.approx(best, abs=1e-6)
        assert (theta[deviance.diagonal] >= 0).all()


def test_a_search_that_stops_at_zero_goes_on(ratings):
    """Continue from standard deviations of 0, which are stationary points but no minimum here."""
    _, deviance = deviance_of(f"rating ~ x + {CROSSED}", ratings)
    np.testing.assert_allclose(deviance.at(np.zeros(2)).gradient(), 0, atol=1e-9)
    assert (minimise(deviance, np.zeros(2)) > 0.2).all()


def test_entries_that_are_not_free_stay_at_zero(ratings):
    _, deviance = deviance_of("rating ~ x + (1 + x || listener_id) + (1 | track_id)", ratings)
    smaller = fit_lmm(f"rating ~ x + {CROSSED}", ratings)
    theta = minimise(deviance, free=[True, False, True])
    assert theta[1] == 0
    assert deviance(theta) == pytest.approx(-2 * smaller.loglik, abs=1e-6)


def test_a_search_without_convergence_is_warned_of(ratings, monkeypatch):
    monkeypatch.setattr("groove_utils.mixed.fit.minimise", lambda model: 5.0 * model.diagonal)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LmmWarning)
        fit_lmm(f"rating ~ x + {CROSSED}", ratings)
    assert "did not converge" in str(caught[0].message)


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_fit_runs_on_one_thread(ratings, monkeypatch):
    seen = set()

    def watched(model):
        seen.update(blas_threads())
        return minimise(model)

    monkeypatch.setattr("groove_utils.mixed.fit.minimise", watched)
    with threadpool_limits(3, user_api="blas"):
        fit_lmm(f"rating ~ x + {CROSSED}", ratings)
        assert seen == {1}
        assert blas_threads() == {3}
