"""What a mixed model refuses, and what it warns of."""

import warnings

import numpy as np
import pandas as pd
import pytest

from groove_utils.mixed import LmmError, LmmWarning, fit_lmm, simulate_ratings
from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.engines import ENGINES, EngineFit
from groove_utils.mixed.formula import build_frame, split_formula

CROSSED = "(1 | listener_id) + (1 | track_id)"


@pytest.fixture
def ratings():
    return simulate_ratings(24, 18, 12, effect=0.5, seed=3)


def warned(formula, data, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = fit_lmm(formula, data, **options)
    told = [w for w in caught if issubclass(w.category, LmmWarning)]
    assert all(w.filename == __file__ for w in told)  # points to the call, not into the package
    texts = [str(w.message) for w in told]
    assert texts == result.messages
    return result, " ".join(texts)


def test_formulas_are_split():
    formula = "np.log(y) ~ a * b + (1 + x || g) + C(s, contr.sum) + (1 | h / k)"
    assert split_formula(formula) == (
        "np.log(y)",
        "a * b + C(s, contr.sum)",
        [("1 + x", "g", False), ("1", "h", True), ("1", "h:k", True)],
    )
    assert split_formula("y ~ (1|g)")[1] == "1"
    assert split_formula("y ~ 0 + a + (1 | g:h)") == ("y", "0 + a", [("1", "g:h", True)])


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("rating", "no single '~'"),
        ("~ x + (1 | listener_id)", "names no response"),
        ("rating ~ x", "no random term"),
        ("rating ~ x + 1 | listener_id", "a bar outside brackets"),
        ("rating ~ x + (1 | listener_id", "do not match"),
        ("rating ~ x + (1 | )", r"not '\(terms \| factor\)'"),
        ("rating ~ x + (1 | a + b)", "is not a column"),
        ("rating ~ x * (1 | listener_id)", r"not added with '\+'"),
        ("rating ~ y + (1 | listener_id)", "no such column. It has: listener_id, track_id"),
        ("rating ~ x + (1 | nobody)", "'nobody'"),
        ("style ~ x + (1 | listener_id)", "not a number"),
        ("rating ~ np.log(x) + (1 | listener_id)", "infinite or undefined in row"),
        ("rating ~ x + x2 + (1 | listener_id)", "'x2' is determined by"),
        ("rating ~ x + (1 | listener_id) + (1 + x | listener_id)", "in two random terms"),
        ("rating ~ x + (1 | listener_id:track_id)", "with one row a level"),
        ("rating ~ x + (1 + x + style | listener_id)", "Drop the slope"),
    ],
)
def test_formulas_that_cannot_be_fitted(ratings, formula, message):
    data = ratings.assign(x2=2 * ratings["x"] + 1)
    if "style" in formula and "1 + x" in formula:
        data = data.groupby("listener_id").head(4)
    with pytest.raises(LmmError, match=message):
        fit_lmm(formula, data)


def test_tables_that_cannot_be_fitted(ratings):
    formula = f"rating ~ x + {CROSSED}"
    with pytest.raises(LmmError, match="expected a pandas DataFrame"):
        fit_lmm(formula, ratings.to_dict())
    with pytest.raises(LmmError, match="no row of the table is complete"):
        fit_lmm(formula, ratings.assign(rating=np.nan))
    with pytest.raises(LmmError, match="no row of the table is complete"):
        fit_lmm(formula, ratings.iloc[:0])
    with pytest.raises(LmmError, match="is 4 in all"):
        fit_lmm(formula, ratings.assign(rating=4.0))
    with pytest.raises(LmmError, match="infinite or undefined in row 5"):
        fit_lmm(formula, ratings.assign(rating=ratings["rating"].where(ratings.index != 5, np.inf)))
    with pytest.raises(LmmError, match="engine 'lme4' is unknown"):
        fit_lmm(formula, ratings, engine="lme4")


