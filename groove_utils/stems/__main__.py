"""List or download Demucs networks: ``python -m groove_utils.stems list`` or ``fetch NAME``."""

from __future__ import annotations

import argparse
import sys

from groove_utils.stems.demucs_weights import (
    SeparatorUnavailableError,
    find_weights,
    load_network,
    pretrained_names,
)


def main(argv: list[str] | None = None) -> int:
    """Run the command-line interface; return 0 on success and 1 on failure."""
    parser = argparse.ArgumentParser(prog="python -m groove_utils.stems", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the pretrained networks")
    commands.add_parser("fetch", help="download a network").add_argument("name")
    options = parser.parse_args(argv)
    if options.command == "list":
        print(*pretrained_names(), sep="\n")
        return 0
    try:
        network = load_network(find_weights(options.name))
    except (SeparatorUnavailableError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.name}: ready; it separates {', '.join(network.sources)}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
