"""Splits of clips into training, validation and test sets, by artist, song or clip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.errors import DetailedError

__all__ = ["equalise_training", "split_clips"]


def split_clips(
    table: pd.DataFrame,
    by: str = "artist",
    *,
    test: float = 0.25,
    valid: float = 0.15,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Randomly split clips into training, validation and test sets, separately for each style.

    Parameters
    ----------
    table : DataFrame
        One row per clip: ``clip_id, song_id, artist, style``.
    by : {"artist", "song", "clip"}
        Grouping of the clips. All clips in a group are assigned to the same set. Unless clips are
        grouped by artist, a network can benefit from recognising the artists.
    test, valid : float
        Fractions of the groups in each style to assign to the test set and to the validation set.
        The resulting numbers of groups are rounded to integers. Each set receives at least one
        group.
    seed : int

    Returns
    -------
    dict
        Sorted row numbers of the clips in each set: ``train``, ``valid`` and ``test``.

    Raises
    ------
    DetailedError
        If a style has too few groups, or `by` is unknown.

    Examples
    --------
    >>> table = pd.DataFrame({"artist": list("aabbccdd"), "style": "funk"})
    >>> split = split_clips(table, test=0.25, valid=0.25)
    >>> {name: len(rows) for name, rows in split.items()}
    {'train': 4, 'valid': 2, 'test': 2}
    """
    columns = {"artist": "artist", "song": "song_id", "clip": "clip_id"}
    if by not in columns:
        raise DetailedError(
            f"by is {by!r}; expected artist, song or clip.",
            kind="unknown_choice", column="by", value=by,
        )  # fmt: skip
    groups = table[columns[by]].to_numpy()
    # a group with more than one style is assigned to the most frequent one and is not divided
    counts = pd.crosstab(groups, table["style"].to_numpy())
    style_of = counts.idxmax(axis=1)
    rng = np.random.default_rng(seed)
    part = {}
    for style, members in style_of.groupby(style_of, sort=True):
        order = rng.permutation(members.index.to_numpy())
        n_test = max(1, round(test * len(order)))
        n_valid = max(1, round(valid * len(order)))
        if len(order) <= n_test + n_valid:
            raise DetailedError(
                f"style {style!r} has {len(order)} groups (by {columns[by]}); with {n_test} for "
                f"testing and {n_valid} for validation, none would be left for training.",
                kind="too_few", column=columns[by], value=len(order),
            )  # fmt: skip
        part |= dict.fromkeys(order[:n_test], "test")
        part |= dict.fromkeys(order[n_test : n_test + n_valid], "valid")
    names = pd.Series(groups).map(part).fillna("train").to_numpy()
    return {name: np.flatnonzero(names == name) for name in ("train", "valid", "test")}


def equalise_training(
    splits: Mapping[str, Mapping[str, np.ndarray]], y: np.ndarray, seed: int = 0
) -> dict[str, dict[str, np.ndarray]]:
    """Subsample training sets so that several splits have the same number of clips in each class.

    Splits by artist, by song and by clip are rounded to whole groups, so their training sets may
    differ in size.

    Parameters
    ----------
    splits : mapping of str to split
        Splits to equalise, keyed by name, as returned by :func:`split_clips`.
    y : ndarray, shape (n_clips,)
        Class of each clip.
    seed : int

    Returns
    -------
    dict of str to dict
        The splits, each with a random subset of its training clips. In each class, all splits have
        as many training clips as the split that had the fewest. Validation and test sets are
        unchanged.

    Examples
    --------
    >>> splits = {"a": {"train": np.arange(6)}, "b": {"train": np.array([0, 1, 5])}}
    >>> equal = equalise_training(splits, np.array([0, 0, 0, 0, 0, 1]))
    >>> {name: len(split["train"]) for name, split in equal.items()}
    {'a': 3, 'b': 3}
    """
    y, rng = np.asarray(y), np.random.default_rng(seed)
    training = {name: np.asarray(split["train"]) for name, split in splits.items()}
    reduced = {name: [] for name in splits}
    for label in np.unique(y):
        members = {name: rows[y[rows] == label] for name, rows in training.items()}
        fewest = min(map(len, members.values()))
        for name, rows in members.items():
            reduced[name].append(rng.choice(rows, fewest, replace=False))
    return {
        name: {**split, "train": np.sort(np.concatenate(reduced[name]))}
        for name, split in splits.items()
    }
