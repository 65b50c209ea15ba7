"""Simulated listeners: the design is balanced, and the effects are the stated ones."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.formula.api as smf
from expect import raises

from groove_utils.synth import (
    SimulationError,
    default_effects,
    draw_design,
    groove_score,
    simulate_listeners,
    song_covariates,
)
from groove_utils.synth.questionnaire import RATED


def unfold(ratings):
    """Return ratings with one row per listener and song, and one column per question."""
    return ratings.pivot(
        index=["listener_id", "track_id"], columns="query", values="rating"
    ).reset_index()


@pytest.mark.parametrize(
    ("sizes", "n_listeners", "per_listener"),
    [
        ((48, 48, 48), 180, 24),
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
    drawn = simulate_listeners(songs, seed=1, n_listeners=120)
    counts = drawn.ratings[drawn.ratings["query"] == "dance"].groupby("track_id").size()
    assert counts.eq(30).all()
    assert not drawn.ratings.duplicated(["track_id", "query", "listener_id"]).any()


def test_ratings_are_whole_numbers_on_the_scale_and_groove_follows(songs):
    wide = unfold(simulate_listeners(songs, seed=2).ratings)
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


def test_without_noise_a_rating_is_the_sum_of_its_known_parts(songs):
    effects = default_effects().without("residual", "style_bias")
    drawn = simulate_listeners(songs, effects, seed=8, discrete=False)
    row = unfold(drawn.ratings).iloc[100]
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


def test_without_song_intercepts_a_songs_mean_is_the_fixed_part(songs):
    effects = default_effects().without("song")
    mean = simulate_listeners(songs, effects, seed=9).truth["songs"].set_index("track_id")
    covariates = song_covariates(songs)
    fixed = effects.fixed["party"]
    expected = covariates @ fixed[covariates.columns] + fixed["intercept"]
    np.testing.assert_allclose(mean["mean_party"], expected, atol=1e-9)


def test_least_squares_recovers_the_fixed_effects(songs):
    # ten draws of an unclipped study, averaged: within four standard errors of the truth
    effects, names = default_effects(), list(song_covariates(songs).columns)
    covariates = song_covariates(songs).reset_index()
    estimates = []
    for seed in range(10):
        ratings = simulate_listeners(songs, effects, seed=seed, discrete=False).ratings
        dance = ratings[ratings["query"] == "dance"].rename(columns={"rating": "dance"})
        means = dance.groupby("track_id")["dance"].mean().reset_index()
        fit = smf.ols(f"dance ~ {' + '.join(names)}", means.merge(covariates)).fit()
        estimates.append(fit.params[names].to_numpy())
    mean, error = np.mean(estimates, axis=0), np.std(estimates, axis=0, ddof=1) / np.sqrt(10)
    assert (np.abs(mean - effects.fixed.loc[names, "dance"]) < 4 * error).all()


def within_style_p(songs, means, n_permutations=99, seed=0):
    """Test all covariates together on song means, by permutations within styles."""
    both = np.column_stack([means, song_covariates(songs)])
    both = both - pd.DataFrame(both).groupby(songs["style"].to_numpy()).transform("mean").to_numpy()
    y, Q = both[:, 0], np.linalg.qr(both[:, 1:])[0]
    rng = np.random.default_rng(seed)
    order = np.tile(np.arange(len(songs)), (n_permutations + 1, 1))
    for style in songs["style"].unique():
        own = np.flatnonzero(songs["style"] == style)
        order[1:, own] = rng.permuted(order[1:, own], axis=1)
    explained = ((y[order] @ Q) ** 2).sum(axis=1)
    return (explained >= explained[0]).mean()


def test_no_covariate_predicts_the_controls_within_styles(songs):
    p = {query: [] for query in ("dance", "placebo", "style_only")}
    by_style = {query: [] for query in p}
    for seed in range(30):
        ratings = simulate_listeners(songs, seed=seed).ratings
        means = ratings.pivot_table(index="track_id", columns="query", values="rating")
        for query in p:
            values = means[query].loc[songs["track_id"]].to_numpy()
            p[query].append(within_style_p(songs, values, seed=seed))
            groups = [values[songs["style"] == style] for style in songs["style"].unique()]
            by_style[query].append(scipy.stats.f_oneway(*groups).pvalue)
    assert np.mean(np.array(p["dance"]) < 0.05) == 1
    most = scipy.stats.binom.ppf(0.999, 30, 0.05) / 30
    assert np.mean(np.array(p["placebo"]) < 0.05) <= most
    assert np.mean(np.array(p["style_only"]) < 0.05) <= most
    assert np.mean(np.array(by_style["placebo"]) < 0.05) <= most
    assert np.mean(np.array(by_style["style_only"]) < 0.001) == 1


def test_controls_are_as_reliable_as_ratings_and_independent_of_them(songs):
    draws = []
    for seed in range(20):
        ratings = simulate_listeners(songs, seed=seed).ratings
        draws.append(ratings.pivot_table(index="track_id", columns="query", values="rating").corr())
    r = np.mean(draws, axis=0)
    names = list(draws[0])
    others = [names.index(query) for query in RATED[:6]]
    assert np.abs(r[names.index("placebo"), others]).max() < 0.1
    effects, n_raters = default_effects(), 30
    for query in ("placebo", "style_only"):
        noise = effects.sd.loc[["residual", "style_bias"], query].pow(2).sum() / n_raters
        song = effects.sd.loc["song", query] ** 2 + effects.style_mean[query].var(ddof=0)
        assert 0.80 < song / (song + noise) < 0.92


def test_musical_listeners_have_steeper_slopes(songs):
    drawn = simulate_listeners(songs, seed=4, n_listeners=2000)
    truth = drawn.truth["listeners"]
    slope = np.polyfit(truth["musicianship_z"], truth["slope_syncopation_rhythm"], 1)[0]
    gamma = default_effects().fixed.loc["musicianship_z:syncopation_z", "rhythm"]
    assert slope == pytest.approx(gamma, abs=0.25)
    shown = np.corrcoef(truth["musicianship_z"], drawn.listeners["musicianship"])[0, 1]
    assert shown > 0.97


@pytest.mark.parametrize("options", [{"songs_per_listener": 97}, {"n_listeners": 0}])
def test_impossible_designs_are_refused(songs, options):
    with raises(SimulationError, "out_of_range"):
        simulate_listeners(songs, **options)


def test_songs_without_a_style_are_refused(songs):
    with raises(SimulationError, "missing_column", column="style"):
        simulate_listeners(songs.drop(columns="style"))
