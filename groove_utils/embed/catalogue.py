"""Cards and adapters for the catalogued models and for user-defined models."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict

import pandas as pd

from groove_utils.embed.adapters import (
    Adapter,
    EmbedError,
    ModelUnavailableError,
    check_adapter,
)
from groove_utils.embed.cards import ModelCard, catalogued_models
from groove_utils.embed.weights import availability

__all__ = [
    "list_models",
    "make_adapter",
    "model_card",
    "register_model",
    "registered_models",
    "registration",
    "unregister_model",
]

_TECHNICAL = ["layers", "factory", "packages", "install", "opt_in", "files", "weights"]
_TECHNICAL += ["text_files", "fault"]
_REGISTERED: dict[str, Callable[..., Adapter]] = {}
_REGISTRATIONS: dict[str, int] = {}  # number of registrations under each name


def list_models() -> pd.DataFrame:
    """Tabulate the catalogued models, followed by those added with :func:`register_model`.

    Returns
    -------
    pandas.DataFrame, indexed by name
        One row per model. The columns are the fields of :class:`ModelCard` (except technical ones
        such as `files`) and:

        - ``n_layers``: number of layers;
        - ``dims``: smallest and largest number of dimensions of a layer;
        - ``available``, ``state``, ``how``: results of
          :func:`groove_utils.embed.weights.availability`.

    Examples
    --------
    >>> list_models().loc["msd-musicnn", "dims"]
    '50–753'
    """
    rows = []
    for card in [*catalogued_models().values(), *map(_own_card, _REGISTERED)]:
        available, state, how = availability(card)
        sizes = {"n_layers": len(card.layers), "dims": _span(card.layers.values())}
        rows.append(asdict(card) | sizes | {"available": available, "state": state, "how": how})
    return pd.DataFrame(rows).set_index("name").drop(columns=_TECHNICAL)


def _span(sizes) -> str:
    sizes = sorted({size for size in sizes if size is not None})
    if not sizes:
        return "as published"
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"


def model_card(name: str) -> ModelCard:
    """Return the card of a catalogued or registered model.

    Raises
    ------
    EmbedError
        If there is no such model; the message lists all models.

    Examples
    --------
    >>> model_card("mert-v1-95m").terms
    'research only'
    """
    if name in _REGISTERED:
        return _own_card(name)
    catalogue = catalogued_models()
    if name not in catalogue:
        names = ", ".join([*catalogue, *_REGISTERED])
        raise EmbedError(
            f"there is no model {name!r}. Choose one of {names}, or add your own model with "
            "register_model().",
            kind="unknown_model",
            value=name,
        )
    return catalogue[name]


def register_model(name: str, factory: Callable[..., Adapter], *, replace: bool = False) -> None:
    """Register a user-defined model so that it can be used by name.

    Parameters
    ----------
    name : str
        Name of the model, to be passed to functions such as
        :func:`groove_utils.embed.embed_study`.
    factory : callable
        The adapter's class, or any function without required arguments that returns an adapter; see
        :mod:`groove_utils.embed.adapters`.
    replace : bool
        Replace the existing model if the name is already registered, for example when a notebook
        cell is run again.

    Raises
    ------
    EmbedError
        If the name is already taken, or `factory` is not callable or does not return a valid
        adapter.
    """
    if name in catalogued_models() or (name in _REGISTERED and not replace):
        raise EmbedError(
            f"register_model: there is already a model {name!r}. Choose another name. To replace "
            "a model that you have registered, pass replace=True.",
            kind="name_taken",
            value=name,
        )
    if not callable(factory):
        raise EmbedError(
            f"register_model: got an object of type {type(factory).__name__} for {name!r}; "
            "expected the adapter's class, or a function that returns an adapter.",
            kind="not_callable",
            value=factory,
        )
    check_adapter(name, factory())
    _REGISTERED[name] = factory
    _REGISTRATIONS[name] = _REGISTRATIONS.get(name, 0) + 1


def unregister_model(name: str) -> None:
    """Remove a model that was added with :func:`register_model`."""
    _REGISTERED.pop(name, None)


def registered_models() -> dict[str, Callable[..., Adapter]]:
    """Return the factories of all registered models, by name."""
    return dict(_REGISTERED)


def registration(name: str) -> int:
    """Return the number of times that a model has been registered under a name."""
    return _REGISTRATIONS.get(name, 0)


def _own_card(name: str) -> ModelCard:
    """Create the model card of a user-defined model from the attributes of its adapter."""
    fields = {"architecture": "–", "sample_rate": 0, "window": 0.0, "hop": 0.0, "layers": {}}
    fields |= {"training": "user-defined model", "source": "register_model()", "revision": "–"}
    fields |= {"licence": "–", "research_only": False, "paper": "–", "parameters": None}
    try:
        adapter = _REGISTERED[name]()
    except Exception as error:  # user code may raise any error; the other models are still listed
        fault = f"fix its factory, which raised {type(error).__name__}: {error}"
        return ModelCard(name=name, factory="", fault=fault, **fields)
    fields |= {"architecture": type(adapter).__name__, "sample_rate": adapter.sample_rate}
    fields |= {"window": adapter.window, "hop": getattr(adapter, "hop", adapter.window)}
    fields |= {"layers": dict(adapter.layers), "revision": str(getattr(adapter, "version", "–"))}
    return ModelCard(name=name, factory=":", **fields)


def make_adapter(name: str, seed: int = 0) -> Adapter:
    """Create the adapter for a catalogued or registered model.

    Parameters
    ----------
    name : str
        Name of the model.
    seed : int
        Seed for the random weights of models named ``…-untrained``; ignored by other models.

    Raises
    ------
    EmbedError
        If there is no such model, or the registered factory does not return a valid adapter.
    ModelUnavailableError
        If a required package is missing, the model needs the user's consent, or only precomputed
        vectors are available.
    """
    if name in _REGISTERED:
        adapter = _REGISTERED[name]()
        check_adapter(name, adapter)
        return adapter
    card = model_card(name)
    _, state, how = availability(card)
    if state in ("through embeddings/", "needs an extra", "needs consent"):
        kind = "no_adapter" if not card.factory else state.replace(" ", "_")
        raise ModelUnavailableError(f"{name}: {state}. To use it: {how}.", kind=kind, value=name)
    module, _, attribute = card.factory.partition(":")
    return getattr(importlib.import_module(module), attribute)(name, seed)
