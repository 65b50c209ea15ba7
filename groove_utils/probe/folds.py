"""Folds that keep an artist's songs together and the styles in proportion (chapter 06).

A song by an artist whom the model was trained on is not an unseen song: production, singer and
drummer are the same. Every split of this package, outer or inner, is therefore made of whole
artists.
"""

from __future__ import annotations

import numpy as np

from groove_utils.probe.validation import ProbeError

__all__ = ["artist_folds", "check_folds"]


def artist_folds(artists, styles=None, *, n_splits=4, n_repeats=1, seed=0) -> np.ndarray:
    """Deal whole artists into folds of like size and like mix of styles.

    Artists are taken in random order, those with most songs first, and each goes to the fold that
    then departs least from an equal share of every style and of all songs (squared departures
    relative to the share; ties by lot).

    Parameters
    ----------
    artists : array-like of shape (n,)
    styles : array-like of shape (n,), optional
    n_splits : int
        Folds, at least 2 and at most the number of artists.
    n_repeats : int
        Independent deals.
    seed : int or sequence of int

    Returns
    -------
    ndarray, shape (n_repeats, n), dtype int64
        The fold, 0 … n_splits − 1, in which each song is held out.

    Raises
    ------
    ProbeError
        Fewer artists than folds, or a fold number below 2.

    Notes
    -----
    scikit-learn's ``StratifiedGroupKFold`` looks at style shares only and can leave folds of
    unlike size or an empty one when groups are few; the balance here is at least as good (tests).
    """
    artists = np.asarray(artists, dtype=object)
    styles = np.full(len(artists), "all") if styles is None else np.asarray(styles, dtype=object)
    names, artist = np.unique(artists.astype(str), return_inverse=True)
    _, style = np.unique(styles.astype(str), return_inverse=True)
    if n_splits < 2:
        raise ProbeError(f"n_splits is {n_splits}; cross-validation needs at least 2 folds")
    if len(names) < n_splits:
        raise ProbeError(
            f"{len(names)} artists cannot fill {n_splits} folds of whole artists; "
            f"use n_splits={len(names)} or fewer"
        )
    songs = np.zeros((len(names), style.max() + 1))
    np.add.at(songs, (artist, style), 1)
    songs = np.column_stack([songs, songs.sum(axis=1)])  # the last column balances fold size
    share = songs.sum(axis=0) / n_splits
    base = [seed] if np.isscalar(seed) else list(seed)
    folds = np.empty((n_repeats, len(artists)), dtype=np.int64)
    for repeat in range(n_repeats):
        rng = np.random.default_rng([*base, repeat])
        order = rng.permutation(len(names))
        order = order[np.argsort(-songs[order, -1], kind="stable")]
        held = np.zeros((n_splits, songs.shape[1]))
        of_artist = np.empty(len(names), dtype=np.int64)
        for i, one in enumerate(order):
            cost = (songs[one] * (2 * (held - share) + songs[one]) / share).sum(axis=1)
            left = len(names) - i
            empty = held[:, -1] == 0
            if empty.sum() >= left:  # too few artists left: none may join a filled fold
                cost[~empty] = np.inf
            best = np.flatnonzero(cost <= cost.min() + 1e-12)
            fold = rng.choice(best)
            of_artist[one] = fold
            held[fold] += songs[one]
        folds[repeat] = of_artist[artist]
    return folds


def check_folds(folds, artists) -> None:
    """Refuse folds over which an artist is split, or that leave a fold empty.

    Parameters
    ----------
    folds : array-like of shape (n,) or (n_repeats, n), dtype int
    artists : array-like of shape (n,)

    Raises
    ------
    ProbeError
        Names the repeat, the artist and the folds.
    """
    folds = np.atleast_2d(np.asarray(folds))
    labels = np.asarray(artists, dtype=object)
    if folds.shape[1] != len(labels):
        raise ProbeError(f"folds are given for {folds.shape[1]} songs, artists for {len(labels)}")
    if not np.issubdtype(folds.dtype, np.integer) or folds.min() < 0:
        raise ProbeError("folds must be whole numbers 0, 1, …: the fold that holds each song out")
    names, artist = np.unique(labels.astype(str), return_inverse=True)
    for repeat, fold in enumerate(folds):
        used = np.unique(fold)
        if len(used) < 2 or not np.array_equal(used, np.arange(used.max() + 1)):
            raise ProbeError(
                f"repeat {repeat} uses the folds {used.tolist()}; expected 0 … k − 1 with k ≥ 2, "
                "none empty"
            )
        low, high = np.full(len(names), used.max() + 1), np.full(len(names), -1)
        np.minimum.at(low, artist, fold)
        np.maximum.at(high, artist, fold)
        if (low != high).any():
            one = int(np.flatnonzero(low != high)[0])
            raise ProbeError(
                f"artist {str(names[one])!r} is split over folds "
                f"{np.unique(fold[artist == one]).tolist()} in repeat {repeat}: songs of one "
                "artist would be on both sides of a split; make the folds with artist_folds"
            )
