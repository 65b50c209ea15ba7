"""Vectors that a study brings along, in ``embeddings/<model>/<track_id>.npz``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groove_utils.embed.embedding import Embedding
from groove_utils.study.tables import STEMS

__all__ = ["precomputed_folder", "read_precomputed"]


def precomputed_folder(study, model: str, stems: Sequence[str] | None = None) -> Path | None:
    """Where a study holds a model's vectors, or None where it holds none.

    Parameters
    ----------
    study : Study
    model : str
    stems : sequence of str, optional
        Vectors of the sum of these stems rather than of the full mix.
    """
    folder = Path(study.path) / "embeddings" / model
    if stems is not None:
        rank = {stem: i for i, stem in enumerate(STEMS)}
        folder /= "+".join(sorted(stems, key=lambda stem: rank.get(stem, len(rank))))
    return folder if next(folder.glob("*.npz"), None) is not None else None


def read_precomputed(folder: Path, model: str, ids: Sequence[str]) -> Embedding:
    """Read the vectors of some tracks.

    Raises
    ------
    FileNotFoundError
        If tracks have no archive.
    ValueError
        If archives differ in their layers, or hold anything but finite vectors.
    """
    missing = [track for track in ids if not (folder / f"{track}.npz").is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder}: no vectors of {len(missing)} tracks, the first is {missing[0]}.npz. Add "
            "them, or remove the folder to have them computed from the audio."
        )
    rows: list[dict[str, np.ndarray]] = []
    for track in ids:
        row = _read_one(folder, track)
        if rows and _shapes(row) != _shapes(rows[0]):
            raise ValueError(
                f"{folder}: {track}.npz has layers {_shapes(row)}, but {ids[0]}.npz has "
                f"{_shapes(rows[0])}. All tracks need the same."
            )
        rows.append(row)
    layers = {name: np.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}
    return Embedding(model, list(ids), layers, source=str(folder))


def _read_one(folder: Path, track: str) -> dict[str, np.ndarray]:
    row = {}
    with np.load(folder / f"{track}.npz") as archive:
        for name in archive.files:
            values = archive[name]
            if values.dtype.kind != "f":  # such as a song_id
                continue
            vector = (values.mean(axis=0) if values.ndim == 2 else values).astype(np.float32)
            if vector.ndim != 1 or not np.isfinite(vector).all():
                fault = "holds NaN or infinite values" if vector.ndim == 1 else "is no vector"
                raise ValueError(
                    f"{folder}: layer {name!r} of {track}.npz, shape {values.shape}, {fault}; "
                    "expected finite numbers of shape (dim,) or (n_windows, dim)."
                )
            row[name] = vector
    if not row:
        raise ValueError(f"{folder}: {track}.npz holds no array of floats. Its keys name layers.")
    return row


def _shapes(row: dict[str, np.ndarray]) -> dict[str, int]:
    return {name: len(vector) for name, vector in row.items()}
