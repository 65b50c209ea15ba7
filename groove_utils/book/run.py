"""Execution of one chapter with papermill, and the records that Make and the pages need.

The page and the records are written only if the whole chapter has been executed. The manifest,
which Make checks, is written last.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from groove_utils.book.chapter import DECLARED, NOT_ALLOWED, NOTHING_RUN, study_tables
from groove_utils.book.errors import ChapterError
from groove_utils.book.failed_cells import GUARD_CELLS, drop_unresolved, gather_boxes
from groove_utils.book.jupytext_sync import read_chapter
from groove_utils.book.page import FINISH, published_page, slow_cells, take_stderr
from groove_utils.book.page_media import is_shown, list_media
from groove_utils.book.parameters import check_parameters
from groove_utils.book.study_requirements import fit_to_study, is_met
from groove_utils.errors import describe_os_error
from groove_utils.files import atomic_path, write_if_changed
from groove_utils.manifest import take_stamps, write_manifest
from groove_utils.paths import project_root
from groove_utils.study import Study, load_study

__all__ = ["run_chapter"]

OS_ERROR = re.compile(r"\[Errno (\d+)\] (.+?)(?:: '(.+)')?")  # such as the error for a full disk


def run_chapter(
    script: Path,
    study: str,
    build: Path,
    params_file: Path,
    *,
    reads: list[str],
    writes: list[str],
) -> Path:
    """Execute a chapter.

    Parameters
    ----------
    script : pathlib.Path
        Script of the chapter, ``analysis/NN-slug.py``.
    study : str
        Name or folder of the study.
    build : pathlib.Path
        The study's build folder. The page is written to ``book/NN-slug.ipynb``, the manifest to
        ``made/NN-slug.json``, and records to ``values/``, ``runs/`` and ``logs/``.
    params_file : pathlib.Path
        File with the chapter's parameters, written by
        :func:`groove_utils.book.parameters.split_parameters`.
    reads, writes : list of str
        Tables that the chapter may read and write, as in ``chapters.mk``. For each table in
        `writes` that the chapter does not write, a file with the content
        :data:`groove_utils.book.chapter.NOT_ALLOWED` is created.

    Returns
    -------
    pathlib.Path
        Path of the page's notebook.

    Raises
    ------
    ChapterError
        If a cell fails; the notebook up to this cell is saved as ``failed/NN-slug.ipynb``. Unless
        the study is simulated with known effects, errors about the data do not stop the chapter but
        are shown in a box (:mod:`groove_utils.book.failed_cells`).
    BookError
        If a parameter or a tag is invalid.
    """
    name, tables = script.stem, build / "tables"
    for old in (build / "failed").glob(f"{name}.*"):
        old.unlink()
    parameters = {"study": study, **(yaml.safe_load(params_file.read_text()) or {})}
    data = load_study(study if Path(study).is_dir() else build / "study", validate=False)
    stamps = take_stamps(data.path, script.parent, params_file.parent, tables)
    notebook, lacking = _fitted(script, data, tables)
    check_parameters(notebook, parameters, params_file)
    began, clock, record = datetime.datetime.now(datetime.UTC), time.monotonic(), NOTHING_RUN
    if any(cell.cell_type == "code" for cell in notebook.cells):
        declared = {"reads": reads, "writes": writes}
        lenient = not is_met("simulation", data, tables)  # a simulated study must run completely
        notebook, record = _execute(name, notebook, parameters, build, declared, lenient)
        if lenient:
            gather_boxes(notebook)
            drop_unresolved(notebook, record["values"], record["names"])
    run = _describe_run(name, began, time.monotonic() - clock, parameters, record)
    written = {table: tables / f"{table}.parquet" for table in writes}
    for table in set(writes) - set(record["tables_written"]):
        write_if_changed(written[table], NOT_ALLOWED)
    log = take_stderr(notebook) + slow_cells(notebook)
    notebook = published_page(notebook, parameters, data, record["files"], name)
    texts = _write_texts(build, name, notebook, log, {"values": record["values"], "runs": run})
    inputs = [script, params_file, build / "study.path", build / "declared" / f"{name}.json"]
    inputs += [data.path, *record["files"]]
    if lacking:  # a change to any of the study's tables may add the missing data
        inputs += study_tables(data)
    inputs += [tables / f"{table}.parquet" for table in reads]
    write_manifest(
        build / "made" / f"{name}.json",
        inputs=inputs,
        outputs=[*written.values(), *texts],
        packages=record["packages"],
        stamps=stamps,
    )
    return build / "book" / f"{name}.ipynb"


def _describe_run(
    name: str,
    began: datetime.datetime,
    seconds: float,
    parameters: Mapping[str, object],
    record: Mapping[str, object],
) -> dict[str, object]:
    """Return the record of a run, for the page “Provenance”."""
    return {
        "chapter": name,
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "peak_memory_mib": record["peak_memory_mib"],
        "parameters": {key: value for key, value in parameters.items() if key != "study"},
    }


def _write_texts(
    build: Path,
    name: str,
    notebook: nbformat.NotebookNode,
    log: str,
    records: Mapping[str, dict],
) -> list[Path]:
    """Write a chapter's page, log and records; return their paths and those of its media files."""
    page = nbformat.writes(notebook, indent=1)
    texts = {build / "book" / f"{name}.ipynb": page, build / "logs" / f"{name}.txt": log}
    texts |= {build / kind / f"{name}.json": json.dumps(r, indent=1) for kind, r in records.items()}
    for path, content in texts.items():
        with atomic_path(path) as part:
            part.write_text(content + "\n", encoding="utf-8")
    return [*texts, *(file for file in list_media(build / "book") if is_shown(file, page))]


