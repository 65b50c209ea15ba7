"""Calibration of probes, in a reduced form of ``tests/bench/bench_probe.py``.

The simulations are run weekly; one study with fixed numbers is part of every run.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from groove_utils.probe import Protocol, bootstrap_scores, nested_ridge

REFIT = [0.3365300547, -0.0675405647, 0.7453554113]
FIXED = [0.3365300547, 0.1376222618, 0.5236938381]


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[2] / "bench" / "bench_probe.py"
    spec = importlib.util.spec_from_file_location("bench_probe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.weekly
def test_null_studies_are_seldom_significant_and_score_at_most_zero(bench):
    found = bench.null_rate(60, n_permutations=99)
    assert found["rate"] <= 0.12  # 7 of 60; more has a probability of 3% at a rate of 5%
    assert found["mean_r2"] <= 0


@pytest.mark.weekly
def test_whole_artists_exchanged_are_calibrated_too(bench):
    found = bench.null_rate(60, n_permutations=99, seed=1, unit="artist")
    assert found["rate"] <= 0.12


@pytest.mark.weekly
def test_intervals_cover_the_truth_and_forgetting_training_does_not(bench):
    found = bench.coverage(50, seed=1)
    assert found["refit"] >= 0.86  # 43 of 50; fewer has a probability of 1% at a coverage of 95%
    assert found["bca"] < found["refit"]
    assert found["mean"] == pytest.approx(found["truth"], abs=0.06)


def test_the_interval_of_one_study(bench):
    X, y, artist = bench.draw_study(np.random.default_rng(5), **bench.STUDY)
    result = nested_ridge(X, y, artist, protocol=Protocol(n_repeats=2))
    for refit, expected in ((True, REFIT), (False, FIXED)):
        table = bootstrap_scores(result, scores=["r2"], refit=refit, n_boot=500)
        found = table[["estimate", "low", "high"]].to_numpy()[0]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_permutation_gives_the_predictions_of_a_grid_search(bench):
    assert bench.speed(n=60, dim=100, n_targets=1, n_permutations=5, n_jobs=1)["difference"] < 1e-8
