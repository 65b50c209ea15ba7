"""Compute missing embeddings, in this process or in a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groove_utils.audio.streams import Source
from groove_utils.cache import ArrayCache
from groove_utils.embed.adapters import EmbedError
from groove_utils.embed.cache_keys import model_recipe, vector_key
from groove_utils.embed.loading import known_fingerprint, load_model

__all__ = ["Settings", "compute_missing"]

POOLINGS = ("mean", "mean+std")


@dataclass(frozen=True)
class Settings:
    """Options of :func:`groove_utils.embed.embed_models` that affect the vectors."""

    seed: int = 0
    pooling: str = "mean"
    device: str | None = None
    autocast: bool = False

    def __post_init__(self):
        if self.pooling not in POOLINGS:
            raise EmbedError(
                f"pooling is {self.pooling!r}; expected one of {', '.join(POOLINGS)}.",
                kind="unknown_pooling",
                column="pooling",
                value=self.pooling,
            )

    def recipe(self, model: str) -> str:
        """Return a JSON string with all settings and versions that determine a model's vectors."""
        adapter, fingerprint = known_fingerprint(model, self.seed, self.device)
        return model_recipe(model, adapter, fingerprint, self.pooling, self.autocast)


def compute_missing(
    work: Mapping[str, Source],
    todo: Mapping[str, Sequence[str]],
    settings: Settings,
    cache: ArrayCache,
    bar=None,
) -> dict[str, str]:
    """Compute the missing embeddings of tracks, and write them to the cache.

    Parameters
    ----------
    work : mapping of str to Source
        Audio sources, keyed by track.
    todo : mapping of str to sequence of str
        For each track, the names of the models whose embeddings are missing.
    settings : Settings
        Options that affect the vectors.
    cache : ArrayCache
        Cache to which the vectors are written.
    bar : tqdm, optional
        Progress bar that advances by one for each embedding.

    Returns
    -------
    dict of str to str
        Error messages for the tracks that could not be embedded, keyed by track.
    """
    from groove_utils.embed.engine import run  # imports torch

    problems: dict[str, str] = {}
    # tracks that need the same models are processed together
    groups: dict[tuple[str, ...], list[str]] = {}
    for track, models in todo.items():
        groups.setdefault(tuple(models), []).append(track)
    loading = {"seed": settings.seed, "device": settings.device, "autocast": settings.autocast}
    spread = settings.pooling == "mean+std"
    for names, ids in groups.items():
        models = [load_model(name, **loading) for name in names]
        recipes = [settings.recipe(name) for name in names]
        for t, m, result in run((work[track] for track in ids), models, spread=spread):
            track = ids[t]
            if isinstance(result, ValueError):
                problems[track] = str(result)
                continue
            layers, peak = result
            key = vector_key(recipes[m], work[track].content())
            cache.put(key, {**layers, "peak": np.float32(peak)})
            if bar is not None:
                bar.update()
    return problems
