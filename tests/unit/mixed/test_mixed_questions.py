"""Tables for a chapter: questions, listeners' facts, song means, known effects."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from groove_utils.mixed import (
    LmmError,
    LmmWarning,
    add_random_intercepts,
    compare_questions,
    crossed_variances,
    fit_lmm,
    join_facts,
    partition_by_question,
    recovery_table,
    robustness_table,
    simulate_ratings,
    slopes_by_fact,
)

SLOPES = {"dance": 0.8, "party": 0.5, "beat": 0.0}
CROSSED = "(1 | listener) + (1 | track)"


@pytest.fixture(scope="module")
def answers():
    parts = []
    for number, (question, slope) in enumerate(SLOPES.items()):
        own = simulate_ratings(50, 40, 20, effect=slope, sd_song=0.5, seed=number)
        # the same songs for all questions
        first = simulate_ratings(50, 40, 20, seed=0).drop_duplicates("track_id")
        x = own["track_id"].map(first.set_index("track_id")["x"])
        own["rating"] += slope * (x - own["x"])
        parts.append(own.assign(x=x, question=question))
    names = {"listener_id": "listener", "track_id": "track", "x": "predicted"}
    return pd.concat(parts, ignore_index=True).rename(columns=names)


def test_variances_of_a_crossed_table(answers):
    own = answers[answers["question"] == "beat"]
    parts = fit_lmm(f"rating ~ 1 + {CROSSED}", own).mean_variances()
    found = crossed_variances(own)
    assert found["song"] == parts["track"]
    assert found["listener"] == parts["listener"]
    assert found["residual"] == pytest.approx(1, rel=0.1)
    assert found["ICC(C,1)"] == found["song"] / (found["song"] + found["residual"])


def test_questions_by_themselves_and_in_one_model(answers):
    table = compare_questions(answers)
    assert list(table["question"]) == [*SLOPES] * 2
    apart = table[table["model"] == "each by itself"].set_index("question")
    joint = table[table["model"] == "all in one model"].set_index("question")
    for question, slope in SLOPES.items():
        own = answers[answers["question"] == question]
        row = fit_lmm(f"rating ~ predicted + {CROSSED}", own).effect("predicted")
        assert apart.loc[question, "estimate"] == pytest.approx(row["estimate"])
        assert apart.loc[question, "se"] == pytest.approx(row["se"])
        assert apart.loc[question, "low"] < slope < apart.loc[question, "high"]
        assert joint.loc[question, "low"] < slope < joint.loc[question, "high"]
    # Holm by hand: the smallest p times three, then times two
    p = apart["p"].sort_values().to_numpy()
    by_hand = np.maximum.accumulate(np.minimum(p * [3, 2, 1], 1))
    np.testing.assert_allclose(np.sort(apart["p_holm"]), by_hand)
    # songs: variance .25 beyond a prediction with slope .8, and .64 · var(x) of it explained
    x = answers.drop_duplicates("track")["predicted"].var()
    assert apart.loc["dance", "explained"] == pytest.approx(0.64 * x / (0.64 * x + 0.25), abs=0.12)
    assert apart.loc["beat", "explained"] == pytest.approx(0, abs=0.05)
    mean = joint["estimate"].mean()
    np.testing.assert_allclose(joint["against_mean"], joint["estimate"] - mean, atol=1e-8)
    assert (joint["p_against_mean"] == apart["p_against_mean"]).all()
    assert joint.loc["dance", "p_against_mean"] < 0.05


def test_a_single_question_is_compared_with_none(answers):
    table = compare_questions(answers[answers["question"] == "dance"])
    assert list(table["model"]) == ["each by itself"]
    assert table["p_holm"].item() == table["p"].item()
    assert "against_mean" not in table


def test_partitions_add_to_one_and_overlapping_terms_are_joined(answers):
    plain = partition_by_question(f"rating ~ predicted + {CROSSED}", answers)
    assert list(plain.columns) == ["predicted", "listener", "track", "Residual"]
    assert list(plain.index) == [*SLOPES]
    np.testing.assert_allclose(plain.sum(axis=1), 1)
    # a rival that is the prediction and noise works against it
    rng = np.random.default_rng(0)
    noise = dict(zip(answers["track"].unique(), rng.normal(0, 0.3, 40)))
    rival = answers["predicted"] + answers["track"].map(noise)
    formula = f"rating ~ predicted + rival + {CROSSED}"
    with pytest.warns(LmmWarning, match="nearly determined"):
        joined = partition_by_question(formula, answers.assign(rival=rival))
    assert list(joined.columns) == ["predicted and rival", "listener", "track", "Residual"]
    assert (joined >= 0).all(axis=None)
    np.testing.assert_allclose(joined.sum(axis=1), 1)


def people(seed=3):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "listener_id": [f"L{i:04d}" for i in range(80)],
            "training": rng.normal(10, 4, 80),
            "age": 30.0,
            "shoe size": rng.normal(40, 2, 80),
            "name": "somebody",
            **{f"taste_{style}": rng.normal(4, 1, 80) for style in ("funk", "pop", "rock")},
        }
    )


def test_facts_are_joined_and_change_the_slope_as_simulated():
    listeners = people()
    rows = simulate_ratings(80, 48, 24, effect=0.5, sd_slope=0.2, seed=1)
    rows = rows.rename(columns={"listener_id": "listener", "track_id": "track"})
    training = listeners.set_index("listener_id")["training"]
    training = (training - training.mean()) / training.std()
    rows["rating"] += 0.3 * rows["listener"].map(training) * rows["x"]
    told, facts = join_facts(rows, listeners, ["funk", "pop", "rock"])
    assert facts == ["training", "taste"]
    assert len(told) == len(rows)
    np.testing.assert_allclose(told["training"], rows["listener"].map(training))
    one = told.iloc[7]
    liking = listeners.set_index("listener_id").loc[one["listener"], f"taste_{one['style']}"]
    line = np.polyfit([told["taste"].min(), told["taste"].max()], [0, 1], 1)
    every = [listeners.set_index("listener_id").loc[who, f"taste_{style}"]
             for who, style in zip(told["listener"], told["style"])]  # fmt: skip
    share = (liking - min(every)) / (max(every) - min(every))
    assert np.polyval(line, one["taste"]) == pytest.approx(share)
    assert told["taste"].std() == pytest.approx(1)
    random = "(1 + x | listener) + (1 | track)"
    table = slopes_by_fact(told, facts, "x", random).set_index("fact")
    assert table.loc["training", "low"] < 0.3 < table.loc["training", "high"]
    assert table.loc["training", "p_holm"] < 0.001
    by_hand = fit_lmm(f"rating ~ x * training + x * taste + {random}", told)
    assert table.loc["taste", "estimate"] == pytest.approx(
        by_hand.effect("x:taste")["estimate"], abs=1e-6
    )
    with pytest.raises(LmmError, match="'height' is no column"):
        slopes_by_fact(told, ["height"], "x", random)


def test_listeners_of_whom_nothing_is_told():
    rows = simulate_ratings(10, 8, seed=1).rename(columns={"listener_id": "listener"})
    told, facts = join_facts(rows, people()[["listener_id", "name", "age"]], ["funk"])
    assert facts == []
    pd.testing.assert_frame_equal(told, rows)
    assert len(slopes_by_fact(told, facts, "x", "(1 | listener)")) == 0


def test_song_means_with_growing_random_parts():
    rng = np.random.default_rng(2)
    artist = np.repeat([f"A{i:02d}" for i in range(20)], 4)
    x = rng.standard_normal(80)
    y = 50 + 3 * x + np.repeat(rng.normal(0, 4, 20), 4) + rng.normal(0, 3, 80)
    data = pd.DataFrame({"y": y, "x": x, "artist": artist})
    data["style"] = np.repeat(["a", "b", "c", "d"], 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        table, fit = add_random_intercepts("y ~ x", data, ["artist", "style"], "x")
        by_hand = fit_lmm("y ~ x + (1 | artist)", data).effect("x")
    assert list(table["model"]) == ["OLS", "artist random", "artist and style random"]
    ols = smf.ols("y ~ x", data).fit()
    assert table.loc[0, "estimate"] == pytest.approx(ols.params["x"])
    assert table.loc[0, "high"] == pytest.approx(ols.conf_int().loc["x", 1])
    assert table.loc[1, "low"] == pytest.approx(by_hand["low"])
    assert list(fit.n_groups) == ["artist", "style"]
    alone, none = add_random_intercepts("y ~ x", data, [], "x")
    assert len(alone) == 1
    assert none is None
    with pytest.raises(LmmError, match="'z' is no coefficient"):
        add_random_intercepts("y ~ x", data, [], "z")


def test_recovery_holds_estimates_against_the_truth():
    data = simulate_ratings(60, 50, 25, effect=0.5, sd_slope=0.3, seed=4)
    formula = "rating ~ x + (1 | listener_id) + (0 + x | listener_id) + (1 | track_id)"
    result = fit_lmm(formula, data)
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
    with pytest.raises(LmmError, match="no one spread"):
        recovery_table(result, truth, {"slope": ("track_id", "x")})
    with pytest.raises(LmmError, match="nothing about noise"):
        recovery_table(result, truth.drop("noise"), spreads)


def test_effects_by_name_and_variants_of_ones_own():
    data = simulate_ratings(30, 24, 12, effect=0.5, seed=5)
    data["artist"] = data["track_id"].str[-1]
    result = fit_lmm("rating ~ x + (1 | listener_id) + (1 | track_id)", data)
    row = result.fixed_effects(0.9).set_index("term").loc["x"]
    pd.testing.assert_series_equal(result.effect("x", 0.9), row)
    with pytest.raises(LmmError, match="'tempo' is no coefficient"):
        result.effect("tempo")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)
        third = fit_lmm("rating ~ x + (1 | listener_id) + (1 | track_id) + (1 | artist)", data)
        table = robustness_table(result, "x", extra={"with artists": third})
    assert table["variant"].iloc[-1] == "with artists"
    assert table["se"].iloc[-1] == third.effect("x")["se"]
    assert table["same"].iloc[-1]
