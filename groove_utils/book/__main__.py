"""Command-line interface ``python -m groove_utils.book``, used by the Makefile.

The environment variables STUDY, PARAMS, CH and PORT specify the study, the parameter file, the
chapter and the web server's port.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from groove_utils.book.errors import BookError
from groove_utils.book.settings import read_port, read_settings
from groove_utils.errors import ErrorDetails, describe_os_error
from groove_utils.paths import project_root

# nbformat imports jsonschema, recent versions of which import rfc3987_syntax if it is installed.
# In each process, this takes a second to compile a grammar for URLs, which notebooks do not need.
sys.modules.setdefault("rfc3987_syntax", None)


def main(arguments: list[str] | None = None) -> int:
    """Run the command given by the arguments, and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except ErrorDetails as error:
        return _fail(error)
    except OSError as error:
        return _fail(describe_os_error(error, getattr(options, "build", None)))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m groove_utils.book")
    verbs = parser.add_subparsers(required=True)

    verb = verbs.add_parser("make", help="bring the book, or only the chapter CH, up to date")
    verb.add_argument("goal", choices=["book", "chapter"])
    verb.add_argument("chapters", nargs="*", help="names of all chapters")
    verb.set_defaults(run=_make)

    verb = verbs.add_parser("site", help="build all editions and combine them into a site")
    verb.add_argument("chapters", nargs="+", help="names of all chapters")
    verb.set_defaults(run=_site)

    verb = verbs.add_parser("lab", help="open the chapter CH in JupyterLab")
    verb.add_argument("chapters", nargs="*", help="names of all chapters")
    verb.set_defaults(run=_lab)

    verb = verbs.add_parser("tables", help="build the tables that the chapter CH reads")
    verb.add_argument("chapters", nargs="*", help="names of all chapters")
    verb.set_defaults(run=_tables)

    verb = verbs.add_parser("run", help="execute one chapter")
    verb.add_argument("script", type=Path)
    verb.add_argument("--study", default=os.environ.get("STUDY", "demo"))
    verb.add_argument("--build", type=Path, required=True)
    verb.add_argument("--params", type=Path, required=True)
    verb.add_argument("--reads", nargs="*", default=[])
    verb.add_argument("--writes", nargs="*", default=[])
    verb.set_defaults(run=_run)

    verb = verbs.add_parser("build", help="compile the pages")
    verb.add_argument("--study", default=os.environ.get("STUDY", "demo"))
    verb.add_argument("--build", type=Path, required=True)
    verb.add_argument("chapters", nargs="+")
    verb.set_defaults(run=_build)

    verb = verbs.add_parser("check", help="compare reported values with the expected ones")
    verb.add_argument("expected", type=Path)
    verb.add_argument("--values", type=Path, help="by default, values.json in the build folder")
    verb.add_argument("--update", action="store_true", help="save the values as expected")
    verb.set_defaults(run=_check)

    verb = verbs.add_parser("folder", help="print the path of the build folder")
    verb.set_defaults(run=lambda _: print(read_settings(project_root()).build) or 0)

    verb = verbs.add_parser("clean", help="delete the build folder")
    verb.set_defaults(run=_clean)

    verb = verbs.add_parser("pdf", help="print all pages to a single PDF")
    verb.set_defaults(run=_pdf)

    verb = verbs.add_parser("serve", help="serve the pages on localhost:PORT")
    verb.set_defaults(run=_serve)

    verb = verbs.add_parser("sync", help="synchronise the chapters' scripts and notebooks")
    verb.add_argument("folder", type=Path)
    verb.add_argument("--check", action="store_true", help="only list the differences")
    verb.set_defaults(run=_sync)

    for name, what in (("new", "create the chapter CH from the template"),
                       ("remove", "remove the chapter CH from the book")):  # fmt: skip
        verb = verbs.add_parser(name, help=what)
        verb.add_argument("folder", type=Path)
        verb.add_argument("slug", nargs="?", default=os.environ.get("CH", ""))
        verb.set_defaults(run=_new if name == "new" else _remove)
    return parser


def _make(options: argparse.Namespace) -> int:
    from groove_utils.book.incremental import make_results

    settings = read_settings(project_root())
    if options.goal == "book":
        return make_results(settings, options.chapters)
    chapter = _read_chapter_name(options.chapters)
    if status := make_results(settings, options.chapters, chapter):
        return status
    print(f"Executed: {os.path.relpath(settings.build / 'book' / chapter)}.ipynb")
    print("Run `make book` to include it in the pages.")
    return 0


