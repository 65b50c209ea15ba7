"""Simulated listeners: the design is balanced, the effects are those that are written down."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.formula.api as smf

from groove_utils.synth import (
    default_effects,
    draw_design,
    effects_as_rated,
    expected_ratings,
    groove_score,
    simulate_listeners,
    song_covariates,
)
from groove_utils.synth.listeners import RATED


@pytest.fixture(scope="module")
def songs():
    """Ninety-six invented songs whose features spread as those of the demo study do."""
    rng = np.random.default_rng(3)
    n = 96
    return pd.DataFrame(
        {
            "track_id": [f"s{i:02d}" for i in range(n)],
            "style": np.resize(["funk", "pop", "rock"], n),
            "syncopation": rng.normal(2.8, 1.0, n).clip(1) ** 2,
            "event_density": rng.normal(5.7, 1.1, n),
            "tempo": rng.normal(114, 14, n).clip(85, 160),
            "microtiming_ms": rng.lognormal(1.7, 0.6, n),
            "low_frequency_db": rng.normal(-3.3, 1.0, n),
            "bass_drum_coupling": rng.normal(0.77, 0.15, n).clip(0, 1),
        }
    )


@pytest.mark.parametrize(
    ("sizes", "n_listeners", "per_listener"),
    [
        ((32, 32, 32), 120, 24),
        ((8, 8, 8), 30, 12),
        ((20, 7, 5), 41, 11),
        ((5,), 3, 5),
        ((3, 2), 7, 1),
    ],
)
def test_design_is_balanced(sizes, n_listeners, per_listener):
    styles = np.repeat(np.array(["a", "b", "c"])[: len(sizes)], sizes)
    design = draw_design(styles, n_listeners, per_listener, np.random.default_rng(0))
    assert design.shape == (n_listeners, per_listener)
    assert all(len(set(row)) == per_listener for row in design)
    counts = np.bincount(design.ravel(), minlength=styles.size)
    for style in np.unique(styles):
        own = styles == style
        assert np.ptp(counts[own]) <= 1
        per_row = own[design].sum(axis=1)
        assert np.ptp(per_row) <= (1 if len(set(sizes)) == 1 else 2)
        assert abs(per_row.mean() - per_listener * own.mean()) < 1 / n_listeners + 1e-9


def test_full_design_gives_thirty_ratings_a_song(songs):
    drawn = simulate_listeners(songs, seed=1)
    counts = drawn.ratings[drawn.ratings["query"] == "dance"].groupby("track_id").size()
    assert counts.eq(30).all()
    assert not drawn.ratings.duplicated(["track_id", "query", "listener_id"]).any()


def test_ratings_are_whole_numbers_on_the_scale_and_groove_follows(songs):
    wide = simulate_listeners(songs, seed=2, wide=True).ratings
    rated = wide[list(RATED)].to_numpy()
    assert rated.min() >= 1
    assert rated.max() <= 100
    assert (rated == np.rint(rated)).all()
    by_hand = ((wide["dance"] + wide["listen"] + wide["party"] + wide["rhythm"]) / 4 - 53) / 24
    np.testing.assert_allclose(wide["groove"], by_hand, atol=1e-12)
    np.testing.assert_allclose(groove_score(wide), by_hand, atol=1e-12)


def test_same_seed_same_ratings_other_seed_others(songs):
    first, again = simulate_listeners(songs, seed=5), simulate_listeners(songs, seed=5)
    pd.testing.assert_frame_equal(first.ratings, again.ratings)
    assert not simulate_listeners(songs, seed=6).ratings.equals(first.ratings)


def test_long_and_wide_hold_the_same(songs):
    long = simulate_listeners(songs, seed=7).ratings
    wide = simulate_listeners(songs, seed=7, wide=True).ratings
    unfolded = long.pivot(index=["listener_id", "track_id"], columns="query", values="rating")
    folded = wide.set_index(["listener_id", "track_id"])[list(unfolded.columns)]
    np.testing.assert_allclose(unfolded.to_numpy(), folded.loc[unfolded.index].to_numpy())


def test_without_noise_a_rating_is_the_sum_of_its_known_parts(songs):
    effects = default_effects().without("residual", "style_bias")
    drawn = simulate_listeners(songs, effects, seed=8, discrete=False, wide=True)
    row = drawn.ratings.iloc[100]
    song = drawn.truth["songs"].set_index("track_id").loc[row["track_id"]]
    listener = drawn.truth["listeners"].set_index("listener_id").loc[row["listener_id"]]
    z = song_covariates(songs).loc[row["track_id"], "syncopation_z"]
    for query in RATED:
        by_hand = (
            song[f"mean_{query}"]
            + listener[f"intercept_{query}"]
            + effects.fixed.loc["dance_inclination_z", query] * listener["dance_inclination_z"]
            + listener[f"slope_syncopation_{query}"] * z
        )
        assert row[query] == pytest.approx(by_hand, abs=1e-9)


def test_expected_ratings_are_the_fixed_part(songs):
    effects = default_effects().without("song")
    drawn = simulate_listeners(songs, effects, seed=9)
    expected = expected_ratings(songs, effects)
    truth = drawn.truth["songs"].set_index("track_id")
    np.testing.assert_allclose(expected["party"], truth["mean_party"], atol=1e-9)


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


def test_least_squares_recovers_the_fixed_effects(songs):
    # ten draws of an unclipped study, averaged: within four standard errors of the truth
    effects, names = default_effects(), list(song_covariates(songs).columns)
    covariates = song_covariates(songs).reset_index()
    estimates = []
    for seed in range(10):
        wide = simulate_listeners(songs, effects, seed=seed, discrete=False, wide=True).ratings
        means = wide.groupby("track_id")["dance"].mean().reset_index()
        fit = smf.ols(f"dance ~ {' + '.join(names)}", means.merge(covariates)).fit()
        estimates.append(fit.params[names].to_numpy())
    mean, error = np.mean(estimates, axis=0), np.std(estimates, axis=0, ddof=1) / np.sqrt(10)
    assert (np.abs(mean - effects.fixed.loc[names, "dance"]) < 4 * error).all()


def test_musical_listeners_have_steeper_slopes(songs):
    drawn = simulate_listeners(songs, seed=4, n_listeners=2000)
    truth = drawn.truth["listeners"]
    slope = np.polyfit(truth["musicianship_z"], truth["slope_syncopation_rhythm"], 1)[0]
    gamma = default_effects().fixed.loc["musicianship_z:syncopation_z", "rhythm"]
    assert slope == pytest.approx(gamma, abs=0.25)
    shown = np.corrcoef(truth["musicianship_z"], drawn.listeners["musicianship"])[0, 1]
    assert shown > 0.97


def test_a_redraw_is_fast(songs):
    simulate_listeners(songs, seed=0)
    best = np.inf
    for seed in range(5):
        start = time.perf_counter()
        simulate_listeners(songs, seed=seed, wide=True)
        best = min(best, time.perf_counter() - start)
    assert best < 0.05


def test_without_makes_a_null_and_names_what_it_does_not_know():
    effects = default_effects().without("density_z", "style_bias")
    assert (effects.fixed.loc["density_z"] == 0).all()
    assert (effects.sd.loc["style_bias"] == 0).all()
    assert (default_effects().fixed.loc["density_z"] != 0).any()
    with pytest.raises(ValueError, match="unknown effect 'swing'"):
        default_effects().without("swing")


def test_effect_table_holds_every_number():
    effects, table = default_effects(), default_effects().table()
    assert not table.isna().any().any()
    row = table.query("component == 'fixed' and term == 'low_z' and question == 'party'")
    assert row["value"].item() == effects.fixed.loc["low_z", "party"]


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
    noise = default_effects().without(*off, "song", "listener", "slope_syncopation", "style_bias")
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
    again = as_rated(songs, effects)
    pd.testing.assert_frame_equal(rated, again)
    other = as_rated(songs, effects, seed=5)
    assert (np.abs(other / rated - 1)[large]).max(axis=None) < 0.05
    # a style more or less is another mixture of songs, and no other scale
    single = as_rated(songs.assign(style="funk"), effects, n_draws=2)
    assert np.abs(single.loc["residual"] / rated.loc["residual"] - 1).max() < 0.02


def test_errors_say_what_is_wrong(songs):
    with pytest.raises(ValueError, match="lacks the column"):
        song_covariates(songs.drop(columns="tempo"))
    broken = songs.assign(tempo=songs["tempo"].where(songs.index != 4))
    with pytest.raises(ValueError, match="row 4, column 'tempo'"):
        song_covariates(broken)
    with pytest.raises(ValueError, match="rate 97 of 96"):
        simulate_listeners(songs, songs_per_listener=97)
    with pytest.raises(ValueError, match="n_listeners is 0"):
        simulate_listeners(songs, n_listeners=0)
    with pytest.raises(ValueError, match="too few"):
        effects_as_rated(songs, n_songs=8)
    with pytest.raises(ValueError, match="column style"):
        effects_as_rated(songs.drop(columns="style"))
    with pytest.raises(ValueError, match="column style"):
        simulate_listeners(songs.drop(columns="style"))
