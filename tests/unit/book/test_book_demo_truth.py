"""Tables of the demo study's true effects agree with ratings simulated from these effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from groove_utils.book.demo_truth import demo_truth, random_effects, true_effects
from groove_utils.synth.listener_effects import default_effects, song_covariates
from groove_utils.synth.listeners import simulate_listeners
from groove_utils.synth.questionnaire import RATED

MEANS = {"syncopation": 2.8**2, "event_density": 5.7, "low_frequency_db": -3.3,
         "bass_drum_coupling": 0.77, "tempo": 110.0, "microtiming_ms": 8.0}  # fmt: skip


def songs(n_songs, **columns):
    table = pd.DataFrame({"track_id": [f"s{k}" for k in range(n_songs)], "style": "pop"} | MEANS)
    return table.assign(**columns)


def groove(table, prefix):
    parts = table[[f"{prefix}_{query}" for query in ("dance", "listen", "party", "rhythm")]]
    return parts.mean(axis=1) / 24  # apart from a constant


@pytest.mark.parametrize(
    ("column", "value", "term"),
    [
        ("event_density", 6.8, "density_z"),
        ("microtiming_ms", 14.0, "microtiming_x"),
        ("tempo", 110 * np.exp(0.15), "tempo_off2"),
        ("low_frequency_db", -2.3, "low_z"),
        ("bass_drum_coupling", 0.92, "coupling_z"),
    ],
)
def test_one_unit_of_a_cause_changes_the_mean_by_the_effect(column, value, term):
    table = songs(2, **{column: [MEANS[column], value]})
    assert song_covariates(table)[term].tolist() == pytest.approx([0, 1])
    effects = default_effects().without("song")
    means = simulate_listeners(table, effects, n_listeners=2, songs_per_listener=2).truth["songs"]
    expected = true_effects(default_effects()).loc[term]
    assert groove(means, "mean").diff()[1] == pytest.approx(expected["groove"])
    for query in RATED:
        assert means[f"mean_{query}"].diff()[1] == pytest.approx(expected[query])


def test_random_parts_vary_as_the_table_says():
    table, many = songs(4000), 4000
    drawn = simulate_listeners(table, n_listeners=many, songs_per_listener=1, discrete=False)
    expected = random_effects(default_effects())
    parts = {"song": ("songs", "intercept"), "listener": ("listeners", "intercept")}
    for part, (name, prefix) in parts.items():
        truth = drawn.truth[name]
        assert groove(truth, prefix).std() == pytest.approx(expected.loc[part, "groove"], rel=0.05)
        assert truth[f"{prefix}_beat"].std() == pytest.approx(expected.loc[part, "beat"], rel=0.05)
    scores = drawn.ratings.query("query == 'groove'")["rating"]
    fixed = true_effects(default_effects()).loc["dance_inclination_z", "groove"]
    total = (expected["groove"].drop("slope_syncopation") ** 2).sum() + fixed**2
    assert scores.std() == pytest.approx(np.sqrt(total), rel=0.05)


def test_the_page_says_what_acts_on_what():
    truth = demo_truth()
    rows = truth["effects"].splitlines()
    assert len(rows) == 2 + 9
    assert "placebo" not in rows[0]
    assert truth["untouched"] == "“placebo” and “style only”"
    assert truth["styles"] == "−7 (funk), +13 (pop) and −6 (rock)"
    # groove = 0.1406 z − 0.0729 z² is highest at z = 0.964, a root of 3.764
    assert truth["best"] == "14"
    assert len(truth["random"].splitlines()) == 2 + 1 + len(RATED)
