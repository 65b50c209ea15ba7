"""The demo's simulated listeners: known effects and spreads are found again."""

import functools

import numpy as np
import pandas as pd
import pytest
from crossed_ratings import quiet_fit

from groove_utils.mixed import recovery_table
from groove_utils.synth import (
    default_effects,
    effects_as_rated,
    simulate_listeners,
    song_covariates,
)

FORMULA = (
    "rating ~ syncopation_z + syncopation_z2 + density_z + tempo_off2 + microtiming_x + low_z "
    "+ coupling_z + dance_inclination_z + syncopation_z:musicianship_z "
    "+ (1 + syncopation_z || listener_id) + (1 | listener_id:style) + (1 | track_id)"
)


def songs(n=96, seed=0):
    """Covariates as the demo's bands have them, without rendering a note."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "track_id": [f"T{i:03d}" for i in range(n)],
            "style": np.array(["funk", "pop", "rock"])[np.arange(n) % 3],
            "syncopation": (2.8 + rng.standard_normal(n)).clip(0.2) ** 2,
            "event_density": 5.7 + 1.1 * rng.standard_normal(n),
            "tempo": 110 * np.exp(0.15 * rng.standard_normal(n)),
            "microtiming_ms": 8 + 6 * rng.standard_normal(n),
            "low_frequency_db": -3.3 + rng.standard_normal(n),
            "bass_drum_coupling": 0.77 + 0.15 * rng.standard_normal(n),
        }
    )


def draw(seed, query="dance", effects=None, discrete=False):
    table = songs()
    drawn = simulate_listeners(table, effects, seed, discrete=discrete)
    rows = drawn.ratings[drawn.ratings["query"] == query]
    rows = rows.merge(song_covariates(table).reset_index(), on="track_id")
    rows = rows.merge(table[["track_id", "style"]], on="track_id")
    return rows.merge(drawn.truth["listeners"], on="listener_id")


@functools.cache
def fit(seed, query="dance", effects=None, discrete=False):
    return quiet_fit(FORMULA, draw(seed, query, effects, discrete))


NAMES = {
    "intercept": "Intercept",
    "musicianship_z:syncopation_z": "syncopation_z:musicianship_z",
}
SPREADS = {
    "song": ("track_id", "Intercept"),
    "listener": ("listener_id", "Intercept"),
    "slope_syncopation": ("listener_id", "syncopation_z"),
    "style_bias": ("listener_id:style", "Intercept"),
    "residual": ("Residual", None),
}


def recovered(result, truth):
    """Fifteen known values next to intervals of 99.5% each, since they are tested at once."""
    table = recovery_table(result, truth.rename(NAMES), SPREADS, 0.995).set_index("term")
    assert len(table) == 15
    return table


def test_all_known_effects_lie_within_their_intervals():
    known = default_effects()
    truth = pd.concat([known.fixed["rhythm"], known.sd["rhythm"]])
    assert recovered(fit(2026, "rhythm"), truth)["within"].all()


def test_from_ratings_on_the_scale_the_effects_as_rated_are_recovered():
    rated = effects_as_rated(songs()).query("question == 'dance'").set_index("term")["value"]
    table = recovered(fit(2026, discrete=True), rated)
    assert table["within"].all()
    # the residual that was drawn is another one: the ends of the scale compress it
    assert default_effects().sd.loc["residual", "dance"] > table.loc["residual", "high"]


@pytest.mark.weekly
def test_coverage_and_type_1_rate_over_redraws_of_the_listeners():
    """Reduced; tests/bench/bench_mixed.py draws more."""
    inside, false = [], []
    null = default_effects().without("coupling_z", "density_z", "low_z")
    for seed in range(24):
        result = fit(seed, effects=null)
        table = result.fixed_effects().set_index("term")
        truth = default_effects().fixed["dance"].rename(NAMES)[result.names]
        truth[["coupling_z", "density_z", "low_z"]] = 0.0
        inside += list((table["low"] < truth) & (truth < table["high"]))
        false += list(table.loc[["coupling_z", "density_z", "low_z"], "p"] < 0.05)
    assert 0.90 <= np.mean(inside) <= 0.98
    assert np.mean(false) <= 0.125  # 9 of 72: three standard errors above 5%


def test_the_fit_of_one_draw_stays_as_it_is():
    slope = fit(2026).effect("syncopation_z")[["estimate", "low", "high"]]
    assert slope.tolist() == pytest.approx([3.8536, 1.8348, 5.8725], abs=1e-3)
