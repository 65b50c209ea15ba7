"""Verdicts follow from intervals and p-values."""

import numpy as np
import pandas as pd
import pytest

from groove_utils.book.verdicts import (
    clear_rows,
    describe_additions,
    describe_difference,
    describe_gains,
    describe_ranks,
    describe_tasks,
    pick_by_p,
    pick_robust_shape,
    pick_shape,
    pick_verdict,
)

WORDS = "above", "below", "unclear"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.2, "above"), (-0.2, -0.1, "below"), (-0.1, 0.1, "unclear"), (0.0, 0.1, "unclear"),
     (np.nan, np.nan, "unclear")],
)  # fmt: skip
def test_the_sign_of_an_interval_decides(low, high, expected):
    assert pick_verdict({"low": low, "high": high}, *WORDS) == expected
    shifted = {"low": low + 1, "high": high + 1}
    assert pick_verdict(shifted, *WORDS, reference=1) == expected


def test_an_interval_inside_the_margin_is_equal():
    close = {"low": 0.01, "high": 0.04}
    assert pick_verdict(close, *WORDS, margin=0.05, equal="equal") == "equal"
    assert pick_verdict(close, *WORDS, margin=0.03, equal="equal") == "above"
    wide = {"low": -0.01, "high": 0.2}
    assert pick_verdict(wide, *WORDS, margin=0.05, equal="equal") == "unclear"
    nothing = {"low": np.nan, "high": np.nan}
    assert pick_verdict(nothing, *WORDS, margin=0.05, equal="equal") == "unclear"


def test_a_corrected_p_value_has_to_be_small_as_well():
    row = {"low": 0.1, "high": 0.2}
    for p, expected in {0.01: "above", 0.05: "unclear", np.nan: "unclear"}.items():
        assert pick_verdict({**row, "p_holm": p}, *WORDS, p="p_holm") == expected
    below = {"low": -0.2, "high": -0.1, "p_holm": 0.01}
    assert pick_verdict(below, *WORDS, p="p_holm") == "below"
    holds = {"low": -0.2, "high": 0.1, "p_holm": 0.01}
    assert pick_verdict(holds, *WORDS, p="p_holm") == "unclear"


def test_p_values_without_an_interval():
    assert pick_by_p(0.049, "clear", "unclear") == "clear"
    assert pick_by_p(0.05, "clear", "unclear") == "unclear"
    assert pick_by_p(np.nan, "clear", "unclear") == "unclear"
    assert pick_by_p(0.049, "clear", "unclear", level=0.01) == "unclear"


def test_comparisons_share_their_words():
    assert describe_difference({"low": 0.1, "high": 0.2}, "b") == "better than b"
    assert describe_difference({"low": -0.2, "high": -0.1}, "b", of="a is ") == "a is worse than b"
    row = {"low": 0.1, "high": 0.2, "p_holm": 0.06}
    assert describe_difference(row, "b", p="p_holm") == "not clearly different from b"


def test_additions_with_the_same_verdict_are_named_in_one_sentence():
    slope = {"estimate": 0.25, "low": 0.15, "high": 0.35}
    text = describe_additions([("A", ["b"], slope), ("A", ["b", "c"], slope)])
    assert text == (
        "A adds information to b (slope 0.25, 95% CI 0.15 to 0.35) "
        "and b combined with c (slope 0.25, 95% CI 0.15 to 0.35)."
    )


def test_a_slope_next_to_nothing_is_not_described():
    above, below = ({"estimate": e, "low": e - 0.1, "high": e + 0.1} for e in (0.25, -0.25))
    text = describe_additions(
        [("A", ["b", "c"], above), ("B", ["a"], below), ("C", [], above)]
    )  # fmt: skip
    assert text == (
        "A adds information to b combined with c (slope 0.25, 95% CI 0.15 to 0.35). "
        "B has the opposite sign when added to a (slope −0.25, 95% CI −0.35 to −0.15)."
    )
    assert "nothing to compare" in describe_additions([("C", [], above)])


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [((1, 2), (-2, -1), "hump"), ((-2, -1), (1, 2), "valley"), ((1, 2), (-1, 1), "unclear"),
     ((1, 2), (1, 2), "unclear")],
)  # fmt: skip
def test_a_shape_needs_two_clear_slopes(below, above, expected):
    lines = pd.DataFrame([below, above], index=["below", "above"], columns=["low", "high"])
    assert pick_shape(lines, "hump", "valley", "unclear") == expected


