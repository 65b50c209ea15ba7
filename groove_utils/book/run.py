"""Run one chapter with papermill, and write beside it what Make and the pages need to know.

Nothing is left under its final name unless the whole chapter ran: the notebook, by whose time
Make judges, is written last.
"""

from __future__ import annotations

import ast
import datetime
import json
import os
import re
import tempfile
import time
from pathlib import Path

import nbformat
import papermill
import yaml
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from groove_utils.book.chapter import DECLARED, has_table
from groove_utils.book.jupytext_sync import read_chapter
from groove_utils.book.requirements import fit_to_study, study_has
from groove_utils.files import atomic_path, write_if_changed
from groove_utils.paths import project_root
from groove_utils.study import Study, load_study

__all__ = ["ChapterError", "run_chapter", "split_parameters"]

# what a chapter has done that was left out altogether
NOTHING_RUN = {
    "values": {}, "modules": [], "study_files": [], "tables_writes": [], "peak_memory_mib": 0
}  # fmt: skip
# a last parenthesis would make it a member of an archive
UNSAFE_IN_MAKE = re.compile(r"[^\w./ ,()'+-]|\)$")


class ChapterError(RuntimeError):
    """A chapter that failed; the message names the chapter, the cell and the error."""


def split_parameters(params_file: Path, chapters: list[str], folder: Path) -> None:
    """Write each chapter's parameters to a file of its own, leaving unchanged ones alone.

    So that a change of one chapter's parameters runs that chapter again, and no other.

    Parameters
    ----------
    params_file : pathlib.Path
        One of ``analysis/params/``: ``all`` holds what every chapter gets, ``chapters`` what
        single ones get, ``study`` what a catalogued study is made with.
    chapters : list of str
        The chapters' names.
    folder : pathlib.Path
        Where to; ``<chapter>.yml`` each.
    """
    sections = yaml.safe_load(params_file.read_text(encoding="utf-8"))
    unknown = sorted(set(sections.get("chapters") or {}) - set(chapters))
    if unknown:
        raise ValueError(
            f"{params_file}: parameters for {', '.join(unknown)}, expected names of chapters "
            f"({', '.join(chapters)}). Correct the name."
        )
    for chapter in chapters:
        own = {**(sections.get("all") or {}), **((sections.get("chapters") or {}).get(chapter, {}))}
        write_if_changed(folder / f"{chapter}.yml", yaml.safe_dump(own, sort_keys=True))
    for study, own in (sections.get("study") or {}).items():
        write_if_changed(folder / f"study-{study}.yml", yaml.safe_dump({"study": {study: own}}))


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
        ``analysis/NN-slug.py``.
    study : str
        Name or folder of the study.
    build : pathlib.Path
        The study's folder of generated files. Written are ``book/NN.ipynb`` (the page),
        ``values/NN.json``, ``runs/NN.json``, ``deps/NN.mk``, and ``logs/NN.txt``.
    params_file : pathlib.Path
        The chapter's parameters, from :func:`split_parameters`.
    reads, writes : list of str
        The tables of earlier chapters that it may read, and those it may write, as
        ``chapters.mk`` says. An empty file stands for a table that this study does not allow.

    Returns
    -------
    pathlib.Path
        The page's notebook.

    Raises
    ------
    ChapterError
        If a cell fails. The notebook as far as it came stays in ``failed/NN.ipynb``.
    """
    name, root = script.stem, project_root()
    work, failed = build / "work" / f"{name}.ipynb", build / "failed" / f"{name}.ipynb"
    for old in (failed, failed.with_suffix(".txt")):
        old.unlink(missing_ok=True)
    parameters = {"study": study, **(yaml.safe_load(params_file.read_text()) or {})}
    folder = Path(study) if Path(study).is_dir() else build / "study"
    data = load_study(folder, validate=False)
    tables = build / "tables"
    answer = study_has(data, lambda table: has_table(tables, table))
    lacking = set()

    def met(need: str) -> bool:
        if (answered := answer(need)) or need.startswith("table-"):
            return answered
        lacking.add(need)
        return False

    notebook = fit_to_study(read_chapter(script), met)
    _check_parameters(notebook, parameters, params_file)
    told = build / "work" / f"{name}.json"
    began, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    executed = build / "work" / f"{name}-executed.ipynb"
    facts, result = NOTHING_RUN, notebook
    if any(cell.cell_type == "code" for cell in notebook.cells):
        notebook.cells.append(_finish_cell(told))
        write_if_changed(work, nbformat.writes(notebook))
        declared = {"reads": reads, "writes": writes}
        _execute(name, work, executed, parameters, build, failed, declared)
        facts = json.loads(told.read_text(encoding="utf-8"))
        result = nbformat.read(executed, as_version=4)
    for table in set(writes) - set(facts["tables_writes"]):
        write_if_changed(tables / f"{table}.parquet", b"")
    page = build / "book" / f"{name}.ipynb"
    run = {
        "chapter": name,
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - clock, 1),
        "peak_memory_mib": facts["peak_memory_mib"],
        "parameters": {k: v for k, v in parameters.items() if k != "study"},
    }
    log = _take_stderr(result) + _cell_times(result)
    _write_text(build / "logs" / f"{name}.txt", log)
    _write_text(build / "deps" / f"{name}.mk", depfile(page, facts, root, whole=bool(lacking)))
    _write_text(build / "values" / f"{name}.json", json.dumps(facts["values"], indent=1) + "\n")
    _write_text(build / "runs" / f"{name}.json", json.dumps(run, indent=1) + "\n")
    _write_text(page, nbformat.writes(_page(result, parameters, data), indent=1) + "\n")
    for left in (work, executed, told):
        left.unlink(missing_ok=True)
    return page


def depfile(target: Path, facts: dict, root: Path, *, whole: bool = False) -> str:
    """What a chapter's page depends on, as a Makefile fragment (as ``gcc -MD -MP`` writes it).

    With `whole`, any change of the study runs the chapter: for one that left something out which
    the study may come to hold.
    """
    safe = [file for file in facts["study_files"] if not UNSAFE_IN_MAKE.search(file)]
    files = [*facts["modules"], *safe]
    # names that cannot be written in a Makefile are covered by the whole study
    if whole or len(safe) < len(facts["study_files"]):
        files.append(os.path.relpath(target.parents[1] / "study.valid", root))
    files = [_escape(file) for file in files]
    lines = [f"{_escape(os.path.relpath(target, root))}: \\"]
    lines += [f"  {file} \\" for file in files]
    # an empty rule each, so that a file which has been deleted is no error but a reason to run
    return "\n".join([*lines, "", *(f"{file}:" for file in files), ""])


def _execute(name, source: Path, target: Path, parameters, build: Path, failed: Path, declared):
    environment = {
        "GROOVE_BUILD": str(build.resolve()),
        DECLARED: json.dumps(declared),
        "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel before the user's
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    saved = {key: os.environ.get(key) for key in environment}
    os.environ.update(environment)
    # sockets in the file system: no port is opened on the machine; in a folder of their own, since
    # two kernels that start at once would choose the same names
    sockets = tempfile.TemporaryDirectory(prefix="groove-")
    kernel = {"transport": "ipc", "ip": f"{sockets.name}/kernel"}
    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=parameters,
            kernel_name="python3",
            request_save_on_cell_execute=False,  # it is written at the end, or at an error
            cwd=project_root(),
            progress_bar={"desc": name, "unit": "cell"},
            config=Config({"KernelManager": kernel}),
            # at its end it is interrupted, and sometimes says so as if it were an error
            extra_arguments=["--log-level=CRITICAL"],
        )
    except PapermillExecutionError as error:
        failed.parent.mkdir(parents=True, exist_ok=True)
        target.replace(failed)
        raise ChapterError(_failure(name, error, failed)) from None
    except Exception as error:  # the kernel died, or the disk is full
        raise ChapterError(f"Chapter {name} stopped: {type(error).__name__}: {error}") from error
    finally:
        sockets.cleanup()
        for key, value in saved.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _failure(name: str, error: PapermillExecutionError, failed: Path) -> str:
    source = "\n".join(f"    {line}" for line in error.source.strip().splitlines())
    return (
        f"Chapter {name} failed in cell {error.cell_index} (execution {error.exec_count}):\n\n"
        f"{source}\n\n{error.ename}: {error.evalue}\n\n"
        f"The notebook as far as it came, with the traceback: {os.path.relpath(failed)}"
    )


def _check_parameters(notebook, parameters: dict, params_file: Path) -> None:
    cell = next((c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])), None)
    if cell is None:  # a chapter that is left out altogether
        return
    try:
        known = {name for name, _ in _assignments(cell.source)}
    except SyntaxError as error:
        raise ChapterError(
            f"The chapter's parameters cell is no plain Python ({error}). Write one "
            "`name = value  # what it is` a line there."
        ) from None
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise ChapterError(
            f"{params_file.name} sets {', '.join(unknown)}; the chapter's parameters cell has "
            f"{', '.join(sorted(known))}. Correct the parameter file or the chapter."
        )


def _finish_cell(told: Path) -> nbformat.NotebookNode:
    source = (
        "from groove_utils.book.chapter import finish_chapter\n\n"
        f"finish_chapter({str(told.resolve())!r})"
    )
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["finish-chapter"]})
    cell["id"] = "finish-chapter"
    return cell


def _take_stderr(notebook: nbformat.NotebookNode) -> str:
    """Move progress bars and warnings from the page to the log."""
    log = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        log += [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
        if outputs:
            cell.outputs = [
                o for o in outputs if not (o.output_type == "stream" and o.name == "stderr")
            ]
    return "".join(log)


def _cell_times(notebook: nbformat.NotebookNode) -> str:
    """Which cells took a second or more, for whoever wants a chapter to be faster."""
    lines = []
    for number, cell in enumerate(notebook.cells):
        seconds = cell.metadata.get("papermill", {}).get("duration") or 0
        if seconds >= 1:
            first = cell.source.strip().split("\n")[0]
            lines.append(f"{seconds:8.1f} s  cell {number}: {first}\n")
    return "".join(["\nCells that took a second or more:\n", *lines]) if lines else ""


def _page(notebook: nbformat.NotebookNode, parameters: dict, study: Study) -> nbformat.NotebookNode:
    """The executed chapter as it is to be published."""
    cells = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "finish-chapter" in tags or "injected-parameters" in tags:
            continue
        if "parameters" in tags:
            cell.source = _with_values(cell.source, {**parameters, "study": study_label(study)})
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        cells.append(cell)
    if study.simulated:
        cells.insert(1, _simulated_box())
    notebook.cells = cells
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    return notebook


def study_label(study: Study) -> str:
    """The study as a page may name it: without the path of somebody's machine."""
    path = study.path.resolve()
    return path.parent.name if path.name == "study" else path.name


def _simulated_box() -> nbformat.NotebookNode:
    text = (
        "```{admonition} Simulated listeners\n:class: important simulated\n"
        "The bands and the ratings on this page are simulated, with known effects: the numbers "
        "show that the methods find what was put in, not how people hear. "
        "See {doc}`the demo study and its truth <demo-study>`.\n```"
    )
    cell = nbformat.v4.new_markdown_cell(text)
    cell["id"] = "simulated"
    return cell


def _assignments(source: str) -> list[tuple[str, ast.expr]]:
    """Each name that a parameters cell sets, with the expression that it is set to."""
    found = []
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.append((name, value))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.append((name, value))
    return found


def _with_values(source: str, values: dict) -> str:
    lines = [line.encode() for line in source.split("\n")]  # the tree counts columns in bytes
    for name, old in reversed(_assignments(source)):
        if name in values:
            first, last = old.lineno - 1, old.end_lineno - 1
            before, after = lines[first][: old.col_offset], lines[last][old.end_col_offset :]
            lines[first : last + 1] = [before + repr(values[name]).encode() + after]
    return b"\n".join(lines).decode()


def _escape(path: str) -> str:
    return path.replace("$", "$$").replace("#", "\\#").replace(" ", "\\ ")


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")
