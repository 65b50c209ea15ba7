"""Summary tables of the scores of probes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.book.errors import BookError
from groove_utils.book.summaries import (
    by_setting,
    ceiling_bands,
    control_table,
    mark_test_only,
    rated_targets,
    row_of,
    score_table,
    settings_table,
    shape_table,
    text_table,
)
from groove_utils.probe import Protocol, nested_ridge, paper_protocol


class OneStudy:
    """Song means for three questions, of which one has no ratings for one song."""

    queries = ("liking", "groove", "fame")

    def song_means(self, query):
        values = [1.0, 2.0, np.nan] if query == "fame" else [1.0, 2.0, 3.0]
        return pd.Series(values, index=list("abc"))


@pytest.fixture(scope="module")
def probes():
    rng = np.random.default_rng(0)
    X, artists = rng.standard_normal((48, 6)), np.repeat(np.arange(16), 3)
    y = pd.DataFrame({"groove": X[:, 0] + 0.3 * rng.standard_normal(48), "party": rng.random(48)})
    protocol = Protocol(n_repeats=2, seed=1)
    good, bad = (nested_ridge(x, y, artists, protocol=protocol) for x in (X, -(X**2)))
    return X, y, {"good": good, "bad": bad}


def test_only_questions_that_every_song_was_rated_on():
    assert rated_targets(OneStudy(), ["groove", "fame", "dance"]) == ["groove"]
    assert rated_targets(OneStudy(), ["dance"]) == ["liking", "groove"]


def test_scores_stand_in_one_table(probes):
    _, _, results = probes
    table = score_table(results, n_boot=50)
    assert list(table["model"]) == ["good", "good", "bad", "bad"]
    assert set(table["score"]) == {"r2"}
    expected = results["bad"].scores().set_index("target")["r2"]
    found = table[table["model"] == "bad"].set_index("target")["estimate"]
    assert found.to_dict() == pytest.approx(expected.to_dict())


def test_text_is_that_of_the_paper(probes):
    X, y, _ = probes
    result = paper_protocol(X, y)
    text = text_table({"it": result}).loc["it", "groove"]
    scores = result.scores().set_index("target").loc["groove"]
    assert text == f"{scores['fold_r2']:.2f}\xa0±\xa0{scores['fold_r2_sd']:.2f}"


def test_wild_scores_are_short_and_zero_has_no_sign():
    class Result:
        def scores(self):
            return pd.DataFrame({"target": ["a", "b"], "fold_r2": [-1234.5, -0.001],
                                 "fold_r2_sd": [100.4, 0.2]})  # fmt: skip

    row = text_table({"x": Result()}).loc["x"]
    assert row["a"] == "−1,234\xa0±\xa0100"
    assert row["b"] == "0.00\xa0±\xa00.20"


def test_settings_and_controls_have_one_form(probes):
    _, _, results = probes
    table = settings_table({"one": results, "two": {"good": results["good"]}})
    assert len(table) == 6
    control = pd.DataFrame({"control": ["noise", "noise", "projection"], "draw": [0, 1, 0],
                            "target": "groove", "r2": [0.1, 0.3, 0.9]})  # fmt: skip
    names = {"noise": "noise of size 3", "projection": "3 directions"}
    mean = control_table({"m": control}, names)
    assert mean["setting"].tolist() == ["noise of size 3", "3 directions"]
    assert mean["estimate"].tolist() == pytest.approx([0.2, 0.9])
    assert set(mean.columns) <= set(table.columns)


def test_settings_of_one_question_stand_side_by_side(probes):
    _, _, results = probes
    table = settings_table({"wide": results, "narrow": {"good": results["bad"]}}, "fold_r2")
    square = by_setting(table, "party")
    assert list(square.columns) == ["wide", "narrow"]  # in the given, not in alphabetical order
    expected = results["bad"].scores().set_index("target").loc["party", "fold_r2"]
    assert square.loc["bad", "wide"] == square.loc["good", "narrow"] == expected
    assert np.isnan(square.loc["bad", "narrow"])


def test_one_row_is_one_row():
    table = pd.DataFrame({"target": ["a", "a", "b"], "part": ["x", "y", "x"], "r2": [1, 2, 3]})
    assert row_of(table, target="a", part="y")["r2"] == 2
    assert row_of(table, target="b")["r2"] == 3
    for target, count in (("a", 2), ("c", 0)):
        with raises(BookError, "not_one_row", value=count):
            row_of(table, target=target)


def test_bands_are_the_ceilings_of_song_means():
    ceilings = pd.DataFrame(
        {"query": ["groove", "groove", "party"], "method": ["song means", "ICC(C,1)", "song means"],
         "low": [0.7, 0.1, 0.6], "high": [0.9, 0.2, 0.8]}
    )  # fmt: skip
    assert ceiling_bands(None) is None
    assert list(ceiling_bands(ceilings)["target"]) == ["groove", "party"]
    only = ceiling_bands(ceilings, ["party"])
    assert only[["low", "high"]].to_numpy().tolist() == [[0.6, 0.8]]


def test_intervals_over_test_songs_are_marked_next_to_others(probes):
    _, _, results = probes
    narrow = replace(results["good"], leave_artist_out=None)
    scores = score_table({"ridge": results["good"], "trees": narrow}, n_boot=50)
    marked = mark_test_only(scores)
    assert list(marked["model"]) == ["ridge"] * 2 + ["trees (test songs only)"] * 2
    assert list(scores["model"]) == ["ridge"] * 2 + ["trees"] * 2
    for refit in (True, False):  # if all intervals are of one kind, none is marked
        alike = scores[scores["refit"] == refit]
        assert list(mark_test_only(alike)["model"]) == list(alike["model"])


def test_shapes_follow_from_the_slopes_on_both_sides():
    slopes = {"estimate": [0.142, -0.44], "low": [0.03, -0.78], "high": [0.24, -0.11]}
    sides = pd.Index(["below", "above"], name="side")
    hump = pd.DataFrame(slopes | {"n_songs": [116, 28], "n_artists": [47, 16]}, index=sides)
    rising = hump.assign(high=[0.24, 0.07])
    table = shape_table({"density": hump, "style": rising})
    assert table["shape"].tolist() == ["inverted U", "unclear"]
    assert table.loc["density", "below"] == "0.14 (0.03 to 0.24)"
    assert table.loc["style", "above"] == "−0.44 (−0.78 to 0.07)"
    assert table.loc["density", ["songs above", "artists above"]].tolist() == [28, 16]
