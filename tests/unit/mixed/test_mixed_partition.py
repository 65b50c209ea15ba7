"""Partitions of the variance."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import quiet_fit, simulate_ratings

from groove_utils.mixed import LmmWarning, fit_lmm, partition_by_question, variance_partition

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
SMALL = pd.read_csv(GOLDEN / "small.csv.gz")
CROSSED = "(1 | listener_id) + (1 | track_id)"


@pytest.mark.parametrize("random", ["(1 | listener)", "(1 + x | listener)"])
def test_variance_partition_adds_to_one(random):
    result = fit_lmm(f"rating ~ genre * x + {random} + (1 | stimulus)", SMALL)
    table = variance_partition(result)
    assert table["share"].sum() == pytest.approx(1, abs=1e-12)
    assert list(table["part"]) == ["genre", "x", "genre:x", "listener", "stimulus", "Residual"]
    fixed = table.loc[table["kind"] == "fixed", "share"].sum()
    assert fixed == pytest.approx(result.r2()["marginal"], abs=1e-12)


def test_variance_partition_finds_simulated_shares():
    data = simulate_ratings(
        150, 150, 40, effect=0.6, sd_listener=0.7, sd_song=0.5, sd_residual=1.0, seed=1
    )
    result = quiet_fit(f"rating ~ x + {CROSSED}", data)
    table = variance_partition(result).set_index("part")["variance"]
    truth = {"x": 0.6**2, "listener_id": 0.49, "track_id": 0.25, "Residual": 1.0}
    for part, variance in truth.items():
        assert table[part] == pytest.approx(variance, rel=0.35)


def test_partitions_add_to_one_and_overlapping_terms_are_joined():
    answers = pd.concat(
        simulate_ratings(40, 30, 15, effect=slope, seed=0).assign(question=question)
        for question, slope in (("dance", 0.8), ("party", 0.5))
    )
    plain = partition_by_question(f"rating ~ x + {CROSSED}", answers)
    assert list(plain.columns) == ["x", "listener_id", "track_id", "Residual"]
    assert list(plain.index) == ["dance", "party"]
    np.testing.assert_allclose(plain.sum(axis=1), 1)
    # a covariate that is the predictor plus noise competes with it
    noise = np.random.default_rng(3).normal(0, 0.3, 30)
    rival = answers["x"] + noise[answers["track_id"].str[1:].astype(int)]
    formula = f"rating ~ x + rival + {CROSSED}"
    with pytest.warns(LmmWarning, match="nearly determined"):
        joined = partition_by_question(formula, answers.assign(rival=rival))
    assert list(joined.columns) == ["x and rival", "listener_id", "track_id", "Residual"]
    assert (joined >= 0).all(axis=None)
    np.testing.assert_allclose(joined.sum(axis=1), 1)
