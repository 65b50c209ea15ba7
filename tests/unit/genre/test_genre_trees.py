import numpy as np
import pandas as pd
import pytest
from expect import raises
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from groove_utils.errors import DetailedError
from groove_utils.genre.trees import (
    ancestors,
    cluster_tree,
    label_overlap,
    shuffle_leaves,
    tree_distances,
)

TREE = {"house": "electronic", "techno": "electronic", "electronic": "dance", "disco": "dance"}
LABELS = ["house", "techno", "disco", "folk"]


def test_distances_of_a_tree_worked_by_hand():
    # electronic is 1 step above its leaves, dance 2, the root 3
    expected = np.array([[0, 1, 2, 3], [1, 0, 2, 3], [2, 2, 0, 3], [3, 3, 3, 0]]) / 3
    np.testing.assert_allclose(tree_distances(TREE, LABELS), expected, atol=1e-15)
    np.testing.assert_array_equal(tree_distances({}, LABELS), 1 - np.eye(4))
    overlap = [[3, 2, 1, 0], [2, 3, 1, 0], [1, 1, 2, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(label_overlap(TREE, LABELS), overlap)


def test_a_circle_is_an_error():
    with raises(DetailedError, "circular_tree", value="a"):
        ancestors({"a": "b", "b": "a"}, "a")


def test_clustered_trees_order_pairs_as_the_dendrogram():
    rng = np.random.default_rng(0)
    for _ in range(20):
        vectors = pd.DataFrame(rng.normal(size=(7, 3)), index=list("abcdefg"))
        distances = tree_distances(cluster_tree(vectors), list("abcdefg")).to_numpy()
        heights = squareform(cophenet(linkage(vectors.to_numpy(), "average")))
        for row, height in zip(distances, heights, strict=True):  # seen from each leaf
            order = np.argsort(height, kind="stable")
            assert (np.diff(row[order]) >= 0).all()
            assert len(np.unique(row)) == len(np.unique(height.round(12)))


def test_vectors_that_cannot_be_clustered():
    with raises(DetailedError, "unusable_vectors"):
        cluster_tree(pd.DataFrame({"x": [1.0, np.nan]}, index=["a", "b"]))
    with raises(DetailedError, "unusable_vectors"):
        cluster_tree(pd.DataFrame({"x": [1.0]}, index=["a"]))


def test_shuffled_leaves_keep_the_shape_of_a_tree():
    distances = tree_distances(TREE, LABELS).to_numpy()
    draws = shuffle_leaves(distances, 200, seed=1)
    assert draws.shape == (200, 4, 4)
    np.testing.assert_allclose(
        np.sort(draws.reshape(200, -1)), np.tile(np.sort(distances.ravel()), (200, 1))
    )
    np.testing.assert_array_equal(draws, draws.transpose(0, 2, 1))
    off = distances[~np.eye(4, dtype=bool)].mean()
    assert draws.mean(axis=0)[0, 1] == pytest.approx(off, abs=0.06)
