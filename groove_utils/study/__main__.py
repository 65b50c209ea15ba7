"""Command-line interface for study folders: ``python -m groove_utils.study COMMAND``.

The Makefile calls ``prepare`` and ``validate``; the other commands are for users. Each command
imports only the modules that it needs, because Make prepares a study again when one of the imported
modules has changed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from groove_utils.errors import ErrorDetails, describe_os_error
from groove_utils.manifest import (
    list_folder,
    package_files,
    take_stamps,
    watch_files,
    write_manifest,
)
from groove_utils.packages import imported_packages
from groove_utils.study.catalogue import list_studies, prepare_study
from groove_utils.study.problems import StudyError


def main(arguments: list[str] | None = None) -> int:
    """Run the command-line interface; return 0 on success and 1 on failure."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, KeyError, ValueError) as error:
        is_plain_os_error = isinstance(error, OSError) and not isinstance(error, ErrorDetails)
        place = getattr(options, "folder", None)
        print(describe_os_error(error, place) if is_plain_os_error else error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="groove-study", description="Create and check study folders"
    )
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("list", help="list the catalogued studies")
    command.set_defaults(run=_list)

    command = commands.add_parser("prepare", help="generate or download a catalogued study")
    command.set_defaults(run=_prepare)
    command.add_argument("name")
    command.add_argument("folder", type=Path)
    command.add_argument("--params", type=Path, help="YAML parameter file with a `study` section")
    command.add_argument("--manifest", type=Path, help="manifest to write for Make at the end")

    command = commands.add_parser("validate", help="list all problems in a study folder")
    command.set_defaults(run=_validate)
    command.add_argument("folder", type=Path)
    command.add_argument(
        "--manifest", type=Path, help="manifest to write for Make if there are no problems"
    )
    command.add_argument(
        "--input", type=Path, nargs="*", default=[], help="other files to list in the manifest"
    )

    command = commands.add_parser(
        "drop-missing", help="delete rows without a rating from ratings.csv"
    )
    command.set_defaults(run=_drop_missing)
    command.add_argument("folder", type=Path)

    command = commands.add_parser("new", help="create a study folder from a spreadsheet")
    command.set_defaults(run=_new)
    command.add_argument("folder", type=Path)
    command.add_argument("--audio", type=Path, help="directory of sound files; optional")
    command.add_argument(
        "--embeddings", type=Path, help="directory of vectors, <model>/<track_id>.npz"
    )
    command.add_argument("--ratings", type=Path, required=True, help="CSV or XLSX, wide or long")
    command.add_argument("--title")
    command.add_argument("--scale", type=float, nargs=2, metavar=("LOW", "HIGH"))
    command.add_argument("--query", default="groove", help="question, if the sheet names none")
    command.add_argument("--listener", metavar="COLUMN", help="column that identifies listeners")
    command.add_argument("--track", metavar="COLUMN", help="column that identifies tracks")
    command.add_argument(
        "--question", metavar="COLUMN", action="append", default=[], dest="questions",
        help="a column of ratings (may be repeated); by default, all numeric columns",
    )  # fmt: skip
    command.add_argument("--sheet", metavar="NAME", dest="worksheet", help="worksheet to read")
    return parser


def _list(options: argparse.Namespace) -> int:
    print(list_studies().to_string(index=False))
    return 0


def _prepare(options: argparse.Namespace) -> int:
    sections = yaml.safe_load(options.params.read_text()) if options.params else {}
    params = (sections.get("study") or {}).get(options.name, {})
    watch_files()
    stamps = take_stamps()
    prepare_study(options.name, options.folder, **params)
    if options.manifest:
        write_manifest(
            options.manifest,
            inputs=[*package_files(), *([options.params] if options.params else [])],
            outputs=list_folder(options.folder),
            packages=imported_packages(),
            stamps=stamps,
        )
    return 0


def _validate(options: argparse.Namespace) -> int:
    from groove_utils.study.folder import load_study
    from groove_utils.study.validate import validate_study

    stamps = take_stamps(options.folder)
    notes: list[str] = []
    problems = validate_study(options.folder, report=notes.append)
    for note in notes:
        print(note)
    StudyError.raise_any(options.folder, problems)
    print(load_study(options.folder, validate=False))
    if options.manifest:
        files = [options.folder, *list_folder(options.folder), *options.input]
        packages = imported_packages()
        write_manifest(options.manifest, inputs=files, outputs=[], packages=packages, stamps=stamps)
    return 0


def _drop_missing(options: argparse.Namespace) -> int:
    from groove_utils.study.tables import drop_missing_ratings

    count = drop_missing_ratings(options.folder)
    print(f"Deleted {count} rows without a rating from {options.folder / 'ratings.csv'}")
    return 0


def _new(options: argparse.Namespace) -> int:
    from groove_utils.study.start import start_study

    names = (
        "folder", "audio", "ratings", "embeddings", "title", "scale", "query", "listener", "track",
        "questions", "worksheet",
    )  # fmt: skip
    notes: list[str] = []
    folder = start_study(**{name: getattr(options, name) for name in names}, report=notes.append)
    print(f"Wrote {folder}. Complete tracks.csv (artist, style) and study.yml (wordings, licence),")
    print(f'then run: make book STUDY="{folder}"')
    print("\n".join(notes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
