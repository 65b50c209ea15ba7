"""Read a study's precomputed vectors from ``embeddings/<model>/<track_id>.npz``."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from groove_utils.embed.adapters import EmbedError
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.embedding import Embedding
from groove_utils.study.archives import read_arrays

__all__ = ["check_options", "read_precomputed"]

MAX_NAMED = 5  # maximum number of unusable files listed in an error message; the rest are counted


def read_precomputed(archives: Mapping[str, Path], model: str, ids: Sequence[str]) -> Embedding:
    """Read the precomputed vectors of selected tracks.

    Parameters
    ----------
    archives : mapping of str to pathlib.Path
        Path of each track's archive, keyed by track_id. There must be at least one; see
        :meth:`groove_utils.study.Study.vector_paths`.
    model : str
        Name of the model.
    ids : sequence of str
        Ids of the tracks to read, in the order required.

    Returns
    -------
    Embedding
        Vectors of the tracks, in the order of `ids`.

    Raises
    ------
    EmbedError
        If an archive is missing or cannot be read, contains anything other than finite vectors, or
        does not have the same layers as the other archives. The error's attribute `value` lists the
        affected tracks.

    Notes
    -----
    An array of shape (n_windows, dim) is averaged over windows. There is one exception, for the
    published vectors of MERT: if the layers of a catalogued model are named ``layer_00``,
    ``layer_01``, …, and the array ``audio_embedding`` has shape (n_layers, dim), such as (13, 768)
    for ``mert-v1-95m``, each row of this array is read as one layer. (If a song happens to have as
    many windows as the model has layers, its windows are mistaken for layers.)
    """
    folder = next(iter(archives.values())).parent
    missing = [track for track in ids if track not in archives]
    if missing:
        raise EmbedError(
            f"{folder}: no vectors for {len(missing)} tracks; the first missing file is "
            f"{missing[0]}.npz. Add the missing files, or remove the folder to compute vectors "
            "from the audio.",
            kind="missing_vectors",
            path=folder,
            value=missing,
        )
    hidden = _hidden_layers(model)
    rows: list[dict[str, np.ndarray]] = []
    faults: dict[str, str] = {}
    for track in ids:
        try:
            row = _read_one(archives[track], hidden)
        except ValueError as error:
            faults[track] = str(error)
            continue
        if rows and _shapes(row) != _shapes(rows[0]):
            faults[track] = f"has layers {_shapes(row)}; the first file has {_shapes(rows[0])}"
        rows.append(row)
    if faults:
        lines = [f"  {track}.npz {fault}" for track, fault in faults.items()][:MAX_NAMED]
        if len(faults) > len(lines):
            lines.append(f"  … and {len(faults) - len(lines)} more")
        expected = (
            "Each must be an .npz archive whose keys are layer names, the same in all files, and "
            "whose arrays contain finite numbers, of shape (dim,) or (n_windows, dim). Copy or "
            "export the files again."
        )
        count = f"{folder}: {len(faults)} of {len(ids)} files cannot be used:"
        raise EmbedError(
            "\n".join([count, *lines, expected]),
            kind="damaged_vectors",
            path=folder,
            value=list(faults),
        )
    layers = {name: np.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}
    return Embedding(model, list(ids), layers, source=str(folder))


def check_options(
    models: Iterable[str], pooling: str = "mean", seed: int = 0, autocast: bool = False, **_
) -> None:
    """Check that extraction options are compatible with precomputed vectors.

    Parameters
    ----------
    models : iterable of str
        Models with precomputed vectors.
    pooling, seed, autocast
        As in :func:`groove_utils.embed.embed_models`.

    Raises
    ------
    EmbedError
        If `pooling` is not ``'mean'``, because standard deviations cannot be derived from means.

    Warns
    -----
    RuntimeWarning
        If `seed` or `autocast` is given, because neither has any effect on precomputed vectors.
    """
    if not models:
        return
    names = ", ".join(models)
    if pooling != "mean":
        raise EmbedError(
            f"pooling is {pooling!r}, but the study has precomputed vectors for {names}, which are "
            "means. Omit pooling, or remove these models' folders from embeddings/ to compute "
            "vectors from the audio.",
            kind="precomputed_means",
            column="pooling",
            value=pooling,
        )
    ignored = [name for name, given in (("seed", seed), ("autocast", autocast)) if given]
    if ignored:
        warnings.warn(
            f"the study has precomputed vectors for {names}, which are used unchanged; "
            f"{' and '.join(ignored)} had no effect.",
            RuntimeWarning,
            stacklevel=3,
        )


def _hidden_layers(model: str) -> dict[str, int]:
    """Return a catalogued model's layers if they are numbered; otherwise, an empty dict."""
    layers = catalogued_models()[model].layers if model in catalogued_models() else {}
    numbered = list(layers) == [f"layer_{i:02d}" for i in range(len(layers))]
    return layers if numbered and len(layers) > 1 else {}


def _read_one(path: Path, hidden: Mapping[str, int]) -> dict[str, np.ndarray]:
    row = {}
    for name, values in read_arrays(path).items():
        if name == "audio_embedding" and values.shape == (len(hidden), *{*hidden.values()}):
            layers = dict(zip(hidden, values, strict=True))
        else:
            layers = {name: values.mean(axis=0) if values.ndim == 2 and len(values) else values}
        for layer, vector in layers.items():
            with np.errstate(over="ignore"):  # an overflow is reported below
                row[layer] = vector.astype(np.float32)
            if vector.ndim != 1 or not vector.size:
                raise ValueError(f"has {name!r} of shape {values.shape}, which is not a vector")
            if not np.isfinite(row[layer]).all():
                raise ValueError(f"has NaN or infinite values in {layer!r}")
    return row


def _shapes(row: dict[str, np.ndarray]) -> dict[str, int]:
    return {name: len(vector) for name, vector in row.items()}
