"""Outer and inner folds that keep each artist's songs together and have similar mixes of styles.

An artist's songs share production, singer and drummer, so a test song by an artist in the training
set is not truly unseen. By default, all splits therefore keep an artist's songs together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from groove_utils.probe.protocol import Protocol
from groove_utils.probe.songs import ProbeError, Songs
from groove_utils.stats.validation import label_codes

__all__ = ["Split", "artist_folds", "check_folds", "nested_splits", "outer_folds", "outer_splits"]


@dataclass(frozen=True)
class Split:
    """Outer fold: its repeat and number, and the row indices of its training and test songs.

    `inner` contains the inner fold of each training song; it is empty if there are no inner folds.
    """

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray
    inner: np.ndarray = field(default_factory=lambda: np.empty(0, int))


def artist_folds(artists, styles=None, *, n_splits=4, n_repeats=1, seed=0) -> np.ndarray:
    """Assign whole artists to folds with similar sizes and similar proportions of styles.

    Artists are assigned one at a time, starting with those that have the most songs; ties are
    broken at random. Each artist is assigned to the fold for which the imbalance increases least,
    but no fold may remain empty. The imbalance is the sum over folds of squared deviations of the
    number of songs (in total and for each style) from the mean per fold, divided by this mean.

    Parameters
    ----------
    artists, styles : array-like of shape (n,)
        Artist and style of each song. Without `styles`, only the fold sizes are balanced.
    n_splits : int
        Number of folds, at least 2 and at most the number of artists.
    n_repeats : int
        Number of independent assignments of artists to folds.
    seed : int or sequence of int
        Random seed.

    Returns
    -------
    ndarray, shape (n_repeats, n), dtype int64
        The fold, 0 … n_splits − 1, in which each song is held out.

    Notes
    -----
    scikit-learn's ``StratifiedGroupKFold`` balances only the proportions of styles. With few
    groups, it can create folds of unequal size or empty folds.

    Examples
    --------
    >>> artist_folds(["a", "a", "b", "c"], n_splits=2, seed=1).tolist()
    [[0, 0, 1, 1]]
    """
    artist = label_codes(artists)
    style = np.zeros(len(artist), int) if styles is None else label_codes(styles)
    count = artist.max() + 1
    if not 2 <= n_splits <= count:
        raise ProbeError(
            f"n_splits is {n_splits}; expected at least 2, and at most the number of artists "
            f"({count})",
            kind="n_splits", column="n_splits", value=n_splits,
        )  # fmt: skip
    songs = np.zeros((count, style.max() + 1))
    np.add.at(songs, (artist, style), 1)
    songs = np.column_stack([songs, songs.sum(axis=1)])  # the last column balances fold size
    share = songs.sum(axis=0) / n_splits
    folds = np.empty((n_repeats, len(artist)), dtype=np.int64)
    for repeat in range(n_repeats):
        rng = np.random.default_rng([*np.atleast_1d(seed), repeat])
        order = rng.permutation(count)
        order = order[np.argsort(-songs[order, -1], kind="stable")]
        assigned = np.zeros((n_splits, songs.shape[1]))  # number of songs by fold and style
        fold_of = np.empty(count, dtype=np.int64)
        for i, number in enumerate(order):
            cost = (songs[number] * (2 * (assigned - share) + songs[number]) / share).sum(axis=1)
            empty = assigned[:, -1] == 0
            if empty.sum() >= count - i:  # each remaining artist is needed to fill an empty fold
                cost[~empty] = np.inf
            fold_of[number] = rng.choice(np.flatnonzero(cost <= cost.min() + 1e-12))
            assigned[fold_of[number]] += songs[number]
        folds[repeat] = fold_of[artist]
    return folds


def check_folds(folds, artists) -> None:
    """Raise an error if an artist is in more than one fold of a repeat, or if a fold is empty.

    Parameters
    ----------
    folds : array-like of shape (n,) or (n_repeats, n), dtype int
        The fold in which each song is held out.
    artists : array-like of shape (n,)
        Artist of each song.
    """
    folds, labels = np.atleast_2d(np.asarray(folds)), np.asarray(artists).astype(str)
    if folds.shape[1] != len(labels) or not np.issubdtype(folds.dtype, np.integer):
        raise ProbeError(
            f"folds have shape {folds.shape} and type {folds.dtype}; expected one integer per song "
            f"({len(labels)} songs): the fold in which the song is held out",
            kind="shape", column="folds",
        )  # fmt: skip
    for repeat, fold in enumerate(folds):
        numbers = np.unique(fold)
        if len(numbers) < 2 or not np.array_equal(numbers, np.arange(len(numbers))):
            raise ProbeError(
                f"repeat {repeat} has folds {numbers.tolist()}; expected 0 … k − 1 for k ≥ 2 folds",
                kind="fold_numbers", column="folds", row=repeat,
            )  # fmt: skip
        pairs = np.unique(np.stack([labels, fold.astype(str)]), axis=1)[0]
        divided = pairs[:-1][pairs[:-1] == pairs[1:]]
        if len(divided):
            raise ProbeError(
                f"artist {str(divided[0])!r} is in more than one fold of repeat {repeat}, so songs "
                "by this artist are in both the training and the test set; create the folds with "
                "artist_folds",
                kind="divided_artist", column="folds", row=repeat, value=str(divided[0]),
            )  # fmt: skip


def outer_folds(songs: Songs, protocol: Protocol, folds=None) -> np.ndarray:
    """Validate the given outer folds, or create new ones; the shape is (n_repeats, n)."""
    songs = _units(songs, protocol)
    if folds is None:
        return artist_folds(
            songs.artists, songs.styles,
            n_splits=protocol.n_splits, n_repeats=protocol.n_repeats, seed=protocol.seed,
        )  # fmt: skip
    folds = np.atleast_2d(np.asarray(folds))
    check_folds(folds, songs.artists)
    return folds


def outer_splits(folds) -> list[Split]:
    """Convert an array of fold numbers, shape (n_repeats, n), to splits without inner folds."""
    return [
        Split(repeat, number, np.flatnonzero(fold != number), np.flatnonzero(fold == number))
        for repeat, fold in enumerate(np.atleast_2d(folds))
        for number in range(fold.max() + 1)
    ]


def nested_splits(songs: Songs, splits, protocol: Protocol) -> list[Split]:
    """Add inner folds to outer splits, which may be given as an array of shape (n_repeats, n)."""
    songs = _units(songs, protocol)
    splits = outer_splits(splits) if isinstance(splits, np.ndarray) else splits
    nested = []
    for split in splits:
        artists = songs.artists[split.train]
        count = len(set(artists.astype(str)))
        if count < 2:
            raise ProbeError(
                f"all training songs for fold {split.fold} are by one artist, so they cannot be "
                "divided into inner folds of whole artists; use more outer folds or more artists",
                kind="one_artist", value=split.fold,
            )  # fmt: skip
        (inner,) = artist_folds(
            artists, songs.styles[split.train], n_splits=min(protocol.n_inner, count),
            seed=[protocol.seed, 1 + split.repeat, 1 + split.fold],
        )  # fmt: skip
        nested.append(replace(split, inner=inner))
    return nested


def _units(songs: Songs, protocol: Protocol) -> Songs:
    """Make each song its own artist if the protocol assigns single songs to folds."""
    if protocol.whole_artists:
        return songs
    return replace(songs, artists=np.arange(len(songs)).astype(str))
