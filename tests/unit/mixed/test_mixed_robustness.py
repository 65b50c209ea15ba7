"""The table of other reasonable analyses."""

import numpy as np
import pytest
from crossed_ratings import quiet_fit, simulate_ratings
from expect import raises

from groove_utils.mixed import LmmError, robustness_table

FORMULA = "rating ~ style + x + (1 + x | listener_id) + (1 | track_id)"


def fit(data, formula=FORMULA):
    return quiet_fit(formula, data)


@pytest.fixture(scope="module")
def data():
    return simulate_ratings(24, 24, 16, effect=0.8, sd_slope=0.3, seed=1)


def test_a_strong_effect_survives_all(data):
    result = fit(data)
    table = robustness_table(result, "x")
    assert list(table["variant"][:5]) == [
        "as reported",
        "maximum likelihood",
        "without random slopes",
        "z-scored within listener_id",
        f"without {int((np.abs(result.residuals) > 2.5 * result.sigma).sum())} outlying ratings",
    ]
    assert table["variant"][5].startswith("without listener_id L")
    assert table["variant"][6].startswith("without track_id S")
    assert table["variant"][7] == "ordinal"
    assert table.notna().all(axis=None)
    assert table["same_conclusion"].all()
    row = result.fixed_effects().set_index("term").loc["x"]
    assert table.loc[0, "estimate"] == row["estimate"]
    ml = result.refit(reml=False).fixed_effects().set_index("term").loc["x"]
    assert table.loc[1, "se"] == pytest.approx(ml["se"], rel=1e-4)
    plain = fit(data, "rating ~ style + x + (1 | listener_id) + (1 | track_id)")
    assert table.loc[2, "p"] == pytest.approx(plain.fixed_effects()["p"][3], rel=1e-3)


def test_an_effect_that_one_song_carries_does_not(data):
    null = simulate_ratings(24, 24, 16, effect=0.0, sd_song=0.3, seed=2)
    one = null["track_id"] == "S0005"
    null.loc[one, "x"] = 8.0
    null.loc[one, "rating"] += 4.0
    result = fit(null, "rating ~ x + (1 | listener_id) + (1 | track_id)")
    table = robustness_table(result, "x").set_index("variant")
    assert table.loc["as reported", "p"] < 0.001
    assert not table.loc["without track_id S0005", "same_conclusion"]
    assert "without random slopes" not in table.index  # there are no random slopes to omit


def test_z_scores_do_not_depend_on_how_listeners_use_the_scale(data):
    stretched = data.copy()
    factor = stretched["listener_id"].str[1:].astype(int) % 3 + 1
    stretched["rating"] = 10 * factor + factor * stretched["rating"]
    one = robustness_table(fit(data), "x").set_index("variant")
    other = robustness_table(fit(stretched), "x").set_index("variant")
    z = "z-scored within listener_id"
    assert other.loc[z, "estimate"] == pytest.approx(one.loc[z, "estimate"], rel=1e-4)
    assert other.loc[z, "se"] == pytest.approx(one.loc[z, "se"], rel=1e-3)


@pytest.mark.parametrize(
    ("random", "z_scored"),
    [
        ("(x | listener_id)", "(0 + x | listener_id)"),
        ("(1 + x || listener_id)", "(0 + x | listener_id)"),
        ("(1 + style | listener_id)", "(1 + style | listener_id)"),
    ],
)
def test_z_scores_leave_out_no_more_than_the_listeners_levels(data, random, z_scored):
    table = robustness_table(fit(data, f"rating ~ style + x + {random} + (1 | track_id)"), "x")
    assert table.notna().all(axis=None)
    groups = data.groupby("listener_id")["rating"]
    z = (data["rating"] - groups.transform("mean")) / groups.transform("std")
    by_hand = fit(data.assign(rating=z), f"rating ~ style + x + {z_scored} + (1 | track_id)")
    row = table.set_index("variant").loc["z-scored within listener_id"]
    assert row["se"] == pytest.approx(by_hand.fixed_effects()["se"][3], rel=1e-3)


def test_further_variants_may_be_given(data):
    artists = data.assign(artist=data["track_id"].str[-1])
    third = fit(artists, f"{FORMULA} + (1 | artist)")
    table = robustness_table(fit(artists), "x", extra={"with artists": third}).iloc[-1]
    assert table["variant"] == "with artists"
    assert table["se"] == third.effect("x")["se"]


def test_only_coefficients_can_be_asked_for(data):
    for term in ("tempo", "Intercept"):
        with raises(LmmError, "unknown", column="coefficient", value=term):
            robustness_table(fit(data), term)
