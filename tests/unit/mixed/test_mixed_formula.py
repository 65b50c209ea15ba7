"""Formulas: random-effect terms, transforms and their state, factors, and rejected formulas."""

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import simulate_ratings
from expect import raises

from groove_utils.mixed import LmmError, fit_lmm
from groove_utils.mixed.design import build_frame
from groove_utils.mixed.formula import split_formula, variables

CROSSED = "(1 | listener_id) + (1 | track_id)"


@pytest.fixture(scope="module")
def ratings():
    data = simulate_ratings(24, 18, 12, effect=0.5, seed=3)
    return data.assign(tempo=110 + 20 * data["x"], block=data.index % 3 + 1)


def test_formulas_are_split():
    formula = "np.log(y) ~ a * b + (1 + x || g) + C(s, contr.sum) + (1 | h / k)"
    assert split_formula(formula) == (
        "np.log(y)",
        "a * b + C(s, contr.sum)",
        [("1 + x", "g", False), ("1", "h", True), ("1", "h:k", True)],
    )
    assert split_formula("y ~ (1|g)")[1] == "1"
    assert split_formula("y ~ (1 | g) + x - 1")[1] == "x - 1"
    assert split_formula("y ~ 0 + a + (1 | g:h)") == ("y", "0 + a", [("1", "g:h", True)])


@pytest.mark.parametrize(
    ("part", "columns"),
    [
        ("0 + x", {"x"}),
        ("poly(np.abs(x), 2) * bs(z, df=4)", {"x", "z"}),
        ("C(style, contr.treatment('rock')):x", {"style", "x"}),
        ("I(x**2) + {x + y} + x.clip(0)", {"x", "y"}),
        ("`shoe size` + a / b", {"shoe size", "a", "b"}),
    ],
)
def test_variables_are_those_of_the_table(part, columns):
    assert variables(part) == columns


@pytest.mark.parametrize(
    ("fixed", "names"),
    [
        ("scale(tempo)", ["Intercept", "scale(tempo)"]),
        ("poly(tempo, 2)", ["Intercept", "poly(tempo, 2)[1]", "poly(tempo, 2)[2]"]),
        ("bs(tempo, df=4) * style", None),
        ("scale(tempo) * style", None),
        ("style - 1", ["style[funk]", "style[pop]", "style[rock]"]),
        ("style / x", ["Intercept", "style[pop]", "style[rock]",
                       "style[funk]:x", "style[pop]:x", "style[rock]:x"]),
        ("np.log(tempo) + I(x**2)", ["Intercept", "np.log(tempo)", "I(x ** 2)"]),
    ],
)  # fmt: skip
def test_transforms_remember_the_rows_of_the_fit(ratings, fixed, names):
    frame = build_frame(f"rating ~ {fixed} + {CROSSED}", ratings)
    assert names is None or frame.names == names
    some = ratings.iloc[[5, 40, 41]]
    np.testing.assert_allclose(frame.fixed_design(some), frame.X[[5, 40, 41]], atol=1e-10)


def test_transformed_predictors_fit_as_columns_made_by_hand(ratings):
    by_hand = ratings.assign(tempo=(ratings["tempo"] - ratings["tempo"].mean()))
    by_hand["tempo"] /= ratings["tempo"].std()
    formula = "rating ~ {0} + (1 + {0} | listener_id) + (1 | track_id)"
    one = fit_lmm(formula.format("scale(tempo)"), ratings)
    other = fit_lmm(formula.format("tempo"), by_hand)
    assert one.loglik == pytest.approx(other.loglik, abs=1e-6)
    np.testing.assert_allclose(one.predict()["estimate"], other.predict()["estimate"], atol=1e-5)
    # orthonormal polynomials span what powers span
    curve = fit_lmm(f"rating ~ poly(x, 2) + {CROSSED}", ratings, reml=False)
    powers = fit_lmm(f"rating ~ x + I(x**2) + {CROSSED}", ratings, reml=False)
    assert curve.loglik == pytest.approx(powers.loglik, abs=1e-6)
    assert list(curve.type3()["term"]) == ["poly(x, 2)"]
    slope = curve.emtrends("x", at={"x": 0.7}).table["estimate"].item()
    assert slope == pytest.approx(powers.beta[1] + 2 * 0.7 * powers.beta[2], rel=1e-4)


def test_the_response_may_be_transformed(ratings):
    data = ratings.assign(rating=np.exp(ratings["rating"]))
    one = fit_lmm(f"np.log(rating) ~ x + {CROSSED}", data)
    np.testing.assert_allclose(one.beta, fit_lmm(f"rating ~ x + {CROSSED}", ratings).beta)


def test_crossed_columns_make_a_factor(ratings):
    pair = ratings.assign(pair=ratings["style"] + ":" + ratings["block"].astype(str))
    one = fit_lmm(f"rating ~ x + {CROSSED} + (1 | style:block)", ratings)
    other = fit_lmm(f"rating ~ x + {CROSSED} + (1 | pair)", pair)
    assert one.loglik == pytest.approx(other.loglik)
    assert one.n_groups["style:block"] == 9


