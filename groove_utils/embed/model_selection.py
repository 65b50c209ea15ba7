"""Which models a study is looked at with (chapters 05 to 07)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.precomputed import precomputed_folder

__all__ = ["OFFLINE", "models_for", "stem_sums", "twins_of"]

OFFLINE = ("msd-musicnn", "mtt-musicnn", "msd-vgg", "mtt-vgg", "basic-pitch")
"""Models whose weights come inside Python packages: they run anywhere."""

_PAPER_STEMS = ("drums", "bass", "other", "vocals", "drums+bass")


def models_for(study, named: Sequence[str] = ()) -> list[str]:
    """The models to look at a study with.

    Parameters
    ----------
    study : Study
    named : sequence of str
        Models that a reader asks for; they are taken as they are.

    Returns
    -------
    list of str
        Those named; else those whose vectors the study brings in ``embeddings/<model>/``, in the
        order of the catalogue with unknown ones behind; else :data:`OFFLINE`.
    """
    if named:
        return list(named)
    folder = Path(study.path) / "embeddings"
    there = [place.name for place in sorted(folder.glob("*")) if place.is_dir()]
    own = [name for name in there if precomputed_folder(study, name) is not None]
    rank = {name: i for i, name in enumerate(catalogued_models())}
    return sorted(own, key=lambda name: rank.get(name, len(rank))) or list(OFFLINE)


def twins_of(study, models: Sequence[str]) -> list[str]:
    """Untrained twins of some models, where there are any and there is audio to run them on.

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


def stem_sums(study, model: str) -> list[str]:
    """Stems, and sums of stems, of which a study brings a model's vectors.

    Parameters
    ----------
    study : Study
    model : str

    Returns
    -------
    list of str
        Such as ``drums`` and ``drums+bass``: the published ones first, in their order.
    """
    folder = Path(study.path) / "embeddings" / model
    there = [place.name for place in sorted(folder.glob("*")) if place.is_dir()]
    found = [n for n in there if precomputed_folder(study, model, n.split("+")) is not None]
    rank = {name: i for i, name in enumerate(_PAPER_STEMS)}
    return sorted(found, key=lambda name: rank.get(name, len(rank)))
