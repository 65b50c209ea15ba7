"""Container for the embeddings of a set of tracks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from groove_utils.embed.adapters import EmbedError

__all__ = ["Embedding"]


@dataclass(frozen=True)
class Embedding:
    """Embeddings of a set of tracks from one model, with one matrix per layer.

    Attributes
    ----------
    model : str
        Name of the model.
    track_ids : list of str
        Track ids, in the order of the rows.
    layers : dict of str to ndarray of float32, shape (n_tracks, dim)
        Vectors of each layer, with one row per track.
    silent : list of str
        Tracks whose samples are all below −90 dB relative to full scale. They are embedded like the
        others, but should be checked.
    source : str
        ``computed``, or the folder from which precomputed vectors were read.
    """

    model: str
    track_ids: list[str]
    layers: dict[str, np.ndarray]
    silent: list[str] = field(default_factory=list)
    source: str = "computed"

    def __post_init__(self):
        for name, values in self.layers.items():
            if values.ndim != 2 or len(values) != len(self.track_ids):
                raise EmbedError(
                    f"layer {name!r} has shape {values.shape}; expected one row for each of "
                    f"{len(self.track_ids)} tracks.",
                    kind="other_shape",
                    column=name,
                    value=values.shape,
                )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {values.shape[1]}" for name, values in self.layers.items())
        return f"<Embedding of {len(self.track_ids)} tracks by {self.model}: {sizes}>"

    def layer(self, name: str) -> np.ndarray:
        """Return the vectors of one layer as a float32 array of shape (n_tracks, dim).

        Raises
        ------
        KeyError
            If there is no such layer; the message lists the available ones.
        """
        if name not in self.layers:
            raise KeyError(f"{self.model} has no layer {name!r}; it has {', '.join(self.layers)}.")
        return self.layers[name]

    def frame(self, layer: str) -> pd.DataFrame:
        """Return one layer as a table with one row per track and one column per dimension."""
        values = self.layer(layer)
        columns = [f"{layer}_{i:04d}" for i in range(values.shape[1])]
        index = pd.Index(self.track_ids, name="track_id", dtype="str")
        return pd.DataFrame(values, index=index, columns=columns)

    def select(self, track_ids: list[str]) -> Embedding:
        """Return the embeddings of selected tracks, in the given order.

        Raises
        ------
        KeyError
            If a track has no embedding.
        """
        rows = {track: i for i, track in enumerate(self.track_ids)}
        missing = [track for track in track_ids if track not in rows]
        if missing:
            raise KeyError(f"{self.model}: no embedding for {missing[:5]} ({len(missing)} tracks).")
        order = [rows[track] for track in track_ids]
        layers = {name: values[order] for name, values in self.layers.items()}
        silent = [track for track in track_ids if track in set(self.silent)]
        return Embedding(self.model, list(track_ids), layers, silent, self.source)
