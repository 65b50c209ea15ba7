"""Mantel tests: rank correlations between two sets of distances among the same units.

The n(n − 1)/2 pairs of n units are not independent, since each unit is in n − 1 pairs. The null
distribution is therefore computed by permuting units, not pairs (Mantel 1967, Cancer Research
27(2), 209–220).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import squareform

__all__ = ["mantel", "order_codes", "unit_ranks"]


def order_codes(values) -> np.ndarray:
    """Replace values with integer codes 0, 1, 2 … in ascending order; equal values share a code.

    Codes, or any subset of them, can be ranked by counting, without sorting.

    Examples
    --------
    >>> order_codes([0.5, -2.0, 0.5, 7.0]).tolist()
    [1, 0, 1, 2]
    """
    return np.unique(values, return_inverse=True)[1]


def unit_ranks(codes: np.ndarray, covariate=None) -> np.ndarray:
    """Rank values, centre the ranks, and scale them to unit length.

    The dot product of the outputs for two sets of values is the Spearman correlation of the values
    or, with a covariate, their Spearman partial correlation.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Output of :func:`order_codes`, or a subset of it. Tied values get the mean of their ranks.
    covariate : ndarray, shape (n,), optional
        Covariate to regress out of the ranks.

    Returns
    -------
    ndarray of float64, shape (n,)
        Centred ranks with a sum of squares of 1; all zeros if all values are equal.

    Examples
    --------
    >>> round(float(unit_ranks(order_codes([1, 2, 3])) @ unit_ranks(order_codes([30, 20, 10]))), 9)
    -1.0
    """
    counts = np.bincount(codes)
    ranks = (counts.cumsum() - (counts - 1) / 2)[codes]
    ranks -= ranks.mean()
    if covariate is not None:
        centred = covariate - covariate.mean()
        square = centred @ centred
        if square > 0:
            ranks -= (ranks @ centred) / square * centred
    length = np.linalg.norm(ranks)
    return ranks / length if length > 0 else ranks


def mantel(first, second, orders, *, keep=None, covariate=None) -> tuple[np.ndarray, np.ndarray]:
    """Compute rank correlations between sets of distances, and their permutation distribution.

    Parameters
    ----------
    first : array-like, shape (k, n_pairs)
        k sets of distances among the same n units, in the condensed form returned by
        :func:`scipy.spatial.distance.pdist`.
    second : array-like, shape (n_pairs,)
        One set of distances among these units, to correlate with each set in `first`.
    orders : ndarray of int, shape (n_permutations, n)
        Permutations of the units, such as the output of :func:`groove_utils.stats.permute`.
    keep : ndarray of bool, shape (n_pairs,), optional
        True for the pairs to use; all pairs by default.
    covariate : ndarray, shape (n_kept,), optional
        Covariate to regress out of both sets of ranks, with one value for each pair that is used.

    Returns
    -------
    rho : ndarray, shape (k,)
        Spearman correlations, or partial correlations if there is a covariate.
    null : ndarray, shape (n_permutations, k)
        Correlations after permuting the units of `second`.
    """
    square = squareform(order_codes(second))
    i, j = np.triu_indices(len(square), 1)
    if keep is not None:
        i, j = i[keep], j[keep]
        first = [np.asarray(row)[keep] for row in first]
    left = np.stack([unit_ranks(order_codes(row), covariate) for row in first])
    if keep is None and covariate is None:  # permuting the units only reorders the ranks
        square = squareform(unit_ranks(order_codes(second)))
        return left @ square[i, j], np.array([left @ square[o[i], o[j]] for o in orders])
    null = [left @ unit_ranks(square[order[i], order[j]], covariate) for order in orders]
    return left @ unit_ranks(square[i, j], covariate), np.reshape(null, (-1, len(left)))
