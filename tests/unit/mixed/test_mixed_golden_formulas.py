"""Compare other formulas with lme4, lmerTest and emmeans (tests/golden/lmm/rederive.R)."""

import functools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import quiet_fit

from groove_utils.mixed import fit_lmm

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
REFERENCE = json.loads((GOLDEN / "extra.json").read_text())
CROSSED = "(1 | listener) + (1 | stimulus)"
FORMULAS = {
    "uncorrelated": ("small", "rating ~ genre + x + (1 + x || listener) + (1 | stimulus)"),
    "slope_only": ("small", "rating ~ x + (0 + x | listener) + (1 | stimulus)"),
    "nested": ("medium", "rating ~ x + (1 | listener) + (1 | band / stimulus)"),
    "singular": ("small", f"rating ~ x + {CROSSED} + (1 | week)"),
    "tempo": ("small", "rating ~ tempo + (1 + tempo | listener) + (1 | stimulus)"),
    "factor_slopes": ("medium", "rating ~ genre + (1 + genre | listener) + (1 | stimulus)"),
    "two_factors": ("small", "rating ~ genre * taste + x + (1 + x | listener) + (1 | stimulus)"),
    "curve": ("small", f"rating ~ x + I(x**2) + {CROSSED}"),
    "holes": ("small", f"rating ~ genre * x + {CROSSED}"),
}
SINGULAR = ("nested", "singular", "factor_slopes")


def load(size, holes=False):
    data = pd.read_csv(GOLDEN / f"{size}.csv.gz")
    number = data["stimulus"].str[1:].astype(int)
    data["band"] = [f"B{n // 4:02d}" for n in number]
    data["taste"] = np.where(data["listener"].str[1:].astype(int) % 3 == 0, "high", "low")
    data["week"] = [f"w{(i + 1) % 7}" for i in range(len(data))]
    data["tempo"] = 110 + 20 * data["x"]
    if holes:
        data.loc[::11, "rating"] = np.nan
    return data


@functools.cache
def fit(name):
    size, formula = FORMULAS[name]
    return quiet_fit(formula, load(size, name == "holes"))


def our_factor(name):
    # lme4 numbers the two parts of `||`, and writes the inner factor first
    name = name.split(".")[0]
    return "band:stimulus" if name == "stimulus:band" else name


@pytest.mark.parametrize("name", FORMULAS)
def test_other_formulas(name):
    result, lme4 = fit(name), REFERENCE[name]
    assert result.singular == lme4["singular"]
    assert result.loglik == pytest.approx(lme4["loglik"], abs=1e-7)
    assert result.aic == pytest.approx(lme4["aic"], abs=1e-6)
    assert result.bic == pytest.approx(lme4["bic"], abs=1e-6)
    table = result.fixed_effects()
    np.testing.assert_allclose(table["estimate"], lme4["beta"], rtol=1e-4)
    np.testing.assert_allclose(table["se"], lme4["se"], rtol=1e-4)
    np.testing.assert_allclose(table["df"], lme4["df"], rtol=0.05 if name in SINGULAR else 0.005)
    own = result.variance_components()
    for factor, first, second, sd in zip(*(lme4[k] for k in ("grp", "var1", "var2", "sd"))):
        rows = own[own["factor"] == our_factor(factor)]
        if factor != "Residual":
            rename = {"(Intercept)": "Intercept", "genrejazz": "genre[jazz]"}
            rename["genrerock"] = "genre[rock]"
            rows = rows[rows["term"] == rename.get(first, first)]
            rows = (
                rows[rows["other"].isna()]
                if second is None
                else rows[rows["other"] == rename.get(second, second)]
            )
        assert len(rows) == 1
        # the likelihood is flat along singular correlations, so the programs may differ
        atol = 5e-3 if name == "factor_slopes" else 1e-5
        assert rows["sd"].item() == pytest.approx(sd, rel=1e-4, abs=atol)


@pytest.mark.parametrize("name", ["two_factors", "curve", "uncorrelated", "holes", "tempo"])
def test_type3_of_other_formulas(name):
    own = fit(name).type3()
    lmer = pd.DataFrame(REFERENCE[name]["type3"]) if name != "tempo" else None
    if lmer is None:  # a single term comes as scalars
        assert own["F"].item() == pytest.approx(REFERENCE[name]["type3"]["F"], rel=1e-3)
        assert own["den_df"].item() == pytest.approx(REFERENCE[name]["type3"]["den_df"], rel=1e-2)
        return
    terms = lmer["term"].replace({"I(x^2)": "I(x ** 2)"})
    own = own.set_index("term").loc[terms]
    np.testing.assert_array_equal(own["num_df"], lmer["num_df"])
    np.testing.assert_allclose(own["F"], lmer["F"], rtol=1e-3)
    np.testing.assert_allclose(own["den_df"], lmer["den_df"], rtol=1e-2)


