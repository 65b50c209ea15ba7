"""Descriptors of all tracks in a study, read from its table or computed from its audio."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from groove_utils.audio import AudioError, load_audio
from groove_utils.cache import ArrayCache, cache_key
from groove_utils.descriptors.cards import DESCRIPTORS
from groove_utils.files import hash_file
from groove_utils.paths import cache_folder

__all__ = ["compile_kernels", "describe_study"]


def describe_study(study, n_jobs: int = 2, *, cache: ArrayCache | None = None) -> pd.DataFrame:
    """Read or compute the descriptors of every track in a study.

    Parameters
    ----------
    study : groove_utils.study.Study
        Study to describe. If it has a table ``descriptors.csv``, the descriptors in that table are
        read. All others are computed from its audio, or are NaN if it has none.
    n_jobs : int
        Number of parallel processes.
    cache : ArrayCache, optional
        Cache for the results, keyed by the content of the audio files; by default, ``descriptors``
        in the project's cache folder.

    Returns
    -------
    pandas.DataFrame
        One row per track in the order of ``study.tracks``, indexed by ``track_id``; the columns
        are :data:`DESCRIPTORS` (float64) and ``reason`` (str, see :func:`describe`). If a file
        cannot be decoded or has an unsupported sample rate, all descriptors computed from it are
        NaN, and ``reason`` contains the error message.
    """
    track_ids = study.tracks["track_id"].tolist()
    given = study.descriptors
    wanted = [name for name in DESCRIPTORS if given is None or name not in given.columns]
    if wanted and study.has("audio"):
        paths = [study.audio_path(track_id) for track_id in track_ids]
        store = ArrayCache(cache_folder(), namespace="descriptors") if cache is None else cache
        rows = _describe_files(paths, n_jobs, store)
        table = pd.DataFrame(rows, index=track_ids, columns=[*DESCRIPTORS, "reason"])
        table = table.astype(dict.fromkeys(DESCRIPTORS, float) | {"reason": str})
    else:
        table = pd.DataFrame(np.nan, index=track_ids, columns=list(DESCRIPTORS), dtype=float)
        missing = f"{', '.join(wanted)}: not in descriptors.csv, and the study has no audio"
        table["reason"] = missing if wanted else ""
    if given is not None:
        names = [name for name in DESCRIPTORS if name in given.columns]
        table[names] = given[names].reindex(track_ids).astype(float)
        if not wanted:
            table["reason"] = ""
    return table.rename_axis("track_id")


def _describe_files(paths: list, n_jobs: int, store: ArrayCache) -> list[dict]:
    keys = [cache_key("descriptors", hash_file(path)) if path.is_file() else None for path in paths]
    rows = [_read_row(store, key) for key in keys]
    missing = [i for i, row in enumerate(rows) if row is None]
    if missing:
        if n_jobs > 1:
            compile_kernels()
        tasks = (delayed(_describe_file)(paths[i], keys[i], store) for i in missing)
        parallel = Parallel(n_jobs=min(n_jobs, len(missing)), return_as="generator")
        done = tqdm(parallel(tasks), total=len(missing), desc="descriptors", unit="track")
        for i, described in zip(missing, done):
            rows[i] = described
    return rows


def _read_row(store: ArrayCache, key: str | None) -> dict | None:
    entry = store.get(key) if key else None
    if entry is None or list(entry["names"]) != list(DESCRIPTORS):
        return None
    return {**dict(zip(DESCRIPTORS, entry["values"].tolist())), "reason": str(entry["reason"])}


def _describe_file(path, key: str | None, store: ArrayCache) -> dict:
    from groove_utils.descriptors.one_signal import describe
    from groove_utils.descriptors.spectral import DescriptorError

    try:
        row = describe(*load_audio(path)).to_dict()
    except (AudioError, DescriptorError) as error:
        return {**dict.fromkeys(DESCRIPTORS, float("nan")), "reason": f"all: {error}"}
    entry = {
        "names": np.array(DESCRIPTORS),
        "values": np.array([row[name] for name in DESCRIPTORS], dtype=float),
        "reason": np.array(row["reason"]),
    }
    store.put(key, entry)
    return row


@functools.cache
def compile_kernels() -> None:
    """Compile librosa's Numba functions in this process, before worker processes need them.

    If two processes compile the functions at the same time, one may read the other's partly written
    cache and crash. This function is called by ``make setup`` and before worker processes are
    started. It takes about a second if the functions are already compiled.
    """
    from groove_utils.descriptors.one_signal import describe

    rng = np.random.default_rng(0)
    y = rng.normal(0, 0.01, 6 * 22050).astype(np.float32)
    y[:: 22050 // 2] = 1.0  # clicks at 120 BPM, so that the beat tracker has beats to track
    describe(y, 22050)