@pytest.mark.parametrize(
    ("formula", "kind", "fields"),
    [
        ("rating", "formula_syntax", {}),
        ("~ x + (1 | listener_id)", "formula_syntax", {}),
        ("rating ~ x + 1 | listener_id", "formula_syntax", {}),
        ("rating ~ x + (1 | listener_id", "formula_syntax", {}),
        ("rating ~ x + (1 | )", "formula_syntax", {}),
        ("rating ~ x + (1 | a + b)", "formula_syntax", {}),
        ("rating ~ x * (1 | listener_id)", "formula_syntax", {}),
        ("rating ~ x > 0 + (1 | listener_id)", "formula_syntax", {"value": "x > 0"}),
        ("rating ~ lag(x) + (1 | listener_id)", "formula_syntax", {"value": "lag(x)"}),
        ("rating ~ offset(x) + (1 | listener_id)", "formula_syntax", {"value": "offset(x)"}),
        ("rating ~ x", "no_random_term", {}),
        ("rating ~ y + (1 | listener_id)", "missing_column", {"column": "y"}),
        ("rating ~ scale(y) + (1 | listener_id)", "missing_column", {"column": "y"}),
        ("rating ~ x + (1 | nobody)", "missing_column", {"column": "nobody"}),
        ("style ~ x + (1 | listener_id)", "not_numeric", {"column": "style"}),
        ("rating ~ np.log(x) + (1 | listener_id)", "not_finite", {}),
        ("rating ~ 0 + (1 | listener_id)", "n_coefficients", {"value": 0}),
        ("rating ~ x + tempo + (1 | listener_id)", "collinear", {"column": "tempo"}),
        ("rating ~ x + (1 | listener_id) + (1 + x | listener_id)", "duplicate_term",
         {"column": "listener_id"}),
        ("rating ~ x + (0 | listener_id)", "empty_term", {"column": "listener_id"}),
        ("rating ~ x + (1 | listener_id:track_id)", "one_row_per_level", {}),
        ("rating ~ x + (1 + x + style + block + tempo | listener_id:style)", "too_many_slopes", {}),
    ],
)  # fmt: skip
def test_formulas_that_cannot_be_fitted(ratings, formula, kind, fields):
    with raises(LmmError, kind, **fields):
        fit_lmm(formula, ratings)


def test_factors_booleans_and_reference_levels(ratings):
    data = ratings.assign(
        style=pd.Categorical(ratings["style"], ["rock", "pop", "funk", "never seen"]),
        musician=ratings["listener_id"] < "L0012",
    )
    result = fit_lmm(f"rating ~ style + musician + {CROSSED}", data)
    assert result.names == ["Intercept", "style[pop]", "style[funk]", "musician[True]"]
    plain = ratings.assign(musician=data["musician"])
    treated = f"rating ~ C(style, contr.treatment('rock')) + musician + {CROSSED}"
    treated = fit_lmm(treated, plain)
    assert sorted(treated.names) == sorted(result.names)
    assert treated.loglik == pytest.approx(result.loglik, abs=1e-6)
    assert list(result.emmeans("musician").table["musician"]) == ["False", "True"]
    np.testing.assert_allclose(result.predict(data.head(5))["estimate"], result.fitted[:5])


def test_numbers_may_be_made_factors(ratings):
    result = fit_lmm(f"rating ~ C(block) * x + {CROSSED}", ratings)
    assert result.names[1:3] == ["block[2]", "block[3]"]
    means = result.emmeans("block", at={"x": 0}).table
    assert list(means["block"]) == [1, 2, 3]
    assert means["estimate"][1] == pytest.approx(result.beta[0] + result.beta[1])
    assert list(result.type3()["term"]) == ["block", "x", "block:x"]
    np.testing.assert_allclose(result.predict(ratings)["estimate"], result.fitted)


def test_the_coding_of_a_factor_does_not_matter(ratings):
    one = fit_lmm(f"rating ~ style * x + {CROSSED}", ratings)
    other = fit_lmm(f"rating ~ 0 + style + style:x + {CROSSED}", ratings)
    # REML is not invariant to a recoding of determinant other than one; here it is one
    assert one.loglik == pytest.approx(other.loglik, abs=1e-5)
    means = [fit.emmeans("style").table["df"] for fit in (one, other)]
    np.testing.assert_allclose(*means, rtol=1e-3)
    swapped = fit_lmm(f"rating ~ x * C(style, contr.sum) + {CROSSED}", ratings)
    own, another = one.type3().set_index("term"), swapped.type3().set_index("term")
    np.testing.assert_allclose(own.loc[["style", "x"], "F"], another.loc[["style", "x"], "F"])


@pytest.mark.parametrize("column", ["style", "listener_id"])
def test_a_column_that_mixes_numbers_and_text_is_refused(ratings, column):
    data = ratings.astype({column: object})
    data.loc[data.index[::2], column] = 1
    with raises(LmmError, "mixed_types", column=column):
        fit_lmm(f"rating ~ style + {CROSSED}", data)
