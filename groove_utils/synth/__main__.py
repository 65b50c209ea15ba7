"""Make the demo study from the command line: ``python -m groove_utils.synth FOLDER``."""

from __future__ import annotations

import argparse
import sys

from groove_utils.synth import make_demo


def main(argv: list[str] | None = None) -> int:
    """Read the command line and make the study; 0 on success, 2 where the numbers do not fit."""
    parser = argparse.ArgumentParser(prog="python -m groove_utils.synth", description=__doc__)
    parser.add_argument("folder", help="where to write the study")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--bands", "--n-bands", type=int, default=24, dest="n_bands")
    parser.add_argument("--songs-per-band", type=int, default=4)
    parser.add_argument("--listeners", "--n-listeners", type=int, default=120, dest="n_listeners")
    parser.add_argument("--songs-per-listener", type=int, default=24)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quiet", action="store_false", dest="progress", help="no progress bar")
    options = vars(parser.parse_args(argv))
    try:
        print(make_demo(options.pop("folder"), **options))
    except ValueError as error:
        print(f"groove_utils.synth: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
