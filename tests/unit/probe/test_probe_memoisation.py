"""Results of probes that are read from the cache."""

import numpy as np
import pandas as pd
import pytest

from groove_utils.cache import ArrayCache
from groove_utils.probe import Protocol, nested_ridge, nested_ridges
from groove_utils.probe import ridge as module


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    features = {"wide": rng.standard_normal((60, 30)), "two layers": {"a": rng.random((60, 4)),
                "b": rng.random((60, 5))}}  # fmt: skip
    y = pd.DataFrame(rng.standard_normal((60, 2)), columns=["groove", "dance"])
    return features, (y, np.arange(60) // 3, np.arange(60) % 3)


@pytest.mark.parametrize("pca", [(None,), (2, None)])
def test_a_cached_probe_equals_a_new_one(data, tmp_path, monkeypatch, pca):
    features, songs = data
    protocol, cache = Protocol(n_repeats=2, pca=pca), ArrayCache(tmp_path)
    nested_ridges(features, *songs, protocol, cache=cache)
    direct = {name: nested_ridge(X, *songs, protocol) for name, X in features.items()}
    monkeypatch.setattr(module, "run_plan", None)  # nothing is computed again
    for name, result in nested_ridges(features, *songs, protocol, cache=cache).items():
        for field in ("predicted", "baseline", "folds", "leave_artist_out"):
            np.testing.assert_array_equal(getattr(result, field), getattr(direct[name], field))
        pd.testing.assert_frame_equal(result.choices, direct[name].choices, check_dtype=False)
        pd.testing.assert_frame_equal(result.scores(), direct[name].scores())


def test_everything_that_a_probe_depends_on_is_in_its_key(data, tmp_path):
    features, (y, artists, styles) = data
    cache, once = ArrayCache(tmp_path), Protocol(n_repeats=1)
    X = {"wide": features["wide"]}

    def run(X=X, y=y, artists=artists, styles=styles, protocol=once, **options):
        nested_ridges(X, y, artists, styles, protocol, cache=cache, **options)
        return len(cache)

    counts = [
        run(), run(), run({"wide": features["wide"] + 1e-9}), run(y=-y), run(artists=artists // 2),
        run(styles=styles[::-1]), run(protocol=Protocol(n_repeats=1, seed=1)), run(nuisance=styles),
        run(folds=np.tile(np.arange(60) // 15, (1, 1))),
    ]  # fmt: skip
    assert counts == [1, 1, 2, 3, 4, 5, 6, 7, 8]
