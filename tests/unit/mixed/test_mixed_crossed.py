"""Variance components of crossed ratings, and comparison of simulated with real ratings."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from crossed_ratings import demo_songs, quiet_fit, simulate_ratings
from expect import raises

from groove_utils.mixed import (
    LmmError,
    crossed_variances,
    icc,
    noise_ceiling,
    rating_variances,
    simulation_table,
    split_half,
)
from groove_utils.synth import default_effects, simulate_listeners

# Shrout & Fleiss (1979), table 2: six targets (columns here) and four judges
SHROUT_FLEISS = np.array([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4],
                          [8, 2, 8, 6, 9, 7]], dtype=float)  # fmt: skip


def long(matrix):
    """Convert an array (listeners, songs) to a table with one row per rating."""
    frame = pd.DataFrame(matrix).rename_axis("listener_id").reset_index()
    return frame.melt("listener_id", var_name="track_id", value_name="rating").dropna()


def test_equal_to_anova_where_balanced():
    # expected mean squares: (MSR − MSE)/k, (MSC − MSE)/n, MSE of their table 3
    expected = [(11.24 - 1.02) / 4, (32.49 - 1.02) / 6, 1.02]
    np.testing.assert_allclose(rating_variances(SHROUT_FLEISS), expected, atol=0.01)
    np.testing.assert_allclose(rating_variances(long(SHROUT_FLEISS)), expected, atol=0.01)


def test_listeners_of_one_level_leave_the_components_of_the_anova():
    """Unlike ANOVA, REML would set a negative listener variance to 0 and change the others."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(0, 1, (9, 20)) + rng.normal(0, 1, 20)
    matrix -= matrix.mean(axis=1, keepdims=True)  # standardised within listeners
    song, listener, residual = rating_variances(matrix)
    assert listener == 0
    ratio = icc(matrix).set_index("type")["estimate"]["C,1"]
    assert song / (song + residual) == pytest.approx(ratio, abs=1e-12)
    ceiling = noise_ceiling(matrix, n_splits=2, n_boot=2).set_index("method")["estimate"]
    assert ceiling["song means"] == pytest.approx(song / (song + residual / 9), abs=1e-12)
    song, listener, residual = rating_variances(rng.permuted(matrix, axis=1))
    assert min(song, listener) >= 0


@pytest.mark.parametrize("sd_song", [0.01, 0.3, 3])
def test_a_complete_design_gives_the_ceiling_of_its_components(sd_song):
    rng = np.random.default_rng(1)
    matrix = rng.normal(0, 1, (5, 13)) + sd_song * rng.normal(size=13) + rng.normal(size=(5, 1))
    song, _, residual = rating_variances(matrix)
    ceiling = noise_ceiling(matrix, n_splits=2, n_boot=2).set_index("method")["estimate"]
    assert ceiling["song means"] == pytest.approx(song / (song + residual / 5), abs=1e-10)


def test_halves_of_listeners_do_not_depend_on_the_order_of_rows():
    data = simulate_ratings(10, 14, 8, effect=0.0, sd_song=2.0, sd_listener=1.5, seed=4)
    shuffled = data.sample(frac=1, random_state=1)
    one, other = (split_half(rows, n_splits=1, n_boot=2) for rows in (data, shuffled))
    assert one["estimate"] == pytest.approx(other["estimate"], abs=1e-12)


def test_equal_to_statsmodels_and_fit_lmm_when_incomplete():
    data = simulate_ratings(10, 14, 8, effect=0.0, sd_song=2.0, sd_listener=1.5, seed=4)
    data["all"] = 1
    parts = {"song": "0 + C(track_id)", "listener": "0 + C(listener_id)"}
    fit = smf.mixedlm("rating ~ 1", data, groups="all", vc_formula=parts).fit(reml=True)
    theirs = dict(zip(fit.model.exog_vc.names, fit.vcomp, strict=True)) | {"residual": fit.scale}
    ours = rating_variances(data)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, rel=2e-3)
    by_lmm = quiet_fit("rating ~ 1 + (1 | track_id) + (1 | listener_id)", data).mean_variances()
    np.testing.assert_allclose(ours, by_lmm[["track_id", "listener_id", "Residual"]], rtol=1e-6)
    renamed = data.rename(columns={"track_id": "track", "listener_id": "listener"})
    table = crossed_variances(renamed)
    assert table["ICC(C,1)"] == ours["song"] / (ours["song"] + ours["residual"])
    np.testing.assert_allclose(table.iloc[:3], ours)