def test_means_average_over_the_other_factor_at_the_mean_covariate():
    result = fit("two_factors")
    own, lenth = result.emmeans("genre").table, pd.DataFrame(REFERENCE["two_means"])
    assert list(own["genre"]) == list(lenth["genre"])
    np.testing.assert_allclose(own["estimate"], lenth["emmean"], rtol=1e-5)
    np.testing.assert_allclose(own["se"], lenth["SE"], rtol=1e-4)
    np.testing.assert_allclose(own["df"], lenth["df"], rtol=1e-3)
    np.testing.assert_allclose(own["low"], lenth["lower.CL"], rtol=1e-4)


def test_holm_within_levels_of_another_factor():
    own = fit("two_factors").emmeans("genre", by="taste").contrasts(adjust="holm")
    lenth = pd.DataFrame(REFERENCE["two_holm"])
    assert list(own["contrast"]) == list(lenth["contrast"])
    assert list(own["taste"]) == list(lenth["taste"])
    np.testing.assert_allclose(own["estimate"], lenth["estimate"], rtol=1e-4)
    np.testing.assert_allclose(own["df"], lenth["df"], rtol=1e-3)
    np.testing.assert_allclose(own["p_adjusted"], lenth["p.value"], rtol=1e-3)


@pytest.mark.parametrize("adjust", ["tukey", "holm", "none"])
def test_a_single_pair_needs_no_correction(adjust):
    own = fit("two_factors").emmeans("taste").contrasts(adjust=adjust)
    assert own["p_adjusted"].item() == pytest.approx(REFERENCE["two_taste"]["p.value"], rel=1e-3)
    assert own["p_adjusted"].item() == own["p"].item()


def test_slopes_of_a_curve():
    result = fit("curve")
    own = result.emtrends("x", "x", at={"x": [-1, 0, 1.5]}).table
    _, first, second = result.beta
    np.testing.assert_allclose(own["estimate"], first + 2 * second * own["x"], rtol=1e-8)
    # emmeans uses a forward difference over 0.1% of the range, which is slightly inexact
    lenth = pd.DataFrame(REFERENCE["curve_slopes"])
    np.testing.assert_allclose(own["estimate"], lenth["x.trend"], rtol=2e-3)
    np.testing.assert_allclose(own["se"], lenth["SE"], rtol=2e-3)
    np.testing.assert_allclose(own["df"], lenth["df"], rtol=1e-2)


def slope_model(reml):
    formula = "rating ~ genre * x + (1 + x | listener) + (1 | stimulus)"
    return fit_lmm(formula, load("small"), reml=reml)


def test_maximum_likelihood_and_profile_intervals():
    result, lme4 = slope_model(reml=False), REFERENCE["ml"]
    assert result.loglik == pytest.approx(lme4["loglik"], abs=1e-5)
    assert result.aic == pytest.approx(lme4["aic"], abs=1e-4)
    np.testing.assert_allclose(result.beta, lme4["beta"], rtol=1e-4)
    np.testing.assert_allclose(result.fixed_effects()["df"], lme4["df"], rtol=1e-3)
    profile = pd.DataFrame(REFERENCE["ml_profile"]).set_index("names")
    order = [
        "sd_(Intercept)|listener",
        "sd_x|listener",
        "cor_x.(Intercept)|listener",
        "sd_(Intercept)|stimulus",
        "sigma",
    ]
    own = result.variance_components("profile")
    np.testing.assert_allclose(own["low"], profile.loc[order, "low"], rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(own["high"], profile.loc[order, "high"], rtol=2e-3)


def test_predictions_with_and_without_random_effects():
    result, lme4 = slope_model(reml=True), REFERENCE["predict"]
    new = load("small").iloc[[0, 1, 599]].copy()
    new.loc[new.index[2], "listener"] = "unheard"
    for random, key in ((None, "fixed"), ("all", "all"), ("stimulus", "stimulus")):
        own = result.predict(new, random=random)
        np.testing.assert_allclose(own["estimate"], lme4[key], rtol=1e-5)
