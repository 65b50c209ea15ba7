"""How alike two models see the same songs (chapter 05).

Two models may have different numbers of units, in any rotation. What can be compared is which songs
they find alike: by centred kernel alignment, or by the rank correlation of distances.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata
from statsmodels.stats.multitest import multipletests

__all__ = ["compare_geometries", "extreme_pairs", "layer_similarity", "linear_cka", "mantel_test"]


def linear_cka(first: np.ndarray, second: np.ndarray, *, debiased: bool = True) -> float:
    """Linear centred kernel alignment of two sets of vectors of the same songs.

    Parameters
    ----------
    first, second : ndarray, shapes (n_songs, d1) and (n_songs, d2)
        Songs in the same order; at least 4.
    debiased : bool
        Use the unbiased estimator of the Hilbert–Schmidt independence criterion. The plain one
        grows towards 1 as dimensions outnumber songs, also for unrelated vectors.

    Returns
    -------
    float
        1 for the same geometry up to rotation and scale; about 0 for unrelated ones (the debiased
        estimate may fall a little below 0). NaN where all songs of one set are alike.

    References
    ----------
    Kornblith et al. (2019), arXiv:1905.00414; Song et al. (2012), Feature selection via dependence
    maximization, for the unbiased estimator.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if len(first) != len(second) or first.ndim != 2 or second.ndim != 2 or len(first) < 4:
        raise ValueError(
            f"linear_cka: shapes {first.shape} and {second.shape}; expected (n_songs, dim) each, "
            "with the same 4 or more songs."
        )
    hsic = _unbiased_hsic if debiased else _biased_hsic
    k, m = (x @ x.T for x in (first - first.mean(axis=0), second - second.mean(axis=0)))
    scale = hsic(k, k) * hsic(m, m)
    return float(hsic(k, m) / np.sqrt(scale)) if scale > 0 else float("nan")


def mantel_test(
    first: np.ndarray, second: np.ndarray, *, n_permutations: int = 1000, seed: int = 0
) -> pd.Series:
    """Rank correlation of the distances between songs, with a permutation test.

    Pairs of songs share songs and are not independent, so it is songs that are permuted.

    Parameters
    ----------
    first, second : ndarray, shapes (n_songs, d1) and (n_songs, d2)
    n_permutations : int
    seed : int

    Returns
    -------
    pandas.Series
        ``rho`` (Spearman's, −1…1, of correlation distances), ``p`` (one-sided) and ``n_songs``.

    References
    ----------
    Mantel (1967), The detection of disease clustering and a generalized regression approach.
    """
    pairs = [pdist(np.asarray(x), "correlation") for x in (first, second)]
    if not all(np.isfinite(distances).all() and np.ptp(distances) > 0 for distances in pairs):
        raise ValueError(
            "mantel_test: distances between songs are undefined, or all the same: some vectors are "
            "constant or not finite, or there are fewer than three songs."
        )
    near, far = (squareform(_ranks(distances)) for distances in pairs)
    n = len(near)
    upper = np.triu_indices(n, 1)
    observed = near[upper] @ far[upper]
    rng = np.random.default_rng(seed)
    null = np.empty(n_permutations)
    for draw in range(n_permutations):
        order = rng.permutation(n)
        null[draw] = near[np.ix_(order, order)][upper] @ far[upper]
    p = (1 + (null >= observed - 1e-12).sum()) / (1 + n_permutations)
    return pd.Series({"rho": observed, "p": p, "n_songs": n})


def compare_geometries(
    vectors: Mapping[str, np.ndarray], *, n_permutations: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """All pairs of models by CKA and by the Mantel test.

    Parameters
    ----------
    vectors : mapping of str to ndarray, shape (n_songs, dim)
        Model → vectors of the same songs in the same order.
    n_permutations, seed : int
        Of :func:`mantel_test`.

    Returns
    -------
    pandas.DataFrame
        One row a pair: ``first, second, cka, rho, p, n_songs, p_holm``; of one model, none.
    """
    rows = []
    for one, other in combinations(vectors, 2):
        test = mantel_test(vectors[one], vectors[other], n_permutations=n_permutations, seed=seed)
        cka = linear_cka(vectors[one], vectors[other])
        rows.append({"first": one, "second": other, "cka": cka, **test})
    table = pd.DataFrame(rows, columns=["first", "second", "cka", "rho", "p", "n_songs"])
    # of one model there are no pairs, which the correction cannot take
    table["p_holm"] = multipletests(table["p"], method="holm")[1] if rows else table["p"]
    return table.astype({"n_songs": int})


def extreme_pairs(pairs: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The two models that are most alike by CKA, and the two that are least.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From :func:`compare_geometries`.

    Returns
    -------
    most, least : pandas.Series
        Rows of the table; of an empty one, dashes and NaN.
    """
    if pairs["cka"].isna().all():
        none = pd.Series({"first": "–", "second": "–", "cka": np.nan})
        return none, none
    return pairs.loc[pairs["cka"].idxmax()], pairs.loc[pairs["cka"].idxmin()]


def layer_similarity(layers: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Debiased linear CKA between all layers of a model.

    Parameters
    ----------
    layers : mapping of str to ndarray, shape (n_songs, dim)
        Such as ``embedding.layers``, from input to output.

    Returns
    -------
    pandas.DataFrame
        Symmetric, layers × layers, ones on the diagonal.
    """
    values = [
        [linear_cka(a, b) if a is not b else 1.0 for b in layers.values()] for a in layers.values()
    ]
    return pd.DataFrame(values, index=list(layers), columns=list(layers)).rename_axis("layer")


def _ranks(distances: np.ndarray) -> np.ndarray:
    ranks = rankdata(distances)
    ranks -= ranks.mean()
    return ranks / np.linalg.norm(ranks)


def _biased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    return float((k * m).sum())  # both are centred already


def _unbiased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    n = len(k)
    k, m = k.copy(), m.copy()
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    return float(
        (k * m).sum()
        + k.sum() * m.sum() / ((n - 1) * (n - 2))
        - 2 * (k.sum(axis=0) @ m.sum(axis=0)) / (n - 2)
    ) / (n * (n - 3))
