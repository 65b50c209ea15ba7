"""Simulated power against the crossed design's own formula; designs and grids."""

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import simulate_ratings
from expect import raises
from scipy import stats

from groove_utils.mixed import LmmError, power_simulation

TRUTH = {"sd_listener": 0.7, "sd_song": 0.5, "sd_slope": 0.3, "sd_residual": 1.0}


def test_simulated_ratings_are_balanced_and_repeatable():
    data = simulate_ratings(30, 24, 10, seed=1)
    pd.testing.assert_frame_equal(data, simulate_ratings(30, 24, 10, seed=1))
    assert not data.duplicated(["listener_id", "track_id"]).any()
    assert (data.groupby("listener_id").size() == 10).all()
    heard = data.groupby("track_id").size()
    assert heard.max() - heard.min() <= 2
    with raises(LmmError, "out_of_range", column="songs_per_listener", value=6):
        simulate_ratings(5, 4, 6)


@pytest.mark.parametrize("sd_slope", [0.0, 0.4])
def test_power_is_that_of_the_crossed_design(sd_slope):
    """Westfall, Kenny & Judd (2014): noncentral t with the variances of both samples."""
    spreads = dict(sd_listener=0.7, sd_song=0.6, sd_slope=sd_slope, sd_residual=1.0)
    table = power_simulation(20, 25, 0.35, n_simulations=100, seed=1, **spreads)
    row = table.iloc[0]
    se = np.sqrt(0.6**2 / 25 + sd_slope**2 / 20 + 1 / (20 * 25))
    df = 25 - 2 if sd_slope == 0 else 35
    critical = stats.t.isf(0.025, df)
    power = stats.nct.sf(critical, df, 0.35 / se) + stats.nct.cdf(-critical, df, 0.35 / se)
    assert row["low"] - 0.03 < power < row["high"] + 0.03
    assert row["se"] == pytest.approx(se, rel=0.1)


def test_power_grid():
    table = power_simulation([8, 16], [6, 12], 0.5, n_simulations=10, seed=2,
                             songs_per_listener=10, **TRUTH)  # fmt: skip
    assert list(table["n_listeners"]) == [8, 8, 16, 16]
    assert list(table["n_songs"]) == [6, 12, 6, 12]
    assert list(table["songs_per_listener"]) == [6, 10, 6, 10]
    assert table["power"].between(table["low"], table["high"]).all()
    again = power_simulation([8, 16], [6, 12], 0.5, n_simulations=10, seed=2,
                             songs_per_listener=10, n_jobs=2, **TRUTH)  # fmt: skip
    pd.testing.assert_frame_equal(table, again)
    with raises(LmmError, "out_of_range", column="n_simulations", value=1):
        power_simulation(8, 6, 0.5, n_simulations=1, **TRUTH)
    with raises(LmmError, "out_of_range", column="sd_song", value=-1):
        power_simulation(8, 6, 0.5, **(TRUTH | {"sd_song": -1}))


@pytest.mark.weekly
def test_coverage_and_type_1_rate():
    """A reduced form of tests/bench/bench_mixed.py: intervals hold the truth, a null is a null."""
    spreads = TRUTH | {"sd_slope": 0.3}
    effect = power_simulation(30, 24, 0.4, n_simulations=200, songs_per_listener=12, seed=3,
                              **spreads)  # fmt: skip
    null = power_simulation(30, 24, 0.0, n_simulations=200, songs_per_listener=12, seed=4,
                            **spreads)  # fmt: skip
    assert 0.90 <= effect["coverage"].item() <= 0.98
    assert 0.90 <= null["coverage"].item() <= 0.98
    assert 0.02 <= null["power"].item() <= 0.085


def test_power_of_one_seed_stays_as_it_is():
    row = power_simulation(10, 8, 0.5, n_simulations=10, seed=5, **TRUTH).iloc[0]
    golden = {"power": 0.2, "coverage": 1.0, "se": 0.25517}
    assert row[list(golden)].to_dict() == pytest.approx(golden, abs=1e-4)
