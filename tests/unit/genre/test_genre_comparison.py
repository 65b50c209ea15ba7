"""Differences in accuracy with simulated effects of bands and of trainings."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from groove_utils.genre import accuracy_by_seed, accuracy_differences


def make_predictions(chances, n_bands=24, n_clips=6, seed=0):
    """Draw predictions; `chances` has the share of correct ones by network and seed."""
    rng = np.random.default_rng(seed)
    rows = []
    for network, per_seed in chances.items():
        for number, chance in enumerate(per_seed):
            for band in range(n_bands):
                right = rng.random(n_clips) < chance
                rows.append(
                    pd.DataFrame({
                        "artist": f"band {band}", "style": "a", "network": network,
                        "seed": number, "split": "test", "p_a": right * 1.0, "p_b": 0.5,
                    })
                )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def test_differences_are_those_of_the_accuracies():
    table = make_predictions({"x": [0.9, 0.8, 0.9], "y": [0.5, 0.4, 0.5]})
    shares = accuracy_by_seed(table)
    assert list(shares.columns) == [0, 1, 2]
    gaps = accuracy_differences(table, {"gap": ("x", "y"), "back": ("y", "x"), "none": ("x", "x")})
    row = gaps.loc["gap"]
    assert row["difference"] == pytest.approx((shares.loc["x"] - shares.loc["y"]).mean())
    assert row["low"] > 0.1
    assert (row["n_bands"], row["n_seeds"]) == (24, 3)
    assert gaps.loc["back", ["low", "high"]].tolist() == pytest.approx([-row["high"], -row["low"]])
    assert gaps.loc["none", ["difference", "low", "high"]].tolist() == [0, 0, 0]
    assert row["p_holm"] == pytest.approx(min(1, 3 * row["p"]))


def test_trainings_that_disagree_widen_the_interval():
    """Simulate differences that are equal for all bands, but not for all three trainings."""
    table = make_predictions({"x": [0.9, 0.9, 0.9], "y": [0.55, 0.85, 0.9]}, n_clips=60)
    row = accuracy_differences(table, {"gap": ("x", "y")}).loc["gap"]
    per_seed = accuracy_by_seed(table).diff().loc["y"]
    over_seeds = stats.ttest_1samp(per_seed, 0).confidence_interval()
    assert row["low"] < 0 < row["high"]
    assert row["high"] - row["low"] == pytest.approx(over_seeds.high - over_seeds.low, rel=0.05)


def test_splits_may_test_different_bands():
    table = make_predictions({"x": [0.9, 0.9], "y": [0.5, 0.5]})
    table = table[(table["network"] == "x") | (table["artist"] < "band 2")]
    row = accuracy_differences(table, {"gap": ("x", "y")}).loc["gap"]
    means = accuracy_by_seed(table).mean(axis=1)
    assert row["difference"] == pytest.approx(means["x"] - means["y"])
    assert row["n_bands"] == 24


def test_one_training_has_no_interval():
    table = make_predictions({"x": [0.9], "y": [0.1]})
    row = accuracy_differences(table, {"gap": ("x", "y")}).loc["gap"]
    assert row["difference"] > 0.6
    assert np.isnan(row[["low", "high", "p", "p_holm"]].astype(float)).all()
