"""Simulated power compared with the formula for crossed designs; designs and grids."""

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import quiet_fit, simulate_questions, simulate_ratings
from expect import raises
from scipy import stats

from groove_utils.mixed import LmmError, assume_slope, compare_power, power_simulation

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
    """Compare with Westfall, Kenny & Judd (2014): noncentral t with variances of both samples."""
    spreads = dict(sd_listener=0.7, sd_song=0.6, sd_slope=sd_slope, sd_residual=1.0)
    table = power_simulation(20, 25, 0.35, n_simulations=100, seed=1, **spreads)
    row = table.iloc[0]
    se = np.sqrt(0.6**2 / 25 + sd_slope**2 / 20 + 1 / (20 * 25))
    df = 25 - 2 if sd_slope == 0 else 35
    critical = stats.t.isf(0.025, df)
    power = stats.nct.sf(critical, df, 0.35 / se) + stats.nct.cdf(-critical, df, 0.35 / se)
    assert row["low"] - 0.03 < power < row["high"] + 0.03
    assert row["se"] == pytest.approx(se, rel=0.1)


def crossed_se(n_listeners, n_songs, each, share, *, sd_song, sd_artist, sd_slope=0, sd_residual):
    """Return the standard error of a slope by least squares with known variances.

    The information of both parts of the covariate is added: variation between artists, with the
    noise of artist means, and variation within artists, with the noise of songs.
    """
    heard = sd_residual**2 / n_listeners
    within = sd_song**2 + heard
    between = each * sd_artist**2 + within
    information = n_songs * (share / between + (1 - share) / within)
    return np.sqrt(1 / information + sd_slope**2 / n_listeners)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_power_with_artists_is_that_of_both_samples(share):
    """Simulate three songs per artist, with a larger SD of artists than of songs."""
    spreads = dict(sd_song=0.3, sd_artist=0.6, sd_residual=1.0)
    table = power_simulation(20, 36, 0.3, n_simulations=60, seed=2, sd_listener=0.7,
                             songs_per_artist=3, artist_share=share, **spreads)  # fmt: skip
    row = table.iloc[0]
    # with 12 artists, part of the shared variance is within artists by chance
    realised = {0.0: 11 / 35, 0.5: 0.5 + 0.5 * 11 / 35, 1.0: 1.0}[share]
    se = crossed_se(20, 36, 3, realised, **spreads)
    assert row["se"] == pytest.approx(se, rel=0.1)
    assert row["coverage"] > 0.85
    if share == 1:  # the sample consists of artists: a t test over 12 artists
        power = stats.nct.sf(stats.t.isf(0.025, 10), 10, 0.3 / se)
        assert row["low"] < power < row["high"]


def test_a_smaller_slope_leaves_more_to_songs_and_artists():
    """Compute power with the variance that remains for the smaller slope, not the observed one."""
    planted = {"sd_listener": 0.5, "sd_slope": 0.2, "correlation": 0.6, "sd_song": 0.4,
               "sd_artist": 0.3, "artist_share": 0.5, "sd_residual": 1.0}  # fmt: skip
    rows = simulate_questions({"dance": 0.8}, 80, 60, 3, seed=1, **planted)
    rows = rows.rename(columns={"predicted": "x"})
    fit = quiet_fit("rating ~ x + (1 + x | listener) + (1 | track) + (1 | artist)", rows)
    found = assume_slope(fit, "x", 0.8, artist="artist")
    assert found.pop("songs_per_artist") == 3
    assert found == pytest.approx(planted | {"effect": 0.8}, rel=0.35)
    less = assume_slope(fit, "x", 0.1, artist="artist")
    share, freed = less["artist_share"], 0.8**2 - 0.1**2
    assert share == found["artist_share"]
    assert less["sd_song"] == pytest.approx(np.sqrt(0.4**2 + (1 - share) * freed), rel=0.1)
    assert less["sd_artist"] == pytest.approx(np.sqrt(0.3**2 + share * freed), rel=0.15)
    # their sum is the songs' variance in a model without the predictor
    empty = quiet_fit("rating ~ 1 + (1 | listener) + (1 | track) + (1 | artist)", rows)
    total = empty.mean_variances()[["track", "artist"]].sum() - 0.1**2
    assert less["sd_song"] ** 2 + less["sd_artist"] ** 2 == pytest.approx(total, rel=0.05)
    # other units of the covariate do not change the study
    other = quiet_fit(
        "rating ~ x + (1 + x | listener) + (1 | track) + (1 | artist)", rows.assign(x=rows["x"] / 5)
    )
    assert assume_slope(other, "x", 0.5, artist="artist") == pytest.approx(less, rel=1e-2)
    huge = assume_slope(fit, "x", 3.0)
    assert huge["sd_song"] == 0.0
    assert (huge["sd_artist"], huge["songs_per_artist"], huge["artist_share"]) == (0.0, 1, 0.0)
    with raises(LmmError, "unknown", column="coefficient", value="tempo"):
        assume_slope(fit, "tempo", 0.1)
    with raises(LmmError, "unknown", value="band"):
        assume_slope(fit, "x", 0.1, artist="band")


def test_intervals_of_differences_are_newcombes():
    """Compare with Newcombe (1998), Table II, first example: 56 of 70 and 48 of 80."""
    table = pd.DataFrame({"n_listeners": [9, 9], "n_songs": [6, 3], "power": [56 / 70, 48 / 80],
                          "n_simulations": [70, 80]})  # fmt: skip
    row = compare_power(table, (9, 6), (9, 3))
    assert row.tolist() == pytest.approx([0.2, 0.0524, 0.3339], abs=1e-4)


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
    with raises(LmmError, "out_of_range", column="artist_share", value=1.5):
        power_simulation(8, 6, 0.5, artist_share=1.5, **TRUTH)


@pytest.mark.weekly
def test_coverage_and_type_1_rate():
    """Run a reduced form of tests/bench/bench_mixed.py: coverage and type I error rate."""
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
    golden = {"power": 0.2, "coverage": 1.0, "se": 0.25635}
    assert row[list(golden)].to_dict() == pytest.approx(golden, abs=1e-4)
