"""Representational similarity: do songs that are alike to a model get alike ratings? (chapter 06)

Distances between all pairs of songs are compared between features and ratings. The n(n − 1)/2 pairs
are not independent, each song being in n − 1 of them; p-values therefore permute songs (Mantel
1967), and intervals leave out artists, never pairs.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from groove_utils.probe.bootstrap import influence_interval
from groove_utils.probe.permutation import permute_songs
from groove_utils.probe.ridge import artist_codes
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["rsa"]


def rsa(
    X,
    y,
    artists=None,
    styles=None,
    *,
    metric="cosine",
    target_metric="cityblock",
    same_artist=False,
    control_style=False,
    within_style=False,
    n_permutations=1000,
    n_boot=2000,
    level=0.95,
    seed=0,
) -> pd.DataFrame:
    """Rank correlation of distances between songs in features and in ratings.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer → such arrays
        Each layer is compared by itself. Used as it is: standardise first if units differ.
    y, artists, styles
        As in :func:`nested_ridge`.
    metric, target_metric : str
        Names that :func:`scipy.spatial.distance.pdist` knows. Each target is one column, for
        which ``cityblock`` is the absolute difference.
    same_artist : bool
        Keep pairs of songs by one artist. Without them, a model that knows the band gains nothing
        by it.
    control_style : bool
        Partial out, from both ranks, whether a pair is of one style.
    within_style : bool
        Permute songs only inside their styles.
    n_permutations, n_boot : int
    level : float
    seed : int

    Returns
    -------
    DataFrame
        One row a layer and target: ``layer, target, rho, low, high, p, p_layers`` (against the
        maximum over layers), ``n_pairs``. p is one-sided: alike in features, alike in ratings.
    """
    songs = as_songs(y, artists, styles)
    blocks = as_blocks(X, len(songs), songs.ids)
    n = len(songs)
    if n < 4:
        raise ProbeError(f"{n} songs are too few to compare distances; at least 4 are needed")
    artist, style = artist_codes(songs.artists), artist_codes(songs.styles)
    first, second = np.triu_indices(n, 1)
    keep = np.ones(len(first), bool) if same_artist else artist[first] != artist[second]
    first, second = first[keep], second[keep]
    if len(first) < 3:
        raise ProbeError("fewer than 3 pairs of songs by different artists")
    covariate = (style[first] != style[second]).astype(float) if control_style else None
    orders = permute_songs(
        n_permutations, n, within=songs.styles if within_style else None, seed=seed
    )

    def ready(distance):
        return _ranks(distance, covariate)

    features = {}
    for name, block in blocks.items():
        distance = pdist(block, metric)
        if not np.isfinite(distance).all():
            raise ProbeError(
                f"{metric} distances of {name!r} are not defined for some songs (all-zero or "
                "constant features); use another metric or drop those songs"
            )
        features[name] = distance[keep]
    left = {name: ready(distance) for name, distance in features.items()}
    rows = []
    for j, target in enumerate(songs.targets):
        square = squareform(pdist(songs.ratings[:, [j]], target_metric))
        null = np.empty((n_permutations, len(blocks)))
        stacked = np.stack(list(left.values()))
        for i, order in enumerate(orders):
            null[i] = stacked @ ready(square[order[first], order[second]])
        right = square[first, second]
        found = stacked @ ready(right)
        best = null.max(axis=1, keepdims=True) if n_permutations else null
        for k, name in enumerate(blocks):
            low, high = _artist_interval(
                features[name], right, covariate, artist, first, second, found[k],
                n_boot=n_boot, level=level, seed=seed,
            )  # fmt: skip
            p, p_layers = (
                (1 + (reference >= found[k] - 1e-12).sum()) / (1 + n_permutations)
                for reference in (null[:, k], best)
            )
            rows.append((name, target, found[k], low, high, p, p_layers, len(first)))
    columns = ["layer", "target", "rho", "low", "high", "p", "p_layers", "n_pairs"]
    return pd.DataFrame(rows, columns=columns)


def _ranks(distance, covariate):
    """Ranks, freed of the covariate and the mean, at unit length: products are correlations."""
    ranks = rankdata(distance)
    ranks -= ranks.mean()
    if covariate is not None:
        c = covariate - covariate.mean()
        square = c @ c
        if square > 0:
            ranks = ranks - (ranks @ c) / square * c
    length = np.linalg.norm(ranks)
    return ranks / length if length > 0 else ranks


def _artist_interval(left, right, covariate, artist, first, second, found, **ends):
    count = artist.max() + 1
    if count < 3:
        return np.nan, np.nan
    values = np.empty(count)
    for one in range(count):
        rest = (artist[first] != one) & (artist[second] != one)
        part = None if covariate is None else covariate[rest]
        values[one] = _ranks(left[rest], part) @ _ranks(right[rest], part)
    influence = (count - 1) * (values.mean() - values)[:, None]
    low, high, _ = influence_interval(np.array([found]), influence, **ends)
    return max(float(low[0]), -1.0), min(float(high[0]), 1.0)
