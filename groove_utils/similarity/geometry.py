"""The geometry of embeddings: maps, and what songs lie next to one another (chapter 05).

Distances are correlation distances, 1 − Pearson's r between the vectors of two songs, so that
neither the level nor the scale of a model's units counts.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances, silhouette_score
from sklearn.preprocessing import StandardScaler

__all__ = ["last_hidden_layer", "nearest_songs", "neighbour_rate", "song_map", "style_separation"]


def song_map(vectors: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Put songs on a plane.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
        One layer of an :class:`groove_utils.embed.Embedding`.
    method : {'pca', 'umap'}
        The first two principal components of the standardised units, or UMAP with the settings of
        Marmoret et al. (2026): 5 neighbours, minimal distance 0.3, correlation distance. UMAP
        keeps neighbourhoods; distances between clusters, and their sizes, mean nothing.
    seed : int
        Of UMAP.

    Returns
    -------
    ndarray, shape (n_songs, 2)
    """
    if method == "pca":
        return PCA(n_components=2, svd_solver="full").fit_transform(
            StandardScaler().fit_transform(vectors)
        )
    if method != "umap":
        raise ValueError(f"song_map: expected method 'pca' or 'umap', got {method!r}.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap tells that a seed means one thread
        import umap

        # the neighbours that it would find itself, without compiling the search for them
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
            force_approximation_algorithm=True,  # or else it does not look at them
        ).fit_transform(vectors)


def style_separation(
    vectors: np.ndarray,
    styles: np.ndarray,
    artists: np.ndarray,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
) -> pd.Series:
    """How far styles lie apart, tested by permuting styles over artists.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
    styles, artists : array-like of str, shape (n_songs,)
        Songs of one artist share what a band sounds like, so it is artists that are exchanged;
        where an artist has several styles, the songs of each style go together.
    n_permutations : int
    seed : int

    Returns
    -------
    pandas.Series
        ``silhouette`` (−1…1, mean over songs), ``null_mean``, ``p``, ``n_songs`` and
        ``n_artists``.

    Raises
    ------
    ValueError
        If there are fewer than two styles.

    References
    ----------
    Rousseeuw (1987), Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis.
    """
    styles, artists = np.asarray(styles, dtype=str), np.asarray(artists, dtype=str)
    pairs, which = np.unique(np.stack([artists, styles]), axis=1, return_inverse=True)
    which = which.ravel()
    if len(np.unique(styles)) < 2:
        raise ValueError("style_separation: all songs have one style; two or more are needed.")
    distances = squareform(pdist(vectors, "correlation"))
    artist_style = pairs[1]
    rng = np.random.default_rng(seed)
    observed = silhouette_score(distances, styles, metric="precomputed")
    drawn = (rng.permutation(artist_style)[which] for _ in range(n_permutations))
    null = np.array([_silhouette(distances, labels) for labels in drawn])
    return pd.Series(
        {
            "silhouette": observed,
            "null_mean": null.mean(),
            "p": (1 + (null >= observed).sum()) / (1 + n_permutations),
            "n_songs": len(styles),
            "n_artists": len(np.unique(artists)),
        }
    )


def _silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    """What scikit-learn's ``silhouette_score`` gives, without its checks: for many permutations."""
    member = labels[:, None] == np.unique(labels)
    counts = member.sum(axis=0)
    sums = distances @ member
    own = counts[member.argmax(axis=1)]
    within = sums[member] / np.maximum(own - 1, 1)
    between = np.where(member, np.inf, sums / counts).min(axis=1)
    widest = np.maximum(within, between)
    scores = np.where((own > 1) & (widest > 0), (between - within) / np.maximum(widest, 1e-300), 0)
    return float(scores.mean())


def last_hidden_layer(layers: Iterable[str]) -> str:
    """The last layer that is not a tagger's answer.

    Parameters
    ----------
    layers : iterable of str
        Names from input to output, such as ``embedding.layers``.
    """
    return [name for name in layers if name != "taggram"][-1]


def nearest_songs(vectors: np.ndarray) -> np.ndarray:
    """For each song the others, from the nearest to the farthest by correlation distance.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)

    Returns
    -------
    ndarray of int, shape (n_songs, n_songs - 1)
        Rows of `vectors`. Songs at one distance follow in their order. Chapter 05 uses this.
    """
    n_songs = len(vectors)
    distances = squareform(pdist(vectors, "correlation"))
    np.fill_diagonal(distances, -np.inf)  # a song itself comes first, and is left out
    return np.argsort(distances, axis=1, kind="stable")[:, 1:].reshape(n_songs, n_songs - 1)


def neighbour_rate(
    vectors: np.ndarray,
    labels: np.ndarray,
    artists: np.ndarray,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> pd.Series:
    """How often a song's nearest neighbour shares its label, against chance.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
    labels : array-like of str, shape (n_songs,)
        Artists or styles.
    artists : array-like of str, shape (n_songs,)
        Resampled as wholes for the interval.
    n_bootstrap, seed : int

    Returns
    -------
    pandas.Series
        ``rate``, ``low``, ``high`` and ``chance``, all 0…1: the share of songs whose nearest other
        song has the same label, its 95% percentile interval over artists, and the share for a
        neighbour drawn at random.
    """
    labels = np.asarray(labels, dtype=str)
    distances = squareform(pdist(vectors, "correlation"))
    np.fill_diagonal(distances, np.inf)
    hits = labels[distances.argmin(axis=1)] == labels
    same = labels[:, None] == labels[None, :]
    chance = (same.sum() - len(labels)) / (len(labels) * (len(labels) - 1))
    _, artist = np.unique(np.asarray(artists, dtype=str), return_inverse=True)
    counts, found = np.bincount(artist), np.bincount(artist, weights=hits)
    n = len(counts)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_bootstrap)
    low, high = np.quantile((drawn @ found) / (drawn @ counts), [0.025, 0.975])
    return pd.Series({"rate": hits.mean(), "low": low, "high": high, "chance": chance})