def test_ratings_that_cannot_be_used():
    ratings = long(SHROUT_FLEISS)
    means = pd.DataFrame({"track_id": ["a", "b", "c"], "query": "dance", "rating": [1.0, 2, 3]})
    with raises(LmmError, "missing_column", column="listener_id"):
        rating_variances(means)
    with raises(LmmError, "several_queries", column="query"):
        rating_variances(ratings.assign(query=["dance", "party"] * 12))
    with raises(LmmError, "duplicate_rating", column="track_id", value=0):
        rating_variances(pd.concat([ratings, ratings.iloc[:1]]))
    with raises(LmmError, "too_few", value=(2, 4)):
        rating_variances(np.ones((4, 2)))
    with raises(LmmError, "one_row_per_level", column="listener"):  # each rated one song
        rating_variances(np.where(np.eye(4), 1.0, np.nan) + np.arange(4))
    with raises(LmmError, "too_few", value=5):
        rating_variances(np.where(np.eye(4) + np.eye(4, k=3), 1.0, np.nan) + np.arange(4))
    with raises(LmmError, "not_finite", column="rating"):
        rating_variances(ratings.assign(rating=np.inf))
    additive = np.add.outer([0.0, 1.0, 5.0], [1.0, 4.0, 2.0, 3.0])
    with raises(LmmError, "exact_fit", column="rating"):
        rating_variances(additive)
    additive[0, 0] = np.nan
    with raises(LmmError, "exact_fit", column="rating"):
        icc(additive)
    for incomplete in (False, True):
        same = np.ones((4, 5))
        same[0, 0] = np.nan if incomplete else 1.0
        with raises(LmmError, "constant_response", column="rating"):
            icc(same)


@pytest.fixture(scope="module")
def songs():
    return demo_songs()


def test_a_simple_truth_is_recovered(songs):
    off = [t for t in default_effects().fixed.index if t != "intercept"]
    effects = default_effects().without(*off, "slope_syncopation", "style_bias")
    parts = []
    for seed in range(8):
        ratings = simulate_listeners(songs, effects, seed, discrete=False).ratings
        parts.append(rating_variances(ratings[ratings["query"] == "party"]))
    parts = pd.DataFrame(parts)
    for name in ("song", "listener", "residual"):
        truth = effects.sd.loc[name, "party"] ** 2
        assert abs(parts[name].mean() - truth) < 4 * parts[name].std() / np.sqrt(8)


def test_spreads_are_near_those_of_real_listeners(songs):
    ratings = [simulate_listeners(songs, seed=seed).ratings for seed in range(3)]
    table = pd.concat(simulation_table(own) for own in ratings)
    mean = table.groupby(["quantity", "question"])["simulated"].mean()
    assert 0.14 <= mean["ICC(C,1): song / (song + residual)", "dance"] <= 0.26
    assert 0.82 <= mean["reliability of a song's mean over 30 raters", "dance"] <= 0.92
    assert 0.70 <= mean["correlation of song means", "dance–listen"] <= 0.90
    assert abs(mean["SD of song means", "groove"] - 0.43) < 0.08
    with raises(LmmError, "missing_column", column="listener_id"):
        simulation_table(ratings[0].drop(columns="listener_id"))


def test_the_correlation_of_residuals_is_that_of_two_way_analyses_of_variance(songs):
    ratings = simulate_listeners(songs, seed=1).ratings
    rows = ratings[ratings["listener_id"] < "L020"]
    wide = rows.pivot(index=["track_id", "listener_id"], columns="query", values="rating")
    wide = wide[["dance", "listen"]].dropna().reset_index()
    dummies = pd.get_dummies(wide[["track_id", "listener_id"]], dtype=float).to_numpy()
    y = wide[["dance", "listen"]].to_numpy()
    residuals = y - dummies @ np.linalg.lstsq(dummies, y, rcond=None)[0]
    table = simulation_table(rows).set_index("quantity")["simulated"]
    single = table["ICC(C,1): song / (song + residual)"].tolist()  # dance, then listen
    of_query = [icc(rows[rows["query"] == q]).set_index("type") for q in ("dance", "listen")]
    assert single == pytest.approx([one.loc["C,1", "estimate"] for one in of_query], abs=1e-6)
    expected = np.corrcoef(residuals.T)[0, 1]
    assert table["correlation of residuals (listener × song)"] == pytest.approx(expected, abs=1e-6)
