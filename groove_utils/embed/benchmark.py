"""Benchmark of the models' run time and memory use, for the chapter on embeddings."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from joblib.externals.loky import ProcessPoolExecutor

from groove_utils.audio import audio_duration
from groove_utils.cache import ArrayCache
from groove_utils.embed.adapters import ModelUnavailableError
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.catalogue import (
    make_adapter,
    model_card,
    register_model,
    registered_models,
)
from groove_utils.embed.extract import embed_tracks
from groove_utils.embed.jobs import Settings
from groove_utils.embed.loading import load_model
from groove_utils.embed.weights import availability
from groove_utils.files import hash_file
from groove_utils.memoisation import memoised

__all__ = ["measure_cost", "peak_memory"]


def measure_cost(tracks: Mapping[str, str | os.PathLike], models: Sequence[str]) -> pd.DataFrame:
    """Measure the run time and peak memory use of models on audio files.

    The run time includes reading and resampling the audio. Cached embeddings are not used.
    Measurements are cached for each type of machine, and repeated if the model, the code of this
    package or the version of a required package changes.

    Parameters
    ----------
    tracks : mapping of str to path-like
        Audio files, keyed by track_id.
    models : sequence of str
        Names of the models.

    Returns
    -------
    pandas.DataFrame
        One row per model:

        - ``model``: name of the model;
        - ``seconds_per_second``: run time in seconds per second of audio, excluding the time taken
          to load the weights. On a CPU, this is processor time summed over all cores, which does
          not include time spent on other processes; on a GPU, it is wall-clock time;
        - ``peak_MiB``: peak main-memory use, in MiB, of a process that runs only this model;
        - ``numbers``: total number of dimensions in all layers.

        The values are NaN if a model cannot run on this machine or if there are no tracks.
    """
    from groove_utils.networks import choose_device  # imports torch

    paths = {track: str(Path(path).resolve()) for track, path in tracks.items()}
    duration = sum(audio_duration(path) for path in paths.values())
    sounds = _Sounds(paths, [hash_file(path) for path in paths.values()])
    factories = registered_models()
    machine = _machine(choose_device())

    def runs_here(name: str) -> bool:
        exists = name in factories or name in catalogued_models()
        return exists and availability(model_card(name))[0]

    def measure(name: str) -> tuple[float, float, int] | None:
        if not paths or not runs_here(name):
            return None
        try:
            recipe, code = Settings().recipe(name), type(make_adapter(name))
            return _cost_alone(sounds, name, factories.get(name), (recipe, code, machine))
        except ModelUnavailableError:
            return None

    # two processes, because each spends most of its time on imports, which use one core
    with ThreadPoolExecutor(2 if choose_device() == "cpu" else 1) as pool:
        costs = list(pool.map(measure, models))
    rows = []
    for name, cost in zip(models, costs):
        row = {"model": name, "seconds_per_second": np.nan, "peak_MiB": np.nan, "numbers": np.nan}
        if cost:
            seconds, peak, numbers = cost
            row |= {"seconds_per_second": seconds / duration, "peak_MiB": peak, "numbers": numbers}
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Sounds:
    """Set of audio files; two sets are equal if the contents of their files are equal."""

    paths: Mapping[str, str] = field(compare=False)  # keyed by track id
    hashes: list[str]  # hashes of the file contents


@memoised("model-costs")
def _cost_alone(sounds: _Sounds, model: str, factory, measured: tuple):
    """Measure the cost of a model in a new process.

    The result is cached; `measured` (recipe, adapter class and machine) affects only the cache key.
    A new process is needed because the recorded peak memory of a process never decreases.
    """
    with ProcessPoolExecutor(1) as process:
        return process.submit(_cost_here, sounds.paths, model, factory).result()


def _machine(device: str) -> str:
    """Describe the hardware: device, processor type, processor model and number of cores."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    processor = next((line for line in lines if "model name" in line), platform.processor())
    if device == "cuda":
        import torch

        processor += torch.cuda.get_device_name()
    return f"{device}, {platform.machine()}, {processor}, {os.cpu_count()} cores"


def _cost_here(paths: Mapping[str, str], model: str, factory) -> tuple[float, float, int]:
    """Embed tracks; return run time in s, peak memory in MiB and total number of dimensions."""
    from groove_utils.networks import choose_device  # imports torch

    if factory is not None:
        register_model(model, factory, replace=True)
    load_model(model)
    clock = time.process_time if choose_device() == "cpu" else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        empty = ArrayCache(folder, namespace="cost")
        start = clock()
        embedding = embed_tracks(paths, model, cache=empty, progress=False)
        seconds = clock() - start
    return seconds, peak_memory(), sum(values.shape[1] for values in embedding.layers.values())


def peak_memory() -> float:
    """Return the peak main-memory use of this process so far, in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux, getrusage() may return the parent's peak
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    import resource  # not on Windows

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
