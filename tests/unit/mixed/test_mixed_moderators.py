"""Facts about listeners as moderators of a slope."""

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import simulate_ratings
from expect import raises

from groove_utils.mixed import LmmError, fit_lmm, join_facts, slopes_by_fact


def listeners_and_facts(seed=3):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "listener_id": [f"L{i:04d}" for i in range(80)],
            "training": rng.normal(10, 4, 80),
            "age": 30.0,
            "shoe size": rng.normal(40, 2, 80),
            "name": "somebody",
            **{f"taste_{style}": rng.normal(4, 1, 80) for style in ("funk", "pop", "rock")},
        }
    )


def test_facts_are_joined_and_change_the_slope_as_simulated():
    listeners = listeners_and_facts()
    rows = simulate_ratings(80, 48, 24, effect=0.5, sd_slope=0.2, seed=1)
    rows = rows.rename(columns={"listener_id": "listener", "track_id": "track"})
    training = listeners.set_index("listener_id")["training"]
    training = (training - training.mean()) / training.std()
    rows["rating"] += 0.3 * rows["listener"].map(training) * rows["x"]
    joined, facts = join_facts(rows, listeners, ["funk", "pop", "rock"])
    assert facts == ["training", "taste"]
    assert len(joined) == len(rows)
    np.testing.assert_allclose(joined["training"], rows["listener"].map(training))
    one = joined.iloc[7]
    liking = listeners.set_index("listener_id").loc[one["listener"], f"taste_{one['style']}"]
    line = np.polyfit([joined["taste"].min(), joined["taste"].max()], [0, 1], 1)
    every = [listeners.set_index("listener_id").loc[who, f"taste_{style}"]
             for who, style in zip(joined["listener"], joined["style"])]  # fmt: skip
    share = (liking - min(every)) / (max(every) - min(every))
    assert np.polyval(line, one["taste"]) == pytest.approx(share)
    assert joined["taste"].std() == pytest.approx(1)
    random = "(1 + x | listener) + (1 | track)"
    table = slopes_by_fact(joined, facts, "x", random).set_index("fact")
    assert table.loc["training", "low"] < 0.3 < table.loc["training", "high"]
    assert table.loc["training", "p_holm"] < 0.001
    by_hand = fit_lmm(f"rating ~ x * training + x * taste + {random}", joined)
    assert table.loc["taste", "estimate"] == pytest.approx(
        by_hand.effect("x:taste")["estimate"], abs=1e-6
    )
    with raises(LmmError, "missing_column", column="height"):
        slopes_by_fact(joined, ["height"], "x", random)


def test_listeners_without_usable_facts():
    rows = simulate_ratings(10, 8, seed=1).rename(columns={"listener_id": "listener"})
    joined, facts = join_facts(
        rows, listeners_and_facts()[["listener_id", "name", "age"]], ["funk"]
    )
    assert facts == []
    pd.testing.assert_frame_equal(joined, rows)
    assert len(slopes_by_fact(joined, facts, "x", "(1 | listener)")) == 0
