"""Known effects, and the covariates of these effects."""

import numpy as np
import pandas as pd
from expect import raises

from groove_utils.synth import SimulationError, default_effects, song_covariates


def test_covariates_by_hand():
    song = pd.DataFrame(
        {
            "track_id": ["a"],
            "syncopation": [14.44],
            "event_density": [6.8],
            "tempo": [110 * np.exp(0.3)],
            "microtiming_ms": [20.0],
            "low_frequency_db": [-3.3],
            "bass_drum_coupling": [0.62],
        }
    )
    expected = [1.0, 1.0, 1.0, 4.0, 2.0, 0.0, -1.0]
    np.testing.assert_allclose(song_covariates(song).loc["a"], expected, atol=1e-9)


def test_without_makes_a_null_and_names_what_it_does_not_know():
    effects = default_effects().without("density_z", "style_bias")
    assert (effects.fixed.loc["density_z"] == 0).all()
    assert default_effects().without("style_mean").style_means(["pop"]).tolist() == [[0.0] * 8]
    assert (effects.sd.loc["style_bias"] == 0).all()
    assert (default_effects().fixed.loc["density_z"] != 0).any()
    with raises(SimulationError, "unknown_effect", value="swing"):
        default_effects().without("swing")


def test_effect_table_holds_every_number():
    effects, table = default_effects(), default_effects().table()
    assert not table.isna().any().any()
    row = table.query("component == 'fixed' and term == 'low_z' and question == 'party'")
    assert row["value"].item() == effects.fixed.loc["low_z", "party"]


def test_columns_that_are_missing_or_not_finite_are_named(songs):
    with raises(SimulationError, "missing_column", column="tempo"):
        song_covariates(songs.drop(columns="tempo"))
    broken = songs.assign(tempo=songs["tempo"].where(songs.index != 4))
    with raises(SimulationError, "not_finite", row=4, column="tempo"):
        song_covariates(broken)
