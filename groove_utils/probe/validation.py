"""What every probe is given, checked once: feature blocks, targets, artists and styles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["ProbeError", "Songs", "as_blocks", "as_songs"]


class ProbeError(ValueError):
    """Unusable data or settings; the message says what, where and how to mend it."""


@dataclass(frozen=True)
class Songs:
    """Targets and groups of `n` songs, as arrays in one order.

    Attributes
    ----------
    ids : ndarray, shape (n,), dtype object
        Song identifiers: the index of `y`, else 0 … n − 1.
    targets : list of str
        Names of the `m` targets.
    ratings : ndarray, shape (n, m), dtype float64
    artists, styles : ndarray, shape (n,), dtype object
    """

    ids: np.ndarray
    targets: list[str]
    ratings: np.ndarray
    artists: np.ndarray
    styles: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def as_blocks(X, n: int | None = None, ids=None) -> dict[str, np.ndarray]:
    """Feature blocks as a dict of name → (n, d) float64 array.

    Parameters
    ----------
    X : array-like of shape (n, d) or (n,), DataFrame, or mapping of name → such a thing
        One block (it is called ``features``) or one block a layer.
    n : int, optional
        Number of songs expected.
    ids : array-like of shape (n,), optional
        Song identifiers in the order of the targets. Blocks that are data frames with another
        index are refused, because their rows would be paired with the wrong ratings.

    Raises
    ------
    ProbeError
        A block is empty, has another number of rows, or holds NaN or infinite values.
    """
    named = X if isinstance(X, Mapping) else {"features": X}
    if not named:
        raise ProbeError("no features: X is an empty mapping; give at least one layer")
    blocks = {}
    for name, block in named.items():
        if (
            ids is not None
            and isinstance(block, pd.DataFrame | pd.Series)
            and not isinstance(block.index, pd.RangeIndex)
            and list(block.index) != list(ids)
        ):
            raise ProbeError(
                f"features {name!r} and targets have different indices (first rows: "
                f"{list(block.index[:3])} and {list(ids[:3])}); reindex the features with "
                "features.loc[y.index]"
            )
        array = np.asarray(block, dtype=np.float64)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] == 0:
            raise ProbeError(
                f"features {name!r} have shape {array.shape}; expected (n_songs, n_features)"
            )
        if n is not None and len(array) != n:
            raise ProbeError(
                f"features {name!r} have {len(array)} rows but there are {n} songs; give one row "
                "a song, in the order of the targets"
            )
        bad = ~np.isfinite(array).all(axis=1)
        if bad.any():
            raise ProbeError(
                f"features {name!r} hold NaN or infinite values in {bad.sum()} rows (first: row "
                f"{np.flatnonzero(bad)[0]}); drop those songs or repair their features"
            )
        blocks[str(name)] = np.ascontiguousarray(array)
    if n is None and len({len(block) for block in blocks.values()}) > 1:
        sizes = {name: len(block) for name, block in blocks.items()}
        raise ProbeError(f"layers have different numbers of rows: {sizes}; give one row a song")
    return blocks


def as_songs(y, artists=None, styles=None) -> Songs:
    """Targets and groups, checked.

    Parameters
    ----------
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
        Song-level targets; column names become target names (``target`` for a lone array).
    artists, styles : array-like of shape (n,), optional
        Without `artists` every song counts as its own artist; without `styles` all songs are of
        one style.

    Raises
    ------
    ProbeError
        Missing or infinite targets, lengths that differ, missing artists or styles.
    """
    if isinstance(y, pd.Series):
        frame = y.to_frame(y.name if y.name is not None else "target")
    elif isinstance(y, pd.DataFrame):
        frame = y
    else:
        array = np.asarray(y, dtype=np.float64)
        if array.ndim == 1:
            frame = pd.DataFrame({"target": array})
        elif array.ndim == 2:
            frame = pd.DataFrame(array, columns=[f"target_{i}" for i in range(array.shape[1])])
        else:
            raise ProbeError(f"targets have shape {array.shape}; expected (n,) or (n, n_targets)")
    values = frame.to_numpy(dtype=np.float64)
    if not values.size:
        raise ProbeError(f"no targets: y has shape {values.shape}; give at least one rated song")
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ProbeError(
            f"target {frame.columns[column]!r} is missing or infinite for song "
            f"{frame.index[row]!r} ({bad.sum()} such values); drop unrated songs first"
        )
    ids = np.asarray(frame.index.to_numpy(), dtype=object)
    if len(set(ids)) != len(ids):
        raise ProbeError("the index of the targets names some songs twice; give each song one row")
    n = len(ids)
    artists = _labels(artists, n, "artists", default=np.arange(n).astype(str))
    styles = _labels(styles, n, "styles", default=np.full(n, "all"))
    return Songs(ids, [str(name) for name in frame.columns], values, artists, styles)


def _labels(labels, n: int, what: str, default: np.ndarray) -> np.ndarray:
    if labels is None:
        return default.astype(object)
    array = np.asarray(labels, dtype=object)
    if array.shape != (n,):
        raise ProbeError(f"{what} have shape {array.shape}; expected ({n},), one label a song")
    missing = pd.isna(array)
    if missing.any():
        raise ProbeError(
            f"{what} are missing for {missing.sum()} songs (first: row "
            f"{np.flatnonzero(missing)[0]}); give an unknown one a label of its own"
        )
    return array
