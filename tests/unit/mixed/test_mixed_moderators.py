"""Properties of listeners as moderators of a slope."""

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


def test_facts_whose_names_mean_something_in_a_formula():
    rows = simulate_ratings(20, 8, seed=1)
    rows = rows.rename(columns={"listener_id": "listener", "track_id": "track"})
    rng = np.random.default_rng(4)
    names = ["class", "lambda", "None", "C", "I", "scale", "poly", "log", "np", "size"]
    facts = pd.DataFrame({name: rng.normal(size=20) for name in names})
    listeners = facts.assign(listener_id=sorted(rows["listener"].unique()))
    joined, usable = join_facts(rows, listeners)
    assert usable == ["size"]
    assert len(slopes_by_fact(joined, usable, "x", "(1 | listener) + (1 | track)")) == 1


@pytest.mark.filterwarnings("ignore::groove_utils.mixed.LmmWarning")
def test_facts_that_follow_from_each_other_or_outnumber_the_listeners():
    rows = simulate_ratings(20, 8, seed=1)
    rows = rows.rename(columns={"listener_id": "listener", "track_id": "track"})
    rng = np.random.default_rng(4)
    age = rng.integers(18, 60, 20)
    facts = pd.DataFrame({"age": age, "born": 2024 - age, "years": 2 * age})
    many = pd.DataFrame(rng.normal(size=(20, 30)), columns=[f"item{k}" for k in range(30)])
    for table, expected in ((facts, ["age"]), (many, list(many)[:18])):
        listeners = table.assign(listener_id=sorted(rows["listener"].unique()))
        joined, usable = join_facts(rows, listeners)
        assert usable == expected
        changes = slopes_by_fact(joined, usable, "x", "(1 | listener) + (1 | track)")
        assert np.isfinite(changes["estimate"]).all()


def test_listeners_without_usable_facts():
    rows = simulate_ratings(10, 8, seed=1).rename(columns={"listener_id": "listener"})
    joined, facts = join_facts(
        rows, listeners_and_facts()[["listener_id", "name", "age"]], ["funk"]
    )
    assert facts == []
    pd.testing.assert_frame_equal(joined, rows)
    assert len(slopes_by_fact(joined, facts, "x", "(1 | listener)")) == 0
