"""The partition recovers simulated shares, and its components add up."""

import numpy as np
import pytest
from expect import raises

from groove_utils.probe import ProbeError, Protocol, variance_partition

ONCE = Protocol(n_repeats=1)


def test_partition_recovers_what_was_planted():
    rng = np.random.default_rng(2)
    n = 300
    only_a, only_b, common = rng.standard_normal((3, n))
    blocks = {
        "a": np.column_stack([only_a, common]) + 0.05 * rng.standard_normal((n, 2)),
        "b": np.column_stack([only_b, common]) + 0.05 * rng.standard_normal((n, 2)),
    }
    causes = np.sqrt([0.2, 0.3, 0.1]) @ [only_a, common, only_b]
    y = causes + np.sqrt(0.4) * rng.standard_normal(n)
    table = variance_partition(blocks, y, protocol=ONCE, n_boot=500).set_index(["kind", "part"])
    assert table.loc[("unique", "a"), "r2"] == pytest.approx(0.2, abs=0.07)
    assert table.loc[("unique", "b"), "r2"] == pytest.approx(0.1, abs=0.07)
    assert table.loc[("shared", "a & b"), "r2"] == pytest.approx(0.3, abs=0.09)
    shares = table.loc[["unique", "shared"], "r2"].sum()
    assert shares == pytest.approx(table.loc[("model", "a & b"), "r2"], abs=1e-12)
    assert ((table["low"] <= table["r2"]) & (table["r2"] <= table["high"])).all()


def test_partition_of_three_adds_up_and_takes_labels(planted):
    layers, y, artists, styles = planted
    y = y + np.where(styles == "funk", 2.0, 0.0)
    noise = np.random.default_rng(0).standard_normal((120, 200))
    blocks = {"style": styles, "embedding": layers["middle"], "noise": noise}
    table = variance_partition(blocks, y, artists, styles, ONCE, n_boot=500)
    table = table.set_index(["kind", "part"])
    shares = table.loc[["unique", "shared"], "r2"].sum()
    full = table.loc[("model", "style & embedding & noise"), "r2"]
    assert shares == pytest.approx(full, abs=1e-12)
    assert table.loc[("unique", "style"), "low"] > 0
    assert table.loc[("unique", "embedding"), "low"] > 0
    assert abs(table.loc[("unique", "noise"), "r2"]) < 0.05
    with raises(ProbeError, "n_blocks", value=1):
        variance_partition({"one": layers["late"]}, y)
