"""Nearest neighbours of songs in embeddings, and separation of styles.

All distances are correlation distances (1 − Pearson's r between the vectors of two songs), so the
results do not depend on the mean or the scale of a vector.
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
    """Measure how well styles are separated in an embedding, and compute a permutation p-value.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
        One vector per song.
    styles, artists : array-like of str, shape (n_songs,)
        Style and artist of each song. Styles are permuted across artists instead of individual
        songs, because songs by the same artist sound alike. All songs by an artist in one style
        receive the same permuted style.
    n_permutations, seed : int
        Number of permutations, and random seed.

    Returns
    -------
    pandas.Series
        ``silhouette`` (mean over songs, from −1 to 1), ``null_mean`` (mean silhouette over
        permutations), ``p`` (one-sided), ``n_songs`` and ``n_artists``.

    Raises
    ------
    StatsError
        If all songs have the same style.
    """
    styles, artists = np.asarray(styles, dtype=str), np.asarray(artists, dtype=str)
    if len(np.unique(styles)) < 2:
        raise StatsError("all songs have the same style; expected two or more", kind="one_style",
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
    """Compute the mean silhouette (Rousseeuw 1987) from a distance matrix.

    The result is the same as that of :func:`sklearn.metrics.silhouette_score`, but the input is not
    validated, which makes permutation tests faster: for 144 songs, a call takes 0.05 ms instead of
    1.2 ms.

    Parameters
    ----------
    distances : ndarray, shape (n_songs, n_songs)
        Distance between each pair of songs.
    labels : ndarray, shape (n_songs,)
        Label of each song, such as its style.

    Returns
    -------
    float
        Mean silhouette over songs, from −1 to 1.
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
    """For each song, rank the other songs by their distance from it.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
        One vector per song.

    Returns
    -------
    ndarray of int, shape (n_songs, n_songs − 1)
        Row i contains the indices of the other songs, sorted by their distance from song i, nearest
        first. Songs at equal distances are in index order.
    """
    n_songs = len(vectors)
    distances = squareform(pdist(vectors, "correlation"))
    np.fill_diagonal(distances, -np.inf)  # the song itself sorts first and is dropped below
    return np.argsort(distances, axis=1, kind="stable")[:, 1:].reshape(n_songs, n_songs - 1)


def neighbour_rate(vectors: np.ndarray, labels, artists, *, n_boot: int = 1000, seed: int = 0):
    """Compute how often a song and its nearest neighbour share a label, and the chance rate.

    Parameters
    ----------
    vectors : ndarray, shape (n_songs, dim)
        One vector per song.
    labels : array-like of str, shape (n_songs,)
        Label of each song, such as its artist or style.
    artists : array-like of str, shape (n_songs,)
        Artist of each song. Artists, not individual songs, are resampled for the interval.
    n_boot, seed : int
        Number of bootstrap samples, and random seed.

    Returns
    -------
    pandas.Series
        All values are between 0 and 1. ``rate``: proportion of songs whose nearest neighbour has
        the same label; ``low, high``: 95% bootstrap percentile interval of the rate; ``chance``:
        expected proportion if neighbours were chosen at random.
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
        One vector per song, for the same songs in the same order.
    labels, artists, n_boot, seed
        As in :func:`neighbour_rate`.

    Returns
    -------
    pandas.Series
        ``estimate, low, high``: difference between the rates (first − second, from −1 to 1), with a
        95% interval from a bootstrap over artists; ``p``: two-sided p-value from a jackknife over
        artists.
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
    """Return the mean over songs and its 95% percentile interval from a bootstrap over artists."""
    weights = cluster_weights(artists, n_boot, seed)
    low, high = np.quantile((weights @ values) / weights.sum(axis=1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