def test_a_factor_with_one_level(ratings):
    one = ratings.assign(style="funk", room="A")
    with pytest.raises(LmmError, match="factor 'style' has a single level, 'funk'"):
        fit_lmm(f"rating ~ style + {CROSSED}", one)
    with pytest.raises(LmmError, match="grouping factor 'room' has a single level"):
        fit_lmm(f"rating ~ x + {CROSSED} + (1 | room)", one)
    # a level that only incomplete rows hold is no level
    data = ratings.assign(rating=ratings["rating"].where(ratings["style"] == "funk"))
    with pytest.raises(LmmError, match="single level, 'funk'"):
        fit_lmm(f"rating ~ style + {CROSSED}", data)


def test_incomplete_rows_are_counted(ratings):
    data = ratings.copy()
    data.loc[[3, 4, 50], "rating"] = np.nan
    data.loc[[4, 60], "x"] = np.nan
    data["comment"] = np.nan  # not in the formula: no matter
    result, text = warned(f"rating ~ x + {CROSSED}", data)
    assert "4 of 288 rows lack a value" in text
    assert result.n_obs == 284
    whole = fit_lmm(f"rating ~ x + {CROSSED}", data.dropna(subset=["rating", "x"]))
    np.testing.assert_allclose(result.beta, whole.beta)


def test_listeners_with_one_rating(ratings):
    lone = ratings[(ratings["listener_id"] > "L0002") | ~ratings["listener_id"].duplicated()]
    result, text = warned(f"rating ~ x + {CROSSED}", lone)
    assert "3 of 24 levels of 'listener_id' have a single row (L0000, L0001, L0002)" in text
    assert result.n_groups["listener_id"] == 24


def test_style_and_artist_separated(ratings):
    one_each = ratings.assign(artist=ratings["style"] + " band")
    with pytest.raises(LmmError, match="each level of 'style' holds a single 'artist'"):
        fit_lmm(f"rating ~ style + {CROSSED} + (1 | artist)", one_each)
    with pytest.raises(LmmError, match="make 'artist' random"):
        fit_lmm(f"rating ~ style + artist + {CROSSED}", two_artists(ratings))
    some = two_artists(ratings)
    some.loc[some["style"] == "funk", "artist"] = "the only funk band"
    _, text = warned(f"rating ~ style + {CROSSED} + (1 | artist)", some)
    assert "'style' funk holds a single 'artist'" in text


def two_artists(ratings):
    odd = ratings["track_id"].str[1:].astype(int) // 3 % 2
    return ratings.assign(artist=ratings["style"] + odd.astype(str))


def test_songs_all_told_apart_by_the_fixed_part(ratings):
    with pytest.raises(LmmError, match=r"determined by|tell every 'track_id' apart"):
        fit_lmm(f"rating ~ C(track_id) + {CROSSED}", ratings)
    with pytest.raises(LmmError, match="group the rows alike"):
        fit_lmm(f"rating ~ x + {CROSSED} + (1 | copy)", ratings.assign(copy=ratings["track_id"]))


def test_a_combination_that_does_not_occur(ratings):
    data = ratings.assign(half=np.where(ratings["listener_id"] < "L0012", "a", "b"))
    data = data[(data["style"] != "rock") | (data["half"] == "a")]
    with pytest.raises(LmmError, match="does not occur in the data"):
        fit_lmm(f"rating ~ half * style + {CROSSED}", data)


def test_nearly_collinear_predictors(ratings):
    rng = np.random.default_rng(0)
    twin = ratings["x"] + 0.05 * rng.standard_normal(len(ratings))
    _, text = warned(f"rating ~ x + twin + {CROSSED}", ratings.assign(twin=twin))
    assert "nearly determined by the other predictors" in text
    _, text = warned(f"rating ~ x * style + {CROSSED}", ratings)
    assert "nearly determined" not in text  # products are correlated by nature


