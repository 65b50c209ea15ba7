"""Conditional modes, predictions, refits, R² and the report of a fitted model."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import quiet_fit, simulate_ratings
from expect import raises

from groove_utils.mixed import LmmError, fit_lmm

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
SMALL = pd.read_csv(GOLDEN / "small.csv.gz")
SLOPES = "rating ~ genre * x + (1 + x | listener) + (1 | stimulus)"
CROSSED = "rating ~ x + (1 | listener_id) + (1 | track_id)"


@pytest.fixture(scope="module")
def result():
    return fit_lmm(SLOPES, SMALL)


@pytest.mark.parametrize(
    ("call", "kind", "fields"),
    [
        (lambda r: r.effect("tempo"), "unknown", {"value": "tempo"}),
        (lambda r: r.random_effects("artist"), "unknown", {"value": "artist"}),
        (lambda r: r.variance_components("wald"), "unknown", {"value": "wald"}),
        (lambda r: r.predict(SMALL.iloc[:0]), "no_rows", {}),
        (lambda r: r.predict(SMALL.drop(columns="x")), "missing_column", {"column": "x"}),
        (lambda r: r.predict(SMALL.drop(columns="listener")), "missing_column",
         {"column": "listener"}),
        (lambda r: r.predict(SMALL.assign(genre="disco")), "unknown_level", {"value": "disco"}),
        (lambda r: r.predict(SMALL.assign(x=np.nan)), "missing_value", {"column": "x"}),
        (lambda r: r.refit(y=np.ones(3)), "wrong_response", {"value": (3,)}),
    ],
)  # fmt: skip
def test_requests_that_make_no_sense(result, call, kind, fields):
    with raises(LmmError, kind, **fields):
        call(result)


def dense(result):
    """Return Z, Σ of all random effects, and V of the response, as dense matrices."""
    blocks, covs = [], []
    for term, cov in zip(result.frame.random, result.covariances()):
        k, m = len(term.names), len(term.levels)
        Z = np.zeros((result.n_obs, m * k))
        for j in range(k):
            Z[np.arange(result.n_obs), term.codes * k + j] = term.Z[:, j]
        blocks.append(Z)
        covs.append(np.kron(np.eye(m), cov.to_numpy()))
    Z = np.hstack(blocks)
    G = np.zeros((Z.shape[1], Z.shape[1]))
    start = 0
    for cov in covs:
        G[start : start + len(cov), start : start + len(cov)] = cov
        start += len(cov)
    return Z, G, Z @ G @ Z.T + result.sigma**2 * np.eye(result.n_obs)


def test_conditional_modes_and_covariances_are_the_normal_theory_ones():
    data = simulate_ratings(15, 12, 8, sd_slope=0.5, correlation=0.3, seed=2)
    result = quiet_fit("rating ~ x + (1 + x | listener_id) + (1 | track_id)", data)
    Z, G, V = dense(result)
    inverse = np.linalg.inv(V)
    b = G @ Z.T @ inverse @ (result.frame.y - result.frame.X @ result.beta)
    cov = G - G @ Z.T @ inverse @ Z @ G
    table = result.random_effects()
    listeners = table[table["factor"] == "listener_id"].sort_values(["level", "term"])
    np.testing.assert_allclose(listeners["value"], b[:30], atol=1e-7)
    np.testing.assert_allclose(listeners["sd"], np.sqrt(np.diag(cov)[:30]), rtol=1e-6)
    songs = result.random_effects("track_id").sort_values("level")
    np.testing.assert_allclose(songs["value"], b[30:], atol=1e-7)
    np.testing.assert_allclose(songs["sd"], np.sqrt(np.diag(cov)[30:]), rtol=1e-6)
    assert (songs["n"] == 10).all()
    np.testing.assert_allclose(result.fitted, result.frame.X @ result.beta + Z @ b, atol=1e-7)
    # error of prediction for rows of known levels: β and b are both uncertain
    X = result.frame.X
    C = np.hstack([X, Z])
    normal = C.T @ C / result.sigma**2
    normal[X.shape[1] :, X.shape[1] :] += np.linalg.inv(G)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", C, np.linalg.inv(normal), C))
    np.testing.assert_allclose(result.predict()["se"], expected, rtol=1e-6)


def test_predictions_by_what_is_known():
    data = simulate_ratings(40, 30, 20, seed=6)
    result = quiet_fit(CROSSED, data)
    new = data.iloc[:4]
    stranger = new.assign(listener_id="nobody", track_id="unheard")
    nothing = result.predict(new, random=None)
    pd.testing.assert_frame_equal(result.predict(stranger), nothing)
    np.testing.assert_allclose(nothing["estimate"], result.frame.X[:4] @ result.beta)
    known = result.predict(new)
    np.testing.assert_allclose(known["estimate"], result.fitted[:4])
    width = known["high"] - known["low"]
    assert (width < nothing["high"] - nothing["low"]).all()
    listener = result.predict(stranger.assign(listener_id=new["listener_id"]))
    half = result.predict(new, random="listener_id")
    pd.testing.assert_frame_equal(listener, half)
    assert list(known.index) == list(new.index)


@pytest.mark.parametrize("kind", ["int64", "category", "bool", "object", "string"])
def test_levels_are_known_again_whatever_their_type(kind):
    data = simulate_ratings(20, 15, seed=6)
    number = data["listener_id"].str[1:].astype(int)
    listener = number < 10 if kind == "bool" else number
    data["who"] = (listener if kind in ("int64", "bool") else listener.astype(str)).astype(kind)
    result = quiet_fit("rating ~ x + (1 | who) + (1 | track_id)", data)
    np.testing.assert_allclose(result.predict(data)["estimate"], result.fitted)
    crossed = quiet_fit("rating ~ x + (1 | track_id) + (1 | who:style)", data)
    np.testing.assert_allclose(crossed.predict(data)["estimate"], crossed.fitted)


@pytest.mark.weekly
def test_prediction_intervals_hold_new_listeners_and_songs():
    inside = []
    for seed in range(30):
        data = simulate_ratings(40, 40, 20, seed=seed, sd_slope=0.3)
        result = quiet_fit("rating ~ x + (1 + x | listener_id) + (1 | track_id)", data)
        new = simulate_ratings(20, 20, seed=1000 + seed, sd_slope=0.3)
        bounds = result.predict(new, random=None)
        inside.append(new["rating"].between(bounds["low"], bounds["high"]).mean())
    assert 0.92 < np.mean(inside) < 0.98


def test_refits_find_the_same_optimum(result):
    again = result.refit(reml=False)
    other = fit_lmm(SLOPES, SMALL, reml=False)
    assert again.loglik == pytest.approx(other.loglik, abs=1e-6)
    np.testing.assert_allclose(again.beta, other.beta, rtol=1e-4)
    draw = result.simulate(9)
    renewed = fit_lmm(SLOPES, SMALL.assign(rating=draw))
    assert result.refit(draw).loglik == pytest.approx(renewed.loglik, abs=1e-5)


def test_one_coefficient_is_a_row_of_the_table(result):
    row = result.fixed_effects(0.9).set_index("term").loc["x"]
    pd.testing.assert_series_equal(result.effect("x", 0.9), row)


def test_report_says_what_the_tables_say(result):
    text = result.report()
    tests = result.type3().set_index("term")
    for term in ("genre", "x", "genre:x"):
        row = tests.loc[term]
        assert f"{term}, F({row['num_df']:.0f}, {row['den_df']:.1f}) = {row['F']:.2f}" in text
    assert "1,200 values of rating, with random effects of listener (60) and stimulus (60)" in text
    assert "no clear effect of genre:x" in text
    assert "a clear effect of x" in text
    assert f"{100 * result.r2()['marginal']:.0f}% of the variance (R²m)" in text
    shares = [int(s) for s in re.findall(r"(\d+)%", text.split("(R²c)")[1])]
    marginal = round(100 * result.r2()["marginal"])
    assert sum(shares) + marginal == pytest.approx(100, abs=2)
    assert "x by listener (SD 0.253)" in text
    assert "p < .001" in text
    assert "Note:" not in text


def test_report_of_an_empty_model_and_of_warnings():
    data = simulate_ratings(20, 15, sd_song=0.3, seed=5)
    data.loc[3, "rating"] = np.nan
    result = quiet_fit("rating ~ 1 + (1 | listener_id) + (1 | track_id)", data, reml=False)
    text = result.report(level=0.9)
    assert "(maximum likelihood)" in text
    assert "The mean was" in text
    assert "90% CI" in text
    assert "Note: 1 of 300 rows have missing values" in text
    assert len(result.type3()) == 0
    assert repr(result).startswith("LmmResult('rating ~ 1")
