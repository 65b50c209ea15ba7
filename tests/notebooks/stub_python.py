"""Stands for Python in the tests of Make's graph: chapters and pages take milliseconds.

A stub chapter is a text. ``# uses FILE`` names a file that it depends on, ``# writes FILE`` a file
from whose rounded mean rating its tables are made, and ``# fails`` makes it fail. Parameters are
split and studies validated by the real package.
"""

import os
import re
import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, os.getcwd())
from groove_utils.depfile import depfile
from groove_utils.files import write_if_changed


def run(arguments: list[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument("script", type=Path)
    parser.add_argument("--build", type=Path)
    parser.add_argument("--writes", nargs="*")
    options = parser.parse_known_args(arguments)[0]
    build, name, text = options.build, options.script.stem, options.script.read_text()
    if "# fails" in text:
        (build / "failed").mkdir()
        (build / "failed" / f"{name}.txt").write_text(f"Chapter {name} failed in cell 3\n")
        sys.exit(1)
    for table in options.writes:
        ratings = Path(re.search("# writes (.+)", text)[1]).read_text()
        numbers = [float(row.rpartition(",")[2]) for row in ratings.splitlines()[1:]]
        write_if_changed(build / "tables" / f"{table}.parquet", str(round(sum(numbers) / 8)))
    page = build / "book" / options.script.with_suffix(".ipynb").name
    files = re.findall("# (?:uses|writes) (.+)", text)
    write_if_changed(build / "deps" / f"{name}.mk", depfile(page, files, build / "study.valid"))
    page.parent.mkdir(exist_ok=True)
    page.write_text(text)


def build(arguments: list[str]) -> None:
    html = Path(arguments[arguments.index("--build") + 1]) / "html"
    html.mkdir(exist_ok=True)
    (html / "index.html").write_text("pages")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["-m", "groove_utils.book", "run" | "build" as verb, *rest]:
            {"run": run, "build": build}[verb](rest)
        case command:
            os.execv(sys.executable, [sys.executable, *command])