def test_singular_fits_say_which_term_and_what_to_do(ratings):
    rng = np.random.default_rng(1)
    data = ratings.assign(day=rng.integers(0, 5, len(ratings)).astype(str))
    # take the day means out, so that their variance is 0 for certain
    data["rating"] -= data.groupby("day")["rating"].transform("mean")
    result, text = warned(f"rating ~ x + {CROSSED} + (1 | day)", data)
    assert result.singular
    assert "intercepts of 'day' have no spread" in text
    assert "drop (1 | day)" in text
    for engine in ("glmm", "builtin"):
        other, text = warned(f"rating ~ x + {CROSSED} + (1 | day)", data, engine=engine)
        assert other.loglik == pytest.approx(result.loglik, abs=1e-5)
        assert "drop (1 | day)" in text


def test_a_perfect_correlation_is_told_of(ratings):
    # listeners have no slopes of their own here; this draw puts the correlation on the edge
    result, text = warned("rating ~ x + (1 + x | listener_id) + (1 | track_id)", ratings)
    assert result.singular
    assert abs(result.variance_components()["sd"][2]) > 0.999
    assert "Intercept and x are perfectly correlated" in text
    assert "'||'" in text


class FromAnEngine:
    """An engine that answers as told, to see whether its answer is believed."""

    def __init__(self, change):
        self.change = change

    def __call__(self, frame, deviance):
        answer = ENGINES["builtin"](frame, deviance)
        return EngineFit(**{**answer.__dict__, **self.change(answer)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {"beta": a.beta * 0}, "coefficients of exactly 0 (Intercept, x)"),
        (lambda a: {"beta": a.beta + 0.05}, "disagree on the coefficients"),
        (lambda a: {"loglik": a.loglik + 1}, "claims log-likelihood"),
        (lambda a: {"theta": a.theta * 2, "loglik": np.nan}, "undefined values"),
        (lambda a: {"theta": a.theta * np.nan}, "undefined values"),
    ],
)
def test_an_engine_is_not_believed(ratings, monkeypatch, change, message):
    monkeypatch.setitem(ENGINES, "wrong", FromAnEngine(change))
    right = fit_lmm(f"rating ~ x + {CROSSED}", ratings)
    result, text = warned(f"rating ~ x + {CROSSED}", ratings, engine="wrong")
    assert message in text
    np.testing.assert_allclose(result.beta, right.beta, rtol=1e-4)
    assert result.loglik == pytest.approx(right.loglik, abs=1e-5)


def test_an_engine_that_stops_short_is_carried_on(ratings, monkeypatch):
    def short(frame, deviance):
        theta = deviance.start()
        found = deviance.solve(theta)
        return EngineFit(theta, found.beta, -found.deviance / 2, False, "")

    monkeypatch.setitem(ENGINES, "short", short)
    result, text = warned(f"rating ~ x + {CROSSED}", ratings, engine="short")
    assert "stopped short of the optimum" in text
    right = fit_lmm(f"rating ~ x + {CROSSED}", ratings)
    assert result.loglik == pytest.approx(right.loglik, abs=1e-6)


def test_a_search_that_does_not_converge_is_told_of(ratings, monkeypatch):
    def lost(frame, deviance):
        theta = 5 * deviance.start()
        found = deviance.solve(theta)
        return EngineFit(theta, found.beta, -found.deviance / 2, True, "")

    monkeypatch.setitem(ENGINES, "lost", lost)
    monkeypatch.setattr(CrossedDeviance, "minimise", lambda self, theta=None, **_: theta)
    _, text = warned(f"rating ~ x + {CROSSED}", ratings, engine="lost")
    assert "the search did not converge" in text
    assert "Simplify the random part" in text


def balanced(noise):
    rng = np.random.default_rng(0)
    answer = np.repeat(np.arange(6.0), 4) + np.tile([1.0, 2.0, 4.0, 3.0], 6)
    answer += noise * rng.standard_normal(24)
    return pd.DataFrame(
        {
            "rating": np.r_[answer, answer],
            "half": np.repeat([-1.0, 1.0], 24),
            "listener_id": np.tile(np.repeat([f"L{i}" for i in range(6)], 4), 2),
            "track_id": np.tile([f"S{i}" for i in range(4)], 12),
        }
    )


