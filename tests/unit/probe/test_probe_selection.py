"""Selection among representations by inner folds."""

import numpy as np
import pytest
from expect import raises

from groove_utils.probe import (
    ProbeError,
    Protocol,
    compare_models,
    inner_errors,
    nested_ridge,
    nested_ridges,
    select_by_inner_folds,
)

TWICE = Protocol(n_repeats=2)


def test_the_carrier_of_the_cause_is_chosen(planted):
    layers, y, artists, styles = planted
    results = nested_ridges(layers, y, artists, styles, TWICE)
    assert inner_errors(results)["groove"].idxmin() == "middle"
    chosen = select_by_inner_folds(results)
    assert set(chosen.choices["model"]) == {"middle"}
    np.testing.assert_allclose(chosen.predicted, results["middle"].predicted)
    table = compare_models({"chosen": chosen, "middle": results["middle"]}, n_boot=100)
    assert table["difference"][0] == 0


def test_the_best_of_many_useless_models_scores_higher_than_the_selected_one():
    highest, selected = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        y = rng.standard_normal(60)
        artists = np.arange(60) // 2
        models = {f"m{i}": rng.standard_normal((60, 8)) for i in range(12)}
        results = nested_ridges(models, y, artists, None, Protocol(n_repeats=1))
        highest.append(max(result.scores()["r2"][0] for result in results.values()))
        selected.append(select_by_inner_folds(results).scores()["r2"][0])
    assert np.mean(selected) < 0
    assert np.mean(highest) > np.mean(selected) + 0.02


def test_a_probe_without_choices_cannot_be_selected(planted):
    layers, y, artists, styles = planted
    fixed = Protocol(n_repeats=1, alphas=1.0)
    result = nested_ridge(layers["late"], y, artists, styles, fixed)
    with raises(ProbeError, "no_inner_folds"):
        inner_errors({"late": result})


def test_unpaired_results_are_refused(planted):
    layers, y, artists, styles = planted
    one = nested_ridge(layers["late"], y, artists, styles, TWICE)
    other = nested_ridge(layers["late"], y, artists, styles, Protocol(n_repeats=2, seed=5))
    with raises(ProbeError, "unpaired"):
        inner_errors({"one": one, "other": other})
    assert inner_errors({"one": one})["groove"].item() == pytest.approx(
        one.choices["inner_mse"].mean() / y.var(ddof=0)
    )
