"""Validation of feature blocks, targets and labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.errors import DetailedError

__all__ = ["StatsError", "as_blocks", "as_labels", "as_targets", "label_codes"]


class StatsError(DetailedError):
    """Error raised if a statistic cannot be computed from the given data or settings."""


def as_blocks(X, n: int | None = None, ids=None) -> dict[str, np.ndarray]:
    """Validate feature blocks; return float64 arrays of shape (n, d), keyed by name.

    Parameters
    ----------
    X : array-like of shape (n, d) or (n,), DataFrame, or mapping of names to such blocks
        A block that is not in a mapping is named ``features``.
    n : int, optional
        Expected number of rows; by default, the number of rows of the first block.
    ids : array-like of shape (n,), optional
        Row identifiers of the targets. A DataFrame with a different index is rejected, because its
        rows would be paired with the wrong targets. A default index (0, 1, 2 …) is not checked.

    Raises
    ------
    StatsError
        If there are no blocks, or if a block is empty, has the wrong number of rows, has an index
        that differs from `ids`, or contains NaN or infinite values.
    """
    named = X if isinstance(X, Mapping) else {"features": X}
    if not named:
        raise StatsError("X is an empty mapping; pass at least one block of features", kind="empty")
    blocks = {}
    for name, block in named.items():
        index = getattr(block, "index", None)
        named_rows = isinstance(index, pd.Index) and not isinstance(index, pd.RangeIndex)
        if ids is not None and named_rows and list(index) != list(ids):
            raise StatsError(
                f"features {name!r} and targets have different indices ({list(index[:3])}… and "
                f"{list(ids[:3])}…); reindex the features with features.loc[y.index]",
                kind="index", column=str(name),
            )  # fmt: skip
        array = _as_numbers(block)
        array = array[:, None] if array.ndim == 1 else array
        n = len(array) if n is None else n
        if array.ndim != 2 or array.shape[1] == 0 or len(array) != n:
            raise StatsError(
                f"features {name!r} have shape {array.shape}; expected ({n}, n_features), one row "
                "per song in the order of the targets",
                kind="shape", column=str(name), value=array.shape,
            )  # fmt: skip
        bad = ~np.isfinite(array).all(axis=1)
        if bad.any():
            raise StatsError(
                f"features {name!r} contain NaN or infinite values in {bad.sum()} rows (first: row "
                f"{bad.argmax()}); drop these songs or fix their features",
                kind="not_finite", column=str(name), row=int(bad.argmax()),
            )  # fmt: skip
        blocks[str(name)] = np.ascontiguousarray(array)
    return blocks


def as_targets(y) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Validate targets, and return their row identifiers, names and values.

    Parameters
    ----------
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
        Targets, with one row per song and one column per target.

    Returns
    -------
    ids : ndarray of object, shape (n,)
        Index of `y`, or 0 … n − 1 for an array.
    names : list of str
        Names of the m targets; for an array, ``target`` or ``target_0, target_1, …``.
    values : ndarray of float64, shape (n, m)
        Values of the targets.

    Raises
    ------
    StatsError
        If there are no targets, values are NaN or infinite, or the index has duplicates.
    """
    if isinstance(y, pd.Series):
        y = y.to_frame("target" if y.name is None else y.name)
    elif not isinstance(y, pd.DataFrame):
        y = _as_numbers(y)
        y = pd.DataFrame(y, columns=["target"] if y.ndim == 1 else None)
        y = y.rename(columns=lambda name: name if isinstance(name, str) else f"target_{name}")
    values = _as_numbers(y)
    if not values.size or not y.index.is_unique:
        raise StatsError(f"y has shape {values.shape}; expected one row per song, with unique ids",
                         kind="duplicate" if values.size else "empty")  # fmt: skip
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise StatsError(
            f"target {y.columns[column]!r} is missing or infinite for song {y.index[row]!r} "
            f"({bad.sum()} such values); drop unrated songs first",
            kind="not_finite", row=int(row), column=str(y.columns[column]),
        )  # fmt: skip
    return y.index.to_numpy(dtype=object), [str(name) for name in y.columns], values


def as_labels(labels, n: int, name: str, default, ids=None) -> np.ndarray:
    """Validate labels, and return them as an object array; use `default` if `labels` is None.

    Parameters
    ----------
    labels : array-like of shape (n,) or None
        One label per row.
    n : int
        Expected number of labels.
    name : str
        Name of the labels in error messages.
    default : array-like of shape (n,)
        Labels to use if `labels` is None.
    ids : array-like of shape (n,), optional
        Row identifiers of the targets. If `labels` is a Series and its index contains any of these
        identifiers, the index must equal `ids`. A default index (0, 1, 2 …) is not checked.

    Raises
    ------
    StatsError
        If the number or the index of the labels is wrong, or if labels are missing.
    """
    if isinstance(labels, pd.Series) and ids is not None:
        index, ids = list(labels.index), list(ids)
        named = not isinstance(labels.index, pd.RangeIndex) and set(index) & set(ids)
        if named and index != ids:
            raise StatsError(
                f"{name} and targets have different indices ({index[:3]}… and {ids[:3]}…); "
                f"reindex the {name} with {name}.loc[y.index]",
                kind="index", column=name,
            )  # fmt: skip
    array = np.asarray(default if labels is None else labels, dtype=object)
    missing = pd.isna(array)
    if array.shape != (n,) or missing.any():
        raise StatsError(
            f"{name} have shape {array.shape} with {missing.sum()} missing labels; expected "
            f"({n},), one label per song",
            kind="missing" if missing.any() else "shape", column=name, row=int(missing.argmax()),
        )  # fmt: skip
    return array


def _as_numbers(values) -> np.ndarray:
    """Convert values to a float64 array, with NaN for missing values in pandas objects."""
    if isinstance(values, pd.Series | pd.DataFrame):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(values, dtype=np.float64)


def label_codes(labels) -> np.ndarray:
    """Encode k distinct labels as integers 0 … k − 1, in the order of the labels sorted as text.

    Examples
    --------
    >>> label_codes(["rock", "funk", "rock"]).tolist()
    [1, 0, 1]
    """
    return np.unique(np.asarray(labels).astype(str), return_inverse=True)[1]
