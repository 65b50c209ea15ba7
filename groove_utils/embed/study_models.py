"""Selection of a study's models (the chapters on embeddings, probing and stem ablation)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from groove_utils.embed.cards import catalogued_models
from groove_utils.study.stem_names import STEMS

__all__ = ["OFFLINE", "models_for", "precomputed_sums", "twins_of"]

OFFLINE = ("msd-musicnn", "mtt-musicnn", "msd-vgg", "mtt-vgg", "basic-pitch")
"""Models whose weights are part of Python packages, and which therefore run offline."""

_PAPER_STEMS = (*STEMS, "drums+bass")


def models_for(study, named: Sequence[str] = ()) -> list[str]:
    """Return the models with which to embed a study.

    Parameters
    ----------
    study : Study
    named : sequence of str
        Models requested by a reader; they are returned unchanged.

    Returns
    -------
    list of str
        The named models; or else those with vectors in the study's ``embeddings/<model>/``, in the
        order of the catalogue, with unknown ones last; or else :data:`OFFLINE`.
    """
    if named:
        return list(named)
    folder = Path(study.path) / "embeddings"
    names = [place.name for place in sorted(folder.glob("*")) if place.is_dir()]
    precomputed = [name for name in names if study.vector_paths(name)]
    return _ranked(precomputed, catalogued_models()) or list(OFFLINE)


def twins_of(study, models: Sequence[str]) -> list[str]:
    """Return the untrained twins of some models, if the study has audio to run them on.

    Parameters
    ----------
    study : Study
    models : sequence of str

    Returns
    -------
    list of str
        Names such as ``msd-vgg-untrained``, in the order of `models`.
    """
    twins = [f"{model}-untrained" for model in models]
    return [twin for twin in twins if twin in catalogued_models() and study.has("audio")]


def precomputed_sums(study, model: str) -> list[str]:
    """Return the stems and sums of stems for which a study has a model's vectors.

    Parameters
    ----------
    study : Study
    model : str

    Returns
    -------
    list of str
        Names such as ``drums`` and ``drums+bass``, with the published ones first, in their order.
    """
    folder = Path(study.path) / "embeddings" / model
    names = [place.name for place in sorted(folder.glob("*")) if place.is_dir()]
    sums = [name for name in names if study.vector_paths(model, name.split("+"))]
    return _ranked(sums, _PAPER_STEMS)


def _ranked(names: Iterable[str], order: Iterable[str]) -> list[str]:
    """Sort names by their position in `order`, with others last."""
    rank = {name: i for i, name in enumerate(order)}
    return sorted(names, key=lambda name: rank.get(name, len(rank)))
