"""The permutation test repeats the whole probe, and controls the family-wise error."""

import numpy as np
import pandas as pd
from expect import raises

from groove_utils.probe import ProbeError, Protocol, nested_ridge, permutation_test
from groove_utils.stats import permute

ONCE = Protocol(n_repeats=1)


def test_permutation_test_repeats_the_whole_probe(small):
    X, y, artists, styles = small
    protocol = Protocol(n_repeats=2)
    table, null = permutation_test(
        {"both": X, "low": X["low"]}, y, artists, styles, protocol, n_permutations=5,
        return_null=True,
    )  # fmt: skip
    expected = nested_ridge(X, y, artists, styles, protocol).scores()["r2"]
    np.testing.assert_allclose(table[table.model == "both"]["r2"], expected, atol=1e-9)
    shuffled = pd.DataFrame(y.to_numpy()[permute(5, 60, seed=0)[3]], y.index, y.columns)
    again = nested_ridge(X, shuffled, artists, styles, protocol).scores()["r2"]
    np.testing.assert_allclose(null[3, :2], again, atol=1e-9)


def test_p_values_are_family_wise(small):
    X, y, artists, styles = small
    rng = np.random.default_rng(5)
    models = {"real": X, **{f"noise {i}": rng.standard_normal((60, 10)) for i in range(6)}}
    table, null = permutation_test(
        models, y["dance"], artists, styles, ONCE, n_permutations=99, return_null=True
    )
    assert (table["p"] <= table["p_target"]).all()
    assert (table["p_target"] <= table["p_family"]).all()
    real = table.set_index("model").loc["real"]
    assert real["p_family"] <= 0.02
    assert real["p_family"] == (1 + (null.max(axis=1) >= real["r2"]).sum()) / 100


def test_layers_artists_and_styles(small):
    X, y, artists, styles = small
    data = ({"real": X}, y, artists, styles, ONCE)
    layers = permutation_test(*data, n_permutations=9, each_layer=True)
    assert layers["layer"].tolist() == ["low", "low", "high", "high"]
    for options, orders in (
        ({"unit": "artist"}, permute(9, 60, clusters=artists)),
        ({"within_style": True}, permute(9, 60, strata=styles)),
    ):
        _, null = permutation_test(*data, n_permutations=9, return_null=True, **options)
        shuffled = pd.DataFrame(y.to_numpy()[orders[4]], y.index, y.columns)
        expected = nested_ridge(X, shuffled, artists, styles, ONCE).scores()["r2"]
        np.testing.assert_allclose(null[4], expected, atol=1e-9)


def test_unusable_settings(small):
    X, y, *_ = small
    with raises(ProbeError, "type", column="models"):
        permutation_test(X["low"], y)
    with raises(ProbeError, "unknown", column="unit", value="band"):
        permutation_test({"low": X["low"]}, y, unit="band")
