"""Overview table and model cards of the catalogued models, for the page “Model cards”."""

from __future__ import annotations

import itertools

import pandas as pd

from groove_utils.book.markdown import MystText, markdown_table
from groove_utils.embed import ModelCard, list_models, model_card
from groove_utils.embed.weights import availability

__all__ = ["model_card_pages"]


def model_card_pages() -> MystText:
    """Return an overview of the model catalogue and a card for each model, as Markdown.

    Untrained twins (models with random weights) are not listed and have no cards.
    """
    cards = [model_card(name) for name in list_models().index if not name.endswith("-untrained")]
    overview = pd.DataFrame([_overview_row(card) for card in cards])
    pages = [markdown_table(overview, myst=overview.columns), *map(_card, cards)]
    return MystText("\n\n".join(pages))


def _overview_row(card: ModelCard) -> dict[str, str]:
    available, state, _ = availability(card)
    return {
        "model": f"{{ref}}`{card.name} <model-{card.name}>`",
        "trained on": card.training.partition(";")[0],
        "rate (kHz)": f"{card.sample_rate / 1000:g}",
        "width × layers": _sizes(card),
        "million weights": f"{card.parameters / 1e6:.2f}" if card.parameters else "–",
        "licence of the weights": _licence(card),
        "in the paper": "yes" if card.in_paper else "",
        "runs here": "yes" if available else state,
    }


def _card(card: ModelCard) -> str:
    _, state, how = availability(card)
    marks = ["in the paper"] * card.in_paper + ["research only"] * (card.research_only is True)
    facts = {
        "architecture": card.architecture,
        "trained on": card.training,
        "paper": card.paper,
        "licence of the weights": _licence(card),
        "sample rate": f"{card.sample_rate:,} Hz",
        "window, hop": f"{card.window:.2f} s, {card.hop:.2f} s",
        "layers (dimensions)": _layers(card.layers),
        "parameters": _parameters(card),
        "weights": _origin(card),
        "note": card.note,
        "state": state,
        # `how` is a command, or a description of what to do
        "how to obtain it": f"`{how}`" if how and card.factory else how or "–",
    }
    lines = [f"(model-{card.name})=", f"## {card.name}", ""]
    lines += [f"*{', '.join(marks)}*", ""] if marks else []
    lines += ["| | |", "|---|---|"]
    lines += [f"| {key} | {value.replace('|', ' ')} |" for key, value in facts.items() if value]
    return "\n".join(lines)


def _licence(card: ModelCard) -> str:
    return f"{card.licence} ({card.terms})" if card.terms else card.licence


def _parameters(card: ModelCard) -> str:
    if not card.parameters:
        return "not counted"
    return f"{card.parameters:,}{' (from the configuration)' if card.repository else ''}"


def _origin(card: ModelCard) -> str:
    if not card.repository:
        return f"{card.source}, revision {card.revision}"
    origins = [f"; configuration from `{part}`, revision not pinned" for part in card.parts]
    return f"{card.source}, `{card.repository}` at revision `{card.revision}`{''.join(origins)}"


def _sizes(card: ModelCard) -> str:
    """Describe a model's layers as dimensions × number, such as ``768 × 13`` or ``96–768 × 7``."""
    sizes = [size for size in card.layers.values() if size is not None]
    if not sizes:
        return "as published"
    span = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)}–{max(sizes)}"
    return f"{span} × {len(sizes)}"


def _layers(layers: dict[str, int | None]) -> str:
    """List the layers and their dimensions, merging numbered layers of the same size."""

    def series(layer: tuple[str, int | None]) -> tuple:
        return layer[0].rstrip("0123456789"), layer[1]

    texts = []
    for (_, size), run in itertools.groupby(layers.items(), series):
        names = [name for name, _ in run]
        ends = " … ".join(f"`{name}`" for name in dict.fromkeys((names[0], names[-1])))
        texts.append(f"{ends} ({size or 'as published'})")
    return ", ".join(texts)