def _fitted(script: Path, study: Study, tables: Path) -> tuple[nbformat.NotebookNode, bool]:
    """Adapt a chapter to its study; also return whether the study lacks data that a cell needs."""
    lacking = set()

    def met(requirement: str) -> bool:
        if is_met(requirement, study, tables):
            return True
        if not requirement.startswith("table-"):
            lacking.add(requirement)
        return False

    return fit_to_study(read_chapter(script), met), bool(lacking)


def _execute(
    name: str,
    notebook: nbformat.NotebookNode,
    parameters: Mapping[str, object],
    build: Path,
    declared: Mapping[str, list[str]],
    lenient: bool,
) -> tuple[nbformat.NotebookNode, dict]:
    """Run a notebook; return the result and the record written by :func:`finish_chapter`."""
    folder = build / "work" / name
    folder.mkdir(parents=True, exist_ok=True)
    names = ("in.ipynb", "out.ipynb", "record.json")
    source, target, record_file = (folder / file for file in names)
    notebook.cells.append(_finish_cell(record_file))
    nbformat.write(notebook, source)
    environment = {
        "GROOVE_BUILD": str(build.resolve()),
        DECLARED: json.dumps(declared),
        "JUPYTER_PREFER_ENV_PATH": "1",  # prefer this environment's kernel to the user's
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    try:
        with (
            mock.patch.dict(os.environ, environment),
            # Use sockets in the file system, so that no port is opened. Each kernel has its own
            # folder, since two kernels that start at the same time would choose the same names.
            tempfile.TemporaryDirectory(prefix="groove-") as sockets,
        ):
            papermill.execute_notebook(
                source,
                target,
                parameters=parameters,
                kernel_name="python3",
                request_save_on_cell_execute=False,  # saved only at the end or after an error
                cwd=project_root(),
                progress_bar={"desc": name, "unit": "cell"},
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
                extra_arguments=[
                    "--IPKernelApp.exec_lines=from groove_utils import manifest",
                    "--IPKernelApp.exec_lines=manifest.watch_files()",
                    *(GUARD_CELLS if lenient else ()),
                    # the kernel is interrupted at the end, which it sometimes reports as an error
                    "--log-level=CRITICAL",
                ],
            )
    except PapermillExecutionError as error:
        failed = build / "failed" / f"{name}.ipynb"
        failed.parent.mkdir(parents=True, exist_ok=True)
        target.replace(failed)
        raise ChapterError(
            _failure(name, error, failed), kind="cell", path=failed, row=error.cell_index
        ) from None
    except Exception as error:  # for example, the kernel died, or the disk is full
        is_os_error = isinstance(error, OSError) and error.strerror
        other = f"{type(error).__name__}: {error}"
        what = describe_os_error(error, build) if is_os_error else other
        raise ChapterError(f"Chapter {name} stopped: {what}", kind="stopped") from error
    executed = nbformat.read(target, as_version=4)
    record = json.loads(record_file.read_text(encoding="utf-8"))
    shutil.rmtree(folder)
    return executed, record


def _failure(name: str, error: PapermillExecutionError, failed: Path) -> str:
    source = "\n".join(f"    {line}" for line in error.source.strip().splitlines())
    what = f"{error.ename}: {error.evalue}"
    if match := OS_ERROR.fullmatch(error.evalue):
        number, text, path = match.groups()
        what = describe_os_error(OSError(int(number), text, path))
    return (
        f"Chapter {name} failed in cell {error.cell_index} (execution {error.exec_count}):\n\n"
        f"{source}\n\n{what}\n\n"
        f"The notebook up to this cell, with the traceback, is in {os.path.relpath(failed)}."
    )


def _finish_cell(record: Path) -> nbformat.NotebookNode:
    source = (
        "from groove_utils.book.chapter import finish_chapter\n\n"
        f"finish_chapter({str(record.resolve())!r})"
    )
    return nbformat.v4.new_code_cell(source, metadata={"tags": [FINISH]}, id=FINISH)
