"""Contrasts, marginal means and slopes, and their corrections."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from expect import raises
from scipy import stats

from groove_utils.mixed import LmmError, fit_lmm

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
SMALL = pd.read_csv(GOLDEN / "small.csv.gz")
SLOPES = "rating ~ genre * x + (1 + x | listener) + (1 | stimulus)"


@pytest.fixture(scope="module")
def result():
    return fit_lmm(SLOPES, SMALL)


def test_contrasts_are_those_of_the_coefficients(result):
    means = result.emmeans("genre", at={"x": 0})
    own = means.contrasts("reference", adjust="none").set_index("contrast").loc["jazz - funk"]
    custom = means.contrasts({"jazz - funk": [-1, 1, 0]}, adjust="none").iloc[0]
    coefficient = result.effect("genre[jazz]")
    for column in ("estimate", "se", "df", "t", "p", "low", "high"):
        assert own[column] == custom[column] == pytest.approx(coefficient[column], rel=1e-9)


def test_methods_of_contrast(result):
    means = result.emmeans("genre")
    estimate = means.table["estimate"].to_numpy()
    against = means.contrasts("reference")
    assert list(against["contrast"]) == ["jazz - funk", "rock - funk"]
    np.testing.assert_allclose(against["estimate"], estimate[1:] - estimate[0])
    centred = means.contrasts("mean")
    np.testing.assert_allclose(centred["estimate"], estimate - estimate.mean())
    assert centred["estimate"].sum() == pytest.approx(0, abs=1e-12)


def test_corrections_are_ordered(result):
    means = result.emmeans("genre", at={"x": 1})
    p = {adjust: means.contrasts(adjust=adjust) for adjust in ("none", "holm", "tukey")}
    plain = p["none"]["p_adjusted"]
    assert (p["holm"]["p_adjusted"] >= plain).all()
    assert p["holm"]["p_adjusted"].min() == pytest.approx(min(1, 3 * plain.min()))
    assert (p["tukey"]["p_adjusted"] >= plain).all()
    # simultaneous intervals exclude 0 exactly if the corrected p is below .05
    table = p["tukey"]
    outside = (table["low"] > 0) | (table["high"] < 0)
    assert (outside == (table["p_adjusted"] < 0.05)).all()
    assert (table["high"] - table["low"] > p["none"]["high"] - p["none"]["low"]).all()


def test_equivalence_is_two_one_sided_t_tests(result):
    trends = result.emtrends("x", "genre")
    plain = trends.contrasts(adjust="none", equivalence=0.3)
    for row in plain.itertuples():
        t = np.array([row.estimate + 0.3, -(row.estimate - 0.3)]) / row.se
        assert row.p_equivalence == pytest.approx(stats.t.sf(t, row.df).max())
    smallest = plain["p_equivalence"].min()
    for adjust in ("holm", "tukey"):
        table = trends.contrasts(adjust=adjust, equivalence=0.3)
        assert table["p_equivalence"].min() == pytest.approx(min(1, 3 * smallest))
        assert (table["p_equivalence"] >= plain["p_equivalence"]).all()
    assert (trends.contrasts(equivalence=5.0)["p_equivalence"] < 0.001).all()
    assert "p_equivalence" not in trends.contrasts()


@pytest.mark.parametrize(
    ("call", "kind", "column"),
    [
        (lambda r: r.emmeans("taste"), "unknown", "variable of the fixed part"),
        (lambda r: r.emmeans("x"), "missing_values_at", "x"),
        (lambda r: r.emmeans("genre", at={"tempo": 1}), "unknown", "variable of the fixed part"),
        (lambda r: r.emmeans("genre", at={"genre": "disco"}), "unknown_level", "genre"),
        (lambda r: r.emmeans("genre", level=95), "out_of_range", "level"),
        (lambda r: r.emtrends("genre"), "unknown", "numeric variable"),
        (lambda r: r.emmeans("genre").contrasts(adjust="scheffe"), "unknown", "adjust"),
        (lambda r: r.emmeans("genre").contrasts("all"), "unknown", "method"),
        (
            lambda r: r.emmeans("genre").contrasts("mean", "tukey"),
            "unknown",
            "method for Tukey's correction",
        ),
        (lambda r: r.emmeans("genre").contrasts({"a": [1, -1]}), "n_weights", "a"),
        (lambda r: r.emmeans("genre").contrasts(equivalence=0), "out_of_range", "equivalence"),
        (lambda r: r.emtrends("x").contrasts(), "single_cell", None),
    ],
)
def test_requests_that_make_no_sense(result, call, kind, column):
    with raises(LmmError, kind, column=column):
        call(result)
