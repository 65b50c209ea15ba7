"""Several questions about the same songs: slopes in separate models and in one."""

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import simulate_ratings

from groove_utils.mixed import compare_questions, fit_lmm

SLOPES = {"dance": 0.8, "party": 0.5, "beat": 0.0}
CROSSED = "(1 | listener) + (1 | track)"


@pytest.fixture(scope="module")
def answers():
    parts = []
    for number, (question, slope) in enumerate(SLOPES.items()):
        own = simulate_ratings(50, 40, 20, effect=slope, sd_song=0.5, seed=number)
        # the same songs for all questions
        first = simulate_ratings(50, 40, 20, seed=0).drop_duplicates("track_id")
        x = own["track_id"].map(first.set_index("track_id")["x"])
        own["rating"] += slope * (x - own["x"])
        parts.append(own.assign(x=x, question=question))
    names = {"listener_id": "listener", "track_id": "track", "x": "predicted"}
    return pd.concat(parts, ignore_index=True).rename(columns=names)


def test_questions_by_themselves_and_in_one_model(answers):
    table = compare_questions(answers)
    assert list(table["question"]) == [*SLOPES] * 2
    apart = table[table["model"] == "each by itself"].set_index("question")
    joint = table[table["model"] == "all in one model"].set_index("question")
    for question, slope in SLOPES.items():
        own = answers[answers["question"] == question]
        row = fit_lmm(f"rating ~ predicted + {CROSSED}", own).effect("predicted")
        assert apart.loc[question, "estimate"] == pytest.approx(row["estimate"])
        assert apart.loc[question, "se"] == pytest.approx(row["se"])
        assert apart.loc[question, "low"] < slope < apart.loc[question, "high"]
        assert joint.loc[question, "low"] < slope < joint.loc[question, "high"]
    # Holm by hand: the smallest p times three, then times two
    p = apart["p"].sort_values().to_numpy()
    by_hand = np.maximum.accumulate(np.minimum(p * [3, 2, 1], 1))
    np.testing.assert_allclose(np.sort(apart["p_holm"]), by_hand)
    # songs: variance .25 beyond a prediction with slope .8, and .64 · var(x) of it explained
    x = answers.drop_duplicates("track")["predicted"].var()
    assert apart.loc["dance", "explained"] == pytest.approx(0.64 * x / (0.64 * x + 0.25), abs=0.12)
    assert apart.loc["beat", "explained"] == pytest.approx(0, abs=0.05)
    assert (joint["n_apart"] == apart["n_apart"]).all()
    assert apart.loc["beat", "n_apart"] == 2
    assert apart["n_apart"].sum() % 2 == 0  # each difference counts for both


def test_two_questions_without_a_slope_do_not_set_the_others_apart(answers):
    """Differences from a mean over all questions would mark all of them."""
    own = answers[answers["question"] == "dance"]
    alike = own.assign(question="party", rating=own["rating"] + 0.5)
    none = answers[answers["question"] == "beat"]
    table = compare_questions(pd.concat([own, alike, none, none.assign(question="loud")]))
    counts = table.drop_duplicates("question").set_index("question")["n_apart"]
    assert counts.to_dict() == {"dance": 2, "party": 2, "beat": 2, "loud": 2}


def test_a_single_question_is_compared_with_none(answers):
    table = compare_questions(answers[answers["question"] == "dance"])
    assert list(table["model"]) == ["each by itself"]
    assert table["p_holm"].item() == table["p"].item()
    assert "n_apart" not in table
