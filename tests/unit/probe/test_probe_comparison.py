"""Paired comparisons of models, and numbers of songs needed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from expect import raises
from scipy import stats

from groove_utils.probe import (
    ProbeError,
    Protocol,
    compare_models,
    mean_difference,
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


def test_only_the_pairs_that_are_asked_for(probes):
    table = compare_models(probes, pairs=[("low", "noise")], n_boot=100)
    assert table[["first", "second"]].to_numpy().tolist() == [["low", "noise"]]
    assert (table["p_holm"] == table["p"]).all()


def test_songs_needed_follows_from_the_standard_error(probes):
    pair = {name: probes[name] for name in ("low", "noise")}
    table = songs_needed(pair, 0.05)
    row, known = table.iloc[0], compare_models(pair).iloc[0]
    assert row["difference"] == 0.05
    assert row["se"] == pytest.approx(known["se"])
    assert row["n_songs"] == np.ceil((1.959964 + 0.841621) ** 2 * known["se"] ** 2 * 60 / 0.05**2)
    assert table["n_songs"].is_monotonic_increasing
    # with this number of songs, the standard error gives the requested power
    se = row["se"] * np.sqrt(60 / row["n_songs"])
    assert stats.norm.sf(1.959964 - 0.05 / se) == pytest.approx(0.8, abs=0.002)
    with raises(ProbeError, "n_results", value=3):
        songs_needed(probes, 0.05)
    with raises(ProbeError, "out_of_range", column="power"):
        songs_needed(pair, 0.05, power=[80])
    with raises(ProbeError, "out_of_range", column="difference", value=0):
        songs_needed(pair, 0)


def test_a_mean_difference_is_that_of_its_pairs(probes):
    table = mean_difference([probes["low"]], [probes["noise"]], n_boot=500, seed=1)
    pair = compare_models(probes, pairs=[("low", "noise")], n_boot=500, seed=1)
    assert table["estimate"][0] == pytest.approx(pair["difference"][0])
    assert table["low"][0] == pytest.approx(pair["low"][0])
    both = mean_difference([probes["low"]] * 2, [probes["noise"], probes["again"]], n_boot=500)
    assert both["estimate"][0] == pytest.approx(table["estimate"][0] / 2)


def test_mappings_are_paired_by_name(probes):
    first = {"a": probes["low"], "b": probes["again"]}
    second = {"b": probes["noise"], "a": probes["low"]}
    table = mean_difference(first, second, n_boot=200)
    lists = mean_difference(list(first.values()), [second["a"], second["b"]], n_boot=200)
    pd.testing.assert_frame_equal(table, lists)
    with raises(ProbeError, "unpaired", column="second", value=["b"]):
        mean_difference(first, {"a": probes["low"]})
