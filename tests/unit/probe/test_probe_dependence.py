import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from expect import raises
from sklearn.inspection import partial_dependence as sklearn_dependence
from sklearn.linear_model import LinearRegression

from groove_utils.probe import ProbeError, parabola, partial_dependence, two_lines
from groove_utils.stats import StatsError


@pytest.fixture(scope="module")
def hump():
    """240 songs by 60 artists; y increases with `a` and is highest at b = 0.5."""
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.standard_normal((240, 3)), columns=["a", "b", "c"])
    artists = np.repeat(np.arange(60), 4)
    level = rng.standard_normal(60)[artists]
    y = 2 * X["a"] - 1.5 * (X["b"] - 0.5) ** 2 + level + rng.standard_normal(240)
    return X, y, artists


def test_trees_show_the_slope_and_the_hump(hump):
    X, y, artists = hump
    slope = partial_dependence(X, y, artists, feature="a", n_refits=1)
    assert slope["estimate"].iloc[-1] - slope["estimate"].iloc[0] > 3
    curve = partial_dependence(X, y, artists, feature="b", n_refits=1)
    middle = curve["estimate"][curve["x"].between(0, 1)].mean()
    assert middle > curve["estimate"].iloc[0] + 2
    assert middle > curve["estimate"].iloc[-1] + 0.5
    flat = partial_dependence(X, y, artists, feature="c", n_refits=1)
    assert np.ptp(flat["estimate"]) < 0.4 * np.ptp(slope["estimate"])


def test_it_is_scikit_learns_dependence_about_its_mean(hump):
    X, y, artists = hump
    model = LinearRegression()
    ours = partial_dependence(X, y, artists, feature="a", estimator=model, n_refits=2)
    known = sklearn_dependence(
        model.fit(X, y), X, ["a"], custom_values={"a": ours["x"].to_numpy()}, kind="average"
    )["average"][0]
    np.testing.assert_allclose(ours["estimate"], known - known.mean(), atol=1e-8)
    assert ours["estimate"].mean() == pytest.approx(0, abs=1e-9)


def test_the_band_holds_the_curve_and_seeds_decide(hump):
    X, y, artists = hump
    one = partial_dependence(X, y, artists, feature="a", n_refits=8, seed=3)
    assert (one["low"] <= one["high"]).all()
    inside = (one["low"] <= one["estimate"]) & (one["estimate"] <= one["high"])
    assert inside.mean() > 0.8
    again = partial_dependence(X, y, artists, feature="a", n_refits=8, seed=3)
    pd.testing.assert_frame_equal(one, again)


def test_the_parabola_is_statsmodels_with_clustered_errors(hump):
    X, y, artists = hump
    curve, bend = parabola(X["b"], y, artists, X[["a"]])
    frame = X.assign(y=y, z=(X["b"] - X["b"].mean()) / X["b"].std(ddof=0))
    fit = smf.ols("y ~ z + I(z**2) + a", frame).fit(
        cov_type="cluster", cov_kwds={"groups": artists}, use_t=True
    )
    assert bend["estimate"] == pytest.approx(fit.params["I(z ** 2)"])
    low, high = fit.conf_int().loc["I(z ** 2)"]
    assert (bend["low"], bend["high"]) == pytest.approx((low, high))
    assert bend["p"] == pytest.approx(fit.pvalues["I(z ** 2)"])
    assert bend["peak"] == pytest.approx(0.5, abs=0.15)
    assert bend["high"] < 0
    assert curve["estimate"].mean() == pytest.approx(0, abs=1e-9)


def test_a_straight_line_has_no_bend(hump):
    X, _, artists = hump
    held = 0
    for seed in range(40):
        noise = np.random.default_rng([5, seed]).standard_normal(60)[artists]
        _, bend = parabola(X["a"], X["a"] + noise, artists)
        held += bend["low"] <= 0 <= bend["high"]
    assert held >= 33


