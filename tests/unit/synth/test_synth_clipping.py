"""Effects estimated from rounded and clipped ratings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from expect import raises

from groove_utils.synth import SimulationError, default_effects, effects_as_rated
from groove_utils.synth.questionnaire import RATED


def as_rated(songs, effects, **options):
    table = effects_as_rated(songs, effects, **options)
    return table.pivot(index="term", columns="question", values="value")[list(RATED)]


def test_far_from_the_ends_of_the_scale_ratings_tell_the_effects_themselves(songs):
    effects = default_effects()
    calm = replace(effects, fixed=effects.fixed / 5, sd=effects.sd / 5)
    calm.fixed.loc["intercept"] = 50
    rated = as_rated(songs, calm, n_draws=2)
    pd.testing.assert_frame_equal(
        rated.loc[calm.fixed.index], calm.fixed, check_names=False, atol=0.02
    )
    expected = calm.sd.copy()
    expected.loc["residual"] = np.sqrt(expected.loc["residual"] ** 2 + 1 / 12)  # rounding
    pd.testing.assert_frame_equal(rated.loc[expected.index], expected, check_names=False, rtol=0.01)


def test_a_clipped_normal_has_the_moments_of_a_censored_one(songs):
    off = [term for term in default_effects().fixed.index if term != "intercept"]
    off += ["song", "listener", "slope_syncopation", "style_bias", "style_mean"]
    noise = default_effects().without(*off)
    rated = as_rated(songs, noise, n_draws=2)
    answers = np.arange(1, 101)
    cuts = np.concatenate([[-np.inf], answers[:-1] + 0.5, [np.inf]])
    for query in RATED:
        mean, sd = noise.fixed.loc["intercept", query], noise.sd.loc["residual", query]
        chance = np.diff(scipy.stats.norm.cdf(cuts, mean, sd))
        expected = chance @ answers
        assert rated.loc["intercept", query] == pytest.approx(expected, abs=0.05)
        spread = np.sqrt(chance @ (answers - expected) ** 2)
        assert rated.loc["residual", query] == pytest.approx(spread, rel=2e-3)


def test_the_ends_of_the_scale_press_all_effects_together(songs):
    effects = default_effects()
    rated = as_rated(songs, effects)
    known = pd.concat([effects.fixed.drop("intercept"), effects.sd])
    share = rated.loc[known.index] / known
    large = known.abs() >= 2
    assert share[large].max(axis=None) < 0.98
    assert share[large].min(axis=None) > 0.75
    again = as_rated(songs, effects, seed=5, n_draws=2)
    assert (np.abs(again / rated - 1)[large]).max(axis=None) < 0.05
    # another number of styles changes the mixture of songs, but not the scale
    single = as_rated(songs.assign(style="funk"), effects, n_draws=1)
    assert np.abs(single.loc["residual"] / rated.loc["residual"] - 1).max() < 0.02


def test_studies_that_are_too_small_or_without_styles_are_refused(songs):
    with raises(SimulationError, "too_few"):
        effects_as_rated(songs, n_songs=8)
    with raises(SimulationError, "missing_column", column="style"):
        effects_as_rated(songs.drop(columns="style"))
