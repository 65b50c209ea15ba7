"""Genre trees, which define the severity of classification mistakes.

A tree is a mapping from child to parent. The root has no name: a label that is not a key of the
mapping is a child of the root. Therefore, ``{}`` is a flat tree, in which all mistakes are equally
severe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import linkage

from groove_utils.errors import DetailedError

__all__ = ["ancestors", "cluster_tree", "label_overlap", "shuffle_leaves", "tree_distances"]

Tree = Mapping[str, str]


def ancestors(tree: Tree, label: str) -> list[str]:
    """Return a label and its ancestors, from the label upwards, excluding the root.

    Parameters
    ----------
    tree : mapping of str to str
        Genre tree, as a mapping from child to parent.
    label : str

    Returns
    -------
    list of str
        The label, its parent, and so on, up to a child of the root.

    Raises
    ------
    DetailedError
        If the label's ancestors form a cycle.

    Examples
    --------
    >>> ancestors({"house": "electronic", "electronic": "dance"}, "house")
    ['house', 'electronic', 'dance']
    """
    path = [label]
    while path[-1] in tree:
        parent = tree[path[-1]]
        if parent in path:
            raise DetailedError(
                f"the tree has a cycle: {' → '.join([*path, parent])}; expected every label to "
                "lead to the root. Remove one of these entries.",
                kind="circular_tree", value=label,
            )  # fmt: skip
        path.append(parent)
    return path


def tree_distances(tree: Tree, labels: Sequence[str]) -> pd.DataFrame:
    """Compute the tree distance between each pair of labels.

    The distance is the height of the lowest common ancestor of the two labels.

    Parameters
    ----------
    tree : mapping of str to str
        Genre tree, as a mapping from child to parent.
    labels : sequence of str
        Leaves of the tree.

    Returns
    -------
    DataFrame of float, labels × labels
        Distances: 0 on the diagonal, and 1 if the root is the only common ancestor. The height of a
        node is the largest number of steps down to one of `labels`. Heights are divided by the
        height of the root, so that trees of different depths are comparable.

    References
    ----------
    Bertinetto et al. (2020), "Making better mistakes", CVPR.

    Examples
    --------
    >>> tree_distances({"funk": "dance", "disco": "dance"}, ["funk", "disco", "folk"]).loc["funk"]
    funk     0.0
    disco    0.5
    folk     1.0
    Name: funk, dtype: float64
    """
    paths = {label: ancestors(tree, label) for label in labels}
    heights: dict[str, int] = {}
    for path in paths.values():
        for height, node in enumerate(path):
            heights[node] = max(height, heights.get(node, 0))
    root = max(map(len, paths.values()))
    values = np.zeros((len(labels), len(labels)))
    for i, a in enumerate(labels):
        for j, b in enumerate(labels):
            shared = [node for node in paths[a] if node in paths[b]]
            values[i, j] = (heights[shared[0]] if shared else root) / root
    return pd.DataFrame(values, index=list(labels), columns=list(labels))


def label_overlap(tree: Tree, labels: Sequence[str]) -> np.ndarray:
    """Count the nodes shared by the paths from each pair of labels to the root.

    Parameters
    ----------
    tree : mapping of str to str
        Genre tree, as a mapping from child to parent.
    labels : sequence of str

    Returns
    -------
    ndarray of int, shape (n_labels, n_labels)
        Number of common nodes, excluding the root, for each pair of labels. A path contains the
        label and its ancestors, so the diagonal contains the lengths of the paths.
    """
    sets = [set(ancestors(tree, label)) for label in labels]
    return np.array([[len(a & b) for b in sets] for a in sets])


def cluster_tree(vectors: pd.DataFrame, method: str = "average") -> dict[str, str]:
    """Build a binary tree of labels by agglomerative clustering of their vectors.

    Parameters
    ----------
    vectors : DataFrame, labels × dimensions
        Vector for each label, such as its mean embedding. If the dimensions have different units,
        scale them beforehand.
    method : str
        Linkage method; see :func:`scipy.cluster.hierarchy.linkage`.

    Returns
    -------
    dict of str to str
        Mapping from child to parent. An inner node is named after its leaves, joined by ``+``.

    Raises
    ------
    DetailedError
        If there are fewer than two labels, or `vectors` contains NaN or infinite values.

    Examples
    --------
    >>> cluster_tree(pd.DataFrame({"x": [0.0, 1.0, 9.0]}, index=["ska", "dub", "techno"]))
    {'ska': 'ska+dub', 'dub': 'ska+dub'}
    """
    if len(vectors) < 2 or not np.isfinite(vectors.to_numpy(float)).all():
        raise DetailedError(
            f"the vectors have the shape {vectors.shape} (labels × dimensions); expected at least "
            "two labels, and no NaN or infinite values.",
            kind="unusable_vectors", value=vectors.shape,
        )  # fmt: skip
    groups = [[label] for label in vectors.index]
    tree = {}
    for first, second, *_ in linkage(vectors.to_numpy(float), method):
        children = [groups[int(first)], groups[int(second)]]
        leaves = [label for label in vectors.index if label in children[0] + children[1]]
        groups.append(leaves)
        if len(leaves) < len(vectors):  # the last cluster is the root
            tree |= {"+".join(child): "+".join(leaves) for child in children}
    return tree


def shuffle_leaves(distances: np.ndarray, n_draws: int, seed: int = 0) -> np.ndarray:
    """Compute tree distances after randomly reassigning the labels to the leaves of the tree.

    Parameters
    ----------
    distances : array-like, shape (k, k)
        Output of :func:`tree_distances`.
    n_draws, seed : int
        Number of random assignments, and random seed.

    Returns
    -------
    ndarray, shape (n_draws, k, k)
        Tree distances for each random assignment.
    """
    distances, rng = np.asarray(distances), np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(len(distances)), (n_draws, 1)), axis=1)
    return distances[orders[:, :, None], orders[:, None, :]]
