"""Calibration in a reduced form; ``tests/bench/bench_probe.py`` has it in full."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[2] / "bench" / "bench_probe.py"
    spec = importlib.util.spec_from_file_location("bench_probe", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_null_studies_are_seldom_significant_and_score_at_most_zero(bench):
    found = bench.null_rate(60, n_permutations=99)
    assert found["rate"] <= 0.12  # 7 of 60; more has a chance of 3% at a rate of 5%
    assert found["mean_r2"] <= 0


def test_whole_artists_exchanged_are_calibrated_too(bench):
    found = bench.null_rate(60, n_permutations=99, seed=1, unit="artist")
    assert found["rate"] <= 0.12


def test_intervals_cover_the_truth_and_forgetting_training_does_not(bench):
    found = bench.coverage(50, seed=1)
    assert found["refit"] >= 0.86  # 43 of 50; fewer has a chance of 1% at a coverage of 95%
    assert found["bca"] < found["refit"]
    assert found["mean"] == pytest.approx(found["truth"], abs=0.06)


def test_the_fast_way_is_fast_and_gives_the_same(bench):
    found = bench.speed(n=60, dim=600, n_targets=2, n_permutations=200, n_jobs=1)
    assert found["difference"] < 1e-8
    assert found["ratio"] > 50