def test_a_response_that_ignores_a_predictor_gives_exactly_zero():
    result, text = warned(f"rating ~ half + {CROSSED}", balanced(0.5))
    assert abs(result.beta[1]) < 1e-10
    assert "coefficient of half is exactly 0" in text


@pytest.mark.parametrize("engine", ["mixedlm", "glmm", "builtin"])
def test_a_response_without_noise_is_refused(engine):
    with pytest.raises(LmmError, match=r"fits the response exactly"):
        fit_lmm(f"rating ~ half + {CROSSED}", balanced(0.0), engine=engine)


def test_engines_that_cannot_say_so(ratings):
    with pytest.raises(LmmError, match="no slope without an intercept"):
        fit_lmm("rating ~ x + (0 + x | listener_id)", ratings, engine="glmm")
    with pytest.raises(LmmError, match=r"write '\|' for '\|\|'"):
        fit_lmm("rating ~ x + (1 + x || listener_id)", ratings, engine="glmm")
    with pytest.raises(LmmError, match="only over a fixed effect"):
        fit_lmm("rating ~ 1 + (1 + x | listener_id)", ratings, engine="glmm")


def test_factors_booleans_and_reference_levels(ratings):
    data = ratings.assign(
        style=pd.Categorical(ratings["style"], ["rock", "pop", "funk", "never seen"]),
        musician=ratings["listener_id"] < "L0012",
    )
    result = fit_lmm(f"rating ~ style + musician + {CROSSED}", data)
    assert result.names == ["Intercept", "style[pop]", "style[funk]", "musician[True]"]
    plain = fit_lmm(f"rating ~ C(style, contr.treatment('rock')) + musician + {CROSSED}", ratings
                    .assign(musician=data["musician"]))  # fmt: skip
    assert sorted(plain.names) == sorted(result.names)
    assert plain.loglik == pytest.approx(result.loglik, abs=1e-6)
    means = result.emmeans("musician").table
    assert list(means["musician"]) == ["False", "True"]
    predicted = result.predict(data.head(5))
    np.testing.assert_allclose(predicted["estimate"], result.fitted[:5])


def test_the_coding_of_a_factor_does_not_matter(ratings):
    one = fit_lmm(f"rating ~ style * x + {CROSSED}", ratings)
    other = fit_lmm(f"rating ~ 0 + style + style:x + {CROSSED}", ratings)
    # REML is not invariant to a recoding of determinant other than one; here it is one
    assert one.loglik == pytest.approx(other.loglik, abs=1e-5)
    np.testing.assert_allclose(
        one.emmeans("style").table["df"], other.emmeans("style").table["df"], rtol=1e-3
    )
    swapped = fit_lmm(f"rating ~ x * C(style, contr.sum) + {CROSSED}", ratings)
    own, another = one.type3().set_index("term"), swapped.type3().set_index("term")
    np.testing.assert_allclose(own.loc[["style", "x"], "F"], another.loc[["style", "x"], "F"])


def test_units_do_not_matter(ratings):
    raw = ratings.assign(tempo=110 + 1e4 * ratings["x"])
    unit, _ = warned("rating ~ x + (1 + x | listener_id) + (1 | track_id)", ratings)
    scaled, _ = warned("rating ~ tempo + (1 + tempo | listener_id) + (1 | track_id)", raw)
    # REML counts the scale of the fixed columns
    assert scaled.loglik == pytest.approx(unit.loglik - np.log(1e4), abs=1e-4)
    assert scaled.beta[1] * 1e4 == pytest.approx(unit.beta[1], rel=1e-4)
    assert scaled.fixed_effects()["df"][1] == pytest.approx(unit.fixed_effects()["df"][1], rel=0.01)


