"""Permutations, cluster bootstrap, Mantel test and Holm's method, compared with libraries."""

import numpy as np
import pandas as pd
import pytest
from expect import raises
from scipy import stats
from scipy.spatial.distance import pdist
from statsmodels.stats.multitest import multipletests

from groove_utils.stats import (
    StatsError,
    bca_interval,
    cluster_weights,
    holm,
    influence_interval,
    mantel,
    permutation_p,
    permute,
)

RNG = np.random.default_rng(7)
CLUSTERS = np.array([f"artist {i}" for i in RNG.integers(0, 28, 60)])
STRATA = np.array(["funk", "pop", "rock"])[RNG.integers(0, 3, 60)]


@pytest.mark.parametrize("n", [1, 2, 30])
def test_holm_is_that_of_statsmodels_and_keeps_nan(n):
    p = RNG.uniform(0, 0.1, n)
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    np.testing.assert_array_equal(holm([*p, np.nan]), [*holm(p), np.nan])
    assert holm([]).shape == (0,)


def test_permutations_stay_in_their_strata():
    for row in permute(20, 60, strata=STRATA, seed=1):
        assert (STRATA[row] == STRATA).all()
        assert sorted(row) == list(range(60))


def test_whole_clusters_are_exchanged():
    counts = pd.Series(CLUSTERS).value_counts()
    moved = 0
    for row in permute(20, 60, clusters=CLUSTERS, seed=1):
        assert sorted(row) == list(range(60))
        for one in np.unique(CLUSTERS):
            (source,) = set(CLUSTERS[row[one == CLUSTERS]])
            assert counts[source] == counts[one]
        moved += (row != np.arange(60)).sum()
    assert moved > 100
    both = permute(5, 60, clusters=CLUSTERS, strata=STRATA)
    assert all((STRATA[row] == STRATA).all() for row in both)


def test_permutation_p_counts_the_observed_value_and_ties():
    null = np.array([[0.0, 1.0], [2.0, 1.0], [3.0, 5.0]])
    assert permutation_p([2.0, 1.0], null).tolist() == [0.75, 1.0]


def test_weights_draw_whole_clusters():
    weights = cluster_weights(CLUSTERS, 200, seed=1)
    for one in np.unique(CLUSTERS):
        assert (np.ptp(weights[:, one == CLUSTERS], axis=1) == 0).all()
    assert weights.mean() == pytest.approx(1.0, abs=0.05)
    with raises(StatsError, "too_few", value=2):
        cluster_weights(["a", "b", "b"], 3)


def test_influence_interval_of_a_mean_is_students():
    x = np.random.default_rng(2).standard_normal(25)[:, None]
    found = influence_interval(x.mean(axis=0), x - x.mean(), n_boot=200_000)
    expected = stats.t.interval(0.95, 24, loc=x.mean(), scale=stats.sem(x[:, 0]))
    np.testing.assert_allclose([found.low[0], found.high[0]], expected, atol=0.01)
    assert found.se[0] == pytest.approx(stats.sem(x[:, 0]))
    assert found.p[0] == pytest.approx(stats.ttest_1samp(x[:, 0], 0).pvalue)


def test_bca_agrees_with_scipy_for_clusters_of_one():
    x = np.random.default_rng(0).exponential(size=40)

    def mean(w):
        return (w @ x[:, None]) / w.sum(axis=1, keepdims=True)

    _, low, high, se = bca_interval(mean, np.arange(40), n_boot=20000)
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20000, rng=1, method="BCa")
    assert low[0] == pytest.approx(theirs.confidence_interval.low, abs=0.02)
    assert high[0] == pytest.approx(theirs.confidence_interval.high, abs=0.02)
    assert se[0] == pytest.approx(theirs.standard_error, rel=0.03)


def test_mantel_correlates_ranks_of_all_or_of_some_pairs():
    x, y = RNG.normal(size=(15, 4)), RNG.normal(size=(15, 2))
    first, second, orders = pdist(x), pdist(y), permute(9, 15, seed=2)
    rho, null = mantel([first], second, orders)
    assert rho[0] == pytest.approx(stats.spearmanr(first, second).statistic)
    expected = stats.spearmanr(first, pdist(y[orders[3]])).statistic
    assert null[3, 0] == pytest.approx(expected)
    keep = RNG.random(len(first)) < 0.6
    rho, null = mantel([first], second, orders, keep=keep)
    assert rho[0] == pytest.approx(stats.spearmanr(first[keep], second[keep]).statistic)
    expected = stats.spearmanr(first[keep], pdist(y[orders[3]])[keep]).statistic
    assert null[3, 0] == pytest.approx(expected)


def test_mantel_takes_a_covariate_out_of_both_ranks():
    x, y, z = pdist(RNG.normal(size=(12, 2))), pdist(RNG.normal(size=(12, 2))), RNG.random(66)
    rho, _ = mantel([x], y, permute(1, 12), covariate=z)
    a, b = stats.rankdata(x), stats.rankdata(y)
    design = np.column_stack([np.ones(66), z])
    a, b = (v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (a, b))
    assert rho[0] == pytest.approx(np.corrcoef(a, b)[0, 1])
