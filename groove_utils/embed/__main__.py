"""``python -m groove_utils.embed list``, ``card NAME`` and ``fetch NAME``."""

from __future__ import annotations

import argparse
import sys

from groove_utils.embed.adapters import ModelUnavailableError
from groove_utils.embed.catalogue import list_models, model_card
from groove_utils.embed.hub import fetch_weights


def main(argv: list[str] | None = None) -> int:
    """Show the catalogue or download a model's weights; 0 where that went well."""
    parser = argparse.ArgumentParser(prog="python -m groove_utils.embed", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all models, and whether they can run here")
    for command, text in (("card", "all about one model"), ("fetch", "download its weights")):
        commands.add_parser(command, help=text).add_argument("name")
    options = parser.parse_args(argv)
    try:
        if options.command == "list":
            table = list_models()[["sample_rate", "n_layers", "dims", "licence", "state", "how"]]
            print(table.to_string())
            return 0
        card = model_card(options.name)
        if options.command == "card":
            for field in card.__dataclass_fields__:
                print(f"{field:14} {getattr(card, field)}")
            _, state, how = card.availability()
            print(f"{'state':14} {state}{f': {how}' if how else ''}")
            return 0
        if not card.repository:
            print(f"{card.name}: nothing to fetch, it comes with {card.source}.")
            return 0
        print(fetch_weights(card.name, card.repository, card.revision))
    except (ModelUnavailableError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
