"""Maps of songs: two-dimensional projections of embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import StandardScaler

from groove_utils.memoisation import memoised
from groove_utils.stats.validation import StatsError

__all__ = ["last_hidden_layer", "song_map"]


def song_map(vectors: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Project song vectors to two dimensions.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
        One layer of an :class:`groove_utils.embed.Embedding`.
    method : {'pca', 'umap'}
        ``'pca'`` computes the first two principal components of the standardised vectors.
        ``'umap'`` uses UMAP with the settings of Marmoret et al. (2026): 5 neighbours, minimum
        distance 0.3, correlation distance. UMAP preserves neighbourhoods, but the sizes of clusters
        and the distances between them are not meaningful.
    seed : int
        Random seed for UMAP.

    Returns
    -------
    ndarray, shape (n_songs, 2)

    Raises
    ------
    StatsError
        If `method` is unknown.
    """
    if method == "pca":
        standardised = StandardScaler().fit_transform(vectors)
        return PCA(n_components=2, svd_solver="full").fit_transform(standardised)
    if method != "umap":
        raise StatsError(f"method is {method!r}; expected 'pca' or 'umap'",
                         kind="unknown", column="method", value=method)  # fmt: skip
    return _umap(vectors, seed)


@memoised("song-maps")  # slow, because UMAP is compiled in every new process
def _umap(vectors: np.ndarray, seed: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP warns that a seed implies one thread
        import umap

        # with precomputed neighbours, UMAP does not compile its neighbour search
        n_neighbors = min(5, len(vectors) - 1)
        distances = pairwise_distances(vectors, metric="correlation")
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
        return umap.UMAP(
            n_neighbors=n_neighbors,
            min_dist=0.3,
            metric="correlation",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(nearest, np.take_along_axis(distances, nearest, axis=1)),
            force_approximation_algorithm=True,  # otherwise the given neighbours are ignored
        ).fit_transform(vectors)


def last_hidden_layer(layers: Iterable[str]) -> str:
    """Return the name of the last layer that is not the output of a tagger (``taggram``).

    Parameters
    ----------
    layers : iterable of str
        Layer names, ordered from input to output, such as ``embedding.layers``.

    Examples
    --------
    >>> last_hidden_layer(["max_pool", "penultimate", "taggram"])
    'penultimate'
    """
    return [name for name in layers if name != "taggram"][-1]
