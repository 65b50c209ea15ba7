"""Profile and bootstrap intervals of standard deviations and correlations."""

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import quiet_fit, simulate_ratings
from expect import raises
from scipy import optimize, stats

from groove_utils.mixed import LmmError, bootstrap

CROSSED = "rating ~ x + (1 | listener_id) + (1 | track_id)"


def test_profile_of_a_variance_at_zero():
    data = simulate_ratings(30, 20, 10, sd_song=0.0, seed=0)
    result = quiet_fit(CROSSED, data)
    table = result.variance_components("profile").set_index("factor")
    assert table.loc["track_id", "sd"] == table.loc["track_id", "low"] == 0
    assert table.loc["listener_id", "low"] > 0.3
    high = table.loc["track_id", "high"]

    def held(x):
        return result.deviance([abs(x[0]), high / np.exp(x[1])], np.exp(x[1]))

    start = [result.theta[0], np.log(result.sigma)]
    least = optimize.minimize(held, start, method="Nelder-Mead", options={"fatol": 1e-6}).fun
    assert least - result.solution.deviance == pytest.approx(stats.chi2.ppf(0.95, 1), rel=2e-3)


def test_a_perfect_correlation_has_the_whole_range_as_its_interval():
    data = simulate_ratings(24, 18, 12, effect=0.5, seed=3)
    result = quiet_fit("rating ~ x + (1 + x | listener_id) + (1 | track_id)", data)
    row = result.variance_components("profile").iloc[2]
    assert row[["sd", "low", "high"]].tolist() == pytest.approx([1, -1, 1], abs=1e-4)


def test_profile_ends_where_the_deviance_has_risen_enough():
    data = simulate_ratings(30, 20, 10, seed=1)
    result = quiet_fit(CROSSED, data)
    table = result.variance_components("profile", level=0.9)
    for bound in ("low", "high"):
        sd = table.loc[0, bound]  # the listeners' SD, fixed at an end of its interval
        grid = np.linspace(0.85, 1.15, 61) * result.sigma
        songs = np.linspace(0.5, 1.5, 61) * table.loc[1, "sd"]
        least = min(
            result.deviance([sd / sigma, song / sigma], sigma) for sigma in grid for song in songs
        )
        rise = least - result.solution.deviance
        assert rise == pytest.approx(stats.chi2.ppf(0.9, 1), abs=0.03)


def test_bootstrap_is_the_same_for_every_number_of_processes():
    result = quiet_fit(CROSSED, simulate_ratings(12, 10, seed=1))
    one = bootstrap(result, 6, seed=4, n_jobs=1)
    pd.testing.assert_frame_equal(one, bootstrap(result, 6, seed=4, n_jobs=2))
    assert not one.equals(bootstrap(result, 6, seed=5))
    with raises(LmmError, "out_of_range", column="n_boot", value=1):
        bootstrap(result, 1)


def test_bootstrap_and_profile_agree():
    data = simulate_ratings(40, 30, 15, seed=3)
    result = quiet_fit(CROSSED, data)
    draws = bootstrap(result, 100, seed=0)
    np.testing.assert_allclose(draws["fixed"].mean(), result.beta, atol=0.05)
    np.testing.assert_allclose(draws["fixed"].std(), result.fixed_effects()["se"], rtol=0.2)
    own = result.variance_components("bootstrap", n_boot=100)
    profile = result.variance_components("profile")
    width = profile["high"] - profile["low"]
    assert (np.abs(own["low"] - profile["low"]) < 0.3 * width).all()
    assert (np.abs(own["high"] - profile["high"]) < 0.3 * width).all()


def test_known_effects_lie_within_their_intervals():
    data = simulate_ratings(
        100, 80, 40, effect=0.5, style_effects=(0.3, 0.0, -0.2), sd_slope=0.3, correlation=0.4,
        sd_listener=0.7, sd_song=0.5, sd_residual=1.0, seed=8,
    )  # fmt: skip
    result = quiet_fit("rating ~ style + x + (1 + x | listener_id) + (1 | track_id)", data)
    fixed = result.fixed_effects().set_index("term")
    for term, truth in (("style[pop]", -0.3), ("style[rock]", -0.5), ("x", 0.5)):
        assert fixed.loc[term, "low"] < truth < fixed.loc[term, "high"]
    spread = result.variance_components("profile")
    for row, truth in zip(spread.itertuples(), (0.7, 0.3, 0.4, 0.5, 1.0)):
        assert row.low < truth < row.high
