"""Correlations with intervals over artists, compared with SciPy and in simulations."""

import numpy as np
import pandas as pd
import pytest
from expect import raises
from scipy import stats

from groove_utils.probe import ProbeError, correlate, error_table, fisher_interval
from groove_utils.stats import StatsError, holm

GOLDEN = [0.4439536914, 0.2015625876, 0.6351059299, 0.1318650087, 0.0014433576]


def draw(rng, n_artists=24, per_artist=4, rho=0.4):
    """Draw features, ratings and artists; half of both variances is between artists."""
    artists = np.repeat(np.arange(n_artists), per_artist)
    mix = np.linalg.cholesky([[1, rho], [rho, 1]])
    between = (rng.standard_normal((n_artists, 2)) @ mix.T)[artists]
    x, y = ((between + rng.standard_normal((artists.size, 2)) @ mix.T) / np.sqrt(2)).T
    return pd.DataFrame({"x": x}), pd.Series(y, name="dance"), artists


def test_estimates_are_scipys_and_p_is_corrected_by_target():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.standard_normal((60, 5)), columns=list("abcde"))
    y = pd.DataFrame({"dance": X["a"] + rng.standard_normal(60), "listen": rng.random(60)})
    table = correlate(X, y, n_boot=300, seed=1)
    pd.testing.assert_frame_equal(table, correlate(X, y, n_boot=300, seed=1))
    for target, part in table.groupby("target"):
        for row in part.itertuples():
            assert row.estimate == pytest.approx(stats.pearsonr(X[row.feature], y[target])[0])
        np.testing.assert_allclose(part["p_holm"], holm(part["p"]))


def test_songs_as_their_own_artists_give_fishers_interval():
    rng = np.random.default_rng(2)
    x = rng.standard_normal(400)
    y = 0.5 * x + rng.standard_normal(400)
    row = correlate(pd.DataFrame({"x": x}), pd.Series(y), n_boot=4000).iloc[0]
    low, high = fisher_interval([row["estimate"]], [400])
    assert row["low"] == pytest.approx(low[0], abs=0.02)
    assert row["high"] == pytest.approx(high[0], abs=0.02)
    assert row["p"] < 1e-8


def test_fishers_interval_is_scipys():
    rng = np.random.default_rng(3)
    x = rng.standard_normal(80)
    pearson = stats.pearsonr(x, x + rng.standard_normal(80))
    expected = pearson.confidence_interval(0.95)
    low, high = fisher_interval([pearson.statistic], [80])
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))
    with raises(ProbeError, "too_few", column="n", value=3):
        fisher_interval([0.5], [3])


def test_fishers_interval_of_a_series_can_be_assigned_to_any_table():
    r = pd.Series([0.5, -0.2], index=["rms", "flux"])
    table = pd.DataFrame({"feature": r.index})  # its index is 0, 1
    table["low"], table["high"] = fisher_interval(r, 80)
    plain = fisher_interval(r.to_numpy(), np.array([80, 80]))
    np.testing.assert_array_equal(table[["low", "high"]].to_numpy().T, plain)


def test_within_styles_is_the_correlation_of_centred_values():
    X, y, artists = draw(np.random.default_rng(4), rho=0.5)
    styles = artists % 3
    shift = np.array([0.0, 6.0, -6.0])[styles]
    table = correlate(X.add(shift, axis=0), y + shift, artists, styles, n_boot=200)
    x = X["x"] - X["x"].groupby(styles).transform("mean")
    assert table["estimate"].iloc[0] == pytest.approx(
        np.corrcoef(x, y - y.groupby(styles).transform("mean"))[0, 1]
    )
    assert correlate(X.add(shift, axis=0), y + shift, artists, n_boot=50)["estimate"].iloc[0] > 0.9


def test_the_interval_of_one_study():
    X, y, artists = draw(np.random.default_rng(11))
    row = correlate(X, y, artists, n_boot=1000).iloc[0]
    found = row[["estimate", "low", "high", "se", "p"]].to_numpy(float)
    np.testing.assert_allclose(found, GOLDEN, rtol=1e-6)


