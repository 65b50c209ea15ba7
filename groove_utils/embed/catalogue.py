"""Which models there are, what each is, and whether it can run here."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import asdict, dataclass

import pandas as pd

from groove_utils.embed.adapters import Adapter, check_adapter, registered_models

__all__ = ["CATALOGUE", "ModelCard", "list_models", "make_adapter", "model_card"]


@dataclass(frozen=True)
class ModelCard:
    """What is to be known about a model before its numbers are believed.

    Attributes
    ----------
    name : str
    architecture, training : str
        What the network is; on what data and for which task it was trained.
    licence : str
        Of the weights.
    research_only : bool
        Whether the licence forbids commercial use.
    paper : str
    sample_rate : int
        Hz.
    window, hop : float
        Seconds.
    layers : dict of str to int
        Dimensions of each layer.
    parameters : int
    source : str
        Where the weights come from.
    revision : str
        The exact version of the weights.
    factory : str
        ``module:class`` of its adapter.
    needs : tuple of str
        Importable packages that it needs.
    install : str
        The command that installs them.
    """

    name: str
    architecture: str
    training: str
    licence: str
    research_only: bool
    paper: str
    sample_rate: int
    window: float
    hop: float
    layers: dict[str, int]
    parameters: int
    source: str
    revision: str
    factory: str
    needs: tuple[str, ...] = ()
    install: str = ""

    def availability(self) -> tuple[bool, str]:
        """Whether it can run now, and how to make it so, or why it can."""
        missing = [package for package in self.needs if not importlib.util.find_spec(package)]
        if missing:
            return False, f"needs an extra: {self.install}"
        return True, "installed"


_TAGS = {"mtt": "MagnaTagATune (19 k clips)", "msd": "Million Song Dataset (200 k songs)"}
_MUSICNN_LAYERS = {
    "timbral": 408,
    "temporal": 153,
    "cnn1": 64,
    "cnn2": 64,
    "cnn3": 64,
    "mean_pool": 753,
    "max_pool": 753,
    "penultimate": 200,
    "taggram": 50,
}
_VGG_LAYERS = {**{f"pool{i}": 128 for i in range(1, 6)}, "taggram": 50}


def _tagger(data: str, kind: str) -> ModelCard:
    musicnn = kind == "musicnn"
    return ModelCard(
        name=f"{data}-{kind}",
        architecture="CNN with musically motivated kernels" if musicnn else "VGG-like CNN",
        training=f"{_TAGS[data]}; supervised, 50 tags",
        licence="ISC",
        research_only=False,
        paper="Pons & Serra (2019), arXiv:1909.06654",
        sample_rate=16000,
        window=3.008,
        hop=2.976,
        layers=_MUSICNN_LAYERS if musicnn else _VGG_LAYERS,
        parameters=787_159 if musicnn else 605_748,
        source="Python package musicnn",
        revision="0.1.0",
        factory="groove_utils.embed.musicnn:Tagger",
        needs=("musicnn",),
        install="pip install --no-deps musicnn==0.1.0",
    )


_BASIC_PITCH = ModelCard(
    name="basic-pitch",
    architecture="CNN on a harmonic constant-Q transform",
    training="GuitarSet, iKala, MAESTRO, MedleyDB, Slakh; supervised, note transcription",
    licence="Apache-2.0",
    research_only=False,
    paper="Bittner et al. (2022), ICASSP",
    sample_rate=22050,
    window=43844 / 22050,
    hop=36164 / 22050,
    layers={"note": 176, "onset": 176, "contour": 528},
    parameters=16_700,
    source="Python package basic-pitch",
    revision="0.4.0",
    factory="groove_utils.embed.basic_pitch:BasicPitch",
    needs=("basic_pitch", "onnxruntime"),
    install="pip install onnxruntime && pip install --no-deps basic-pitch==0.4.0",
)


def _untrained(card: ModelCard) -> ModelCard:
    fields = {field: getattr(card, field) for field in card.__dataclass_fields__}
    fields |= {
        "name": f"{card.name}-untrained",
        "training": "none: seeded random weights",
        "source": "drawn at random",
        "revision": "seed",
    }
    return ModelCard(**fields)


_IN_PACKAGE = [
    _tagger("msd", "musicnn"),
    _tagger("mtt", "musicnn"),
    _tagger("msd", "vgg"),
    _tagger("mtt", "vgg"),
    _BASIC_PITCH,
]
CATALOGUE: dict[str, ModelCard] = {
    card.name: card for card in [*_IN_PACKAGE, *map(_untrained, _IN_PACKAGE)]
}


def list_models() -> pd.DataFrame:
    """All models, one row each.

    Returns
    -------
    pandas.DataFrame, indexed by name
        The facts of :class:`ModelCard`, with `n_layers`, `available` (bool) and `how` (what makes
        it available, or why it is).
    """
    rows = []
    for card in CATALOGUE.values():
        available, how = card.availability()
        row = asdict(card)
        row["n_layers"] = len(card.layers)
        rows.append(row | {"available": available, "how": how})
    table = pd.DataFrame(rows).set_index("name")
    return table.drop(columns=["layers", "factory", "needs", "install"])


def model_card(name: str) -> ModelCard:
    """What is known about a model.

    Raises
    ------
    ValueError
        If there is no such model; the message lists those that there are.
    """
    if name not in CATALOGUE:
        raise ValueError(_unknown(name))
    return CATALOGUE[name]


def make_adapter(name: str, seed: int = 0) -> Adapter:
    """The adapter of a catalogued or registered model.

    Parameters
    ----------
    name : str
    seed : int
        Of an untrained twin's weights; the others ignore it.
    """
    factories = registered_models()
    if name in factories:
        adapter = factories[name]()
        check_adapter(name, adapter)
        return adapter
    module, _, attribute = model_card(name).factory.partition(":")
    return getattr(importlib.import_module(module), attribute)(name, seed)


def _unknown(name: str) -> str:
    known = ", ".join([*CATALOGUE, *registered_models()])
    return f"there is no model {name!r}. Known are {known}; add yours with register_model()."
