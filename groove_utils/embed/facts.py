"""What embeddings came from and what they cost (chapter 05 and the page on provenance)."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence

import pandas as pd
import soundfile

from groove_utils.cache import ArrayCache
from groove_utils.embed.catalogue import CATALOGUE
from groove_utils.embed.embedding import Embedding
from groove_utils.embed.extract import embed_tracks
from groove_utils.embed.loading import load_model

__all__ = ["measure_cost", "model_facts"]


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
        card = CATALOGUE.get(name)
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
        is running, or of the clock's where a GPU computes; ``weights_mib``, at four bytes a
        parameter; ``numbers``, how many values are kept for a song over all layers.
    """
    from groove_utils.embed.engine import choose_device  # imports torch

    clock = time.process_time if choose_device() == "cpu" else time.perf_counter
    duration = sum(soundfile.info(path).duration for path in tracks.values())
    rows = []
    for name in models:
        load_model(name)
        with tempfile.TemporaryDirectory() as folder:
            empty = ArrayCache(folder, namespace="cost")
            began = clock()
            found = embed_tracks(tracks, name, cache=empty, progress=False)
            seconds = clock() - began
        card = CATALOGUE.get(name)
        rows.append(
            {
                "model": name,
                "seconds_per_second": seconds / duration,
                "weights_mib": card.parameters * 4 / 2**20
                if card and card.parameters
                else float("nan"),
                "numbers": sum(values.shape[1] for values in found.layers.values()),
            }
        )
    return pd.DataFrame(rows)
