"""Measure the coupling of bass and drums, and compute gains for loudness-matched sums of stems.

Songs are processed in parallel. Results are cached under keys that depend on the content of the
stem files.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from groove_utils.audio import load_audio, matching_gain, measure_loudness
from groove_utils.cache import VERSIONS, ArrayCache, cache_key
from groove_utils.descriptors import describe_stems
from groove_utils.descriptors.whole_study import compile_kernels
from groove_utils.errors import DetailedError
from groove_utils.files import hash_file
from groove_utils.study.stem_names import stem_subsets

__all__ = ["describe_coupling", "matching_gains"]

SAMPLE_RATE = 22050  # Hz; faster than 44.1 kHz, and similar to the sample rates of the models

Subset = tuple[str, ...]
Stems = Mapping[str, Mapping[str, str | os.PathLike]]


def describe_coupling(
    stems: Stems, *, n_jobs: int = 2, cache: ArrayCache | None = None
) -> pd.DataFrame:
    """Measure onset densities, and how often bass onsets coincide with bass-drum strokes.

    Parameters
    ----------
    stems : mapping of str to mapping of str to path-like
        Paths of the stems, by track_id and stem; only ``drums`` and ``bass`` are used.
    n_jobs : int
        Number of processes.
    cache : ArrayCache, optional
        Cache for the results; by default, the project's ``stem-measures`` cache.

    Returns
    -------
    DataFrame
        One row per track, with the columns ``bass_drum_coincidence`` (0…1), ``density_drums`` and
        ``density_bass`` (events per second), as computed by
        :func:`groove_utils.descriptors.describe_stems`.
    """
    names = ["bass_drum_coincidence", "density_drums", "density_bass"]
    pairs = {t: {s: paths[s] for s in ("drums", "bass")} for t, paths in stems.items()}

    def compute(paths):
        row = describe_stems(_load(paths), SAMPLE_RATE)
        return row[names].to_numpy(float)

    kind = f"coupling {VERSIONS['descriptors']}"
    values = _per_track(kind, pairs, compute, lambda track: [], n_jobs, cache)
    return pd.DataFrame(values, index=pd.Index(list(stems), name="track_id"), columns=names)


def matching_gains(
    stems: Stems,
    sums: Sequence[Subset] | None = None,
    *,
    n_jobs: int = 2,
    cache: ArrayCache | None = None,
) -> dict[Subset, dict[str, float]]:
    """Compute gains that make each sum of a song's stems as loud as the sum of all stems.

    Parameters
    ----------
    stems : mapping of str to mapping of str to path-like
        Paths of the stems, by track_id and stem.
    sums : sequence of tuple of str, optional
        Names of the stems in each sum; by default, all subsets of the first track's stems.
    n_jobs, cache
        As in :func:`describe_coupling`.

    Returns
    -------
    dict of tuple of str to dict of str to float
        Linear gains by sum and track_id; see :func:`groove_utils.audio.matching_gain`. Loudness
        (ITU-R BS.1770) is measured after mixing to mono and resampling to 22.05 kHz, which is
        similar to the input of the models. Peaks are not limited, because no file is encoded.

    Raises
    ------
    DetailedError
        If there are no tracks (``kind="no_tracks"``), or a track lacks a stem
        (``kind="missing_stem"``).
    """
    sums = _sums(stems, sums)

    def compute(paths, sums):
        loaded = _load(paths)
        target = measure_loudness(_sum(loaded, tuple(paths)), SAMPLE_RATE)
        return np.array(
            [matching_gain(_sum(loaded, s), SAMPLE_RATE, target, peak=None) for s in sums]
        )

    values = _per_track("gains", stems, compute, lambda track: [sums], n_jobs, cache)
    return {s: dict(zip(stems, map(float, values[:, i]))) for i, s in enumerate(sums)}


def _sums(stems: Stems, sums: Sequence[Subset] | None) -> list[Subset]:
    """Return the sums to measure, after checking that every track has all the stems."""
    if not stems:
        message = "there are no tracks; expected a mapping from track_id to stems."
        raise DetailedError(message, kind="no_tracks")
    first = next(iter(stems.values()))
    sums = stem_subsets(first) if sums is None else [tuple(s) for s in sums]
    for track, paths in stems.items():
        missing = sorted({stem for s in sums for stem in s} - set(paths))
        if missing:
            raise DetailedError(
                f"track {track!r} has no stem {missing[0]!r}; it has {', '.join(paths) or 'none'}.",
                kind="missing_stem",
                value=(track, missing[0]),
            )
    return sums


def _load(paths: Mapping[str, str | os.PathLike]) -> dict[str, np.ndarray]:
    """Decode the stems of a song to mono, and pad them with silence to the same length."""
    loaded = {stem: load_audio(path, sr=SAMPLE_RATE)[0] for stem, path in paths.items()}
    longest = max(map(len, loaded.values()))
    return {stem: np.pad(y, (0, longest - len(y))) for stem, y in loaded.items()}


def _sum(loaded: Mapping[str, np.ndarray], subset: Subset) -> np.ndarray:
    return functools.reduce(np.add, (loaded[stem] for stem in subset))


def _per_track(
    kind: str, stems: Stems, compute: Callable, settings: Callable, n_jobs: int, cache
) -> np.ndarray:
    """Return ``compute(paths, *settings(track))`` for each track, from the cache if possible."""
    cache = ArrayCache(namespace="stem-measures") if cache is None else cache
    keys = {
        track: cache_key(
            "stem-measures", kind, repr(settings(track)),
            *(part for stem, path in paths.items() for part in (stem, hash_file(path))),
        )
        for track, paths in stems.items()
    }  # fmt: skip
    entries = {track: cache.get(key) for track, key in keys.items()}
    todo = [track for track, entry in entries.items() if entry is None]
    if todo:
        compile_kernels()
        tasks = (delayed(compute)(dict(stems[t]), *settings(t)) for t in todo)
        run = Parallel(n_jobs=min(n_jobs, len(todo)), return_as="generator")
        name = kind.partition(" ")[0]
        for track, values in zip(todo, tqdm(run(tasks), total=len(todo), desc=name, unit="song")):
            entries[track] = {"values": values}
            cache.put(keys[track], entries[track])
    return np.stack([entry["values"] for entry in entries.values()])
