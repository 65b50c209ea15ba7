import numpy as np
import pandas as pd
import pytest


@pytest.fixture(autouse=True, scope="module")
def _own_cache(own_cache):
    """Use a temporary cache, since results of slow probes are cached."""


@pytest.fixture(scope="session")
def small():
    """60 songs by about 25 artists in three styles; each of two layers predicts another target."""
    rng = np.random.default_rng(7)
    n = 60
    X = {"low": rng.standard_normal((n, 12)) * 3 + 5, "high": rng.standard_normal((n, 90))}
    index = pd.Index([f"t{i:02d}" for i in rng.permutation(n)], name="track_id")
    y = pd.DataFrame(
        {
            "dance": X["low"][:, :3].sum(axis=1) + 4 * rng.standard_normal(n) + 50,
            "listen": X["high"][:, :8].sum(axis=1) + 2 * rng.standard_normal(n),
        },
        index=index,
    )
    artists = np.array([f"artist {i}" for i in rng.integers(0, 28, n)])
    styles = np.array(["funk", "pop", "rock"])[rng.integers(0, 3, n)]
    return X, y, artists, styles


@pytest.fixture(scope="session")
def planted():
    """120 songs by 70 artists in three styles; the middle of three layers predicts best."""
    rng = np.random.default_rng(11)
    n = 120
    artists = rng.integers(0, 70, n)
    styles = np.array(["funk", "pop", "rock"])[rng.integers(0, 3, 70)][artists]
    cause = rng.standard_normal(n)
    layers = {}
    for name, noise in (("early", 4.0), ("middle", 0.6), ("late", 2.0)):
        layers[name] = cause[:, None] + noise * rng.standard_normal((n, 15))
    y = pd.Series(cause + 0.7 * rng.standard_normal(n), [f"t{i}" for i in range(n)], name="groove")
    return layers, y, artists.astype(str), styles
