"""Validation of a probe's data: features, targets, artists and styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from groove_utils.errors import DetailedError
from groove_utils.stats.validation import as_blocks, as_labels, as_targets, label_codes

__all__ = ["ProbeError", "Songs", "as_data", "as_songs"]


class ProbeError(DetailedError):
    """Error raised if a probe cannot use the given settings, folds or results."""


@dataclass(frozen=True, eq=False)
class Songs:
    """Songs used in a probe, with their ratings, artists and styles.

    Attributes
    ----------
    ids : ndarray, shape (n,)
        Identifier of each song.
    targets : list of str
        Names of the m targets.
    ratings : ndarray, shape (n, m)
        Value of each target for each song.
    artists, styles : ndarray, shape (n,)
        Artist and style of each song.
    """

    ids: np.ndarray
    targets: list[str]
    ratings: np.ndarray
    artists: np.ndarray
    styles: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def artist_codes(self) -> np.ndarray:
        """Integer code of each song's artist; names are numbered in sorted order."""
        return label_codes(self.artists)

    @property
    def style_codes(self) -> np.ndarray:
        """Integer code of each song's style; names are numbered in sorted order."""
        return label_codes(self.styles)

    @property
    def frame(self) -> pd.DataFrame:
        """Ratings as a table, with one row per song and one column per target."""
        return pd.DataFrame(self.ratings, index=self.ids, columns=self.targets)

    def places(self, targets: Sequence[str]) -> list[int]:
        """Return the column indices of the given targets; raise an error if one is unknown."""
        unknown = [name for name in targets if name not in self.targets]
        if unknown:
            raise ProbeError(f"no such targets: {unknown}; expected some of {self.targets}",
                             kind="unknown", column="targets", value=unknown)  # fmt: skip
        return [self.targets.index(name) for name in targets]

    def select(self, targets: Sequence[str]) -> Songs:
        """Return the same songs with only the given targets."""
        ratings = self.ratings[:, self.places(targets)]
        return replace(self, targets=list(targets), ratings=ratings)


def as_songs(y, artists=None, styles=None) -> Songs:
    """Validate targets, artists and styles, and return them as a :class:`Songs` object.

    For the format of `y`, see :func:`groove_utils.stats.as_targets`. Without `artists`, each song
    counts as its own artist; without `styles`, all songs have the same style.
    """
    ids, targets, ratings = as_targets(y)
    n = len(ids)
    artists = as_labels(artists, n, "artists", np.arange(n).astype(str), ids)
    styles = as_labels(styles, n, "styles", ["all"] * n, ids)
    return Songs(ids, targets, ratings, artists, styles)


def as_data(X, y, artists=None, styles=None) -> tuple[Songs, dict[str, np.ndarray]]:
    """Validate songs and their features; return the songs and a dict of feature blocks."""
    songs = as_songs(y, artists, styles)
    return songs, as_blocks(X, len(songs), songs.ids)