def _site(options: argparse.Namespace) -> int:
    from groove_utils.book.editions import build_editions, read_site_address, write_site

    root, address = project_root(), read_site_address()
    params = os.environ.get("PARAMS", "default")
    editions = build_editions(root, options.chapters)
    site = root / "build" / ("site" if params == "default" else f"site-{params}")
    page = write_site(root / "site", site, editions, address)
    built = [edition.name for edition in editions if edition.html]
    print(f"Built {os.path.relpath(page)} with the editions {', '.join(built)}.")
    if missing := [edition.name for edition in editions if not edition.html]:
        print(f"Skipped editions whose data could not be fetched: {', '.join(missing)}.")
    return 0


def _read_chapter_name(chapters: list[str]) -> str:
    """Return the chapter named in the variable CH; raise a BookError if it is not in `chapters`."""
    chapter = os.environ.get("CH", "")
    if chapter not in chapters:
        raise BookError(
            f"CH={chapter}: expected one of {', '.join(chapters)}. To start a new chapter, run "
            "`make new-chapter CH=12-tempo`.",
            kind="unknown_chapter",
            column="CH",
            value=chapter,
        )
    return chapter


def _lab(options: argparse.Namespace) -> int:
    from groove_utils.book.jupyterlab import open_lab

    if status := _tables(options):
        return status
    return open_lab(read_settings(project_root()), _read_chapter_name(options.chapters))


def _tables(options: argparse.Namespace) -> int:
    from groove_utils.book.incremental import make_inputs

    chapter = _read_chapter_name(options.chapters)
    return make_inputs(read_settings(project_root()), options.chapters, chapter)


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
    except (ErrorDetails, OSError) as error:
        # saved to a file, and printed after Make has exited, below the output of other chapters
        is_os_error = isinstance(error, OSError)
        message = describe_os_error(error, options.build) if is_os_error else str(error)
        failure = options.build / "failed" / f"{options.script.stem}.txt"
        try:
            failure.parent.mkdir(parents=True, exist_ok=True)
            failure.write_text(f"{message}\n", encoding="utf-8")
        except OSError:
            _fail(message)
        return 1
    return 0


def _build(options: argparse.Namespace) -> int:
    from groove_utils.book.build import write_pages

    page = write_pages(project_root(), options.study, options.build, options.chapters)
    print(f"The book: {page}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from groove_utils.book import check

    file = options.values or read_settings(project_root()).build / "values.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    if options.update:
        check.write_expected(values, options.expected)
        print(f"{options.expected} now contains {len(values)} values.")
        return 0
    expected = json.loads(options.expected.read_text(encoding="utf-8"))
    if differences := check.compare_values(values, expected):
        hint = "If the change is intended, run `make expected` and commit the file."
        return _fail("\n".join([*differences, hint]))
    print(f"All {len(values)} reported values are as expected.")
    return 0


def _clean(options: argparse.Namespace) -> int:
    from groove_utils.book.incremental import lock_build

    build = read_settings(project_root()).build
    if build.is_dir():
        with lock_build(build, "make clean"):
            shutil.rmtree(build)
    return 0


def _pdf(options: argparse.Namespace) -> int:
    from groove_utils.book.pdf import print_book

    build = read_settings(project_root()).build
    print_book(build / "html", build / "book.pdf", build / "work" / "print")
    print(f"Printed: {os.path.relpath(build)}/book.pdf")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from groove_utils.book.server import serve_pages

    serve_pages(read_settings(project_root()).build / "html", read_port())
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
    from groove_utils.book.chapter_list import add_chapter

    script = add_chapter(options.folder, options.slug)
    print(f"Wrote {script} and its notebook, and added them to {options.folder}/chapters.mk.")
    print(f"Run the chapter with `make chapter CH={options.slug}`. Set its parameters in")
    print(f"{options.folder}/params/, and declare its tables in chapters.mk.")
    return 0


def _remove(options: argparse.Namespace) -> int:
    from groove_utils.book.chapter_list import remove_chapter

    kept = remove_chapter(options.folder, options.slug, project_root() / "build" / "removed")
    print(f"Removed {options.slug} from the book. Its files are now in {os.path.relpath(kept)}.")
    return 0


def _fail(message: object) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
