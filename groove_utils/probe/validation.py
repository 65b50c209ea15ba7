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
    """Identifiers (n,), targets (m), ratings (n, m), artists and styles (n,) in one order."""

    ids: np.ndarray
    targets: list[str]
    ratings: np.ndarray
    artists: np.ndarray
    styles: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def as_songs(y, artists=None, styles=None) -> Songs:
    """Validate targets and groups, see :func:`groove_utils.stats.as_targets`.

    Without `artists` each song has an artist of its own; without `styles` all have the same style.
    """
    ids, targets, ratings = as_targets(y)
    n = len(ids)
    artists = as_labels(artists, n, "artists", np.arange(n).astype(str))
    return Songs(ids, targets, ratings, artists, as_labels(styles, n, "styles", ["all"] * n))


def as_data(X, y, artists=None, styles=None) -> tuple[Songs, dict[str, np.ndarray]]:
    """Validate songs and their features, and return both."""
    songs = as_songs(y, artists, styles)
    return songs, as_blocks(X, len(songs), songs.ids)
