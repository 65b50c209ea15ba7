"""Likelihood-ratio tests compared with lme4 and lmerTest, and variances on the boundary."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import quiet_fit, simulate_ratings
from expect import raises
from scipy import stats

from groove_utils.mixed import LmmError, fit_lmm, likelihood_ratio_test, random_effect_tests

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
SMALL = pd.read_csv(GOLDEN / "small.csv.gz")
CROSSED = "(1 | listener) + (1 | stimulus)"
SLOPES = "(1 + x | listener) + (1 | stimulus)"
NULL = "rating ~ 1 + (1 | listener_id) + (1 | track_id)"


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


def test_boundary_is_taken_into_account():
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
    row = likelihood_ratio_test(apart, slopes).iloc[0]  # a correlation alone is not on the boundary
    assert row["p"] == row["p_naive"]
    alone = fit_lmm("rating ~ genre * x + (1 | listener)", SMALL)
    row = likelihood_ratio_test(alone, slopes).iloc[0]
    assert row["reference"] == "0.25 χ²(1) + 0.5 χ²(2) + 0.25 χ²(3)"
    assert row["df"] == 3


@pytest.mark.weekly
def test_boundary_aware_p_values_are_uniform_where_nothing_is_there():
    p, naive = [], []
    for seed in range(300):
        data = simulate_ratings(12, 10, sd_song=0.0, effect=0.0, seed=seed)
        result = quiet_fit(NULL, data)
        row = random_effect_tests(result).iloc[1]
        p.append(row["p"])
        naive.append(row["p_naive"])
    # half of the mass is at p = 1, the rest is uniform below one half
    assert 0.3 < np.mean(np.array(p) > 0.5) < 0.7
    low = np.mean(np.array(p) < 0.1)
    assert stats.binomtest(round(low * 300), 300, 0.1).pvalue > 0.01
    assert np.mean(np.array(naive) < 0.1) <= low


def test_models_that_are_not_nested_are_refused():
    one = fit_lmm(f"rating ~ genre + {CROSSED}", SMALL)
    other = fit_lmm(f"rating ~ x + {CROSSED}", SMALL)
    slopes = fit_lmm(f"rating ~ x + {SLOPES}", SMALL)
    with raises(LmmError, "not_nested", column="fixed"):
        likelihood_ratio_test(one, other)
    with raises(LmmError, "not_nested", column="random", value="listener"):
        likelihood_ratio_test(slopes, other)
    with raises(LmmError, "same_parameters"):
        likelihood_ratio_test(one, one)
    with raises(LmmError, "different_rows"):
        likelihood_ratio_test(fit_lmm(f"rating ~ 1 + {CROSSED}", SMALL.iloc[:-1]), one)


def test_a_boundary_test_of_one_seed_stays_as_it_is():
    data = simulate_ratings(12, 10, sd_song=0.4, effect=0.0, seed=3)
    row = random_effect_tests(quiet_fit(NULL, data)).iloc[1]
    assert row["p"] == pytest.approx(row["p_naive"] / 2)
    assert row["chisq"] == pytest.approx(6.0696, abs=1e-3)
