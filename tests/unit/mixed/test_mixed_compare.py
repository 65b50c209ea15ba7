"""Likelihood ratios, error models, partitions, equivalence, the ordinal check."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.stats.weightstats import DescrStatsW

from groove_utils.mixed import (
    LmmError,
    LmmWarning,
    compare_error_models,
    cumulative_link_check,
    equivalence_test,
    fit_lmm,
    likelihood_ratio_test,
    random_effect_tests,
    simulate_ratings,
    variance_partition,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
SMALL = pd.read_csv(GOLDEN / "small.csv.gz")
CROSSED = "(1 | listener) + (1 | stimulus)"
SLOPES = "(1 + x | listener) + (1 | stimulus)"


def inference(case):
    return json.loads((GOLDEN / f"inference_{case}.json").read_text())


@pytest.mark.parametrize(("case", "random"), [("small_int", CROSSED), ("small_slope", SLOPES)])
def test_likelihood_ratio_of_fixed_effects(case, random):
    larger = fit_lmm(f"rating ~ genre * x + {random}", SMALL)
    smaller = fit_lmm(f"rating ~ genre + x + {random}", SMALL)
    row = likelihood_ratio_test(smaller, larger).iloc[0]
    lme4 = inference(case)["lrt_genre_x"]
    assert row["criterion"] == "ML"
    assert row["chisq"] == pytest.approx(lme4["chisq"], rel=1e-4)
    assert row["df"] == lme4["df"]
    assert row["p"] == row["p_naive"] == pytest.approx(lme4["p"], rel=1e-4)
    assert row["loglik_smaller"] == pytest.approx(lme4["ll0"], abs=1e-4)
    assert row["loglik_larger"] == pytest.approx(lme4["ll1"], abs=1e-4)


@pytest.mark.parametrize(("case", "random"), [("small_int", CROSSED), ("small_slope", SLOPES)])
def test_random_effect_tests_match_ranova(case, random):
    own = random_effect_tests(fit_lmm(f"rating ~ genre * x + {random}", SMALL))
    lmer = pd.DataFrame(inference(case)["ranova"]).iloc[1:]
    assert list(own["term"]) == list(lmer["term"])
    np.testing.assert_allclose(own["loglik"], lmer["logLik"], rtol=1e-7)
    np.testing.assert_allclose(own["chisq"], lmer["LRT"], rtol=1e-4)
    np.testing.assert_array_equal(own["df"], lmer["Df"])
    np.testing.assert_allclose(own["p_naive"], lmer["Pr(>Chisq)"], rtol=1e-3)


def test_boundary_is_minded():
    slopes = fit_lmm(f"rating ~ genre * x + {SLOPES}", SMALL)
    crossed = fit_lmm(f"rating ~ genre * x + {CROSSED}", SMALL)
    row = likelihood_ratio_test(crossed, slopes).iloc[0]
    expected = (stats.chi2.sf(row["chisq"], 1) + stats.chi2.sf(row["chisq"], 2)) / 2
    assert row["criterion"] == "REML"
    assert row["p"] == pytest.approx(expected)
    assert row["reference"] == "0.5 χ²(1) + 0.5 χ²(2)"
    apart = fit_lmm("rating ~ genre * x + (1 + x || listener) + (1 | stimulus)", SMALL)
    row = likelihood_ratio_test(crossed, apart).iloc[0]
    assert row["p"] == pytest.approx(row["p_naive"] / 2)
    row = likelihood_ratio_test(apart, slopes).iloc[0]  # a correlation alone lies inside
    assert row["p"] == row["p_naive"]
    alone = fit_lmm("rating ~ genre * x + (1 | listener)", SMALL)
    row = likelihood_ratio_test(alone, slopes).iloc[0]
    assert "conservative" in row["reference"]
    assert row["df"] == 3


def test_boundary_aware_p_values_are_uniform_where_nothing_is_there():
    p, naive = [], []
    for seed in range(120):
        data = simulate_ratings(12, 10, sd_song=0.0, effect=0.0, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LmmWarning)
            result = fit_lmm("rating ~ 1 + (1 | listener_id) + (1 | track_id)", data,
                             engine="builtin")  # fmt: skip
        row = random_effect_tests(result).iloc[1]
        p.append(row["p"])
        naive.append(row["p_naive"])
    # half of the mass is at p = 1, the rest is uniform below one half
    assert 0.3 < np.mean(np.array(p) > 0.5) < 0.7
    low = np.mean(np.array(p) < 0.1)
    assert stats.binomtest(int(low * 120), 120, 0.1).pvalue > 0.01
    assert np.mean(np.array(naive) < 0.1) <= low


def test_models_that_are_not_nested_are_refused():
    one = fit_lmm(f"rating ~ genre + {CROSSED}", SMALL)
    other = fit_lmm(f"rating ~ x + {CROSSED}", SMALL)
    slopes = fit_lmm(f"rating ~ x + {SLOPES}", SMALL)
    with pytest.raises(LmmError, match="fixed parts are not nested"):
        likelihood_ratio_test(one, other)
    with pytest.raises(LmmError, match="random parts are not nested"):
        likelihood_ratio_test(slopes, other)
    with pytest.raises(LmmError, match="same parameters"):
        likelihood_ratio_test(one, one)
    with pytest.raises(LmmError, match="different rows"):
        likelihood_ratio_test(fit_lmm(f"rating ~ 1 + {CROSSED}", SMALL.iloc[:-1]), one)


def test_error_models_are_those_of_statsmodels():
    table = compare_error_models(f"rating ~ genre * x + {CROSSED}", SMALL)
    by_model = dict(iter(table.groupby("model")))
    assert set(by_model) == {
        "OLS",
        "OLS, clustered by listener",
        "OLS, clustered by stimulus",
        "OLS, clustered by listener and stimulus",
        "listener only",
        "stimulus only",
        "crossed",
    }
    ols = smf.ols("rating ~ genre * x", SMALL)
    plain = ols.fit()
    np.testing.assert_allclose(np.sort(by_model["OLS"]["se"]), np.sort(plain.bse))
    for factor in ("listener", "stimulus"):
        robust = ols.fit(cov_type="cluster", cov_kwds={"groups": SMALL[factor]}, use_t=True)
        own = by_model[f"OLS, clustered by {factor}"]
        np.testing.assert_allclose(np.sort(own["se"]), np.sort(robust.bse))
        np.testing.assert_allclose(np.sort(own["p"]), np.sort(robust.pvalues), atol=1e-12)
    groups = np.column_stack([pd.factorize(SMALL[f])[0] for f in ("listener", "stimulus")])
    robust = ols.fit(cov_type="cluster", cov_kwds={"groups": groups})
    own = by_model["OLS, clustered by listener and stimulus"]
    np.testing.assert_allclose(np.sort(own["se"]), np.sort(robust.bse), rtol=1e-6)
    full = fit_lmm(f"rating ~ genre * x + {CROSSED}", SMALL).fixed_effects()
    np.testing.assert_allclose(by_model["crossed"]["se"], full["se"], rtol=1e-6)
    np.testing.assert_allclose(by_model["crossed"]["se_ratio"], 1)


@pytest.mark.parametrize(
    ("listener", "song"),
    [
        ("(1 + genre | listener)", "(1 | stimulus)"),
        ("(1 + genre || listener)", "(1 | stimulus)"),
        ("(genre + x|listener)", "(1|stimulus)"),
        ("(1 + C(genre, contr.sum) | listener)", "(1 | band / stimulus)"),
    ],
)
def test_error_models_keep_random_terms_as_they_were_written(listener, song):
    medium = pd.read_csv(GOLDEN / "medium.csv.gz")
    medium["band"] = [f"B{n // 4:02d}" for n in medium["stimulus"].str[1:].astype(int)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        table = compare_error_models(f"rating ~ genre + x + {listener} + {song}", medium)
        for model, random in (("listener only", listener), ("crossed", f"{listener} + {song}")):
            fit = fit_lmm(f"rating ~ genre + x + {random}", medium).fixed_effects()
            own = table[table["model"] == model].set_index("term").loc[fit["term"]]
            np.testing.assert_allclose(own["se"], fit["se"], rtol=1e-3)
            np.testing.assert_allclose(own["estimate"], fit["estimate"], rtol=1e-3, atol=1e-4)


def test_ignoring_the_songs_makes_a_song_level_effect_look_certain():
    table = compare_error_models(f"rating ~ x + {CROSSED}", SMALL).set_index(["model", "term"])
    ratio = table["se_ratio"].xs("x", level="term")
    assert ratio["OLS"] < 0.7
    assert ratio["listener only"] < 0.7
    assert 0.9 < ratio["stimulus only"] < 1.1
    assert 0.7 < ratio["OLS, clustered by stimulus"] < 1.2


def test_statsmodels_mixedlm_agrees_on_small_crossed_data():
    data = simulate_ratings(20, 16, 8, seed=4)
    # crossed effects in statsmodels: one group that holds everything, with variance components
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
    own = fit_lmm("rating ~ style + x + (1 | listener_id) + (1 | track_id)", data)
    assert own.loglik == pytest.approx(reference.llf, abs=1e-3)
    np.testing.assert_allclose(own.beta, reference.fe_params, rtol=1e-2)
    np.testing.assert_allclose(own.fixed_effects()["se"], reference.bse_fe, rtol=1e-2)


@pytest.mark.parametrize("random", [CROSSED, SLOPES])
def test_variance_partition_adds_to_one(random):
    result = fit_lmm(f"rating ~ genre * x + {random}", SMALL)
    table = variance_partition(result)
    assert table["share"].sum() == pytest.approx(1, abs=1e-12)
    assert list(table["part"]) == ["genre", "x", "genre:x", "listener", "stimulus", "Residual"]
    fixed = table.loc[table["kind"] == "fixed", "share"].sum()
    assert fixed == pytest.approx(result.r2()["marginal"], abs=1e-12)
    whole = variance_partition(result, split_fixed=False).set_index("part")
    assert whole.loc["Fixed", "share"] == pytest.approx(fixed, abs=1e-12)
    assert whole["share"].sum() == pytest.approx(1, abs=1e-12)


def test_variance_partition_finds_simulated_shares():
    data = simulate_ratings(
        300, 300, 60, effect=0.6, sd_listener=0.7, sd_song=0.5, sd_residual=1.0, seed=1
    )
    result = fit_lmm("rating ~ x + (1 | listener_id) + (1 | track_id)", data)
    table = variance_partition(result).set_index("part")["variance"]
    truth = {"x": 0.6**2, "listener_id": 0.49, "track_id": 0.25, "Residual": 1.0}
    for part, variance in truth.items():
        assert table[part] == pytest.approx(variance, rel=0.25)


def test_equivalence_is_two_one_sided_t_tests():
    y = np.random.default_rng(0).normal(0.1, 1, 80)
    reference = DescrStatsW(y).ttost_mean(-0.4, 0.4)
    own = equivalence_test(y.mean(), y.std(ddof=1) / np.sqrt(80), 79, 0.4)
    assert own["p"] == pytest.approx(reference[0])
    assert own["p_lower"] == pytest.approx(reference[1][1])
    assert own["p_upper"] == pytest.approx(reference[2][1])
    # the verdict is the same as that of the 90% interval
    for bound in (0.05, 0.2, 0.31, 1.0):
        own = equivalence_test(y.mean(), y.std(ddof=1) / np.sqrt(80), 79, bound)
        assert own["equivalent"] == (-bound < own["low"] and own["high"] < bound)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.1, 0.1, 20, 0), "bound is 0"),
        ((0.1, 0.1, 20, -1), "bound is -1"),
        ((0.1, 0, 20, 1), "se is 0"),
        ((0.1, np.nan, 20, 1), "se is nan"),
        ((0.1, 0.1, 20, 1, 0.6), "alpha is 0.6"),
    ],
)
def test_equivalence_refuses_nonsense(arguments, message):
    with pytest.raises(ValueError, match=message):
        equivalence_test(*arguments)


def test_ordinal_check_recovers_log_odds_and_agrees_with_statsmodels():
    rng = np.random.default_rng(5)
    data = simulate_ratings(80, 60, 30, sd_listener=0.0, sd_song=0.0, effect=0.0, seed=5)
    latent = 0.8 * data["x"] + rng.logistic(size=len(data))
    data["rating"] = np.digitize(latent, [-2, -1, 0, 1, 2]) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        own = cumulative_link_check("rating ~ x + style + (1 | listener_id) + (1 | track_id)", data)
    own = own.set_index("term")
    assert own.loc["x", "ordinal"] == pytest.approx(0.8, abs=3 * own.loc["x", "ordinal_se"])
    assert own.loc["x", "ordinal_p"] < 1e-6
    assert own["agree"].all()
    X = pd.get_dummies(data["style"], dtype=float)[["pop", "rock"]].assign(x=data["x"])
    reference = OrderedModel(data["rating"], X, distr="logit").fit(method="bfgs", disp=False)
    for term, name in (("x", "x"), ("style[pop]", "pop"), ("style[rock]", "rock")):
        assert own.loc[term, "ordinal"] == pytest.approx(reference.params[name], abs=2e-3)
        # no listener or song effects here, so clustering changes little
        assert own.loc[term, "ordinal_se"] == pytest.approx(reference.bse[name], rel=0.4)


def test_ordinal_check_bins_fine_scales_and_minds_the_songs():
    table = cumulative_link_check(f"rating ~ x + {CROSSED}", SMALL)
    X = sm.add_constant(SMALL["x"]).drop(columns="const")
    bins = pd.qcut(SMALL["rating"], 7, labels=False)
    reference = OrderedModel(bins, X, distr="logit").fit(method="bfgs", disp=False)
    assert table["ordinal"].item() == pytest.approx(reference.params["x"], abs=1e-2)
    assert table["ordinal_se"].item() > 1.3 * reference.bse["x"]
    assert table["agree"].item()
    with pytest.raises(LmmError, match="nothing to check"):
        cumulative_link_check(f"rating ~ 1 + {CROSSED}", SMALL)
