"""Compare models and layers by centred kernel alignment (CKA).

Vectors from two models cannot be compared directly, because they may have different numbers of
dimensions and be rotated relative to each other. CKA instead compares which songs each model places
close together.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from groove_utils.similarity.mantel import mantel_test
from groove_utils.stats.multiple_testing import holm
from groove_utils.stats.validation import StatsError

__all__ = ["compare_embeddings", "extreme_pairs", "layer_similarity", "linear_cka"]


def linear_cka(first: np.ndarray, second: np.ndarray, *, debiased: bool = True) -> float:
    """Compute the linear centred kernel alignment (CKA) between two embeddings of the same songs.

    Parameters
    ----------
    first, second : ndarray, shapes (n_songs, d1) and (n_songs, d2)
        One vector per song, for the same songs in the same order; at least 4 songs.
    debiased : bool
        Use the unbiased estimator of the Hilbert–Schmidt independence criterion. With the biased
        estimator, CKA approaches 1 if there are more dimensions than songs, even for unrelated
        vectors.

    Returns
    -------
    float
        1 if the embeddings differ only by rotation and scaling; about 0 if they are unrelated (the
        debiased estimate may be slightly negative); NaN if all vectors in an embedding are the
        same.

    Raises
    ------
    StatsError
        If the arrays are not two-dimensional, have different numbers of songs, or have fewer than
        4 songs.

    References
    ----------
    Kornblith et al. (2019), arXiv:1905.00414; for the unbiased estimator, Song et al. (2012),
    "Feature selection via dependence maximization", Journal of Machine Learning Research 13.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(10, 3))
    >>> round(linear_cka(x, 2 * x[:, ::-1]), 6)
    1.0
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if len(first) != len(second) or first.ndim != 2 or second.ndim != 2 or len(first) < 4:
        raise StatsError(
            f"the embeddings have shapes {first.shape} and {second.shape}; expected two arrays "
            "of shape (n_songs, dim) for the same songs (at least 4)",
            kind="shape", value=(first.shape, second.shape),
        )  # fmt: skip
    hsic = _unbiased_hsic if debiased else _biased_hsic
    k, m = (x @ x.T for x in (first - first.mean(axis=0), second - second.mean(axis=0)))
    scale = hsic(k, k) * hsic(m, m)
    return float(hsic(k, m) / np.sqrt(scale)) if scale > 0 else float("nan")


def compare_embeddings(
    vectors: Mapping[str, np.ndarray], artists=None, *, n_permutations: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Compare all pairs of embedding models using CKA and Mantel tests.

    Parameters
    ----------
    vectors : mapping of str to ndarray, shape (n_songs, dim)
        Song vectors by model name. All models must have the same songs in the same order.
    artists, n_permutations, seed
        Passed to :func:`groove_utils.similarity.mantel_test`.

    Returns
    -------
    pandas.DataFrame
        One row per pair of models. Columns ``first, second`` (model names), ``cka``, ``rho, p,
        n_songs`` (from the Mantel test) and ``p_holm`` (``p`` corrected for the number of pairs by
        Holm's method). Empty if there is only one model.
    """
    rows = [
        {
            "first": first,
            "second": second,
            "cka": linear_cka(vectors[first], vectors[second]),
            **mantel_test(
                vectors[first],
                vectors[second],
                artists,
                names=(first, second),
                n_permutations=n_permutations,
                seed=seed,
            ),
        }
        for first, second in combinations(vectors, 2)
    ]
    table = pd.DataFrame(rows, columns=["first", "second", "cka", "rho", "p", "n_songs"])
    return table.assign(p_holm=holm(table["p"])).astype({"n_songs": int})


def extreme_pairs(pairs: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the pairs of models with the highest and the lowest CKA.

    Parameters
    ----------
    pairs : DataFrame
        Output of :func:`compare_embeddings`.

    Returns
    -------
    highest, lowest : Series
        Rows of `pairs`. If all CKA values are missing, both rows have dashes as model names and
        a CKA of NaN.
    """
    if pairs["cka"].isna().all():
        none = pd.Series({"first": "–", "second": "–", "cka": np.nan})
        return none, none
    return pairs.loc[pairs["cka"].idxmax()], pairs.loc[pairs["cka"].idxmin()]


def layer_similarity(layers: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Compute debiased linear CKA between all pairs of layers in a model.

    Parameters
    ----------
    layers : mapping of str to ndarray, shape (n_songs, dim)
        Song vectors by layer name, ordered from input to output, such as ``embedding.layers``.

    Returns
    -------
    DataFrame, layers × layers
        CKA of each pair of layers; 1 on the diagonal.
    """
    table = pd.DataFrame(1.0, index=list(layers), columns=list(layers)).rename_axis("layer")
    for first, second in combinations(layers, 2):
        table.loc[first, second] = linear_cka(layers[first], layers[second])
        table.loc[second, first] = table.loc[first, second]
    return table


def _biased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    return float((k * m).sum())  # both matrices are already centred


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
