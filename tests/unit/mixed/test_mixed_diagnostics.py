"""Residuals, checks of assumptions, and the influence of single listeners and songs."""

import io

import numpy as np
import pandas as pd
from crossed_ratings import quiet_fit, simulate_ratings
from expect import raises

from groove_utils.mixed import (
    LmmError,
    check_residuals,
    leave_one_group_out,
    residual_table,
    share_at_ends,
)

CROSSED = "rating ~ x + (1 | listener_id) + (1 | track_id)"


def test_residual_table():
    data = simulate_ratings(20, 15, seed=0)
    result = quiet_fit(CROSSED, data)
    table = residual_table(result)
    np.testing.assert_allclose(table["fitted"] + table["residual"], data["rating"])
    np.testing.assert_allclose(table["standardised"] * result.sigma, table["residual"])
    assert (table["listener_id"] == data["listener_id"]).all()
    assert np.corrcoef(table["quantile"], table["standardised"])[0, 1] > 0.99


def test_residual_checks_find_what_was_planted():
    clean = simulate_ratings(60, 40, 20, seed=0)
    rng = np.random.default_rng(0)
    heavy = clean.assign(rating=clean["rating"] + rng.standard_t(2, len(clean)))
    wide = clean.assign(
        rating=clean["rating"] + np.abs(clean["x"] + 3) * rng.standard_normal(len(clean))
    )

    def value(data, check):
        result = quiet_fit(CROSSED, data)
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
    result = quiet_fit(formula, data)
    table = leave_one_group_out(result, "listener_id")
    assert len(table) == 30
    for level in ("L0000", "L0007"):
        rows = table[table["level"] == level]
        again = quiet_fit(formula, data[data["listener_id"] != level])
        np.testing.assert_allclose(rows["estimate"], again.beta, atol=1e-3)
        np.testing.assert_allclose(rows["se"], again.fixed_effects()["se"], rtol=1e-2)
        np.testing.assert_allclose(rows["change"], rows["estimate"] - result.beta)


def test_an_odd_listener_is_found():
    data = simulate_ratings(30, 20, seed=2)
    odd = data["listener_id"] == "L0011"
    data.loc[odd, "rating"] -= 4 * data.loc[odd, "x"]
    result = quiet_fit(CROSSED, data)
    table = leave_one_group_out(result, "listener_id")
    assert table.loc[table["cook"].idxmax(), "level"] == "L0011"
    slope = table[(table["term"] == "x") & (table["level"] == "L0011")].iloc[0]
    assert slope["change"] > 0


def test_a_level_without_which_nothing_can_be_fitted():
    data = simulate_ratings(10, 9, seed=2)
    data = data[(data["style"] != "rock") | (data["track_id"] == "S0002")]
    result = quiet_fit("rating ~ style + (1 | listener_id) + (1 | track_id)", data)
    table = leave_one_group_out(result, "track_id").set_index("level")
    assert table.loc["S0002", "estimate"].isna().all()
    assert table.loc["S0001", "estimate"].notna().all()
    with raises(LmmError, "unknown", column="grouping factor", value="artist"):
        leave_one_group_out(result, "artist")


def test_answers_at_the_ends_survive_a_file():
    """Read ends of a scale such as −13/6 from a file with six significant digits."""
    parts = np.array([[1, 1, 1, 1], [1, 50, 60, 70], [100, 100, 100, 100], [30, 40, 50, 60]])
    score = (parts.mean(axis=1) - 53) / 24
    scale = (1 - 53) / 24, (100 - 53) / 24
    text = pd.Series(score, name="rating").to_csv(float_format="%.6g", index=False)
    read = pd.read_csv(io.StringIO(text))["rating"]
    assert not read.isin(scale).any()
    assert share_at_ends(read, scale) == 0.5
    assert share_at_ends(parts, (1, 100)) == 0.75  # 1 in one part is enough
    assert share_at_ends([np.nan, 1.0], (1, 100)) == 0.5