def test_two_lines_find_the_hump_and_no_hump_in_a_flattening_curve(hump):
    X, y, artists = hump
    lines = two_lines(X["b"], y, artists, X[["a"]])
    assert lines.loc["below", "low"] > 0 > lines.loc["above", "high"]
    assert lines["break_at"].iloc[0] == pytest.approx(0.5, abs=0.4)
    assert lines["n_songs"].sum() == 240
    flattening = np.log(X["b"] - X["b"].min() + 0.1) + 0.3 * (y - y.mean()) / y.std()
    flattening -= 0.3 * (2 * X["a"] - 1.5 * (X["b"] - 0.5) ** 2) / y.std()
    _, bend = parabola(X["b"], flattening, artists)
    assert bend["high"] < 0  # a negative quadratic term alone does not show a hump
    assert two_lines(X["b"], flattening, artists).loc["above", "high"] > 0
    rising = two_lines(X["a"], y, artists)
    assert (rising["low"] > 0).all()
    upside_down = two_lines(X["b"], -y, artists, X[["a"]])
    assert upside_down.loc["below", "high"] < 0 < upside_down.loc["above", "low"]


def test_a_line_of_two_lines_is_statsmodels_with_clustered_errors(hump):
    X, y, artists = hump
    lines = two_lines(X["b"], y, artists)
    cut = lines["break_at"].iloc[0]
    frame = pd.DataFrame({"y": y, "x": X["b"] - cut, "above": (X["b"] > cut).astype(int)})
    fit = smf.ols("y ~ x:I(1 - above) + x:above + above", frame).fit(
        cov_type="cluster", cov_kwds={"groups": artists}, use_t=True
    )
    assert lines.loc["above", "estimate"] == pytest.approx(fit.params["x:above"])
    assert lines.loc["below", "p"] == pytest.approx(fit.pvalues["x:I(1 - above)"])


def test_both_sides_count_their_artists_and_no_covariate_changes_nothing(hump):
    X, y, artists = hump
    lines = two_lines(X["b"], y, artists)
    above = (X["b"] > lines["break_at"].iloc[0]).to_numpy()
    assert lines["n_songs"].tolist() == [(~above).sum(), above.sum()]
    assert lines["n_artists"].tolist() == [len(set(artists[~above])), len(set(artists[above]))]
    pd.testing.assert_frame_equal(two_lines(X["b"], y, artists, X[[]]), lines)


def share_of_humps(curve, runs):
    """Compute the share of simulated studies in which the two-lines test finds a hump."""
    artists, found = np.repeat(np.arange(24), 4), 0
    for seed in range(runs):
        rng = np.random.default_rng([0, seed])
        x = rng.gamma(4, 2, 24)[artists] / 2 + rng.gamma(4, 1, 96)
        level = 0.3 * rng.standard_normal(24)[artists]
        z = (x - x.mean()) / x.std()
        y = curve(z) + level + 0.8 * rng.standard_normal(96)
        lines = two_lines(x, y, artists)
        found += lines.loc["below", "low"] > 0 > lines.loc["above", "high"]
    return found / runs


@pytest.mark.weekly
def test_two_lines_are_calibrated():
    assert share_of_humps(lambda z: 0 * z, 150) <= 0.03
    assert share_of_humps(lambda z: np.log(z - z.min() + 0.2), 150) <= 0.05
    assert share_of_humps(lambda z: np.minimum(z, 0.3), 150) <= 0.15
    assert share_of_humps(lambda z: -0.6 * z**2, 150) >= 0.88


def test_unusable_features_are_refused(hump):
    X, y, artists = hump
    with raises(ProbeError, "unknown", value="d"):
        partial_dependence(X, y, artists, feature="d")
    with raises(ProbeError, "constant", column="x"):
        parabola(np.ones(240), y, artists)
    with raises(ProbeError, "too_few", column="x", value=3):
        two_lines(np.arange(240) % 3, y, artists)
    with raises(ProbeError, "too_few", column="covariates", value=12):
        two_lines(np.arange(12.0), y[:12], artists[:12], np.eye(12)[:, :7])
    with raises(StatsError, "not_finite", column="features"):
        partial_dependence(X.mask(X > 2), y, artists, feature="a")
