"""Run models over the tracks that a cache lacks; what :func:`embed_tracks` and workers share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from groove_utils.cache import VERSIONS, ArrayCache
from groove_utils.embed.loading import adapter_key, known_fingerprint, load_model
from groove_utils.embed.sources import Source
from groove_utils.files import hash_bytes

__all__ = ["compute_missing", "recipe"]


def recipe(model: str, seed: int, device: str | None, pooling: str, autocast: bool) -> str:
    """What a vector depends on beside the audio: the model, its windows, and how it is pooled."""
    adapter, print_ = known_fingerprint(model, seed, device)
    facts = {
        "version": VERSIONS["embeddings"],
        "model": print_,
        "adapter": adapter_key(model, adapter),
        "rate": adapter.sample_rate,
        "window": adapter.window,
        "hop": getattr(adapter, "hop", adapter.window),
        "lead": getattr(adapter, "lead", 0),
        "layers": adapter.layers,
        "pooling": pooling,
        "autocast": autocast,
    }
    return json.dumps(facts, sort_keys=True)


def compute_missing(
    work: Mapping[str, Source],
    todo: Mapping[str, Sequence[str]],
    settings: Mapping,
    cache: ArrayCache,
    bar=None,
) -> dict[str, str]:
    """Embed what is missing into the cache.

    Parameters
    ----------
    work : mapping of str to Source
    todo : mapping of str to sequence of str
        The models that each track still needs.
    settings : mapping
        Seed, pooling, device, autocast.
    cache : ArrayCache
    bar : tqdm, optional

    Returns
    -------
    dict of str to str
        What went wrong, by track.
    """
    from groove_utils.embed.engine import run  # imports torch

    problems: dict[str, str] = {}
    loading = {key: settings[key] for key in ("seed", "device", "autocast")}
    # tracks that miss the same models run together
    groups: dict[tuple[str, ...], list[str]] = {}
    for track, models in todo.items():
        groups.setdefault(tuple(models), []).append(track)
    for names, ids in groups.items():
        models = [load_model(name, **loading) for name in names]
        kept = [settings[key] for key in ("seed", "device", "pooling", "autocast")]
        recipes = [recipe(name, *kept) for name in names]
        spread = settings["pooling"] == "mean+std"
        for t, m, result in run((work[track] for track in ids), models, spread=spread):
            track = ids[t]
            if isinstance(result, ValueError):
                problems[track] = str(result)
                continue
            layers, peak = result
            key = hash_bytes(recipes[m], work[track].content())
            cache.put(key, {**layers, "peak": np.float32(peak)})
            if bar is not None:
                bar.update()
    return problems
