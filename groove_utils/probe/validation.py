"""Songs that a probe is trained and tested on: targets, artists and styles, validated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groove_utils.errors import DetailedError
from groove_utils.stats.validation import as_blocks, as_labels, as_targets

__all__ = ["ProbeError", "Songs", "as_data", "as_songs"]


class ProbeError(DetailedError):
    """Settings, folds or results that a probe cannot use."""


@dataclass(frozen=True)
class Songs:
    """Targets and groups of n songs, as arrays in one order.

    Attributes
    ----------
    ids : ndarray, shape (n,), dtype object
        The index of the targets, else 0 … n − 1.
    targets : list of str
        Names of the m targets.
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


def as_songs(y, artists=None, styles=None) -> Songs:
    """Validate targets and groups.

    Parameters
    ----------
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
    artists, styles : array-like of shape (n,), optional
        Without `artists` each song has an artist of its own; without `styles` all songs have the
        same style.

    Raises
    ------
    groove_utils.stats.StatsError
        Missing or infinite targets, other lengths, missing labels.
    """
    ids, targets, ratings = as_targets(y)
    n = len(ids)
    return Songs(
        ids,
        targets,
        ratings,
        as_labels(artists, n, "artists", np.arange(n).astype(str)),
        as_labels(styles, n, "styles", np.full(n, "all")),
    )


def as_data(X, y, artists=None, styles=None) -> tuple[Songs, dict[str, np.ndarray]]:
    """Validate songs and their features, and return both."""
    songs = as_songs(y, artists, styles)
    return songs, as_blocks(X, len(songs), songs.ids)
