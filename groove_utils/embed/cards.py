"""Model cards: facts about each catalogued model, read from ``models.yaml``."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

__all__ = ["ModelCard", "catalogued_models"]


@dataclass(frozen=True)
class ModelCard:
    """Facts about a pretrained model, such as its training data, layers, licence and source.

    Attributes
    ----------
    name : str
        Name in the catalogue.
    architecture : str
        Kind of network.
    training : str
        Training data and task.
    licence : str
        Licence of the weights.
    research_only : bool or None
        True if the licence forbids commercial use; None if unknown.
    paper : str
        Publication that describes the model.
    sample_rate : int
        Sample rate in Hz.
    window, hop : float
        Length of a window, and time between the starts of consecutive windows, in seconds.
    layers : dict of str to int or None
        Number of dimensions of each layer; None for a layer known only from published vectors.
    parameters : int or None
        Number of parameters in the part of the network that is used, such as the audio tower; None
        if unknown. For a model from a package, they are counted in the loaded network; for a model
        from the hub, in a network built from the published configuration.
    source : str
        Origin of the weights.
    revision : str
        Exact version of the weights.
    factory : str
        Adapter class in the form ``module:class``; empty if this package cannot run the model and
        can use only its precomputed vectors.
    packages : tuple of str
        Packages that must be importable.
    install : str
        Command that installs the packages, or instructions for obtaining precomputed vectors.
    repository : str
        Repository on the Hugging Face hub; empty for models from a package.
    opt_in : bool
        True if the model runs code from its repository, which requires the user's permission.
    in_paper : bool
        True for the seven models of Marmoret et al. (2026).
    files : tuple of str
        File-name patterns of the files, other than the weights, that are needed to load the model.
    weights : str
        Name of the weights file, for use in messages.
    text_files : tuple of str
        Additional files required by :func:`groove_utils.embed.embed_text`.
    parts : tuple of str
        Other repositories whose ``config.json`` is needed to load the model; their revisions are
        not pinned.
    note : str
        Remarks, for example about the licence or the requirements.
    fault : str
        Instructions for fixing a user-defined model that cannot be created; otherwise empty.
    """

    name: str
    architecture: str
    training: str
    licence: str
    research_only: bool | None
    paper: str
    sample_rate: int
    window: float
    hop: float
    layers: dict[str, int | None]
    parameters: int | None
    source: str
    revision: str
    factory: str
    packages: tuple[str, ...] = ()
    install: str = ""
    repository: str = ""
    opt_in: bool = False
    in_paper: bool = False
    files: tuple[str, ...] = ("config.json",)
    weights: str = "model.safetensors or pytorch_model.bin"
    text_files: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    note: str = ""
    fault: str = ""

    @property
    def terms(self) -> str:
        """Restriction imposed by the licence, such as ``research only``; empty if there is none."""
        return {True: "research only", False: "", None: "terms not recorded here"}[
            self.research_only
        ]


@functools.cache
def catalogued_models() -> dict[str, ModelCard]:
    """Return the cards of all catalogued models, by name.

    Examples
    --------
    >>> catalogued_models()["mert-v1-95m"].licence
    'CC-BY-NC-4.0'
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster
    groups = yaml.load(Path(__file__).with_name("models.yaml").read_bytes(), loader)
    cards = {group: list(_read_group(**content)) for group, content in groups.items()}
    untrained = {"training": "none: seeded random weights", "source": "drawn at random"}
    twins = [
        replace(card, name=f"{card.name}-untrained", revision="seed", **untrained)
        for card in cards["packages"]
    ]
    ordered = [*cards["packages"], *twins, *cards["hub"], *cards["vectors"]]
    return {card.name: card for card in ordered}


def _read_group(defaults: dict, models: dict) -> Iterator[ModelCard]:
    for name, entry in models.items():
        fields = {**defaults, **entry, "name": name}
        if hub := fields.pop("hub", ""):
            fields["repository"], _, fields["revision"] = hub.partition("@")
        n_layers, dim = fields.pop("hidden_layers", (0, 0))
        hidden = {f"layer_{i:02d}": dim for i in range(n_layers)}
        fields["layers"] = hidden | fields.get("layers", {})
        fields.setdefault("hop", fields["window"])
        if fields["factory"]:
            fields["factory"] = f"groove_utils.embed.models.{fields['factory']}"
        fields["install"] = fields["install"].format(name=name)
        yield ModelCard(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