def test_one_song_off_a_perfect_line_leaves_a_usable_interval():
    """Bootstrap samples without the song's artist have r = 1, for which z is infinite."""
    rng = np.random.default_rng(3)
    truth = rng.normal(110, 10, 96)
    tempo = truth.copy()
    tempo[50] *= 0.8
    artists = np.repeat(np.arange(24), 4)
    row = correlate(pd.DataFrame({"x": truth}), pd.Series(tempo), artists, n_boot=2000).iloc[0]
    assert 0.9 < row["estimate"] < 0.99
    assert 0.5 < row["low"] < row["estimate"] < row["high"] < 1
    assert row["p"] < 0.001


@pytest.mark.weekly
@pytest.mark.parametrize("rho", [0.0, 0.4])
def test_intervals_hold_the_true_correlation_and_careless_ones_do_not(rho):
    runs, held, careless, rejected = 400, 0, 0, 0
    for seed in range(runs):
        X, y, artists = draw(np.random.default_rng([11, seed]), rho=rho)
        row = correlate(X, y, artists, n_boot=200, seed=seed).iloc[0]
        held += row["low"] <= rho <= row["high"]
        rejected += row["p"] < 0.05
        low, high = fisher_interval([row["estimate"]], [len(X)])
        careless += low[0] <= rho <= high[0]
    # .945 in 3,000 runs; with 400 runs, the error is ± .022
    assert 0.905 <= held / runs <= 0.975
    assert careless / runs < held / runs
    if rho == 0:
        assert rejected / runs <= 0.095


@pytest.mark.weekly
def test_coverage_within_styles():
    held = 0
    for seed in range(200):
        X, y, artists = draw(np.random.default_rng([12, seed]), rho=0.4)
        styles = artists % 3
        row = correlate(X.add(styles, axis=0), y + styles, artists, styles, n_boot=200).iloc[0]
        held += row["low"] <= 0.4 <= row["high"]
    assert 0.90 <= held / 200 <= 0.985


def test_missing_constant_and_perfect_features():
    X, y, artists = draw(np.random.default_rng(5))
    X = X.assign(some=X["x"], constant=3.0, same=y, few=np.nan)
    X.loc[:9, "some"] = np.nan
    X.loc[:3, "few"] = 1.0
    table = correlate(X, y, artists, n_boot=100).set_index("feature")
    assert table.loc["some", "n_songs"] == len(X) - 10
    assert table.loc["some", "estimate"] == pytest.approx(
        stats.pearsonr(X["some"][10:], y[10:]).statistic
    )
    assert table.loc[["constant", "few"], ["estimate", "low", "p", "p_holm"]].isna().all(axis=None)
    assert table.loc["same", "estimate"] == pytest.approx(1)
    assert table.loc["same", "p"] < 1e-6
    assert table.loc["x", "p_holm"] <= 1


def test_errors_of_estimates_whose_truth_is_known():
    rng = np.random.default_rng(3)
    songs = pd.DataFrame(
        {"artist": np.repeat(np.arange(12), 4), "style": np.repeat(["funk", "rock"], 24)}
    )
    truth = rng.normal(100, 10, 48)
    late = truth + np.where(songs["style"] == "rock", 20.0, 10.0)
    guess = np.where(np.arange(48) < 8, np.nan, rng.normal(size=48))
    estimates = pd.concat(
        [songs.assign(quantity=name, truth=truth, estimate=estimate)
         for name, estimate in (("late", late), ("guess", guess))]
    )  # fmt: skip
    table = error_table(estimates, n_boot=200).set_index("quantity")
    row, sd = table.loc["late"], truth.std(ddof=1)
    assert row["bias"] == pytest.approx(15 / sd)
    assert row["error"] == pytest.approx(np.sqrt((100 + 400) / 2) / sd)
    assert (row["worst style"], row["there"]) == ("rock", pytest.approx(20 / sd))
    assert row["r"] == pytest.approx(np.corrcoef(truth, late)[0, 1])
    assert row["low"] < row["r"] < row["high"]
    assert table["n"].to_dict() == {"late": 48, "guess": 40}
    assert table.loc["guess", "low"] < 0 < table.loc["guess", "high"]


def test_unusable_data_are_refused():
    X, y, artists = draw(np.random.default_rng(8), n_artists=4)
    with raises(StatsError, "shape", value=15):
        correlate(X[:-1], y, artists)
    with raises(StatsError, "too_few", value=2):
        correlate(X, y, artists // 2)
