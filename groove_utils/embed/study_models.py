"""Select the models used for a study in the chapters on embeddings, probing and stem ablation."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from groove_utils.embed.adapters import ModelUnavailableError
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.catalogue import model_card
from groove_utils.embed.weights import availability, consented
from groove_utils.study.stem_names import STEMS

__all__ = [
    "OFFLINE",
    "TASKS",
    "models_for",
    "precomputed_sums",
    "runnable_models",
    "stem_models",
    "twins_of",
]

OFFLINE = ("msd-musicnn", "mtt-musicnn", "msd-vgg", "mtt-vgg", "basic-pitch")
"""Models used to embed a study by default; their weights come with Python packages."""

TASKS = {
    "msd-musicnn": "tagging",
    "mtt-musicnn": "tagging",
    "msd-vgg": "tagging",
    "mtt-vgg": "tagging",
    "basic-pitch": "transcription",
    "beatnet": "beats",
    "vibenet": "danceability",
    "tempo-cnn": "tempo",
    "crepe-tiny": "pitch",
    "aisfx": "sound effects",
}
"""Task that each model from a Python package was trained for."""

_PAPER_STEMS = (*STEMS, "drums+bass")


def models_for(study, named: str | Sequence[str] = ()) -> list[str]:
    """Choose the models to use for a study.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    named : str or sequence of str
        Models chosen by the user. ``paper`` stands for the models of Marmoret et al. (2026). Any of
        these models is skipped with a warning if it still needs the user's consent, or if the study
        lacks the audio or vectors that it needs.

    Returns
    -------
    list of str
        The models in `named`, if given. Otherwise, the models for which the study has vectors in
        ``embeddings/<model>/``: first the catalogued models, in the order of the catalogue, then
        any others. If there are no vectors, the models in :data:`OFFLINE`, whose weights come with
        Python packages.

    Raises
    ------
    ModelUnavailableError
        If `named` includes ``paper``, and either one of its models must first be fetched or
        installed, or none of them can be used.
    """
    if named:
        named = [named] if isinstance(named, str) else named
        models = []
        for name in named:
            models += _paper_models(study) if name == "paper" else [name]
        return list(dict.fromkeys(models))
    folder = Path(study.path) / "embeddings"
    names = [place.name for place in sorted(folder.glob("*")) if place.is_dir()]
    precomputed = [name for name in names if study.vector_paths(name)]
    return _ranked(precomputed, catalogued_models()) or list(OFFLINE)


def _paper_models(study) -> list[str]:
    """Return the models of Marmoret et al. (2026) that can be used for a study."""
    usable, skipped, missing = [], {}, {}
    for card in catalogued_models().values():
        if not card.in_paper:
            continue
        available, state, how = availability(card)
        if study.vector_paths(card.name):
            usable.append(card.name)
        elif not study.has("audio"):
            skipped[card.name] = "the study has neither audio nor vectors from this model"
        elif available:
            usable.append(card.name)
        elif card.opt_in and card.name not in consented():
            skipped[card.name] = f"export GROOVE_REMOTE_CODE={card.name}"
        elif state == "through embeddings/":
            skipped[card.name] = how
        else:
            missing[card.name] = how
    if missing or not usable:
        reasons = "; ".join(f"{name}: {how}" for name, how in (missing or skipped).items())
        remedy = (
            "Run `python -m groove_utils.embed fetch --paper`, and install the packages that it "
            "lists."
        )
        if not missing:
            remedy = "Add sound files, or vectors in embeddings/<model>/."
        raise ModelUnavailableError(
            f"models: paper: {len(missing or skipped)} models are not ready ({reasons}). {remedy} "
            "Or choose other models by name.",
            kind="models_missing",
            column="models",
            value=list(missing or skipped),
        )
    if skipped:
        reasons = "; ".join(f"{name}: {how}" for name, how in skipped.items())
        text = f"models: paper: {len(skipped)} of the paper's models are skipped ({reasons})."
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    return usable


def runnable_models(study, models: Sequence[str]) -> tuple[list[str], str]:
    """Select the models that can embed the audio of a study on this machine.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    models : sequence of str
        Names of the models to check.

    Returns
    -------
    runnable : list of str
        Names of the models that can run.
    note : str
        Sentence listing the models that cannot run and how to install them, or stating that all
        models were run.
    """
    if not study.has("audio"):
        return [], "The study has no audio, so no other models can be run."
    states = {model: availability(model_card(model)) for model in models}
    missing = [f"{name} (to add it: {how})" for name, (ok, _, how) in states.items() if not ok]
    note = f"Not run: {'; '.join(missing)}." if missing else "All of these models were run."
    return [model for model, (ok, *_) in states.items() if ok], note


def twins_of(study, models: Sequence[str]) -> list[str]:
    """Return the untrained twins of models, or an empty list if the study has no audio.

    An untrained twin is the same network as the model, but with random weights.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    models : sequence of str
        Names of the models; models without an untrained twin are skipped.

    Returns
    -------
    list of str
        Names such as ``msd-vgg-untrained``, in the order of `models`.
    """
    twins = [f"{model}-untrained" for model in models]
    return [twin for twin in twins if twin in catalogued_models() and study.has("audio")]


def precomputed_sums(study, model: str) -> list[str]:
    """Return the stems and sums of stems for which a study has precomputed vectors.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    model : str
        Name of the model.

    Returns
    -------
    list of str
        Names such as ``drums`` and ``drums+bass``. The sums that Marmoret et al. (2026) used come
        first, in the order used in that paper.
    """
    folder = Path(study.path) / "embeddings" / model
    names = [place.name for place in sorted(folder.glob("*")) if place.is_dir()]
    sums = [name for name in names if study.vector_paths(model, name.split("+"))]
    return _ranked(sums, _PAPER_STEMS)


def stem_models(study, preferred: Sequence[str] = ()) -> list[str]:
    """Return the models that can be used for the stems of a study.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    preferred : sequence of str
        Models to list first, for example the models in the chapter on probing, ordered from best to
        worst.

    Returns
    -------
    list of str
        If the study has audio, those catalogued models from `preferred`, from the result of
        :func:`models_for` and from :data:`OFFLINE` (the models used by default) that can run on
        this machine. Otherwise, those models from `preferred` and from the result of
        :func:`models_for` for which the study has precomputed vectors of stems.
    """
    models = list(dict.fromkeys([*preferred, *models_for(study)]))
    if not study.has("audio"):
        return [name for name in models if precomputed_sums(study, name)]
    cards = catalogued_models()
    models = [name for name in dict.fromkeys([*models, *OFFLINE]) if name in cards]
    return runnable_models(study, models)[0]


def _ranked(names: Iterable[str], order: Iterable[str]) -> list[str]:
    """Sort names by their position in `order`; names that are not in `order` come last."""
    rank = {name: i for i, name in enumerate(order)}
    return sorted(names, key=lambda name: rank.get(name, len(rank)))
