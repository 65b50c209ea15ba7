"""List, describe, download and record pretrained models.

Run ``python -m groove_utils.embed COMMAND``, where ``COMMAND`` is ``list``, ``card NAME``,
``fetch NAME`` or ``record NAME``. ``record`` stores a model's fingerprint (a hash of its weights)
and its outputs for a test signal; the model is compared with this record whenever it is loaded.
``fetch --paper`` downloads and records the models of Marmoret et al. (2026) that are hosted on the
Hugging Face hub.
"""

from __future__ import annotations

import argparse
import sys

import pandas as pd

from groove_utils.embed.adapters import EmbedError, ModelRefusedError, ModelUnavailableError
from groove_utils.embed.cards import ModelCard, catalogued_models
from groove_utils.embed.catalogue import list_models, model_card
from groove_utils.embed.downloads import fetch_models, fetch_weights
from groove_utils.embed.loading import record_model
from groove_utils.embed.weights import availability


def main(argv: list[str] | None = None) -> int:
    """Run the command-line interface; return 0 on success and 1 on failure."""
    parser = argparse.ArgumentParser(prog="python -m groove_utils.embed", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list all models and whether they can run on this machine")
    for command, text in {
        "card": "show the card of a model",
        "record": "record a model's fingerprint and its outputs for a test signal",
    }.items():
        commands.add_parser(command, help=text).add_argument("name")
    fetch = commands.add_parser("fetch", help="download the weights of a model")
    wanted = fetch.add_mutually_exclusive_group(required=True)
    wanted.add_argument("name", nargs="?")
    wanted.add_argument("--paper", action="store_true", help="download all models of the paper")
    options = parser.parse_args(argv)
    try:
        if options.command == "list":
            print(_overview().to_string())
            return 0
        if options.command == "fetch" and options.paper:
            return _fetch_paper()
        card = model_card(options.name)
        if options.command == "card":
            for field in card.__dataclass_fields__:
                print(f"{field:14} {getattr(card, field)}")
            _, state, how = availability(card)
            print(f"{'state':14} {state}{f': {how}' if how else ''}")
            return 0
        if options.command == "record":
            print(record_model(options.name))
            return 0
        if not card.repository:
            return _nothing_to_fetch(card)
        print(fetch_weights(card))
    except (ModelUnavailableError, ModelRefusedError, EmbedError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _fetch_paper() -> int:
    cards = [card for card in catalogued_models().values() if card.in_paper]
    try:
        n_failed = fetch_models(cards)
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to continue.", file=sys.stderr)
        return 1
    if n_failed:
        return 1
    print("To use the models, set `models: paper` in a parameters file. Commit the new records.")
    return 0


def _overview() -> pd.DataFrame:
    """Return the table that the ``list`` command prints."""
    table = list_models()
    table["terms"] = [model_card(name).terms for name in table.index]
    table["in paper"] = ["yes" if flag else "" for flag in table["in_paper"]]
    shown = ["sample_rate", "n_layers", "dims", "licence", "terms", "in paper", "state", "how"]
    return table[shown]


def _nothing_to_fetch(card: ModelCard) -> int:
    """Print how to obtain a model that is not on the hub; return 0 if it is available, else 1."""
    available, _, how = availability(card)
    if available:
        drawn = card.name.endswith("-untrained")
        how = f"its weights are {card.source}" if drawn else f"it comes with {card.source}"
        print(f"{card.name}: nothing to fetch; {how}.")
        return 0
    print(f"{card.name}: there is nothing to fetch. To get its embeddings: {how}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
