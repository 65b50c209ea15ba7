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
    """Facts about a model that affect how far its results can be trusted.

    Attributes
    ----------
    name, paper : str
    architecture, training : str
        Kind of network; training data and task.
    licence : str
        Licence of the weights.
    research_only : bool or None
        True if the licence forbids commercial use; None if this is not recorded.
    sample_rate : int
        Sample rate in Hz.
    window, hop : float
        Window length and hop in seconds.
    layers : dict of str to int or None
        Dimensions of each layer; None if they are those of published vectors.
    parameters : int or None
        Number of parameters of the part that is used, such as the audio tower: counted in the
        loaded network (models from packages) or in one built from the published configuration
        (models from the hub).
    source, revision : str
        Origin of the weights, and their exact version.
    factory : str
        ``module:class`` of its adapter; empty if its vectors come with a study.
    packages : tuple of str
        Packages that must be importable.
    install : str
        The command that installs them, or how to obtain its vectors.
    repository : str
        Repository on the Hugging Face hub; empty for models from a package.
    opt_in : bool
        True if it runs code by its authors, which has to be allowed by name.
    in_paper : bool
        True if it is one of the seven models of Marmoret et al. (2026).
    files, weights : tuple of str, str
        Files needed for loading, as patterns, and the weights file at that revision.
    text_files : tuple of str
        Further files needed by :func:`groove_utils.embed.embed_text`.
    parts : tuple of str
        Other repositories whose ``config.json`` is needed for loading; their revision is not
        pinned.
    note : str
        Remarks on its revision or its requirements.
    fault : str
        Why a reader's own model cannot be created, and how to fix it; empty otherwise.
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
        """Restriction on the use of the weights, in words; empty if there is none."""
        return {True: "research only", False: "", None: "terms not recorded here"}[
            self.research_only
        ]


@functools.cache
def catalogued_models() -> dict[str, ModelCard]:
    """Return all catalogued models by name, in the order of ``models.yaml``.

    Examples
    --------
    >>> catalogued_models()["mert-v1-95m"].licence
    'CC-BY-NC-4.0'
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, if available
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
    for name, own in models.items():
        fields = {**defaults, **own, "name": name}
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
