"""Maps preserve the main axis, and UMAP gives the same result with given neighbours."""

import numpy as np
import pytest
from expect import raises

from groove_utils.similarity import song_map
from groove_utils.stats import StatsError


def test_map_keeps_the_main_axis_and_takes_constant_units():
    line = np.linspace(-1, 1, 30)
    vectors = np.column_stack([line, 2 * line, -line, np.ones(30)])
    x = song_map(vectors)[:, 0]
    assert abs(np.corrcoef(x, line)[0, 1]) == pytest.approx(1)
    with raises(StatsError, "unknown", column="method", value="tsne"):
        song_map(vectors, "tsne")


@pytest.mark.weekly  # compiles for 40 s; chapter 05 draws one in the normal run
def test_umap_is_that_of_its_own_neighbours_and_the_seed_decides(tmp_path, monkeypatch):
    import umap

    vectors = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)
    plain = umap.UMAP(n_neighbors=5, min_dist=0.3, metric="correlation", random_state=3, n_jobs=1)
    maps = []
    for folder in "first", "second":  # so that the second map is not read from the cache
        monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / folder))
        maps.append(song_map(vectors, "umap", 3))
    first, again = maps
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, plain.fit_transform(vectors), atol=1e-5)
