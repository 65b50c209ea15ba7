"""Identify the model, stem and song of each embedding published by Marmoret et al. (2026).

A checkpoint is recognised by its exact name, because a model's folder may contain more than one
checkpoint: ``clap-htsat-fused`` and ``clap-htsat-unfused`` are different networks.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from groove_utils.files import write_if_changed
from groove_utils.study.archives import read_arrays, read_texts
from groove_utils.study.problems import StudyError, problem
from groove_utils.study.stem_names import STEMS, subset_name

__all__ = ["EXPECTED_MODELS", "EXPECTED_STEMS", "REPORT", "STEM_MODEL", "choose_checkpoints"]
__all__ += ["find_vectors", "write_vectors"]

# name of a checkpoint's folder -> our name for the model
CHECKPOINTS = {
    "audiomae": "audiomae",
    "clap-htsat-unfused": "clap-htsat-unfused",
    "larger_clap_music": "larger-clap-music",
    "m2d_clap": "m2d-clap",
    "matpac_plus": "matpac-plus",
    "MERT-v1-95M": "mert-v1-95m",
    "MERT-v1-330M": "mert-v1-330m",
    "MuQ-MuLan-large": "muq-mulan",
    "musicfm-25hz": "musicfm",
}
# model folders that contain the files directly, without a checkpoint folder
FOLDERS = {
    "CLAP": "clap-htsat-unfused",
    "MATPAC++": "matpac-plus",
    "MERT": "mert-v1-95m",
    "MuQ-MuLan": "muq-mulan",
    "MusicFM": "musicfm",
}
PUBLISHERS = ("hanceai", "laion", "map", "openmuq")
EXPECTED_MODELS = set(CHECKPOINTS.values()) - {"mert-v1-330m", "larger-clap-music"}
STEM_MODEL = "muq-mulan"  # the model that was also applied to stems
EXPECTED_STEMS = (*STEMS, "drums+bass")
STEM_NAMES = {stem.rstrip("s"): stem for stem in STEMS} | {"voice": "vocals", "vox": "vocals"}
LAYERED = "mert"  # published as layers × dimensions
REPORT = ["what", "model", "stem", "found", "used", "remark"]  # columns of found.csv
PREFIX = "audio_embedding_"


def find_vectors(folder: Path, source: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the published embeddings in a folder and its subfolders.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder, for error messages.
    source : pathlib.Path
        Folder that contains the published files.

    Returns
    -------
    vectors : DataFrame
        One row per file: path, root (the checkpoint's folder), model, stem (empty for the mix) and
        track.
    others : DataFrame
        Rows for ``found.csv`` about files that are not used, such as vectors from unknown models.

    Raises
    ------
    StudyError
        If there are no embeddings, or if files of a known model cannot be read.
    """
    rows, others, problems = [], [], []
    for path in sorted(source.rglob(f"{PREFIX}*.npz")):
        file = path.relative_to(source)
        if path.name.startswith(f"{PREFIX}no_"):
            others.append(("mixes without a stem", "", path.stem.removeprefix(PREFIX)))
            continue
        try:
            texts, error = read_texts(path), None
        except ValueError as fault:
            texts, error = {}, fault
        row = _describe(path, file, texts)
        if not row["model"]:
            others.append((f"unknown checkpoint: {row['root'].relative_to(source)}", "", ""))
        elif row["stem"] is None:
            others.append(("unknown instrument", row["model"], row["instrument"]))
        elif error or (error := _fault(path)):
            problems.append(problem("damaged_vectors", file, error=error))
        else:
            rows.append(row)
    if not rows and not problems:
        details = {"expected": f"{PREFIX}<id>.npz in folders named {', '.join(CHECKPOINTS)}"}
        problems.append(problem("missing_file", source, **details))
    StudyError.raise_any(folder, problems)
    counted = pd.DataFrame(others, columns=["remark", "model", "stem"])
    counted = counted.groupby(["remark", "model", "stem"]).size().rename("found").reset_index()
    return pd.DataFrame(rows), counted.assign(what="embeddings", used=0)[REPORT]