def test_ranks_follow_from_the_differences():
    more, alike, less = (
        {"estimate": e, "low": e - 0.1, "high": e + 0.1} for e in (0.25, 0.05, -0.25)
    )
    steps = {("a", "b"): more, ("b", "c"): alike, ("c", "d"): less}
    assert describe_ranks(steps) == (
        "a and b: a clearly more (0.25, 95% CI 0.15 to 0.35); "
        "b and c: not clearly different (0.05, 95% CI −0.05 to 0.15); "
        "c and d: d clearly more (−0.25, 95% CI −0.35 to −0.15)"
    )
    assert describe_ranks({}) == "there is only one"


def test_a_shape_has_to_hold_in_all_specifications():
    def lines(below, above):
        return pd.DataFrame([below, above], index=["below", "above"], columns=["low", "high"])

    hump, valley, flat = (
        lines(below, above)
        for below, above in [((1, 2), (-2, -1)), ((-2, -1), (1, 2)), ((1, 2), (-2, 1))]
    )
    words = "hump", "valley", "unclear", "depends"
    assert pick_robust_shape([hump, hump, hump], *words) == "hump"
    assert pick_robust_shape([valley, valley], *words) == "valley"
    assert pick_robust_shape([flat, flat], *words) == "unclear"
    for some in ([hump, flat], [flat, flat, hump], [hump, valley], [valley, flat]):
        assert pick_robust_shape(some, *words) == "depends"
    assert pick_robust_shape([hump], *words) == pick_shape(hump, *words[:3])


def test_clear_rows_by_p_and_by_sign():
    table = pd.DataFrame({"p": [0.01, 0.02, 0.05, np.nan], "r": [0.3, -0.2, 0.4, 0.9]})
    assert clear_rows(table, "p").index.tolist() == [0, 1]
    assert clear_rows(table, "p", value="r").index.tolist() == [0]
    assert clear_rows(table, "p", value="r", sign=-1).index.tolist() == [1]
    assert clear_rows(table, "p", level=0.06).index.tolist() == [0, 1, 2]


def test_gains_name_causes_and_models():
    table = pd.DataFrame(
        [("a", "tempo", 0.3, 0.01), ("b", "tempo", 0.1, 0.2), ("a", "swing", -0.4, 0.02),
         ("b", "swing", 0.2, 0.5)],
        columns=["first", "target", "difference", "p_holm"],
    )  # fmt: skip
    assert describe_gains(table, ["tempo", "swing"]) == {
        "training_gains": "tempo in 1 of 2 models (a)",
        "training_unchanged": "swing",
        "training_losses": "swing in a",
        "training_medians": (
            "The median difference over models is +0.20 for tempo and −0.10 for swing"
        ),
    }
    none = describe_gains(table.iloc[:0], ["tempo"])
    assert none["training_gains"] == "nothing that can be shown"
    assert none["training_medians"] == "There are no untrained twins to compare with"


def test_tasks_name_causes_with_clear_gains_only():
    table = pd.DataFrame(
        [("tags", "a", "tempo", 0.3, 0.01), ("tags", "b", "tempo", 0.1, 0.2),
         ("tags", "a", "swing", -0.4, 0.02), ("tags", "b", "swing", 0.2, 0.5),
         ("beats", "c", "tempo", 0.2, 0.04), ("beats", "c", "swing", 0.2, 0.04),
         ("notes", "d", "tempo", 0.2, np.nan), ("notes", "d", "swing", -0.2, 0.001)],
        columns=["task", "first", "target", "difference", "p_holm"],
    )  # fmt: skip
    expected = "tags: tempo (1 of 2 models); beats: tempo and swing; notes: none"
    assert describe_tasks(table) == expected
    assert describe_tasks(table.iloc[:0]).startswith("none")
