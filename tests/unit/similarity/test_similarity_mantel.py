"""Mantel tests and representational similarity compared with SciPy."""

import numpy as np
import pandas as pd
import pytest
from expect import raises
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from groove_utils.similarity import mantel_test, rsa
from groove_utils.stats import StatsError

RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def planted():
    """80 songs by 50 artists in three styles; the first layer resembles the ratings."""
    artists = RNG.integers(0, 50, 80)
    styles = np.array(["funk", "pop", "rock"])[RNG.integers(0, 3, 50)][artists]
    cause = RNG.standard_normal(80)
    layers = {
        name: cause[:, None] + noise * RNG.standard_normal((80, 15))
        for name, noise in (("near", 0.6), ("far", 4.0))
    }
    y = pd.Series(cause + 0.5 * RNG.standard_normal(80), [f"t{i}" for i in range(80)])
    return layers, y, artists.astype(str), styles


def test_mantel_rho_is_spearmans_and_related_vectors_are_found():
    x = RNG.normal(size=(25, 6))
    y = x + 0.3 * RNG.normal(size=x.shape)
    found = mantel_test(x, y, n_permutations=200)
    rho = spearmanr(pdist(x, "correlation"), pdist(y, "correlation")).statistic
    assert found["rho"] == pytest.approx(rho, rel=1e-10)
    assert found["p"] == pytest.approx(1 / 201)
    assert found["n_songs"] == 25


@pytest.mark.parametrize("spoil", [0.0, np.nan])
def test_vectors_without_distances_are_refused(spoil):
    x = RNG.normal(size=(12, 4))
    y = x.copy()
    y[3] = spoil
    with raises(StatsError, "no_distances", column="second"):
        mantel_test(x, y)


def test_rsa_is_spearman_over_pairs(planted):
    layers, y, artists, styles = planted
    table = rsa(layers, y, same_artist=True, n_permutations=99, n_boot=500).set_index("layer")
    for name, X in layers.items():
        expected = spearmanr(pdist(X, "cosine"), pdist(y.to_numpy()[:, None], "cityblock"))[0]
        assert table.loc[name, "rho"] == pytest.approx(expected, abs=1e-12)
    assert table.loc["near", "p_layers"] == 0.01
    assert table.loc["near", "low"] > 0
    assert (table["p_layers"] >= table["p"]).all()
    assert table["n_pairs"].iloc[0] == 80 * 79 // 2
    fewer = rsa(layers["far"], y, artists, styles, n_permutations=9, n_boot=50)
    pairs = sum(a != b for i, a in enumerate(artists) for b in artists[i + 1 :])
    assert fewer["n_pairs"][0] == pairs


def test_rsa_partial_correlation_takes_style_out(planted):
    _, y, artists, styles = planted
    y = pd.Series(np.where(styles == "funk", 9.0, np.where(styles == "pop", 5.0, 0.0)), y.index)
    y = y + 0.1 * np.random.default_rng(0).standard_normal(len(y))
    X = (styles[:, None] == np.unique(styles)) + 0.01 * np.random.default_rng(1).random((80, 3))
    common = {"metric": "euclidean", "n_boot": 100}
    raw = rsa(X, y, artists, styles, n_permutations=9, **common)
    clean = rsa(
        X, y, artists, styles, control_style=True, within_style=True, n_permutations=49, **common
    )
    assert raw["rho"][0] > 0.5
    assert abs(clean["rho"][0]) < 0.15
    assert clean["p"][0] > 0.02


def test_rsa_refuses_what_has_no_distance(planted):
    X = planted[0]["far"].copy()
    X[3] = 0
    with raises(StatsError, "no_distances", column="features"):
        rsa(X, planted[1])
    with raises(StatsError, "too_few", value=3):
        rsa(X[:3], planted[1][:3])


def test_bands_that_sound_alike_and_rate_alike_are_no_evidence():
    """Permuting songs instead of bands would find chance similarities of each band's songs."""
    found = {"bands": 0, "songs": 0}
    for seed in range(40):
        rng = np.random.default_rng([4, seed])
        bands = np.repeat(np.arange(12), 5)
        sound, taste = rng.standard_normal((12, 6))[bands], rng.standard_normal((12, 6))[bands]
        X, y = (side + 0.3 * rng.standard_normal((60, 6)) for side in (sound, taste))
        found["bands"] += mantel_test(X, y, bands, n_permutations=39, seed=seed)["p"] <= 0.05
        found["songs"] += mantel_test(X, y, n_permutations=39, seed=seed)["p"] <= 0.05
    assert found["bands"] <= 6  # 2 expected
    assert found["songs"] >= 25


def test_p_of_one_study():
    X, y = np.random.default_rng(3).standard_normal((2, 20, 4))
    found = mantel_test(X, y, n_permutations=199)
    np.testing.assert_allclose([found["rho"], found["p"]], [-0.0843881081, 0.925], atol=1e-9)


@pytest.mark.weekly
def test_p_is_calibrated_where_independent_pairs_would_not_be():
    p, naive = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((20, 2)), rng.standard_normal(20)
        p.append(rsa(X, y, metric="euclidean", n_permutations=99, n_boot=50)["p"][0])
        naive.append(
            spearmanr(pdist(X), pdist(y[:, None], "cityblock"), alternative="greater").pvalue
        )
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.11
    assert np.mean(np.array(naive) < 0.05) > np.mean(np.array(p) < 0.05)
