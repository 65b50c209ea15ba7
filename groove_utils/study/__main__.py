"""Command ``python -m groove_utils.study``, which lists, prepares, validates or starts studies.

The Makefile calls ``prepare`` and ``validate``; the other subcommands are for users. Each
subcommand imports only what it needs, because a study is prepared again when one of the imported
modules changes.
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
    """Run the command given by the arguments, and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, KeyError, ValueError) as error:
        described = isinstance(error, OSError) and not isinstance(error, ErrorDetails)
        place = getattr(options, "folder", None)
        print(describe_os_error(error, place) if described else error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="groove-study", description="Study folders")
    verbs = parser.add_subparsers(required=True)

    verb = verbs.add_parser("list", help="list the catalogued studies")
    verb.set_defaults(run=_list)

    verb = verbs.add_parser("prepare", help="generate or download a catalogued study")
    verb.set_defaults(run=_prepare)
    verb.add_argument("name")
    verb.add_argument("folder", type=Path)
    verb.add_argument("--params", type=Path, help="parameter file with a section `study`")
    verb.add_argument("--manifest", type=Path, help="file to write for Make at the end")

    verb = verbs.add_parser("validate", help="list all problems of a study folder")
    verb.set_defaults(run=_validate)
    verb.add_argument("folder", type=Path)
    verb.add_argument("--manifest", type=Path, help="file to write for Make if there is no problem")
    verb.add_argument("--input", type=Path, nargs="*", default=[], help="further inputs of Make")

    verb = verbs.add_parser("drop-missing", help="delete the rows of ratings.csv without a rating")
    verb.set_defaults(run=_drop_missing)
    verb.add_argument("folder", type=Path)

    verb = verbs.add_parser("new", help="start a study folder from a spreadsheet (and audio)")
    verb.set_defaults(run=_new)
    verb.add_argument("folder", type=Path)
    verb.add_argument("--audio", type=Path, help="directory of sound files")
    verb.add_argument("--embeddings", type=Path, help="directory of <model>/<track_id>.npz")
    verb.add_argument("--ratings", type=Path, required=True, help="CSV or XLSX, wide or long")
    verb.add_argument("--title")
    verb.add_argument("--scale", type=float, nargs=2, metavar=("LOW", "HIGH"))
    verb.add_argument("--query", default="groove", help="name of the question, if not in the sheet")
    verb.add_argument("--listener", metavar="COLUMN", help="the column that names listeners")
    verb.add_argument("--track", metavar="COLUMN", help="the column that names tracks")
    verb.add_argument(
        "--question", metavar="COLUMN", action="append", default=[], dest="questions",
        help="a column of ratings; by default all numeric columns (may be repeated)",
    )  # fmt: skip
    verb.add_argument("--sheet", metavar="NAME", dest="worksheet", help="the worksheet to read")
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
