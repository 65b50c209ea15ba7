"""``python -m groove_utils.book``: what the Makefile calls to run, build and check the book."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from groove_utils.book import check, jupytext_sync
from groove_utils.paths import project_root


def main(arguments: list[str] | None = None) -> int:
    """Run one of the verbs; returns the exit status."""
    options = _parser().parse_args(arguments)
    return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m groove_utils.book")
    verbs = parser.add_subparsers(required=True)

    verb = verbs.add_parser("params", help="split a parameter file into one a chapter")
    verb.add_argument("file", type=Path)
    verb.add_argument("folder", type=Path)
    verb.add_argument("chapters", nargs="+")
    verb.set_defaults(run=_params)

    verb = verbs.add_parser("run", help="execute one chapter")
    verb.add_argument("script", type=Path)
    verb.add_argument("--study", required=True)
    verb.add_argument("--build", type=Path, required=True)
    verb.add_argument("--params", type=Path, required=True)
    verb.add_argument("--reads", nargs="*", default=[])
    verb.add_argument("--writes", nargs="*", default=[])
    verb.set_defaults(run=_run)

    verb = verbs.add_parser("build", help="compile the pages")
    verb.add_argument("--study", required=True)
    verb.add_argument("--build", type=Path, required=True)
    verb.add_argument("chapters", nargs="+")
    verb.set_defaults(run=_build)

    verb = verbs.add_parser("check", help="hold reported values against the expected ones")
    verb.add_argument("values", type=Path)
    verb.add_argument("expected", type=Path)
    verb.add_argument("--update", action="store_true", help="make today's values the expected ones")
    verb.set_defaults(run=_check)

    verb = verbs.add_parser("sync", help="bring scripts and notebooks into step")
    verb.add_argument("folder", type=Path)
    verb.add_argument("--check", action="store_true", help="only say what differs")
    verb.set_defaults(run=_sync)

    verb = verbs.add_parser("new", help="start a chapter from the template")
    verb.add_argument("folder", type=Path)
    verb.add_argument("slug")
    verb.set_defaults(run=_new)
    return parser


def _params(options: argparse.Namespace) -> int:
    from groove_utils.book.run import split_parameters

    try:
        split_parameters(options.file, options.chapters, options.folder)
    except ValueError as error:
        return _complain(error)
    return 0


def _run(options: argparse.Namespace) -> int:
    from groove_utils.book.run import ChapterError, run_chapter

    failure = options.build / "failed" / f"{options.script.stem}.txt"
    try:
        run_chapter(
            options.script,
            options.study,
            options.build,
            options.params,
            reads=options.reads,
            writes=options.writes,
        )
    except ChapterError as error:
        # Make shows it again at the very end, behind whatever other chapters print meanwhile
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"{error}\n", encoding="utf-8")
        return 1
    return 0


def _build(options: argparse.Namespace) -> int:
    from groove_utils.book.build import BookError, build_book

    try:
        page = build_book(project_root(), options.study, options.build, options.chapters)
    except BookError as error:
        return _complain(error)
    print(f"The book: {page}")
    return 0


def _check(options: argparse.Namespace) -> int:
    values = json.loads(options.values.read_text(encoding="utf-8"))
    if options.update:
        check.write_expected(values, options.expected)
        print(f"{options.expected} now holds {len(values)} values.")
        return 0
    expected = json.loads(options.expected.read_text(encoding="utf-8"))
    complaints = check.compare_values(values, expected)
    if complaints:
        return _complain(
            "\n".join(complaints)
            + "\nIf the change is meant, run `make expected` and commit what it writes."
        )
    print(f"All {len(values)} reported values are as expected.")
    return 0


def _sync(options: argparse.Namespace) -> int:
    if options.check:
        complaints = jupytext_sync.out_of_step(options.folder)
        return _complain("\n".join([*complaints, "Run `make sync`."])) if complaints else 0
    for written in jupytext_sync.sync_pairs(options.folder):
        print(f"wrote {written}")
    return 0


def _new(options: argparse.Namespace) -> int:
    try:
        script = jupytext_sync.new_chapter(options.folder, options.slug)
    except ValueError as error:
        return _complain(error)
    print(f"Wrote {script} and its notebook. Now list it in analysis/chapters.mk and")
    print("book/_toc.yml; chapters run in the order of the former.")
    return 0


def _complain(message: object) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
