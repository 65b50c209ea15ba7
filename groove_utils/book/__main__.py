"""``python -m groove_utils.book``: run, build and check the book, for the Makefile."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from groove_utils.book.errors import BookError
from groove_utils.depfile import depfile, package_files, watch_files
from groove_utils.files import write_if_changed
from groove_utils.paths import project_root


def main(arguments: list[str] | None = None) -> int:
    """Run one of the verbs and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except BookError as error:
        return _fail(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m groove_utils.book")
    verbs = parser.add_subparsers(required=True)

    verb = verbs.add_parser("params", help="split a parameter file into one per chapter")
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

    verb = verbs.add_parser("check", help="compare reported values with the expected ones")
    verb.add_argument("values", type=Path)
    verb.add_argument("expected", type=Path)
    verb.add_argument("--update", action="store_true", help="accept the reported values")
    verb.set_defaults(run=_check)

    verb = verbs.add_parser("sync", help="synchronise scripts and notebooks")
    verb.add_argument("folder", type=Path)
    verb.add_argument("--check", action="store_true", help="only list the differences")
    verb.set_defaults(run=_sync)

    verb = verbs.add_parser("new", help="start a chapter from the template")
    verb.add_argument("folder", type=Path)
    verb.add_argument("slug")
    verb.set_defaults(run=_new)
    return parser


def _params(options: argparse.Namespace) -> int:
    from groove_utils.book.parameters import split_parameters

    split_parameters(options.file, options.chapters, options.folder)
    return 0


def _run(options: argparse.Namespace) -> int:
    from groove_utils.book.run import run_chapter

    try:
        run_chapter(
            options.script,
            options.study,
            options.build,
            options.params,
            reads=options.reads,
            writes=options.writes,
        )
    except BookError as error:
        # Make shows it at the very end, after the output of other chapters
        failure = options.build / "failed" / f"{options.script.stem}.txt"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"{error}\n", encoding="utf-8")
        return 1
    return 0


def _build(options: argparse.Namespace) -> int:
    watch_files()
    from groove_utils.book.build import build_book

    page = build_book(project_root(), options.study, options.build, options.chapters)
    write_if_changed(options.build / "deps" / "html.mk", depfile(page, package_files()))
    page.touch()
    print(f"The book: {page}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from groove_utils.book import check

    values = json.loads(options.values.read_text(encoding="utf-8"))
    if options.update:
        check.write_expected(values, options.expected)
        print(f"{options.expected} now holds {len(values)} values.")
        return 0
    expected = json.loads(options.expected.read_text(encoding="utf-8"))
    if differences := check.compare_values(values, expected):
        hint = "If the change is intended, run `make expected` and commit the file."
        return _fail("\n".join([*differences, hint]))
    print(f"All {len(values)} reported values are as expected.")
    return 0


def _sync(options: argparse.Namespace) -> int:
    from groove_utils.book import jupytext_sync

    if options.check:
        unsynced = jupytext_sync.unsynced_pairs(options.folder)
        return _fail("\n".join([*unsynced, "Run `make sync`."])) if unsynced else 0
    for written in jupytext_sync.sync_pairs(options.folder):
        print(f"wrote {written}")
    return 0


def _new(options: argparse.Namespace) -> int:
    from groove_utils.book import jupytext_sync

    script = jupytext_sync.new_chapter(options.folder, options.slug)
    print(f"Wrote {script} and its notebook. Now list it in analysis/chapters.mk and")
    print("book/_toc.yml; chapters run in the order of the former.")
    return 0


def _fail(message: object) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
