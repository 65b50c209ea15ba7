"""Intervals over two kinds of clusters, compared with formulas and simulations."""

import numpy as np
import pytest
from scipy import stats

from groove_utils.stats import jackknife_influence, two_way_interval


def mean_of(x):
    return lambda weights: weights @ x[:, None] / weights.sum(axis=1, keepdims=True)


def test_one_way_without_variance_leaves_students_t_over_the_other():
    difference = np.array([0.153, 0.122, 0.024])
    x, bands, seeds = np.repeat(difference, 5), list("abcde") * 3, np.repeat([1, 2, 3], 5)
    interval = two_way_interval(mean_of(x), bands, seeds)
    expected = stats.ttest_1samp(difference, 0)
    assert interval.p[0] == pytest.approx(expected.pvalue)
    assert [interval.low[0], interval.high[0]] == pytest.approx(
        list(expected.confidence_interval(0.95))
    )


def test_variances_are_added_and_degrees_of_freedom_are_satterthwaites():
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    bands, seeds = rng.integers(0, 9, 60), rng.integers(0, 4, 60)
    interval = two_way_interval(mean_of(x), bands, seeds, level=0.9)
    v = []
    for clusters in (bands, seeds):
        means = np.array([x[clusters != c].mean() for c in np.unique(clusters)])
        g = len(means)
        v.append((jackknife_influence(means) ** 2).sum() / (g * (g - 1)))
    df = sum(v) ** 2 / (v[0] ** 2 / 8 + v[1] ** 2 / 3)
    assert interval.df[0] == pytest.approx(df)
    half = stats.t.ppf(0.95, df) * np.sqrt(sum(v))
    assert interval.high[0] - interval.estimate[0] == pytest.approx(half)


def test_a_single_training_gives_no_interval():
    interval = two_way_interval(mean_of(np.arange(6.0)), list("aabbcc"), [1] * 6)
    assert interval.estimate[0] == 2.5
    assert np.isnan([interval.low, interval.high, interval.p, interval.df]).all()


def test_no_variance_at_all():
    bands, seeds = list("abab"), [1, 1, 2, 2]
    equal = two_way_interval(mean_of(np.zeros(4)), bands, seeds)
    assert equal.low[0] == equal.high[0] == 0
    assert equal.p[0] == 1
    assert two_way_interval(mean_of(np.ones(4)), bands, seeds).p[0] < 1e-9


@pytest.mark.parametrize(("sd_training", "coverage"), [(0.0, 0.98), (0.2, 0.97), (2.0, 0.93)])
def test_three_trainings_are_covered_where_bands_alone_are_not(sd_training, coverage):
    """Simulate 3 trainings, each tested on 48 of 192 bands; the SD of bands is 1."""
    rng = np.random.default_rng(7)
    n, covered, over_bands = 1000, 0, 0
    for _ in range(n):
        bands = np.concatenate([rng.permutation(192)[:48] for _ in range(3)])
        seeds = np.repeat(np.arange(3), 48)
        x = rng.normal(size=192)[bands] + rng.normal(size=144)
        x += rng.normal(0, sd_training, 3)[seeds]
        interval = two_way_interval(mean_of(x), bands, seeds)
        covered += interval.low[0] < 0 < interval.high[0]
        sums = np.bincount(bands, x - x.mean(), 192)
        over_bands += abs(x.mean()) < 1.96 * np.sqrt((sums**2).sum()) / len(x)
    assert covered / n == pytest.approx(coverage, abs=0.01)
    if sd_training:
        assert over_bands / n < 0.85