def test_deviance_is_the_textbook_one(ratings):
    """−2 log-likelihood of the multivariate normal, with dense matrices."""
    frame = build_frame("rating ~ x * style + (1 + x | listener_id) + (1 | track_id)", ratings)
    theta = np.array([0.7, -0.2, 0.4, 0.6])
    X, y, n, p = frame.X, frame.y, *frame.X.shape
    V = np.eye(n)
    blocks = [np.array([[0.7, 0], [-0.2, 0.4]]), np.array([[0.6]])]
    for term, L in zip(frame.random, blocks):
        Z = np.zeros((n, len(term.levels) * len(L)))
        for j in range(len(L)):
            Z[np.arange(n), term.codes * len(L) + j] = (term.Z @ L)[:, j]
        V += Z @ Z.T
    inverse = np.linalg.inv(V)
    information = X.T @ inverse @ X
    beta = np.linalg.solve(information, X.T @ inverse @ y)
    rss = (y - X @ beta) @ inverse @ (y - X @ beta)
    ml = np.linalg.slogdet(V)[1] + n * (1 + np.log(2 * np.pi * rss / n))
    reml = (
        np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(information)[1]
        + (n - p) * (1 + np.log(2 * np.pi * rss / (n - p)))
    )
    for criterion, expected in ((False, ml), (True, reml)):
        deviance = CrossedDeviance(y, X, frame.random, criterion)
        solution = deviance.solve(theta)
        assert deviance(theta) == pytest.approx(expected, abs=1e-8)
        assert solution.deviance == pytest.approx(expected, abs=1e-8)
        np.testing.assert_allclose(solution.beta, beta, rtol=1e-9)
        df = n - p if criterion else n
        np.testing.assert_allclose(solution.vcov, rss / df * np.linalg.inv(information), rtol=1e-8)
        assert deviance.deviance_at(theta, solution.sigma) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    "formula",
    [
        "rating ~ x + (1 | listener_id)",
        "rating ~ x * style + (1 + x | listener_id) + (1 | track_id)",
        "rating ~ x + (1 | listener_id) + (1 + x || artist) + (1 | track_id)",
        "rating ~ 1 + (1 + style | listener_id) + (1 + x | track_id)",
    ],
)
@pytest.mark.parametrize("reml", [True, False])
def test_gradient_is_that_of_the_deviance(ratings, formula, reml):
    frame = build_frame(formula, two_artists(ratings))
    deviance = CrossedDeviance(frame.y, frame.X, frame.random, reml)
    rng = np.random.default_rng(0)
    for edge in (False, True):
        theta = deviance.start() + 0.2 * rng.standard_normal(deviance.n_theta)
        if edge:
            theta[np.flatnonzero(deviance.diagonal)[-1]] = 0.0
        value, gradient = deviance.with_gradient(theta)
        assert value == pytest.approx(deviance(theta), abs=1e-9)
        numeric = [
            (deviance(theta + step) - deviance(theta - step)) / 2e-6
            for step in 1e-6 * np.eye(deviance.n_theta)
        ]
        np.testing.assert_allclose(gradient, numeric * deviance.theta_scale, atol=1e-4, rtol=1e-5)


def test_numbers_may_be_made_factors(ratings):
    data = ratings.assign(block=ratings.index % 3 + 1)
    result = fit_lmm(f"rating ~ C(block) * x + {CROSSED}", data)
    assert result.names[1:3] == ["block[2]", "block[3]"]
    means = result.emmeans("block", at={"x": 0}).table
    assert list(means["block"]) == [1, 2, 3]
    assert means["estimate"][1] == pytest.approx(result.beta[0] + result.beta[1])
    assert list(result.type3()["term"]) == ["block", "x", "block:x"]
    np.testing.assert_allclose(result.predict(data)["estimate"], result.fitted)


def test_song_level_studies_have_artists_only(ratings):
    songs = (
        two_artists(ratings)
        .groupby(["track_id", "style", "artist"], as_index=False)[["x", "rating"]]
        .mean()
    )
    result, _ = warned("rating ~ x + style + (1 | artist)", songs)
    assert result.n_obs == 18
    assert list(result.n_groups) == ["artist"]
    assert result.predict(songs)["estimate"].notna().all()
