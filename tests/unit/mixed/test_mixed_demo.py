"""Known effects and SDs of the demo study's simulated listeners are recovered."""

import functools

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import DEMO_FORMULA, DEMO_NAMES, demo_rows, demo_songs, quiet_fit

from groove_utils.mixed import recovery_table
from groove_utils.synth import default_effects, effects_as_rated


@functools.cache
def fit(seed, query="dance", effects=None, discrete=False):
    rows = demo_rows(demo_songs(), effects, seed, discrete, query)
    return quiet_fit(DEMO_FORMULA, rows)


SPREADS = {
    "song": ("track_id", "Intercept"),
    "listener": ("listener_id", "Intercept"),
    "slope_syncopation": ("listener_id", "syncopation_z"),
    "style_bias": ("listener_id:style", "Intercept"),
    "residual": ("Residual", None),
}


def recovered(result, truth):
    """Compare fifteen known values with 99.5% intervals, since all are tested together."""
    table = recovery_table(result, truth.rename(DEMO_NAMES), SPREADS, 0.995).set_index("term")
    assert len(table) == 15
    return table


@pytest.mark.weekly
def test_all_known_effects_lie_within_their_intervals():
    known = default_effects()
    truth = pd.concat([known.fixed["rhythm"], known.sd["rhythm"]])
    assert recovered(fit(2026, "rhythm"), truth)["within"].all()


@pytest.mark.weekly
def test_from_ratings_on_the_scale_the_effects_as_rated_are_recovered():
    rated = effects_as_rated(demo_songs()).query("question == 'dance'").set_index("term")["value"]
    table = recovered(fit(2026, discrete=True), rated)
    assert table["within"].all()
    # not the simulated residual SD, which the ends of the scale compress
    assert default_effects().sd.loc["residual", "dance"] > table.loc["residual", "high"]


@pytest.mark.weekly
def test_coverage_and_type_1_rate_over_redraws_of_the_listeners():
    """Run a reduced form of tests/bench/bench_mixed.py."""
    inside, false = [], []
    null = default_effects().without("coupling_z", "density_z", "low_z")
    for seed in range(24):
        result = fit(seed, effects=null)
        table = result.fixed_effects().set_index("term")
        truth = default_effects().fixed["dance"].rename(DEMO_NAMES)[result.names]
        truth[["coupling_z", "density_z", "low_z"]] = 0.0
        inside += list((table["low"] < truth) & (truth < table["high"]))
        false += list(table.loc[["coupling_z", "density_z", "low_z"], "p"] < 0.05)
    assert 0.90 <= np.mean(inside) <= 0.98
    assert np.mean(false) <= 0.125  # 9 of 72: three standard errors above 5%


def test_the_fit_of_one_draw_stays_as_it_is():
    slope = fit(2026).effect("syncopation_z")[["estimate", "low", "high"]]
    assert slope.tolist() == pytest.approx([4.0220, 2.7841, 5.2599], abs=1e-3)
