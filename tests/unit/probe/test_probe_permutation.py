"""The permutation test repeats the whole probe, and controls the family-wise error rate."""

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.probe import (
    ProbeError,
    Protocol,
    nested_ridge,
    permutation_test,
    style_baseline,
    style_scores,
)
from groove_utils.stats import permute

ONCE = Protocol(n_repeats=1)


def test_permutation_test_repeats_the_whole_probe(small):
    X, y, artists, styles = small
    protocol = Protocol(n_repeats=2)
    table, null = permutation_test(
        {"both": X, "low": X["low"]}, y, artists, styles, protocol, n_permutations=5,
        return_null=True, unit="song",
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
        models, y["dance"], artists, styles, ONCE, n_permutations=99, return_null=True, unit="song"
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
        ({}, permute(9, 60, clusters=artists)),
        ({"unit": "song", "within_style": True}, permute(9, 60, strata=styles)),
        ({"within_style": True}, permute(9, 60, clusters=artists, strata=styles)),
    ):
        _, null = permutation_test(*data, n_permutations=9, return_null=True, **options)
        shuffled = pd.DataFrame(y.to_numpy()[orders[4]], y.index, y.columns)
        expected = nested_ridge(X, shuffled, artists, styles, ONCE).scores()["r2"]
        np.testing.assert_allclose(null[4], expected, atol=1e-9)


def band_study(seed, order=0.0):
    """Draw songs by 24 bands in three styles; styles and bands differ, and songs may differ."""
    rng = np.random.default_rng(seed)
    bands = np.repeat(np.arange(24), 4)
    styles = np.array(["funk", "pop", "rock"])[bands % 3]
    sound, taste = rng.standard_normal((2, 24))[:, bands]
    cause = rng.standard_normal(96)
    X = np.column_stack([bands % 3 == 0, bands % 3 == 1, sound, cause])
    X = X @ rng.standard_normal((4, 8)) + 0.5 * rng.standard_normal((96, 8))
    y = 2.0 * (bands % 3) + taste + order * cause + 0.7 * rng.standard_normal(96)
    return X, pd.Series(y), bands, styles


def test_songs_in_order_within_styles_are_found_where_r2_is_negative():
    """Use the correlation, since the null distribution of R² within styles is below 0."""
    X, y, bands, styles = band_study(1, order=1.0)
    options = {"n_permutations": 99, "within_style": True}
    table = permutation_test({"m": X}, y, bands, styles, ONCE, score="within_r", **options)
    result = nested_ridge(X, y, bands, styles, ONCE)
    within = result.scores()["within_r"][0]
    assert table["within_r"][0] == pytest.approx(within)
    assert table["p"][0] <= 0.02
    alone = style_scores(style_baseline(y, bands, styles, ONCE), n_boot=50).set_index("part")
    assert alone.loc["within", "r2"] < 0
    centred = y - y.groupby(styles).transform("mean")
    guess = pd.Series(result.predicted[0, :, 0])
    assert within == pytest.approx(centred.corr(guess - guess.groupby(styles).transform("mean")))


@pytest.mark.weekly
def test_bands_that_differ_are_no_order_of_songs():
    """Expect 5% significant results if ratings and features differ between bands independently."""
    found = 0
    for seed in range(200):
        X, y, bands, styles = band_study([7, seed])
        table = permutation_test({"m": X}, y, bands, styles, ONCE, score="within_r",
                                 n_permutations=39, within_style=True)  # fmt: skip
        found += table["p"][0] <= 0.05
    assert 3 <= found <= 18  # 10 expected, SD 3


def test_unusable_settings(small):
    X, y, *_ = small
    with raises(ProbeError, "type", column="models"):
        permutation_test(X["low"], y)
    with raises(ProbeError, "unknown", column="unit", value="band"):
        permutation_test({"low": X["low"]}, y, unit="band")
    with raises(ProbeError, "unknown", column="score", value="rmse"):
        permutation_test({"low": X["low"]}, y, score="rmse")
