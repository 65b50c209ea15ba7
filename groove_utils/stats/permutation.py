"""Permutations of single units or whole clusters, and permutation p-values."""

from __future__ import annotations

import numpy as np

from groove_utils.stats.validation import label_codes

__all__ = ["permutation_p", "permute"]


def permute(n_permutations: int, n: int, *, clusters=None, strata=None, seed=0) -> np.ndarray:
    """Draw random permutations of n units.

    Parameters
    ----------
    n_permutations : int
        Number of permutations.
    n : int
        Number of units.
    clusters : array-like of shape (n,), optional
        Cluster of each unit. If given, whole clusters are permuted instead of single units. Only
        clusters of the same size (in each stratum, if there are strata) are exchanged, so a cluster
        stays in place if no other cluster has the same size.
    strata : array-like of shape (n,), optional
        Stratum of each unit. If given, units are permuted only within strata.
    seed : int
        Random seed.

    Returns
    -------
    ndarray of int64, shape (n_permutations, n)
        In each row, entry i is the index of the unit whose value is assigned to unit i.

    Examples
    --------
    >>> permute(2, 3, strata=["a", "a", "b"], seed=1)[:, 2].tolist()
    [2, 2]
    """
    groups = np.zeros(n, int) if strata is None else label_codes(strata)
    rng = np.random.default_rng(seed)
    orders = np.tile(np.arange(n), (n_permutations, 1))
    if clusters is None:
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            orders[:, rows] = rng.permuted(np.tile(rows, (n_permutations, 1)), axis=1)
        return orders
    cluster = label_codes(clusters)
    sizes = np.zeros((cluster.max() + 1, groups.max() + 1), dtype=int)
    np.add.at(sizes, (cluster, groups), 1)
    members = np.split(np.lexsort((groups, cluster)), np.cumsum(sizes.sum(axis=1))[:-1])
    shape = np.unique(sizes, axis=0, return_inverse=True)[1]
    for kind in np.unique(shape):
        rows = np.stack([members[i] for i in np.flatnonzero(shape == kind)])
        exchange = rng.permuted(np.tile(np.arange(len(rows)), (n_permutations, 1)), axis=1)
        orders[:, rows] = rows[exchange]
    return orders


def permutation_p(observed, null) -> np.ndarray:
    """Compute one-sided p-values, (1 + number of null values ≥ observed) / (1 + n_permutations).

    Parameters
    ----------
    observed : float or ndarray, shape (...)
        Statistic for the observed data.
    null : array-like, shape (n_permutations, ...)
        Statistic for the permuted data.

    Returns
    -------
    float or ndarray, shape (...)
        p-values, which are always greater than 0.

    Examples
    --------
    >>> float(permutation_p(2.0, [0.0, 1.0, 3.0]))
    0.5
    """
    null = np.asarray(null)
    return (1 + (null >= np.asarray(observed) - 1e-12).sum(axis=0)) / (1 + len(null))
