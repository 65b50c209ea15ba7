"""Validation of what statistics are computed from: feature blocks, targets and labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.errors import DetailedError

__all__ = ["StatsError", "as_blocks", "as_labels", "as_targets", "label_codes"]


class StatsError(DetailedError):
    """Data or settings that a statistic cannot be computed from."""


def as_blocks(X, n: int | None = None, ids=None) -> dict[str, np.ndarray]:
    """Return feature blocks as a dict of name → (n, d) float64 array.

    Parameters
    ----------
    X : array-like of shape (n, d) or (n,), DataFrame, or mapping of name → such a block
        A single block is called ``features``.
    n : int, optional
        Number of rows expected.
    ids : array-like of shape (n,), optional
        Identifiers of the targets' rows. A data frame with another index is refused, because its
        rows would be paired with the wrong targets.

    Raises
    ------
    StatsError
        A block is empty, has another number of rows, or holds NaN or infinite values.
    """
    named = X if isinstance(X, Mapping) else {"features": X}
    if not named:
        raise StatsError("X is an empty mapping; give at least one block of features", kind="empty")
    blocks = {str(name): _as_block(block, str(name), n, ids) for name, block in named.items()}
    sizes = {name: len(block) for name, block in blocks.items()}
    if len(set(sizes.values())) > 1:
        raise StatsError(
            f"the blocks have different numbers of rows: {sizes}; give one row per song",
            kind="length", value=sizes,
        )  # fmt: skip
    return blocks


def _as_block(block, name: str, n: int | None, ids) -> np.ndarray:
    labelled = isinstance(block, pd.DataFrame | pd.Series) and not isinstance(
        block.index, pd.RangeIndex
    )
    if ids is not None and labelled and list(block.index) != list(ids):
        raise StatsError(
            f"features {name!r} and targets have different indices (first rows: "
            f"{list(block.index[:3])} and {list(ids[:3])}); reindex the features with "
            "features.loc[y.index]",
            kind="index", column=name,
        )  # fmt: skip
    array = np.asarray(block, dtype=np.float64)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise StatsError(
            f"features {name!r} have shape {array.shape}; expected (n_songs, n_features)",
            kind="shape", column=name, value=array.shape,
        )  # fmt: skip
    if n is not None and len(array) != n:
        raise StatsError(
            f"features {name!r} have {len(array)} rows but there are {n} songs; give one row per "
            "song, in the order of the targets",
            kind="length", column=name, value=len(array),
        )  # fmt: skip
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise StatsError(
            f"features {name!r} hold NaN or infinite values in {bad.sum()} rows (first: row "
            f"{row}); drop those songs or repair their features",
            kind="not_finite", column=name, row=row,
        )  # fmt: skip
    return np.ascontiguousarray(array)


def as_targets(y) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Return row identifiers, names and values of targets.

    Parameters
    ----------
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
        Column names become target names (``target`` for a single array).

    Returns
    -------
    ids : ndarray of object, shape (n,)
        The index of `y`, else 0 … n − 1.
    names : list of str, length m
    values : ndarray of float64, shape (n, m)

    Raises
    ------
    StatsError
        No targets, NaN or infinite values, or an index with duplicates.
    """
    if isinstance(y, pd.Series):
        frame = y.to_frame("target" if y.name is None else y.name)
    elif isinstance(y, pd.DataFrame):
        frame = y
    else:
        array = np.asarray(y, dtype=np.float64)
        if array.ndim not in (1, 2):
            raise StatsError(
                f"targets have shape {array.shape}; expected (n,) or (n, n_targets)",
                kind="shape", value=array.shape,
            )  # fmt: skip
        frame = pd.DataFrame(array)
        frame.columns = ["target"] if array.ndim == 1 else [f"target_{i}" for i in frame]
    values = frame.to_numpy(dtype=np.float64)
    if not values.size:
        raise StatsError(f"y has shape {values.shape}; give at least one rated song", kind="empty")
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise StatsError(
            f"target {frame.columns[column]!r} is missing or infinite for song "
            f"{frame.index[row]!r} ({bad.sum()} such values); drop unrated songs first",
            kind="not_finite", row=int(row), column=str(frame.columns[column]),
        )  # fmt: skip
    if not frame.index.is_unique:
        raise StatsError("the index of the targets has duplicates; give one row per song",
                         kind="duplicate")  # fmt: skip
    return frame.index.to_numpy(dtype=object), [str(name) for name in frame.columns], values


def as_labels(labels, n: int, name: str, default) -> np.ndarray:
    """Return one label per row as an array of objects; `default` where there are none.

    Raises
    ------
    StatsError
        Another number of labels, or missing ones.
    """
    if labels is None:
        return np.asarray(default, dtype=object)
    array = np.asarray(labels, dtype=object)
    if array.shape != (n,):
        raise StatsError(
            f"{name} have shape {array.shape}; expected ({n},), one label per song",
            kind="length", column=name, value=array.shape,
        )  # fmt: skip
    missing = pd.isna(array)
    if missing.any():
        row = int(missing.argmax())
        raise StatsError(
            f"{name} are missing for {missing.sum()} songs (first: row {row}); give unknown ones "
            "a label of their own",
            kind="missing", column=name, row=row,
        )  # fmt: skip
    return array


def label_codes(labels) -> np.ndarray:
    """Return the number of each label in sorted order, 0 … k − 1.

    Examples
    --------
    >>> label_codes(["rock", "funk", "rock"]).tolist()
    [1, 0, 1]
    """
    return np.unique(np.asarray(labels).astype(str), return_inverse=True)[1]
