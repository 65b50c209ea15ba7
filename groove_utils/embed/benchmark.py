"""What embeddings came from and what they cost (chapter 05 and the page on provenance)."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from joblib.externals.loky import ProcessPoolExecutor

from groove_utils.cache import ArrayCache
from groove_utils.embed.adapters import ModelUnavailableError
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.catalogue import register_model, registered_models
from groove_utils.embed.embedding import Embedding
from groove_utils.embed.extract import embed_tracks
from groove_utils.embed.loading import load_model

__all__ = ["measure_cost", "model_facts", "peak_memory"]


def model_facts(embeddings: Mapping[str, Embedding]) -> pd.DataFrame:
    """Where the weights behind some embeddings come from.

    Parameters
    ----------
    embeddings : mapping of str to Embedding
        By model.

    Returns
    -------
    pandas.DataFrame
        One row a model: ``model, source, licence, fingerprint``. The fingerprint is the hash of
        weights and buffers as loaded; vectors that came with the study have none.
    """
    rows = []
    for name, embedding in embeddings.items():
        card = catalogued_models().get(name)
        computed = embedding.source == "computed"
        rows.append(
            {
                "model": name,
                "source": (card.source if card else "–") if computed else "vectors of the study",
                "licence": card.licence if card else "–",
                "fingerprint": load_model(name).fingerprint[:16] if computed else "–",
            }
        )
    return pd.DataFrame(rows)


def measure_cost(tracks: Mapping[str, str | os.PathLike], models: Sequence[str]) -> pd.DataFrame:
    """Time models on some sound files, reading and resampling included, without the cache.

    Parameters
    ----------
    tracks : mapping of str to path-like
        Track → sound file.
    models : sequence of str

    Returns
    -------
    pandas.DataFrame
        One row a model: ``model``; ``seconds_per_second`` of audio on this machine, weights
        already loaded: of processor time, all cores added up, which does not depend on what else
        is running, or of the clock's where a GPU computes; ``peak_MiB``, the most main memory that
        a process held which did nothing else; ``numbers``, how many values are kept for a song
        over all layers. Of a model that does not run here, such as one whose vectors a study
        brings, and of all without tracks, the numbers are NaN.
    """
    from groove_utils.embed.engine import choose_device  # imports torch

    paths = {track: str(Path(path).resolve()) for track, path in tracks.items()}
    duration = sum(soundfile.info(path).duration for path in paths.values())
    factories = registered_models()

    def measure(name: str) -> tuple[float, float, int] | None:
        if not paths or (name not in catalogued_models() and name not in factories):
            return None
        # a process for each: memory that was held once is not seen to be given back
        with ProcessPoolExecutor(1) as alone:
            return alone.submit(_cost_here, paths, name, factories.get(name)).result()

    # most of a process's time goes into its imports, on one core
    with ThreadPoolExecutor(2 if choose_device() == "cpu" else 1) as pool:
        costs = list(pool.map(measure, models))
    rows = []
    for name, found in zip(models, costs):
        row = {"model": name, "seconds_per_second": np.nan, "peak_MiB": np.nan, "numbers": np.nan}
        if found:
            seconds, peak, numbers = found
            row |= {"seconds_per_second": seconds / duration, "peak_MiB": peak, "numbers": numbers}
        rows.append(row)
    return pd.DataFrame(rows)


def _cost_here(paths: Mapping[str, str], model: str, factory) -> tuple[float, float, int] | None:
    """Seconds, peak memory and number of values; None where the model does not run here."""
    from groove_utils.embed.engine import choose_device  # imports torch

    if factory is not None:
        register_model(model, factory, replace=True)
    try:
        load_model(model)
    except ModelUnavailableError:
        return None
    clock = time.process_time if choose_device() == "cpu" else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        empty = ArrayCache(folder, namespace="cost")
        began = clock()
        found = embed_tracks(paths, model, cache=empty, progress=False)
        seconds = clock() - began
    return seconds, peak_memory(), sum(values.shape[1] for values in found.layers.values())


def peak_memory() -> float:
    """The most main memory that this process has held so far, in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage() says there may be that of the process before it
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    import resource  # not on Windows

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
