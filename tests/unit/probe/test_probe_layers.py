"""Layer profiles peak at the layer with the cause, and the nested score is not biased upwards."""

import numpy as np
import pytest
from expect import raises

from groove_utils.probe import ProbeError, Protocol, layer_profile, nested_ridge

ONCE = Protocol(n_repeats=1)


def test_layer_profile_peaks_where_the_cause_is(planted):
    layers, y, artists, styles = planted
    table = layer_profile(layers, y, artists, styles, ONCE, n_permutations=49, n_boot=500)
    table = table.set_index("layer")
    assert table["best"].idxmax() == "middle"
    assert table.loc["middle", "chosen"] > 0.7
    assert not table.loc["early", "may_be_best"]
    assert table.loc["middle", "p_layers"] == 0.02
    assert (table["p_layers"] >= table["p"]).all()
    assert table["nested_r2"].nunique() == 1
    alone = nested_ridge(layers["late"], y, artists, styles, ONCE).scores()["r2"][0]
    assert table.loc["late", "r2"] == pytest.approx(alone, abs=1e-9)


def test_equal_layers_may_all_be_best_and_the_nested_score_is_not_flattered():
    rng = np.random.default_rng(0)
    peaks, nested, everyone = [], [], []
    for seed in range(5):
        y = rng.standard_normal(40)
        layers = {f"layer {i}": rng.standard_normal((40, 8)) for i in range(4)}
        table = layer_profile(layers, y, protocol=Protocol(n_repeats=1, seed=seed), n_boot=500)
        peaks.append(table["r2"].max())
        nested.append(table["nested_r2"].iloc[0])
        everyone.append(table["may_be_best"].all())
    assert np.mean(nested) < min(0, np.mean(peaks))
    assert np.mean(everyone) >= 0.6
    with raises(ProbeError, "too_few", column="layers"):
        layer_profile({"one": layers["layer 0"]}, y)
