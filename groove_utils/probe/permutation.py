"""Permutation tests with the family-wise error of many models and layers (chapter 06).

What is permuted are the ratings of songs. Freely permuted, the null hypothesis is «the features
tell nothing about the ratings»; permuted within styles, it is «nothing beyond style». Two songs of
one artist are more alike than two songs of two, in features as in ratings, so single songs are
exchangeable only if that likeness is absent from the ratings. ``unit="artist"`` does not need
it: whole artists exchange their ratings with artists of as many songs, at the price of fewer
distinct permutations (an artist whose number of songs is unique keeps its own).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from groove_utils.probe.nested_cv import ridge_splits, run_ridge
from groove_utils.probe.ridge import DEFAULT_ALPHAS, make_plan, nuisance_design, outer_folds
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["permutation_test", "permute_songs"]


def permute_songs(
    n_permutations: int, n: int | None = None, *, artists=None, within=None, unit="song", seed=0
) -> np.ndarray:
    """Permutations of songs.

    Parameters
    ----------
    n_permutations : int
    n : int, optional
        Number of songs, where neither `artists` nor `within` tells it.
    artists : array-like of shape (n,), optional
        Needed for ``unit="artist"``.
    within : array-like of shape (n,), optional
        Songs are exchanged only inside these groups, for instance styles.
    unit : {"song", "artist"}
        Exchange single songs, or all songs of an artist with those of another that has as many
        (in each group of `within`).
    seed : int

    Returns
    -------
    ndarray, shape (n_permutations, n), dtype int64
        Row p gives for each song the song whose rating it receives.
    """
    given = [part for part in (artists, within) if part is not None]
    n = len(given[0]) if given else n
    if n is None:
        raise ProbeError("give the number of songs, or artists or groups to permute within")
    groups = np.zeros(n, int) if within is None else _codes(within)
    rng = np.random.default_rng(seed)
    found = np.tile(np.arange(n), (n_permutations, 1))
    if unit == "song":
        for group in np.unique(groups):
            rows = np.flatnonzero(groups == group)
            found[:, rows] = rng.permuted(np.tile(rows, (n_permutations, 1)), axis=1)
    elif unit == "artist":
        if artists is None:
            raise ProbeError("unit='artist' needs the artists of the songs")
        artist = _codes(artists)
        songs = np.zeros((artist.max() + 1, groups.max() + 1), dtype=int)
        np.add.at(songs, (artist, groups), 1)
        by_group = np.lexsort((groups, artist))
        blocks = np.split(by_group, np.cumsum(songs.sum(axis=1))[:-1])
        _, like = np.unique(songs, axis=0, return_inverse=True)
        for kind in np.unique(like):
            rows = np.stack([blocks[i] for i in np.flatnonzero(like == kind)])
            order = rng.permuted(np.tile(np.arange(len(rows)), (n_permutations, 1)), axis=1)
            found[:, rows] = rows[order]
    else:
        raise ProbeError(f"unit is {unit!r}; expected 'song' or 'artist'")
    return found


def _codes(labels):
    return np.unique(np.asarray(labels).astype(str), return_inverse=True)[1]


def permutation_test(
    models: Mapping,
    y,
    artists=None,
    styles=None,
    *,
    n_permutations=1000,
    within_style=False,
    unit="song",
    each_layer=False,
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    alphas=DEFAULT_ALPHAS,
    layers="select",
    pca=None,
    nuisance=None,
    folds=None,
    floor=1e-4,
    clip=5.0,
    seed=0,
    n_jobs=1,
    return_null=False,
    progress=False,
):
    """Whether ratings are predicted better than permuted ratings are, for many models at once.

    The whole nested procedure, choices included, is redone for every permutation; the same
    permutations serve all models and targets.

    Parameters
    ----------
    models : mapping of name → features
        Features as in :func:`nested_ridge`: an array, or a mapping of layers.
    y, artists, styles
        As in :func:`nested_ridge`.
    n_permutations : int
    within_style : bool
        Permute only among songs of one style: the null is then «nothing beyond style».
    unit : {"song", "artist"}
        What is exchanged; see the head of this module.
    each_layer : bool
        Test each layer of each model by itself instead of choosing or joining layers.
    return_null : bool
        Also give the null distribution.
    progress : bool
        Show a bar over models.
    n_splits, n_repeats, n_inner, alphas, layers, pca, nuisance, folds, floor, clip, seed, n_jobs
        As in :func:`nested_ridge`.

    Returns
    -------
    DataFrame
        One row a model (and layer) and target: ``model, layer, target, r2, p`` (its own null),
        ``p_target`` (against the maximum over models and layers, for this target) and ``p_family``
        (against the maximum over models, layers and targets), ``null_mean``, ``null_95``.
    null : ndarray, shape (n_permutations, n_rows), only with `return_null`

    Notes
    -----
    p = (1 + number of permutations at least as good) / (1 + number of permutations). The maximum
    statistic controls the family-wise error (Westfall & Young 1993; Nichols & Holmes 2002).
    """
    if not isinstance(models, Mapping):
        raise ProbeError("models must be a mapping of name → features, as {'MERT': X}")
    songs = as_songs(y, artists, styles)
    n, targets = songs.ratings.shape
    within = songs.styles if within_style else None
    orders = permute_songs(
        n_permutations, n, artists=songs.artists, within=within, unit=unit, seed=seed
    )
    orders = np.vstack([np.arange(n), orders])
    Y = songs.ratings[orders].transpose(1, 0, 2).reshape(n, -1)
    total = ((songs.ratings - songs.ratings.mean(axis=0)) ** 2).sum(axis=0)
    folds = outer_folds(songs, folds, n_splits, n_repeats, seed)
    splits = ridge_splits(folds, songs.artists, songs.styles, n_inner=n_inner, seed=seed)
    design = nuisance_design(nuisance, n)
    heads, found = [], []
    for name, X in tqdm(models.items(), disable=not progress, desc="permutation test"):
        blocks = as_blocks(X, n, songs.ids)
        for layer in blocks if each_layer else [layers]:
            plan = make_plan(blocks, alphas=alphas, layers=layer, pca=pca, floor=floor, clip=clip)
            used = {k: v for (k, v), w in zip(blocks.items(), plan.weights.T) if w.any()}
            plan = make_plan(used, alphas=alphas, layers=layer, pca=pca, floor=floor, clip=clip)
            error = np.zeros(Y.shape[1])
            fits = run_ridge(used, Y, splits, plan, nuisance=design, n_jobs=n_jobs)
            for split, fit in zip(splits, fits, strict=True):
                error += ((Y[split.test] - fit["predicted"]) ** 2).sum(axis=0)
            found.append(1 - (error / len(folds)).reshape(-1, targets) / total)
            heads.append((str(name), str(layer)))
    r2 = np.stack(found, axis=1)  # (1 + n_permutations, entries, targets)
    observed, null = r2[0], r2[1:]
    best = null.max(axis=1, keepdims=True)
    count = n_permutations + 1
    rows = [
        (*heads[i], target, observed[i, j])
        for i in range(len(heads))
        for j, target in enumerate(songs.targets)
    ]
    frame = pd.DataFrame(rows, columns=["model", "layer", "target", "r2"])
    for name, reference in (
        ("p", null),
        ("p_target", best),
        ("p_family", best.max(axis=2, keepdims=True)),
    ):
        frame[name] = ((1 + (reference >= observed).sum(axis=0)) / count).ravel()
    frame["null_mean"] = null.mean(axis=0).ravel()
    frame["null_95"] = np.quantile(null, 0.95, axis=0).ravel()
    return (frame, null.reshape(n_permutations, -1)) if return_null else frame
