"""Incremental builds, in which Make rebuilds only results that are out of date or damaged.

Make rebuilds a result if its manifest (:mod:`groove_utils.manifest`) is missing. The manifests of
results that are out of date or damaged are therefore removed first, and a message gives the reason.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from groove_utils.book.chapter_list import declared_tables
from groove_utils.book.errors import BookError
from groove_utils.book.parameters import read_parameters, split_parameters
from groove_utils.book.settings import Settings
from groove_utils.files import write_if_changed
from groove_utils.manifest import find_changes
from groove_utils.paths import project_root

__all__ = ["lock_build", "make_inputs", "make_results", "make_study", "remove_stale"]

MAX_ROUNDS = 4  # a build is repeated if files change while it runs
PAGES = "html"  # name of the result that consists of the compiled pages; the others are chapters


@contextmanager
def lock_build(build: Path, purpose: str) -> Iterator[None]:
    """Lock a study's build folder, waiting while another process has it locked.

    Parameters
    ----------
    build : pathlib.Path
        The build folder; it is created if it does not exist.
    purpose : str
        Reason for the lock, shown to processes that have to wait.

    Raises
    ------
    OSError
        If the folder cannot be created, or the lock files cannot be written.
    """
    build.mkdir(parents=True, exist_ok=True)
    # next to the folder, so that the lock outlives `make clean`
    lock, holder = (build.with_name(f".{build.name}.{what}") for what in ("lock", "holder"))
    lock = FileLock(lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text() if holder.is_file() else "another process"
        print(f"{os.path.relpath(build)} is in use by {who}; waiting.", flush=True)
        lock.acquire()
    try:
        started = datetime.now().astimezone().strftime("%H:%M:%S")
        holder.write_text(f"process {os.getpid()} ({purpose}, since {started})")
        build.mkdir(exist_ok=True)  # the previous holder may have been `make clean`
        yield
    finally:
        lock.release()


def remove_stale(build: Path, names: Sequence[str], *, only_list: bool = False) -> dict[str, str]:
    """Remove the manifests of results that are out of date or damaged.

    Damaged files of these results are also removed, so that they will be recreated.

    Parameters
    ----------
    build : pathlib.Path
        The study's build folder.
    names : sequence of str
        Names of the results to check.
    only_list : bool
        If True, return the reasons without removing any files.

    Returns
    -------
    dict of str to str
        Name of each result that is out of date or damaged → a sentence with the reason.
    """
    reasons = {}
    for name in names:
        manifest = build / "made" / f"{name}.json"
        if not os.path.lexists(manifest) or not (changes := find_changes(manifest)):
            continue
        file, what = next(iter(changes.items()))
        others = f", and {len(changes) - 1} more" if len(changes) > 1 else ""
        reasons[name] = f"{name} is out of date: {file} {what}{others}."
        if only_list:
            continue
        for damaged in (file for file, what in changes.items() if what == "is damaged"):
            _remove(project_root() / damaged)
        _remove(manifest)
    return reasons


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def make_results(settings: Settings, chapters: list[str], goal: str = PAGES) -> int:
    """Build a chapter and everything it depends on, or the whole book.

    Parameters
    ----------
    settings : Settings
        Settings of the build.
    chapters : list of str
        Names of all chapters, as in ``chapters.mk``.
    goal : str
        One of `chapters`, or ``"html"`` for the whole book.

    Returns
    -------
    int
        Exit status: 0 if everything is up to date.

    Raises
    ------
    BookError
        If a parameter is invalid, the script of a chapter is missing, or a chapter reads a table
        that no chapter writes.
    """
    names = [*chapters, PAGES] if goal == PAGES else chapters
    purpose = "make book" if goal == PAGES else f"make chapter CH={goal}"
    return _make_goals(settings, chapters, {goal: names}, purpose)


def make_study(settings: Settings, chapters: list[str]) -> int:
    """Generate or download a study and validate it, without running any chapters.

    The parameters, the return value and the exceptions are those of :func:`make_results`.
    """
    return _make_goals(settings, chapters, {}, f"study {settings.study}")


def make_inputs(settings: Settings, chapters: list[str], chapter: str) -> int:
    """Build the study and the tables that a chapter reads, but not the chapter itself.

    Parameters
    ----------
    settings, chapters : Settings, list of str
        As in :func:`make_results`.
    chapter : str
        Name of the chapter that reads the tables.

    Returns
    -------
    int
        Exit status: 0 if everything is up to date.

    Raises
    ------
    BookError
        As in :func:`make_results`.
    """
    scripts = settings.params_file.parents[1]
    tables = declared_tables((scripts / "chapters.mk").read_text(encoding="utf-8"))
    reads = set(tables[chapter]["reads"])
    goals = {name: chapters for name in chapters if reads.intersection(tables[name]["writes"])}
    return _make_goals(settings, chapters, goals, f"tables of {chapter}")


def _make_goals(
    settings: Settings, chapters: list[str], goals: dict[str, list[str]], purpose: str
) -> int:
    """Build the study, and then each goal in `goals`.

    `goals` maps the name of each goal to the names of the results to check before it is built.
    """
    scripts = settings.params_file.parents[1]
    for chapter in chapters:
        if not (script := scripts / f"{chapter}.py").is_file():
            raise BookError(
                f"{os.path.relpath(script)} is missing, but analysis/chapters.mk lists it. Restore "
                f"it, or run `make remove-chapter CH={chapter}`.",
                kind="missing_chapter",
                path=script,
            )
    tables = declared_tables((scripts / "chapters.mk").read_text(encoding="utf-8"))
    sections = read_parameters(settings.params_file, chapters, scripts)
    if not settings.own:
        sections["study"].setdefault(settings.study, {})
    build = settings.build
    with lock_build(build, purpose):
        shutil.rmtree(build / "failed", ignore_errors=True)
        _write_settings(settings, sections, {chapter: tables[chapter] for chapter in chapters})
        study_steps = ["valid"] if settings.own else ["study", "valid"]
        for target, names in ({step: [step] for step in study_steps} | goals).items():
            if status := _make(settings, target, names):
                for failure in sorted((build / "failed").glob("*.txt")):
                    print(failure.read_text(encoding="utf-8"), end="", flush=True)
                return status
    return 0


def _write_settings(
    settings: Settings, sections: dict[str, dict], tables: dict[str, dict[str, list[str]]]
) -> None:
    """Write the parameters, declared tables and study name to the files that chapters depend on."""
    build = settings.build
    for path in (build / "study.path", *build.glob("params/*"), *build.glob("declared/*")):
        if path.is_dir():  # must be a file
            _remove(path)
    split_parameters(sections, list(tables), build / "params")
    for chapter, declared in tables.items():
        write_if_changed(build / "declared" / f"{chapter}.json", json.dumps(declared))
    name = os.path.relpath(settings.study) if settings.own else settings.study
    write_if_changed(build / "study.path", f"{name}\n")


def _make(settings: Settings, goal: str, names: list[str]) -> int:
    """Build a result and its dependencies; repeat the build if files change while it runs."""
    manifests = settings.build / "made"
    for number in range(MAX_ROUNDS):
        stale = remove_stale(settings.build, names, only_list=_is_dry_run())
        for reason in stale.values():
            print(reason, flush=True)
        if _is_dry_run() or (number and not stale):
            return 0
        if number == 0 and all((manifests / f"{name}.json").is_file() for name in [*names, goal]):
            return 0
        target = os.path.relpath(manifests / f"{goal}.json")
        if status := _run_make(settings, target):
            return status
    print("Files kept changing during the build. Run make again.")
    return 1


def _is_dry_run() -> bool:
    return bool(re.match(r"[A-Za-z]*n[A-Za-z]*(\s|$)", os.environ.get("MAKEFLAGS", "")))


def _run_make(settings: Settings, target: str) -> int:
    environment = os.environ | {
        "STUDY": settings.study,
        "STUDY_FOLDER": str(settings.study_folder),
    }
    folder = os.path.relpath(settings.build)
    command = [os.environ.get("MAKE", "make"), "--no-print-directory", f"RESULTS={folder}", target]
    # let the child inherit the pipes of Make's job server, so that `make -j2 book` can run two
    # chapters at a time
    child = subprocess.Popen(command, env=environment, close_fds=False)
    stop = {signal.SIGINT: lambda *_: None, signal.SIGTERM: lambda *_: child.terminate()}
    before = {number: signal.signal(number, handler) for number, handler in stop.items()}
    try:
        return child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
