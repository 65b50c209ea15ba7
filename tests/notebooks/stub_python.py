"""Replacement for Python in tests of Make's graph, so that chapters and pages take milliseconds.

A stub chapter is a text. ``# uses FILE`` names a file that it depends on, ``# imports PACKAGE`` an
installed package, and ``# edits FILE`` a file that changes while the chapter runs. With ``# writes
FILE``, its tables contain the rounded mean rating of this file, otherwise a hash of everything that
it depends on. ``# waits`` makes it slow, ``# waits for FILE`` makes it run until the file exists,
and ``# fails`` makes it fail. The real package splits parameters, compares manifests, and creates
and validates studies; if there is a file ``fast_validation``, every study is valid.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import time
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, os.getcwd())
from groove_utils.files import write_if_changed
from groove_utils.manifest import list_folder, take_stamps, write_manifest
from groove_utils.packages import installed_versions


def run(arguments: list[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument("script", type=Path)
    parser.add_argument("--build", type=Path)
    parser.add_argument("--params", type=Path)
    parser.add_argument("--reads", nargs="*")
    parser.add_argument("--writes", nargs="*")
    options = parser.parse_args(arguments)
    build, name, text = options.build, options.script.stem, options.script.read_text()
    stamps = take_stamps(options.script.parent)
    with (build / "runs.log").open("a") as log:
        log.write(f"{name}\n")
    if "# fails" in text:
        (build / "failed").mkdir(exist_ok=True)
        (build / "failed" / f"{name}.txt").write_text(f"Chapter {name} failed in cell 3\n")
        sys.exit(1)
    if re.search("# waits$", text, re.MULTILINE):
        time.sleep(1)
    for file in map(Path, re.findall("# waits for (.+)", text)):
        give_up = time.monotonic() + 60
        while not file.exists() and time.monotonic() < give_up:
            time.sleep(0.02)
    files = [options.script, options.params, build / "study.path", os.environ["STUDY_FOLDER"]]
    files += [build / "declared" / f"{name}.json"]
    files += [build / "tables" / f"{table}.parquet" for table in options.reads]
    files += re.findall("# (?:uses|writes) (.+)", text)
    # the value depends on everything that the chapter depends on
    value = hashlib.sha256(b"".join(f.read_bytes() for f in map(Path, files) if f.is_file()))
    packages = re.findall("# imports (.+)", text)
    value.update(str([installed_versions().get(name) for name in packages]).encode())
    content = value.hexdigest()
    if writes := re.search("# writes (.+)", text):
        rows = Path(writes[1]).read_text().splitlines()[1:]
        numbers = [float(row.rpartition(",")[2]) for row in rows]
        content = str(round(sum(numbers) / len(numbers)))
    for table in options.writes:
        write_if_changed(build / "tables" / f"{table}.parquet", content)
    for file in map(Path, re.findall("# edits (.+)", text)):
        if not file.read_text().endswith("# edited\n"):
            file.write_text(file.read_text() + "# edited\n")
    page = build / "book" / options.script.with_suffix(".ipynb").name
    figure = build / "book" / "figures" / f"{name}.png"
    outputs = {
        figure: f"figure of {value.hexdigest()}",
        build / "values" / f"{name}.json": json.dumps({"value": value.hexdigest()}),
        build / "runs" / f"{name}.json": "{}",
        page: text,
    }
    for file, content in outputs.items():
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(content)
    tables = [build / "tables" / f"{table}.parquet" for table in options.writes]
    manifest = build / "made" / f"{name}.json"
    outputs = [*outputs, *tables]
    write_manifest(manifest, inputs=files, outputs=outputs, packages=packages, stamps=stamps)


def build(arguments: list[str]) -> None:
    parser = ArgumentParser()
    parser.add_argument("--build", type=Path)
    parser.add_argument("chapters", nargs="+")
    options = parser.parse_args(arguments)
    folder, values = options.build, {}
    inputs = [*list_folder("book"), Path("book"), Path("analysis/chapters.mk")]
    texts = [Path(file).read_text() for file in list_folder("book") if file.endswith(".md")]
    with (folder / "runs.log").open("a") as log:
        log.write("html\n")
    for chapter in options.chapters:
        file = folder / "values" / f"{chapter}.json"
        values[chapter] = json.loads(file.read_text())["value"]
        inputs += [file, folder / "book" / f"{chapter}.ipynb"]
    pages = {
        f"html/{name}.html": f"page of {values} and {texts}"
        for name in ["index", *options.chapters]
    }
    outputs = {"values.json": json.dumps(values), **pages}
    shutil.rmtree(folder / "html", ignore_errors=True)
    for name, content in outputs.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    outputs = [folder / name for name in outputs]
    write_manifest(folder / "made" / "html.json", inputs=inputs, outputs=outputs)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    match sys.argv[1:]:
        case ["-m", "groove_utils.book", "run" | "build" as verb, *rest]:
            {"run": run, "build": build}[verb](rest)
        case ["-m", "groove_utils.study", "validate", folder, "--manifest", file, *_] if Path(
            "fast_validation"
        ).exists():
            write_manifest(file, inputs=[folder, *list_folder(folder)], outputs=[])
        case command:
            os.execv(sys.executable, [sys.executable, *command])
