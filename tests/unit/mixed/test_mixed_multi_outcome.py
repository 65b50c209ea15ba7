"""Several questions about the same songs: slopes, and differences between slopes."""

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import quiet_fit, simulate_questions
from expect import raises

from groove_utils.mixed import LmmError, compare_questions, slopes_by_question

SLOPES = {"dance": 0.8, "party": 0.5, "beat": 0.0}
RANDOM = "(1 + predicted | listener) + (1 | track) + (1 | artist)"


@pytest.fixture(scope="module")
def answers():
    return simulate_questions(SLOPES, seed=4)


def test_each_question_has_its_own_model(answers):
    table = slopes_by_question(answers, "predicted", RANDOM).set_index("question")
    assert list(table.index) == list(SLOPES)
    for question, slope in SLOPES.items():
        own = answers[answers["question"] == question]
        row = quiet_fit(f"rating ~ predicted + {RANDOM}", own).effect("predicted")
        assert table.loc[question, "estimate"] == pytest.approx(row["estimate"])
        assert table.loc[question, "se"] == pytest.approx(row["se"])
        assert row["estimate"] == pytest.approx(slope, abs=3 * row["se"])
    # Holm by hand: the smallest p times three, then times two
    p = table["p"].sort_values().to_numpy()
    by_hand = np.maximum.accumulate(np.minimum(p * [3, 2, 1], 1))
    np.testing.assert_allclose(np.sort(table["p_holm"]), by_hand)
    assert (table["n"] == 1600).all()
    with raises(LmmError, "constant_response"):
        slopes_by_question(answers.assign(rating=1.0), "predicted", RANDOM)


def test_differences_of_slopes_are_those_of_the_answers(answers):
    table = compare_questions(answers, "predicted", RANDOM).set_index(["first", "second"])
    assert list(table.index) == [("dance", "party"), ("dance", "beat"), ("party", "beat")]
    slopes = slopes_by_question(answers, "predicted", RANDOM).set_index("question")
    for (first, second), row in table.iterrows():
        truth = SLOPES[first] - SLOPES[second]
        assert row["estimate"] == pytest.approx(truth, abs=3 * row["se"])
        apart = slopes.loc[first, "estimate"] - slopes.loc[second, "estimate"]
        assert row["estimate"] == pytest.approx(apart, abs=row["se"])
        # half of each variance is common to two questions and cancels out
        both = np.hypot(slopes.loc[first, "se"], slopes.loc[second, "se"])
        assert row["se"] == pytest.approx(both * np.sqrt(0.5), rel=0.25)


def test_answers_that_are_alike_or_not_about_the_same_songs(answers):
    own = answers[answers["question"] == "dance"]
    copy = own.assign(question="party")
    first = own["track"].astype(int) < 20
    early, late = own[first].assign(question="early"), own[~first].assign(question="late")
    table = compare_questions(pd.concat([own, copy, early, late]), "predicted", RANDOM)
    pairs = table.set_index(["first", "second"])
    assert ("early", "late") not in pairs.index
    assert len(pairs) == 5
    assert pairs.loc[("dance", "party")].drop("n").isna().all()  # all differences are 0
    assert pairs.loc[("dance", "early"), "n"] == 40 * 20
    assert compare_questions(own, "predicted", RANDOM).empty
    with raises(LmmError, "missing_column", column="listener"):
        compare_questions(own.drop(columns="listener"), "predicted", RANDOM)


@pytest.mark.weekly
def test_questions_with_one_slope_are_rarely_apart():
    """Include artists in the model, without which intervals would be too narrow."""
    rates = {}
    for random in (RANDOM, "(1 | listener) + (1 | track)"):
        draws = (simulate_questions({"a": 0.5, "b": 0.5}, 20, 24, 4, seed=k) for k in range(200))
        p = [compare_questions(rows, "predicted", random)["p"].item() for rows in draws]
        rates[random] = (np.array(p) < 0.05).mean()
    assert rates.pop(RANDOM) < 0.09
    assert max(rates.values()) > 0.12
