"""``python -m groove_utils.stems list`` and ``fetch NAME``: networks that take songs apart."""

from __future__ import annotations

import argparse
import sys

from groove_utils.stems.demucs_weights import (
    SeparatorUnavailableError,
    find_package,
    load_package,
    pretrained_names,
)


def main(argv: list[str] | None = None) -> int:
    """List Demucs's networks, or download one; 0 where that went well."""
    parser = argparse.ArgumentParser(prog="python -m groove_utils.stems", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="Demucs's networks, and whether they are here")
    commands.add_parser("fetch", help="download one").add_argument("name")
    options = parser.parse_args(argv)
    try:
        if options.command == "list":
            for name in pretrained_names():
                print(f"{name:28} {'here' if find_package(name).files else 'not on this machine'}")
            return 0
        network = load_package(find_package(options.name))
        print(f"{options.name}: ready, separates {', '.join(network.sources)}.")
    except (SeparatorUnavailableError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
