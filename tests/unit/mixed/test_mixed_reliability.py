"""Reliability compared with Shrout & Fleiss (1979), pingouin, and simulated truth."""

import numpy as np
import pandas as pd
import pingouin
import pytest
from expect import raises

from groove_utils.mixed import (
    LmmError,
    icc,
    noise_ceiling,
    normalise_by_ceiling,
    rater_curve,
    split_half,
)

# Shrout & Fleiss (1979), table 2: six targets (rows) and four judges
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]],
    dtype=float,
)


def _long(matrix):
    """Convert an array (listeners, songs) to a table with one row per rating."""
    frame = pd.DataFrame(matrix).rename_axis("listener_id").reset_index()
    return frame.melt("listener_id", var_name="track_id", value_name="rating").dropna()


def _simulate(songs, listeners, variances, seed, keep=1.0):
    rng = np.random.default_rng(seed)
    song, listener, residual = np.sqrt(variances)
    matrix = 50 + rng.normal(0, song, songs) + rng.normal(0, listener, listeners)[:, None]
    matrix = matrix + rng.normal(0, residual, (listeners, songs))
    return np.where(rng.random(matrix.shape) < keep, matrix, np.nan)


def test_shrout_and_fleiss_worked_example():
    table = icc(SHROUT_FLEISS.T).set_index("type")
    # ICC(2,1) .29, ICC(3,1) .71, ICC(2,4) .62, ICC(3,4) .91 in their table 4
    assert table["estimate"].round(2).to_dict() == {
        "C,1": 0.71, "A,1": 0.29, "C,k": 0.91, "A,k": 0.62
    }  # fmt: skip
    assert table.loc["C,1", ["low", "high"]].round(2).tolist() == [0.34, 0.95]
    assert table.loc["A,1", ["low", "high"]].round(2).tolist() == [0.02, 0.76]


@pytest.mark.parametrize("seed", range(3))
def test_balanced_icc_equals_pingouin(seed):
    matrix = _simulate(25, 9, (4.0, 1.0, 6.0), seed)
    theirs = pingouin.intraclass_corr(
        _long(matrix), targets="track_id", raters="listener_id", ratings="rating"
    ).set_index("Type")
    for row in icc(matrix).itertuples():
        other = theirs.loc[f"ICC({row.type})"]
        assert row.estimate == pytest.approx(other["ICC"], abs=1e-9)
        np.testing.assert_allclose([row.low, row.high], np.asarray(other["CI95"]), atol=0.0051)


@pytest.mark.weekly
def test_incomplete_icc_has_the_truth_in_its_interval():
    inside = []
    for seed in range(20):
        table = icc(_simulate(30, 16, (2.0, 1.0, 4.0), seed, keep=0.5)).set_index("type")
        truth = {"C,1": 2 / 6, "A,1": 2 / 7}
        inside += [table.low[t] <= value <= table.high[t] for t, value in truth.items()]
        assert (table["low"] <= table["estimate"]).all()
        assert (table["estimate"] <= table["high"]).all()
    assert np.mean(inside) >= 0.85


def test_the_ceiling_is_the_r2_of_a_perfect_account():
    reached, estimated = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        truth = rng.normal(0, 2, 60)
        level = rng.normal(0, 3, 40)[:, None]
        matrix = truth + level + rng.normal(0, 4, (40, 60))
        matrix[rng.random(matrix.shape) > 0.4] = np.nan  # listeners' levels influence the means
        means = np.nanmean(matrix, axis=0)
        centred = means - means.mean()
        error = centred - (truth - truth.mean())
        reached.append(1 - (error**2).sum() / (centred**2).sum())
        table = noise_ceiling(matrix, n_splits=50, n_boot=50).set_index("method")
        estimated.append(table.loc[["song means", "split-half"], "estimate"].tolist())
    assert np.mean(reached) == pytest.approx(np.mean(estimated, axis=0)[0], abs=0.03)
    assert np.mean(reached) == pytest.approx(np.mean(estimated, axis=0)[1], abs=0.04)


def test_complete_design_ceiling_is_consistency_of_the_mean():
    matrix = _simulate(40, 12, (2.0, 5.0, 6.0), 1)
    table = noise_ceiling(matrix).set_index("method")
    for column in ("estimate", "low", "high"):
        assert table[column]["song means"] == pytest.approx(table[column]["ICC(C,k)"], abs=1e-9)
    assert table["estimate"]["split-half"] == pytest.approx(
        table["estimate"]["song means"], abs=0.03
    )