def choose_checkpoints(vectors: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Select the folder with the most songs for each model and stem.

    Another folder is also selected if none of its songs are in the folders selected so far, because
    the files of a checkpoint may be spread over several folders.

    Parameters
    ----------
    vectors : DataFrame
        First table returned by :func:`find_vectors`.

    Returns
    -------
    vectors : DataFrame
        The selected rows.
    others : DataFrame
        Rows for ``found.csv`` about the other folders.
    """
    kept, others = [], []
    for (model, stem), group in vectors.groupby(["model", "stem"]):
        songs = set()
        for root, part in sorted(group.groupby("root"), key=lambda item: (-len(item[1]), item[0])):
            if songs.isdisjoint(part["track"]):  # the rest of the same checkpoint
                kept.append(part.drop_duplicates("track"))
                songs |= set(part["track"])
            else:
                remark = f"another copy of the same checkpoint: {root.name}"
                others.append(("embeddings", model, stem, len(part), 0, remark))
    return pd.concat(kept, ignore_index=True), pd.DataFrame(others, columns=REPORT)


def write_vectors(row, place: Path) -> None:
    """Write a published vector as an NPZ archive of layers.

    Vectors from MERT have the shape layers × dimensions; each row becomes a layer. If vectors from
    other models have more than one row, only the first is used, as in the authors' code.

    Parameters
    ----------
    row : namedtuple
        Row of the first table returned by :func:`find_vectors`.
    place : pathlib.Path
        Path of the archive to write.
    """
    rows = np.atleast_2d(np.squeeze(read_arrays(row.path)["audio_embedding"])).astype(np.float32)
    if len(rows) > 1 and row.model.startswith(LAYERED):
        layers = {f"layer_{i:02d}": vector for i, vector in enumerate(rows)}
    else:
        layers = {"audio_embedding": rows[0]}
    content = io.BytesIO()
    np.savez(content, **layers)
    write_if_changed(place, content.getvalue())


def _describe(path: Path, file: Path, texts: dict[str, str]) -> dict:
    """Identify a file's model, stem and song from its path and its text entries."""
    separated = any("separated" in part.lower() for part in file.parts)
    name = path.stem.removeprefix(PREFIX)
    instrument = texts.get("instrument_name") or (name if separated else "")
    # the stems of each song are in a separate folder
    root, song = (path.parent.parent, path.parent.name) if instrument else (path.parent, name)
    track = (texts.get("song_id") or song).strip()
    folders = file.parts[: -2 if instrument else -1]
    if not instrument and folders and folders[-1] == track:  # a folder per song
        folders = folders[:-1]
    stem = _stem_name(instrument) if instrument else ""
    return {
        "path": path, "root": root, "model": _model_name(folders), "stem": stem, "track": track,
        "instrument": instrument,
    }  # fmt: skip


def _fault(path: Path) -> str:
    """Return the reason why a file cannot be used, or an empty string if it can."""
    try:
        arrays = read_arrays(path)
    except ValueError as error:
        return str(error)
    keys = ", ".join(sorted(arrays))
    return "" if "audio_embedding" in arrays else f"contains no array audio_embedding, only {keys}"


def _model_name(folders: tuple[str, ...]) -> str | None:
    """Identify a model by a checkpoint name in the path or, failing that, by the last folder."""
    checkpoints = {_plain(name): model for name, model in CHECKPOINTS.items()}
    for folder in reversed(folders):
        for publisher in ("", *PUBLISHERS):
            if (name := _plain(folder).removeprefix(publisher)) in checkpoints:
                return checkpoints[name]
    models = {_plain(name): model for name, model in FOLDERS.items()}
    return models.get(_plain(folders[-1])) if folders else None


def _plain(folder: str) -> str:
    """Convert a folder's name to lower case without separators, for comparison."""
    return re.sub(r"[^a-z0-9+]", "", folder.lower())


def _stem_name(text: str) -> str | None:
    """Normalise a stem's name, such as ``bass+drums``; return None if it is unknown."""
    words = {word.rstrip("s") for word in re.split(r"[^a-z]+|and", text.lower()) if word}
    if not words or not words <= set(STEM_NAMES):
        return None
    return subset_name({STEM_NAMES[word] for word in words})
