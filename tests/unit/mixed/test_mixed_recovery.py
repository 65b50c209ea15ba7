"""Known effects and SDs compared with their estimates."""

import pandas as pd
import pytest
from crossed_ratings import quiet_fit, simulate_ratings
from expect import raises
from scipy import stats

from groove_utils.mixed import LmmError, recovery_table


def test_recovery_compares_estimates_with_the_truth():
    data = simulate_ratings(40, 36, 18, effect=0.5, sd_slope=0.3, seed=4)
    formula = "rating ~ x + (1 | listener_id) + (0 + x | listener_id) + (1 | track_id)"
    result = quiet_fit(formula, data)
    truth = pd.Series({"Intercept": 4.0, "x": 5.0, "song": -0.5, "slope": 0.3, "noise": 1.0})
    spreads = {
        "slope": ("listener_id", "x"),
        "song": ("track_id", "Intercept"),
        "noise": ("Residual", None),
    }
    table = recovery_table(result, truth, spreads).set_index("term")
    assert list(table.index) == ["Intercept", "x", "slope", "song", "noise"]
    assert table["kind"].value_counts().to_dict() == {"Standard deviations": 3, "Fixed effects": 2}
    profile = result.variance_components("profile")
    assert table.loc["slope", "high"] == profile.loc[1, "high"]
    assert table.loc["song", "truth"] == 0.5  # its size counts
    assert not table.loc["x", "within"]
    assert table.drop(index="x")["within"].all()
    # in standard errors, with a normal quantile in place of t's
    row = result.effect("x")
    quantile = stats.t.isf(0.025, row["df"]) / stats.norm.isf(0.025)
    z = (5.0 - row["estimate"]) / row["se"] / quantile
    assert table.loc["x", "z"] == pytest.approx(z, rel=1e-6)
    assert table.loc["x", "p_holm"] < 1e-6
    assert (table["within"] == (table["z"].abs() < stats.norm.isf(0.025))).all()
    # above the estimate, the distance is measured by the upper end of the interval
    higher = recovery_table(result, pd.Series({**truth, "slope": profile.loc[1, "high"]}), spreads)
    slope = higher.set_index("term").loc["slope"]
    assert slope["z"] == pytest.approx(stats.norm.isf(0.025))
    with raises(
        LmmError, "unknown", column="standard deviation of the model", value=("track_id", "x")
    ):
        recovery_table(result, truth, {"slope": ("track_id", "x")})
    with raises(LmmError, "unknown", column="value of `truth`", value="noise"):
        recovery_table(result, truth.drop("noise"), spreads)