def test_split_half_of_a_two_listener_panel_is_spearman_brown():
    matrix = _simulate(30, 2, (3.0, 1.0, 2.0), 0)
    r = np.corrcoef(matrix)[0, 1]
    found = split_half(matrix, n_splits=10, n_boot=20)
    assert found["half"] == pytest.approx(r)
    assert found["estimate"] == pytest.approx(2 * r / (1 + r))


def test_queries_are_taken_one_by_one():
    both = pd.concat(
        [
            _long(_simulate(20, 8, (4, 1, 4), seed)).assign(query=q)
            for seed, q in enumerate(["dance", "listen"])
        ]
    )
    table = noise_ceiling(both, n_splits=20, n_boot=20)
    assert table.groupby("query").size().to_dict() == {"dance": 6, "listen": 6}
    alone = noise_ceiling(
        both[both["query"] == "listen"].drop(columns="query"), n_splits=20, n_boot=20
    )
    np.testing.assert_allclose(
        table[table["query"] == "listen"]["estimate"], alone["estimate"], rtol=1e-12
    )


def test_rater_curve_follows_from_the_variances_in_both_designs():
    matrix = _simulate(300, 40, (2.0, 3.0, 8.0), 3)
    table = rater_curve(matrix, [1, 5, 20, 60], n_draws=40)
    curve = {raters: part.set_index("k") for raters, part in table.groupby("raters")}
    k = curve["the same"].index.to_numpy()
    np.testing.assert_allclose(curve["the same"]["reliability"], 2 * k / (2 * k + 8), atol=0.06)
    np.testing.assert_allclose(curve["different"]["reliability"], 2 * k / (2 * k + 11), atol=0.06)
    # separate panels for each song show the effect of other raters on the means
    gap = curve["different"]["observed"] - curve["different"]["reliability"]
    assert gap.abs().max() < 0.04
    assert np.isnan(curve["different"]["observed"][60])
    assert curve["the same"]["observed"].isna().all()
    assert (table["low"] < table["reliability"]).all()
    with raises(LmmError, "out_of_range", column="n_raters", value=0):
        rater_curve(matrix, [0])


def test_an_incomplete_design_reaches_what_its_own_raters_allow():
    """For 5 of 2,000 raters per song, a perfect model reaches the curve for different raters."""
    rng, reached = np.random.default_rng(2), []
    for _ in range(40):
        truth, level = rng.normal(0, 1, 300), rng.normal(0, 1.5, 2000)
        panels = level[rng.integers(0, 2000, (300, 5))] + rng.normal(0, 2, (300, 5))
        reached.append(np.corrcoef(truth, truth + panels.mean(axis=1))[0, 1] ** 2)
    same, different = 1 / (1 + 4 / 5), 1 / (1 + (2.25 + 4) / 5)
    assert np.mean(reached) == pytest.approx(different, abs=0.03)
    assert np.mean(reached) < same - 0.05


def test_ceiling_normalised_scores():
    ceiling = pd.DataFrame(
        {
            "query": ["dance"],
            "method": ["song means"],
            "estimate": [0.8],
            "low": [0.7],
            "high": [0.9],
        }
    )
    scores = pd.DataFrame({"target": ["dance", "party"], "r2": [0.4, 0.2]})
    found = normalise_by_ceiling(scores, ceiling).set_index("target")
    assert found.loc["dance", "r2_normalised"] == pytest.approx(0.5)
    assert found.loc["dance", "r2_normalised_low"] == pytest.approx(0.4 / 0.9)
    assert found.loc["dance", "r2_normalised_high"] == pytest.approx(0.4 / 0.7)
    assert found.loc["party"].isna()[["ceiling", "r2_normalised"]].all()


def test_incomplete_icc_of_one_seed_stays_as_it_is():
    table = icc(_simulate(30, 16, (2.0, 1.0, 4.0), 0, keep=0.5)).set_index("type")
    assert table.loc["C,1", ["estimate", "low", "high"]].tolist() == pytest.approx(
        [0.19725, 0.08923, 0.35222], abs=1e-4
    )
    assert table.loc["A,1", ["estimate", "low", "high"]].tolist() == pytest.approx(
        [0.18296, 0.08197, 0.33187], abs=1e-4
    )
