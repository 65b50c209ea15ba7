"""Marginal means, intervals, predictions, diagnostics, power, and the report."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from groove_utils.mixed import (
    LmmError,
    LmmWarning,
    bootstrap,
    check_residuals,
    equivalence_test,
    fit_lmm,
    leave_one_group_out,
    power_simulation,
    residual_table,
    simulate_ratings,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "lmm"
SMALL = pd.read_csv(GOLDEN / "small.csv.gz")
SLOPES = "rating ~ genre * x + (1 + x | listener) + (1 | stimulus)"
TRUTH = {"sd_listener": 0.7, "sd_song": 0.5, "sd_slope": 0.3, "sd_residual": 1.0}


@pytest.fixture(scope="module")
def result():
    return fit_lmm(SLOPES, SMALL)


def quiet(formula, data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        return fit_lmm(formula, data, **options)


# contrasts and means -------------------------------------------------------------------------


def test_contrasts_of_coefficients_and_of_means_are_the_same(result):
    by_name = result.contrast({"jazz - rock": {"genre[jazz]": 1, "genre[rock]": -1}}).iloc[0]
    by_weight = result.contrast({"jazz - rock": [0, 1, -1, 0, 0, 0]}).iloc[0]
    means = result.emmeans("genre", at={"x": 0})
    pair = means.contrasts(adjust="none").set_index("contrast").loc["jazz - rock"]
    custom = means.contrasts({"jazz - rock": [0, 1, -1]}, adjust="none").iloc[0]
    for column in ("estimate", "se", "df", "t", "p", "low", "high"):
        for other in (by_weight, pair, custom):
            assert other[column] == pytest.approx(by_name[column], rel=1e-9)


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
    p = {a: means.contrasts(adjust=a) for a in ("none", "holm", "bonferroni", "tukey", "sidak")}
    plain = p["none"]["p_adjusted"].to_numpy()
    assert (p["holm"]["p_adjusted"] >= plain).all()
    assert (p["bonferroni"]["p_adjusted"] >= p["holm"]["p_adjusted"]).all()
    assert (p["bonferroni"]["p_adjusted"] >= p["sidak"]["p_adjusted"]).all()
    np.testing.assert_allclose(p["bonferroni"]["p_adjusted"], np.minimum(1, 3 * plain))
    # simultaneous intervals leave out 0 just where the corrected p is below .05
    for name in ("tukey", "bonferroni", "sidak"):
        table = p[name]
        outside = (table["low"] > 0) | (table["high"] < 0)
        assert (outside == (table["p_adjusted"] < 0.05)).all()
        assert (table["high"] - table["low"] > p["none"]["high"] - p["none"]["low"]).all()


def test_equivalence_of_slopes_is_corrected_as_their_difference_is(result):
    trends = result.emtrends("x", "genre")
    plain = trends.contrasts(adjust="none", equivalence=0.3)
    for row in plain.itertuples():
        one = equivalence_test(row.estimate, row.se, row.df, bound=0.3)
        assert row.p_equivalence == pytest.approx(one["p"])
    first = plain["p_equivalence"].min()
    for adjust in ("holm", "tukey"):
        table = trends.contrasts(adjust=adjust, equivalence=0.3)
        assert table["p_equivalence"].min() == pytest.approx(min(1, 3 * first))
        assert (table["p_equivalence"] >= plain["p_equivalence"]).all()
    assert (trends.contrasts(equivalence=5.0)["p_equivalence"] < 0.001).all()
    assert "p_equivalence" not in trends.contrasts()
    with pytest.raises(LmmError, match="equivalence is 0"):
        trends.contrasts(equivalence=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.emmeans("taste"), "'taste' is not in the fixed part"),
        (lambda r: r.emmeans("x"), "say at which values"),
        (lambda r: r.emmeans("genre", at={"tempo": 1}), "'tempo' is not in the fixed part"),
        (lambda r: r.emmeans("genre", at={"genre": "disco"}), "'disco'"),
        (lambda r: r.emmeans("genre", level=95), "level is 95"),
        (lambda r: r.emtrends("genre"), "no numeric variable"),
        (lambda r: r.emmeans("genre").contrasts(adjust="scheffe"), "adjust is 'scheffe'"),
        (lambda r: r.emmeans("genre").contrasts("all"), "method is 'all'"),
        (lambda r: r.emmeans("genre").contrasts("mean", adjust="tukey"), "Tukey"),
        (lambda r: r.emmeans("genre").contrasts({"a": [1, -1]}), "2 weights for 3 cells"),
        (lambda r: r.emtrends("x").contrasts(), "a single cell"),
        (lambda r: r.contrast({"a": {"style[pop]": 1}}), "names the coefficient 'style"),
        (lambda r: r.contrast({"a": [1, 2]}), "2 weights for 6"),
        (lambda r: r.random_effects("artist"), "'artist' is no grouping factor"),
        (lambda r: r.variance_components("wald"), "interval is 'wald'"),
        (lambda r: r.predict(SMALL.iloc[:0]), "no rows"),
        (lambda r: r.predict(SMALL.drop(columns="x")), "no column 'x'"),
        (lambda r: r.predict(SMALL.drop(columns="listener")), "no column 'listener'"),
        (lambda r: r.predict(SMALL.assign(genre="disco")), "'disco', which the fit has not seen"),
        (lambda r: r.predict(SMALL.assign(x=np.nan)), "missing values"),
        (lambda r: r.refit(y=np.ones(3)), "shape"),
    ],
)
def test_questions_that_make_no_sense(result, call, message):
    with pytest.raises(ValueError, match=message):
        call(result)


# conditional modes and predictions -----------------------------------------------------------


def dense(result):
    """Z, Σ of all random effects, and V of the response, as dense matrices."""
    blocks, covs = [], []
    for term, cov in zip(result.frame.random, result.covariances()):
        k, m = len(term.names), len(term.levels)
        Z = np.zeros((result.n_obs, m * k))
        for j in range(k):
            Z[np.arange(result.n_obs), term.codes * k + j] = term.Z[:, j]
        blocks.append(Z)
        covs.append(np.kron(np.eye(m), cov.to_numpy()))
    Z = np.hstack(blocks)
    G = np.zeros((Z.shape[1], Z.shape[1]))
    start = 0
    for cov in covs:
        G[start : start + len(cov), start : start + len(cov)] = cov
        start += len(cov)
    return Z, G, Z @ G @ Z.T + result.sigma**2 * np.eye(result.n_obs)


def test_conditional_modes_and_covariances_are_the_normal_theory_ones():
    data = simulate_ratings(15, 12, 8, sd_slope=0.5, correlation=0.3, seed=2)
    result = quiet("rating ~ x + (1 + x | listener_id) + (1 | track_id)", data)
    Z, G, V = dense(result)
    inverse = np.linalg.inv(V)
    b = G @ Z.T @ inverse @ (result.frame.y - result.frame.X @ result.beta)
    cov = G - G @ Z.T @ inverse @ Z @ G
    table = result.random_effects()
    listeners = table[table["factor"] == "listener_id"].sort_values(["level", "term"])
    np.testing.assert_allclose(listeners["value"], b[:30], atol=1e-7)
    np.testing.assert_allclose(listeners["sd"], np.sqrt(np.diag(cov)[:30]), rtol=1e-6)
    songs = result.random_effects("track_id").sort_values("level")
    np.testing.assert_allclose(songs["value"], b[30:], atol=1e-7)
    np.testing.assert_allclose(songs["sd"], np.sqrt(np.diag(cov)[30:]), rtol=1e-6)
    assert (songs["n"] == 10).all()
    np.testing.assert_allclose(result.fitted, result.frame.X @ result.beta + Z @ b, atol=1e-7)
    # error of prediction for rows of known levels: β and b are both uncertain
    X = result.frame.X
    C = np.hstack([X, Z])
    normal = C.T @ C / result.sigma**2
    normal[X.shape[1] :, X.shape[1] :] += np.linalg.inv(G)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", C, np.linalg.inv(normal), C))
    np.testing.assert_allclose(result.predict()["se"], expected, rtol=1e-6)


def test_predictions_by_what_is_known():
    data = simulate_ratings(40, 30, 20, seed=6)
    result = quiet("rating ~ x + (1 | listener_id) + (1 | track_id)", data)
    new = data.iloc[:4]
    stranger = new.assign(listener_id="nobody", track_id="unheard")
    nothing = result.predict(new, random=None)
    pd.testing.assert_frame_equal(result.predict(stranger), nothing)
    np.testing.assert_allclose(nothing["estimate"], result.frame.X[:4] @ result.beta)
    known = result.predict(new)
    np.testing.assert_allclose(known["estimate"], result.fitted[:4])
    width = known["high"] - known["low"]
    assert (width < nothing["high"] - nothing["low"]).all()
    listener = result.predict(stranger.assign(listener_id=new["listener_id"]))
    half = result.predict(new, random="listener_id")
    pd.testing.assert_frame_equal(listener, half)
    assert list(known.index) == list(new.index)


@pytest.mark.parametrize("kind", ["int64", "category", "bool", "object", "string"])
def test_levels_are_known_again_whatever_their_type(kind):
    data = simulate_ratings(20, 15, seed=6)
    number = data["listener_id"].str[1:].astype(int)
    listener = number < 10 if kind == "bool" else number
    data["who"] = (listener if kind in ("int64", "bool") else listener.astype(str)).astype(kind)
    result = quiet("rating ~ x + (1 | who) + (1 | track_id)", data)
    np.testing.assert_allclose(result.predict(data)["estimate"], result.fitted)
    crossed = quiet("rating ~ x + (1 | track_id) + (1 | who:style)", data)
    np.testing.assert_allclose(crossed.predict(data)["estimate"], crossed.fitted)


def test_prediction_intervals_hold_new_listeners_and_songs():
    inside = []
    for seed in range(30):
        data = simulate_ratings(40, 40, 20, seed=seed, **TRUTH)
        result = quiet("rating ~ x + (1 + x | listener_id) + (1 | track_id)", data,
                       engine="builtin")  # fmt: skip
        new = simulate_ratings(20, 20, seed=1000 + seed, **TRUTH)
        bounds = result.predict(new, random=None)
        inside.append(new["rating"].between(bounds["low"], bounds["high"]).mean())
    assert 0.92 < np.mean(inside) < 0.98


# intervals -----------------------------------------------------------------------------------


def test_profile_of_a_variance_at_zero_begins_at_zero():
    data = simulate_ratings(30, 20, 10, sd_song=0.0, seed=0)
    result = quiet("rating ~ x + (1 | listener_id) + (1 | track_id)", data)
    table = result.variance_components("profile").set_index("factor")
    assert table.loc["track_id", "low"] == 0
    assert table.loc["track_id", "high"] > table.loc["track_id", "sd"]
    assert table.loc["listener_id", "low"] > 0.3


def test_profile_ends_where_the_deviance_has_risen_enough():
    data = simulate_ratings(30, 20, 10, seed=1)
    result = quiet("rating ~ x + (1 | listener_id) + (1 | track_id)", data)
    table = result.variance_components("profile", level=0.9)
    for bound in ("low", "high"):
        sd = table.loc[0, bound]  # the listeners' spread, held at an end of its interval
        grid = np.linspace(0.85, 1.15, 61) * result.sigma
        songs = np.linspace(0.5, 1.5, 61) * table.loc[1, "sd"]
        least = min(
            result.deviance.deviance_at([sd / sigma, song / sigma], sigma)
            for sigma in grid
            for song in songs
        )
        rise = least - result.solution.deviance
        assert rise == pytest.approx(stats.chi2.ppf(0.9, 1), abs=0.03)


def test_bootstrap_is_the_same_for_every_number_of_processes(result):
    one = bootstrap(result, 6, seed=4, n_jobs=1)
    two = bootstrap(result, 6, seed=4, n_jobs=2)
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(bootstrap(result, 6, seed=5))
    with pytest.raises(LmmError, match="n_boot is 1"):
        bootstrap(result, 1)


def test_bootstrap_and_profile_tell_the_same():
    data = simulate_ratings(40, 30, 15, seed=3)
    result = quiet("rating ~ x + (1 | listener_id) + (1 | track_id)", data)
    draws = bootstrap(result, 150, seed=0)
    np.testing.assert_allclose(draws["fixed"].mean(), result.beta, atol=0.05)
    np.testing.assert_allclose(draws["fixed"].std(), result.fixed_effects()["se"], rtol=0.2)
    own = result.variance_components("bootstrap", n_boot=150)
    profile = result.variance_components("profile")
    width = profile["high"] - profile["low"]
    assert (np.abs(own["low"] - profile["low"]) < 0.3 * width).all()
    assert (np.abs(own["high"] - profile["high"]) < 0.3 * width).all()


def test_refits_find_the_same_optimum(result):
    again = result.refit(reml=False)
    other = fit_lmm(SLOPES, SMALL, reml=False)
    assert again.loglik == pytest.approx(other.loglik, abs=1e-6)
    np.testing.assert_allclose(again.beta, other.beta, rtol=1e-4)
    draw = result.simulate(1, seed=9)[0]
    renewed = fit_lmm(SLOPES, SMALL.assign(rating=draw))
    assert result.refit(draw).loglik == pytest.approx(renewed.loglik, abs=1e-5)


# diagnostics ---------------------------------------------------------------------------------


def test_residual_table(result):
    table = residual_table(result)
    assert len(table) == 1200
    np.testing.assert_allclose(table["fitted"] + table["residual"], SMALL["rating"])
    np.testing.assert_allclose(table["standardised"] * result.sigma, table["residual"])
    assert (table["listener"] == SMALL["listener"]).all()
    assert np.corrcoef(table["quantile"], table["standardised"])[0, 1] > 0.99


def test_residual_checks_find_what_was_planted():
    clean = simulate_ratings(60, 40, 20, seed=0)
    rng = np.random.default_rng(0)
    heavy = clean.assign(rating=clean["rating"] + rng.standard_t(2, len(clean)))
    wide = clean.assign(
        rating=clean["rating"] + np.abs(clean["x"] + 3) * rng.standard_normal(len(clean))
    )

    def value(data, check):
        result = quiet("rating ~ x + (1 | listener_id) + (1 | track_id)", data)
        table = check_residuals(result)
        row = table[(table["check"] == check) & (table["of"] == "residual")].iloc[0]
        return row["value"], row["p"]

    assert abs(value(clean, "kurtosis")[0]) < 0.5
    assert value(heavy, "kurtosis")[0] > 2
    assert value(heavy, "outliers")[1] < 1e-4 < value(clean, "outliers")[1]
    assert abs(value(clean, "spread")[0]) < 0.1
    assert value(wide, "spread")[1] < 1e-3


def test_leaving_one_out_is_refitting_without_it():
    data = simulate_ratings(15, 12, 8, seed=1, sd_slope=0.4)
    formula = "rating ~ x + (1 + x | listener_id) + (1 | track_id)"
    result = quiet(formula, data)
    table = leave_one_group_out(result, "listener_id")
    assert len(table) == 30
    for level in ("L0000", "L0007"):
        rows = table[table["level"] == level]
        again = quiet(formula, data[data["listener_id"] != level])
        np.testing.assert_allclose(rows["estimate"], again.beta, atol=1e-3)
        np.testing.assert_allclose(rows["se"], again.fixed_effects()["se"], rtol=1e-2)
        np.testing.assert_allclose(rows["change"], rows["estimate"] - result.beta)
    same = leave_one_group_out(result, "listener_id", n_jobs=2)
    pd.testing.assert_frame_equal(table, same)


def test_an_odd_listener_is_found():
    data = simulate_ratings(30, 20, seed=2)
    odd = data["listener_id"] == "L0011"
    data.loc[odd, "rating"] -= 4 * data.loc[odd, "x"]
    result = quiet("rating ~ x + (1 | listener_id) + (1 | track_id)", data)
    table = leave_one_group_out(result, "listener_id")
    assert table.loc[table["cook"].idxmax(), "level"] == "L0011"
    slope = table[(table["term"] == "x") & (table["level"] == "L0011")].iloc[0]
    assert slope["change"] > 0


def test_a_level_without_which_nothing_can_be_fitted():
    data = simulate_ratings(10, 9, seed=2)
    data = data[(data["style"] != "rock") | (data["track_id"] == "S0002")]
    result = quiet("rating ~ style + (1 | listener_id) + (1 | track_id)", data)
    table = leave_one_group_out(result, "track_id").set_index("level")
    assert table.loc["S0002", "estimate"].isna().all()
    assert table.loc["S0001", "estimate"].notna().all()
    with pytest.raises(LmmError, match="'artist' is neither"):
        leave_one_group_out(result, "artist")


# simulation and power ------------------------------------------------------------------------


def test_simulated_ratings_are_balanced_and_repeatable():
    data = simulate_ratings(30, 24, 10, seed=1)
    pd.testing.assert_frame_equal(data, simulate_ratings(30, 24, 10, seed=1))
    assert not data.duplicated(["listener_id", "track_id"]).any()
    assert (data.groupby("listener_id").size() == 10).all()
    heard = data.groupby("track_id").size()
    assert heard.max() - heard.min() <= 2
    with pytest.raises(LmmError, match="no more songs a listener"):
        simulate_ratings(5, 4, 6)


@pytest.mark.parametrize("sd_slope", [0.0, 0.4])
def test_power_is_that_of_the_crossed_design(sd_slope):
    """Westfall, Kenny & Judd (2014): noncentral t with the variances of both samples."""
    spreads = dict(sd_listener=0.7, sd_song=0.6, sd_slope=sd_slope, sd_residual=1.0)
    table = power_simulation(20, 25, 0.35, n_simulations=150, seed=1, **spreads)
    row = table.iloc[0]
    se = np.sqrt(0.6**2 / 25 + sd_slope**2 / 20 + 1 / (20 * 25))
    df = 25 - 2 if sd_slope == 0 else 35
    critical = stats.t.isf(0.025, df)
    power = stats.nct.sf(critical, df, 0.35 / se) + stats.nct.cdf(-critical, df, 0.35 / se)
    assert row["low"] - 0.03 < power < row["high"] + 0.03
    assert row["se"] == pytest.approx(se, rel=0.1)


def test_power_grid():
    table = power_simulation([8, 16], [6, 12], 0.5, n_simulations=20, seed=2,
                             songs_per_listener=10, **TRUTH)  # fmt: skip
    assert list(table["n_listeners"]) == [8, 8, 16, 16]
    assert list(table["n_songs"]) == [6, 12, 6, 12]
    assert list(table["songs_per_listener"]) == [6, 10, 6, 10]
    assert table["power"].between(table["low"], table["high"]).all()
    again = power_simulation([8, 16], [6, 12], 0.5, n_simulations=20, seed=2,
                             songs_per_listener=10, n_jobs=2, **TRUTH)  # fmt: skip
    pd.testing.assert_frame_equal(table, again)
    with pytest.raises(LmmError, match="n_simulations is 1"):
        power_simulation(8, 6, 0.5, n_simulations=1, **TRUTH)
    with pytest.raises(LmmError, match="none below 0"):
        power_simulation(8, 6, 0.5, **(TRUTH | {"sd_song": -1}))


def test_coverage_and_type_1_rate():
    """A reduced form of tests/bench/bench_mixed.py: intervals hold the truth, a null is a null."""
    spreads = TRUTH | {"sd_slope": 0.3}
    effect = power_simulation(30, 24, 0.4, n_simulations=200, songs_per_listener=12, seed=3,
                              **spreads)  # fmt: skip
    null = power_simulation(30, 24, 0.0, n_simulations=200, songs_per_listener=12, seed=4,
                            **spreads)  # fmt: skip
    assert 0.90 <= effect["coverage"].item() <= 0.98
    assert 0.90 <= null["coverage"].item() <= 0.98
    assert 0.02 <= null["power"].item() <= 0.085


def test_known_effects_lie_within_their_intervals():
    data = simulate_ratings(
        100, 80, 40, effect=0.5, style_effects=(0.3, 0.0, -0.2), sd_slope=0.3, correlation=0.4,
        sd_listener=0.7, sd_song=0.5, sd_residual=1.0, seed=8,
    )  # fmt: skip
    result = fit_lmm("rating ~ style + x + (1 + x | listener_id) + (1 | track_id)", data)
    fixed = result.fixed_effects().set_index("term")
    for term, truth in (("style[pop]", -0.3), ("style[rock]", -0.5), ("x", 0.5)):
        assert fixed.loc[term, "low"] < truth < fixed.loc[term, "high"]
    spread = result.variance_components("profile")
    for row, truth in zip(spread.itertuples(), (0.7, 0.3, 0.4, 0.5, 1.0)):
        assert row.low < truth < row.high


# report --------------------------------------------------------------------------------------


def test_report_says_what_the_tables_say(result):
    text = result.report()
    tests = result.type3().set_index("term")
    for term in ("genre", "x", "genre:x"):
        row = tests.loc[term]
        assert f"{term}, F({row['num_df']:.0f}, {row['den_df']:.1f}) = {row['F']:.2f}" in text
    assert "1,200 values of rating over 60 levels of listener and 60 levels of stimulus" in text
    assert "no reliable effect of genre:x" in text
    assert "a reliable effect of x" in text
    assert f"{100 * result.r2()['marginal']:.0f}% of the variance (R²m)" in text
    shares = [int(s) for s in re.findall(r"(\d+)%", text.split("(R²c): ")[1])]
    marginal = round(100 * result.r2()["marginal"])
    assert sum(shares) + marginal == pytest.approx(100, abs=2)
    assert "x by listener (SD 0.253)" in text
    assert "p < .001" in text
    assert "To mind" not in text


def test_report_of_an_empty_model_and_of_warnings():
    data = simulate_ratings(20, 15, sd_song=0.3, seed=5)
    data.loc[3, "rating"] = np.nan
    result = quiet("rating ~ 1 + (1 | listener_id) + (1 | track_id)", data, reml=False)
    text = result.report(level=0.9)
    assert "(maximum likelihood, mixedlm" in text
    assert "The mean was" in text
    assert "90% CI" in text
    assert "To mind: 1 of 300 rows lack a value" in text
    assert len(result.type3()) == 0
    assert repr(result).startswith("LmmResult('rating ~ 1")
