"""Nearest neighbours of songs in embeddings, and separation of styles.

Distances are correlation distances, 1 − Pearson's r between the vectors of two songs, so results do
not depend on the mean or the scale of a vector.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform

from groove_utils.stats.bootstrap import (
    cluster_codes,
    cluster_weights,
    influence_interval,
    jackknife_influence,
)
from groove_utils.stats.permutation import permutation_p, permute
from groove_utils.stats.validation import StatsError

__all__ = [
    "mean_silhouette",
    "nearest_songs",
    "neighbour_difference",
    "neighbour_rate",
    "style_separation",
]


def style_separation(
    vectors: np.ndarray, styles, artists, *, n_permutations: int = 1000, seed: int = 0
) -> pd.Series:
    """Measure how well styles are separated in an embedding, with a permutation test.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
    styles, artists : array-like of str, shape (n_songs,)
        Style and artist of each song. Styles are permuted among artists instead of songs, because
        songs by the same artist sound alike. In each permutation, all songs of an artist in one
        style receive the same new style.
    n_permutations, seed : int
        Number of permutations, and random seed.

    Returns
    -------
    pandas.Series
        ``silhouette`` (−1…1, mean over songs), ``null_mean`` (its mean over permutations), ``p``
        (one-sided), ``n_songs`` and ``n_artists``.

    Raises
    ------
    StatsError
        If all songs have the same style.
    """
    styles, artists = np.asarray(styles, dtype=str), np.asarray(artists, dtype=str)
    if len(np.unique(styles)) < 2:
        raise StatsError("all songs have one style; two or more are needed", kind="one_style",
                         column="styles")  # fmt: skip
    pairs, pair_of_song = np.unique(np.stack([artists, styles]), axis=1, return_inverse=True)
    distances = squareform(pdist(vectors, "correlation"))
    observed = mean_silhouette(distances, styles)
    null = np.array(
        [
            mean_silhouette(distances, pairs[1][order][pair_of_song.ravel()])
            for order in permute(n_permutations, pairs.shape[1], seed=seed)
        ]
    )
    return pd.Series(
        {
            "silhouette": observed,
            "null_mean": null.mean(),
            "p": float(permutation_p(observed, null)),
            "n_songs": len(styles),
            "n_artists": len(np.unique(artists)),
        }
    )


def mean_silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mean silhouette (Rousseeuw 1987) from distances.

    The result equals that of :func:`sklearn.metrics.silhouette_score`, but inputs are not checked.
    This speeds up permutation tests: for 144 songs, one call takes 0.05 ms instead of 1.2 ms.

    Parameters
    ----------
    distances : ndarray, shape (n_songs, n_songs)
        Distance between each pair of songs.
    labels : ndarray, shape (n_songs,)
        Label of each song, such as its style.

    Returns
    -------
    float
        Mean over songs, −1…1.
    """
    member = labels[:, None] == np.unique(labels)
    counts = member.sum(axis=0)
    sums = distances @ member
    size = counts[member.argmax(axis=1)]
    within = sums[member] / np.maximum(size - 1, 1)
    between = np.where(member, np.inf, sums / counts).min(axis=1)
    widest = np.maximum(within, between)
    usable = (size > 1) & (widest > 0)
    return float(np.where(usable, (between - within) / np.maximum(widest, 1e-300), 0).mean())


def nearest_songs(vectors: np.ndarray) -> np.ndarray:
    """For each song, rank all other songs by their distance from it.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)

    Returns
    -------
    ndarray of int, shape (n_songs, n_songs − 1)
        Row i lists the other songs' indices, from the nearest to song i to the farthest. Songs at
        equal distances stay in index order.
    """
    n_songs = len(vectors)
    distances = squareform(pdist(vectors, "correlation"))
    np.fill_diagonal(distances, -np.inf)  # puts the song itself first, which is then dropped
    return np.argsort(distances, axis=1, kind="stable")[:, 1:].reshape(n_songs, n_songs - 1)


def neighbour_rate(vectors: np.ndarray, labels, artists, *, n_boot: int = 1000, seed: int = 0):
    """Compute how often a song and its nearest neighbour share a label, and the chance rate.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
    labels : array-like of str, shape (n_songs,)
        Label of each song: its artist or its style.
    artists : array-like of str, shape (n_songs,)
        Artist of each song; whole artists are resampled for the interval.
    n_boot, seed : int
        Number of bootstrap samples, and random seed.

    Returns
    -------
    pandas.Series
        All values lie between 0 and 1. ``rate``: share of songs whose nearest neighbour has the
        same label; ``low, high``: its 95% bootstrap percentile interval; ``chance``: expected share
        for a random neighbour.
    """
    hits, n = _neighbour_hits(vectors, labels), len(labels)
    labels = np.asarray(labels, dtype=str)
    same = labels[:, None] == labels[None, :]
    chance = (same.sum() - n) / (n * (n - 1))
    rate, low, high = _mean_interval(hits, artists, n_boot, seed)
    return pd.Series({"rate": rate, "low": low, "high": high, "chance": chance})


def neighbour_difference(
    first: np.ndarray, second: np.ndarray, labels, artists, *, n_boot: int = 1000, seed: int = 0
) -> pd.Series:
    """Compare two embeddings of the same songs by how often nearest neighbours share a label.

    Parameters
    ----------
    first, second : ndarray, shapes (n_songs, d1) and (n_songs, d2)
    labels, artists, n_boot, seed
        As in :func:`neighbour_rate`.

    Returns
    -------
    pandas.Series
        ``estimate, low, high``: difference in rate (first − second, from −1 to 1), with a 95%
        bootstrap interval over artists; ``p``: two-sided, from the jackknife over artists.
    """
    difference = _neighbour_hits(first, labels) - _neighbour_hits(second, labels)
    values = _mean_interval(difference, artists, n_boot, seed)
    codes, n_artists = cluster_codes(artists)
    left_out = [[difference[codes != artist].mean()] for artist in range(n_artists)]
    influence = jackknife_influence(np.array(left_out))
    p = influence_interval(np.array([values[0]]), influence, n_boot=1).p[0]
    return pd.Series(dict(zip(("estimate", "low", "high", "p"), (*values, p), strict=True)))


def _neighbour_hits(vectors, labels) -> np.ndarray:
    """Return 1.0 for songs whose nearest neighbour has the same label, and 0.0 for others."""
    labels = np.asarray(labels, dtype=str)
    distances = squareform(pdist(vectors, "correlation"))
    np.fill_diagonal(distances, np.inf)
    return (labels[distances.argmin(axis=1)] == labels).astype(float)


def _mean_interval(values, artists, n_boot, seed) -> tuple[float, float, float]:
    """Return the mean over songs, with a 95% bootstrap percentile interval over artists."""
    weights = cluster_weights(artists, n_boot, seed)
    low, high = np.quantile((weights @ values) / weights.sum(axis=1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
