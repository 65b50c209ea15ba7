"""Paired comparisons of models, and the songs that they would need."""

from dataclasses import replace

import numpy as np
import pytest
from expect import raises

from groove_utils.probe import (
    ProbeError,
    Protocol,
    compare_models,
    nested_ridge,
    songs_needed,
    style_baseline,
)

TWICE = Protocol(n_repeats=2)


@pytest.fixture(scope="module")
def probes(small):
    X, _, artists, styles = small
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((60, 12))
    y = X["low"][:, :3].sum(axis=1) + 2 * rng.standard_normal(60)
    return {
        name: nested_ridge(features, y, artists, styles, TWICE)
        for name, features in {"low": X["low"], "noise": noise, "again": X["low"]}.items()
    }


def test_a_better_model_is_found_and_a_model_equals_itself(probes):
    table = compare_models(probes, n_boot=1000).set_index(["first", "second"])
    assert table.loc[("low", "noise"), "p_holm"] < 0.01
    assert table.loc[("low", "noise"), "low"] > 0
    assert table.loc[("low", "again"), "difference"] == 0
    assert table.loc[("low", "again"), "p"] == 1
    assert (table["p_holm"] >= table["p"]).all()
    only = compare_models(probes, reference="noise", n_boot=100)
    assert only["second"].unique().tolist() == ["noise"]


def test_refits_are_marked(probes):
    fixed = {name: replace(result, leave_artist_out=None) for name, result in probes.items()}
    assert compare_models(probes, n_boot=10)["refit"].all()
    mixed = compare_models({"low": probes["low"], "fixed": fixed["noise"]}, n_boot=10)
    assert not mixed["refit"].any()


def test_unpaired_results_are_refused(small, probes):
    _, y, artists, styles = small
    other = style_baseline(y["dance"], artists, styles, replace(TWICE, seed=1))
    same = style_baseline(y["dance"], artists, styles, TWICE)
    with raises(ProbeError, "unpaired", column="folds"):
        compare_models({"a": same, "b": other})
    with raises(ProbeError, "unpaired", column="ids"):
        compare_models({"a": same, "b": probes["low"]})
    with raises(ProbeError, "too_few"):
        compare_models({"a": same})
    with raises(ProbeError, "unknown", column="reference"):
        compare_models(probes, reference="b")


def test_songs_needed_follows_from_the_standard_error(probes):
    pair = {name: probes[name] for name in ("low", "noise")}
    table = songs_needed(pair)
    row, known = table.iloc[0], compare_models(pair).iloc[0]
    assert row["difference"] == pytest.approx(known["difference"])
    assert row["se"] == pytest.approx(known["se"])
    expected = (1.959964 + 0.841621) ** 2 * known["se"] ** 2 * 60 / known["difference"] ** 2
    assert row["n_songs"] == np.ceil(expected)
    assert row["low"] <= row["n_songs"] <= row["high"]
    assert table["n_songs"].is_monotonic_increasing
    same = songs_needed({"a": probes["low"], "b": probes["again"]})
    assert np.isinf(same["n_songs"]).all()
    with raises(ProbeError, "n_results", value=3):
        songs_needed(probes)
    with raises(ProbeError, "out_of_range"):
        songs_needed(pair, power=[80])
