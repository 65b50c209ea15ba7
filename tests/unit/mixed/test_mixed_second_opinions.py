"""Fits compared with mixedlm, glmm and statsmodels, which the package does not need."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from crossed_ratings import quiet_fit, simulate_ratings

SLOPES = "rating ~ style + x + (1 + x | listener_id) + (1 | track_id)"
CROSSED = "rating ~ style + x + (1 | listener_id) + (1 | track_id)"


def unbalanced(seed=0, **truth):
    """Ratings without a random half, and without most of the first listener's."""
    data = simulate_ratings(40, 30, 20, seed=seed, **truth)
    keep = np.random.default_rng(seed).random(len(data)) < 0.5
    return data[keep & ((data["listener_id"] != "L0000") | (data["track_id"] < "S0006"))]


DATA = {
    "balanced": simulate_ratings(30, 24, sd_slope=0.3, seed=2),
    "unbalanced": unbalanced(sd_slope=0.3),
    "singular": unbalanced(seed=1, sd_song=0.0),
}


def by_mixedlm(formula, data):
    mixedlm = pytest.importorskip("mixedlm")
    fit = mixedlm.lmer(formula, data, REML=True)
    return -fit.deviance / 2, np.asarray(fit.beta)


def by_glmm(formula, data):
    glmm = pytest.importorskip("glmm")
    fit = glmm.fit(data, formula, reml=True, satterthwaite=False)
    return fit.loglik, np.asarray(fit.beta)


@pytest.mark.parametrize("engine", [by_mixedlm, by_glmm])
@pytest.mark.parametrize("formula", [CROSSED, SLOPES], ids=["crossed", "slopes"])
@pytest.mark.parametrize("name", DATA)
def test_no_engine_finds_a_better_optimum(name, formula, engine):
    own = quiet_fit(formula, DATA[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loglik, beta = engine(formula, DATA[name].reset_index(drop=True))
    assert own.loglik >= loglik - 3e-9 * abs(loglik)
    assert own.loglik == pytest.approx(loglik, abs=1e-4)
    np.testing.assert_allclose(own.beta, beta, atol=1e-3)


def test_statsmodels_agrees_on_small_crossed_data():
    data = simulate_ratings(20, 16, 8, seed=4)
    # crossed effects in statsmodels: variance components of a single group of all rows
    model = sm.MixedLM.from_formula(
        "rating ~ style + x",
        data.assign(all=1),
        groups="all",
        re_formula="0",
        vc_formula={"listener": "0 + C(listener_id)", "song": "0 + C(track_id)"},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = model.fit(reml=True)
    own = quiet_fit(CROSSED, data)
    assert own.loglik == pytest.approx(reference.llf, abs=1e-3)
    np.testing.assert_allclose(own.beta, reference.fe_params, rtol=1e-2)
    np.testing.assert_allclose(own.fixed_effects()["se"], reference.bse_fe, rtol=1e-2)
    shares = pd.Series(dict(zip(model.exog_vc.names, reference.vcomp))) / reference.scale
    table = own.variance_components().set_index("factor")["variance"]
    for ours, theirs in (("listener_id", "listener"), ("track_id", "song")):
        assert table[ours] / own.sigma**2 == pytest.approx(shares[theirs], rel=2e-2)
