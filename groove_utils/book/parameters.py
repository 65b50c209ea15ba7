"""Reading, splitting, checking and displaying the parameters of chapters."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import yaml

from groove_utils.book.errors import BookError
from groove_utils.files import write_if_changed
from groove_utils.strict_yaml import StrictLoader
from groove_utils.study.catalogue import dataset_names

if TYPE_CHECKING:
    import nbformat

__all__ = ["check_parameters", "fill_parameters", "read_parameters", "split_parameters"]

SECTIONS = ("all", "chapters", "study")
CELL = re.compile(r'^# %%[^\n]*"parameters"[^\n]*\n(.*?)(?=^# %%|\Z)', re.MULTILINE | re.DOTALL)
WORDS = {"models": ("paper",)}  # parameter → words that are accepted instead of a list
TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "text",
         list: "a list", tuple: "a list", dict: "keys and values"}  # fmt: skip


def read_parameters(params_file: Path, chapters: list[str], scripts: Path) -> dict[str, dict]:
    """Read a parameter file and check every key and value.

    Parameters
    ----------
    params_file : pathlib.Path
        File in ``analysis/params/``. The section ``all`` contains parameters for every chapter,
        ``chapters`` contains parameters for individual chapters, and ``study`` contains options for
        catalogued studies.
    chapters : list of str
        Names of all chapters.
    scripts : pathlib.Path
        Folder of the chapters' scripts.

    Returns
    -------
    dict of str to dict
        Contents of the sections ``all``, ``chapters`` and ``study``.

    Raises
    ------
    BookError
        If the file is not a YAML mapping; if it contains a duplicate key, or an unknown section,
        chapter, study or parameter; or if the type of a value differs from that of the chapter's
        default. The message states the file and the key.
    """
    content = _read_yaml(params_file)
    sections = {name: _mapping(params_file, name, value) for name, value in content.items()}
    sections = {name: {} for name in SECTIONS} | sections
    _check_names(params_file, "", sections, list(SECTIONS), "unknown_section")
    _check_names(params_file, "chapters: ", sections["chapters"], chapters, "unknown_chapter")
    _check_names(params_file, "study: ", sections["study"], dataset_names(), "unknown_study")
    for part in ("chapters", "study"):
        for name, value in sections[part].items():
            sections[part][name] = _mapping(params_file, f"{part}: {name}", value)
    for chapter in chapters:
        script = scripts / f"{chapter}.py"
        if script.is_file() and (cell := CELL.search(script.read_text(encoding="utf-8"))):
            single = sections["chapters"].get(chapter, {})
            for key, values in (("all", sections["all"]), (f"chapters: {chapter}", single)):
                _check_values(cell[1], values, params_file, f"{key}: ")
    return sections


def split_parameters(sections: Mapping[str, dict], chapters: list[str], folder: Path) -> None:
    """Write the parameters of each chapter, and the options of each study, to separate files.

    Files are rewritten only if they change, so only chapters with changed parameters are rerun.

    Parameters
    ----------
    sections : mapping
        Output of :func:`read_parameters`.
    chapters : list of str
        Names of all chapters.
    folder : pathlib.Path
        Output folder for ``<chapter>.yml`` and ``study-<name>.yml``.
    """
    for chapter in chapters:
        values = {**sections["all"], **sections["chapters"].get(chapter, {})}
        write_if_changed(folder / f"{chapter}.yml", yaml.safe_dump(values))
    for study, options in sections["study"].items():
        write_if_changed(folder / f"study-{study}.yml", yaml.safe_dump({"study": {study: options}}))


def check_parameters(
    notebook: nbformat.NotebookNode, parameters: Mapping[str, object], params_file: Path
) -> None:
    """Check the names and types of given parameters against a chapter's parameters cell.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The chapter. If it has no parameters cell because the whole chapter is skipped, nothing is
        checked.
    parameters : mapping of str to object
        Name of a parameter → its value.
    params_file : pathlib.Path
        File from which the parameters were read, for error messages.

    Raises
    ------
    BookError
        If a parameter is unknown or has the wrong type, or the cell is not valid Python.
    """
    cell = next((c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])), None)
    if cell is not None:
        _check_values(cell.source, parameters, params_file, "")


def _read_yaml(file: Path) -> dict:
    """Read a YAML mapping. Duplicate keys raise an error; PyYAML would silently use the last."""
    try:
        return _mapping(file, "", yaml.load(file.read_text(encoding="utf-8"), StrictLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        what = getattr(error, "problem", None) or error
        _fail(f"{file}, line {line}: {what}; expected YAML.", "yaml", file, None, None, line)
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        _fail(f"{file} cannot be read ({error}); expected YAML.", "unreadable", file)


def _mapping(file: Path, key: str, value: object) -> dict:
    if value is None and key:
        return {}
    if not isinstance(value, dict):
        place = f"{file}, {key}" if key else f"{file}"
        _fail(f"{place}: found {value!r}; expected keys and values, such as "
              "`all: {seed: 2026}`.", "not_a_mapping", file, key, value)  # fmt: skip
    return dict(value)


def _check_names(
    file: Path, place: str, values: Mapping, expected: list[str], kind: str, remedy: str = ""
) -> None:
    if unknown := [name for name in values if name not in expected]:
        _fail(
            f"{file}: found {place}{unknown[0]!r}; expected one of {', '.join(sorted(expected))}. "
            f"{remedy or 'Correct the name.'}",
            *(kind, file, str(unknown[0]), unknown),
        )


def _check_values(source: str, values: Mapping, file: Path, place: str) -> None:
    """Check the names and types of parameters against the source of a parameters cell."""
    try:
        defaults = dict(_assignments(source))
    except SyntaxError as error:
        _fail(
            f"The chapter's parameters cell is not valid Python ({error}). Write each line as "
            "`name = value  # description`.",
            "parameters_cell",
        )
    remedy = "Correct the parameter file or the chapter's parameters cell."
    _check_names(file, place, values, list(defaults), "unknown_parameter", remedy)
    for name, value in values.items():
        try:
            default = ast.literal_eval(defaults[name])
        except ValueError:  # the default is an expression, so any value is accepted
            continue
        if expected := _mismatch(name, value, default):
            message = f"{file}: found {place}{name}: {value!r}; expected {expected}"
            _fail(f"{message}, such as {default!r}.", "wrong_value", file, name, value)


def _mismatch(name: str, value: object, default: object) -> str:
    """Return "" if `value` is valid, and otherwise a description of the expected value."""
    kind = type(default)
    if default is None or kind not in TYPES:
        return ""
    if kind in (int, float):
        is_count = name == "seed" or name.startswith("n_")
        numeric = int if is_count else int | float
        if isinstance(value, bool) or not isinstance(value, numeric) or not math.isfinite(value):
            return TYPES[int if is_count else float]
        return "0 or more" if is_count and value < 0 else ""
    if value in WORDS.get(name, ()):
        return ""
    accepted = list if kind is tuple else kind
    return "" if isinstance(value, accepted) else TYPES[kind]


def _fail(
    message: str,
    kind: str,
    path: Path | None = None,
    column: str | None = None,
    value: object = None,
    row: int | None = None,
) -> NoReturn:
    raise BookError(message, kind=kind, path=path, column=column, value=value, row=row)


def fill_parameters(source: str, values: Mapping[str, object]) -> str:
    """Replace the values in the source of a parameters cell, keeping comments and layout.

    Examples
    --------
    >>> fill_parameters("seed = 0  # random seed", {"seed": 7})
    'seed = 7  # random seed'
    """
    lines = [line.encode() for line in source.split("\n")]  # ast counts columns in bytes
    for name, old in reversed(_assignments(source)):
        if name in values:
            first, last = old.lineno - 1, old.end_lineno - 1
            before, after = lines[first][: old.col_offset], lines[last][old.end_col_offset :]
            lines[first : last + 1] = [before + repr(values[name]).encode() + after]
    return b"\n".join(lines).decode()


def _assignments(source: str) -> list[tuple[str, ast.expr]]:
    """Return the names assigned in a parameters cell, and the expressions assigned to them."""
    pairs = []
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pairs.append((name, value))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pairs.append((name, value))
    return pairs
