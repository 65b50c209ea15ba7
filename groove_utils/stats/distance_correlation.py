"""Mantel tests: rank correlation of the distances between units.

The n(n − 1)/2 pairs of n units are not independent, since each unit is in n − 1 of them. p-values
therefore permute units (Mantel 1967, Cancer Research 27(2), 209–220).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

__all__ = ["mantel", "unit_ranks"]


def unit_ranks(values, covariate=None) -> np.ndarray:
    """Rank values, remove a covariate, and scale to length 1, so that a dot product is a
    correlation.

    Examples
    --------
    >>> round(float(unit_ranks([1, 2, 3]) @ unit_ranks([30, 20, 10])), 9)
    -1.0
    """
    ranks = rankdata(values)
    ranks -= ranks.mean()
    if covariate is not None:
        centred = covariate - covariate.mean()
        square = centred @ centred
        if square > 0:
            ranks -= (ranks @ centred) / square * centred
    length = np.linalg.norm(ranks)
    return ranks / length if length > 0 else ranks


def mantel(first, second, orders, *, keep=None, covariate=None) -> tuple[np.ndarray, np.ndarray]:
    """Correlate the ranks of two sets of distances, and repeat it with the units of one permuted.

    Parameters
    ----------
    first : array-like, shape (k, n_pairs)
        k sets of distances between the same n units, condensed as by
        :func:`scipy.spatial.distance.pdist`.
    second : array-like, shape (n_pairs,)
    orders : ndarray of int, shape (n_permutations, n)
        Output of :func:`groove_utils.stats.permute`.
    keep : ndarray of bool, shape (n_pairs,), optional
        Pairs to use.
    covariate : ndarray, shape (n_kept,), optional
        Covariate to regress out of both sets of ranks.

    Returns
    -------
    rho : ndarray, shape (k,)
        Spearman's correlations.
    null : ndarray, shape (n_permutations, k)
    """
    square = squareform(rankdata(second))
    i, j = np.triu_indices(len(square), 1)
    if keep is not None:
        i, j = i[keep], j[keep]
        first = [np.asarray(row)[keep] for row in first]
    left = np.stack([unit_ranks(row, covariate) for row in first])
    if keep is None and covariate is None:  # ranks of all pairs are permuted with the units
        square = squareform(unit_ranks(second))
        return left @ square[i, j], np.array([left @ square[o[i], o[j]] for o in orders])
    null = [left @ unit_ranks(square[order[i], order[j]], covariate) for order in orders]
    return left @ unit_ranks(square[i, j], covariate), np.reshape(null, (-1, len(left)))
