"""Read and check ``study.yml``, which contains a study's title, questions and scales."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import yaml

from groove_utils.strict_yaml import StrictLoader
from groove_utils.study.containment import check_file
from groove_utils.study.problems import Problem, StudyError, problem, reading
from groove_utils.study.tables import query_scales
from groove_utils.study.text import is_label, is_line, plain_text

__all__ = ["check_metadata", "read_metadata"]

FILE = "study.yml"
LARGEST = 1 << 20  # maximum size of the file in bytes
LONGEST = 10_000  # maximum length of a text in characters
LARGEST_RATING = 1e9  # squares of much larger numbers overflow
EXAMPLES = {
    "title": "title: My study",
    "queries": "queries: {dance: I would like to dance to this music}",
    "scale": "scale: [1, 100]",
}
TEXTS = ("title", "licence", "citation", "description", "source", "origin")
KEYS = (*EXAMPLES, "controls", "styles", "simulated", *TEXTS[1:])
CONTROL_CAUSES = ("none", "style")
# Spellings of booleans in YAML 1.1. StrictLoader reads yes, no, on and off as text, because a
# question may have such a name.
BOOLEANS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
# additional key of a query in the catalogue: the name of its column in the published table
CATALOGUED = {"column"}


def read_metadata(folder: Path) -> dict:
    """Read the ``study.yml`` in a study folder, and normalise the names in it.

    Raises
    ------
    StudyError
        If the file is missing, is not a YAML mapping, or contains YAML aliases or repeated keys.
    """
    StudyError.raise_any(folder, check_file(folder, FILE, largest=LARGEST))
    with reading(folder, FILE, "YAML, as from `python -m groove_utils.study new`"):
        meta = yaml.load((folder / FILE).read_text(encoding="utf-8-sig"), StrictLoader)
    if not isinstance(meta, dict):
        raise StudyError(folder, [problem("not_a_mapping", FILE, value=_shorten(meta))])
    if isinstance(queries := meta.get("queries"), dict):
        meta["queries"] = {_plain(name): entry for name, entry in queries.items()}
    if isinstance(controls := meta.get("controls"), dict):
        meta["controls"] = {_plain(name): cause for name, cause in controls.items()}
    if isinstance(styles := meta.get("styles"), list):
        meta["styles"] = [_plain(style) for style in styles]
    if isinstance(meta.get("simulated"), str):
        meta["simulated"] = BOOLEANS.get(meta["simulated"].strip().lower(), meta["simulated"])
    return meta


def check_metadata(folder: Path) -> tuple[dict | None, list[Problem]]:
    """Check the content of the ``study.yml`` in a study folder.

    Returns
    -------
    meta : dict or None
        Content of the file; None if it has problems.
    problems : list of Problem
        All problems found in the file.
    """
    try:
        meta = read_metadata(folder)
    except StudyError as error:
        return None, error.problems
    problems = [
        problem("missing_key", FILE, column=key, example=example)
        for key, example in EXAMPLES.items()
        if meta.get(key) in (None, "", {}, [])
    ]
    problems += _check_keys(meta)
    if not any(each.column in {"queries", "scale"} for each in problems):
        problems += _check_queries(meta)
        problems += _check_controls(meta)
    return (None if problems else meta), problems


def _check_keys(meta: dict) -> Iterator[Problem]:
    for key in meta:
        if key not in KEYS:
            close = difflib.get_close_matches(str(key), KEYS, 1)
            guess = f"{close[0]}" if close else "one of these"
            details = {"value": _shorten(key), "keys": ", ".join(KEYS), "guess": guess}
            yield problem("unknown_key", FILE, column=_shorten(key), **details)
    for key in TEXTS:
        text = meta.get(key)
        if text is None or text == "":
            continue
        if not isinstance(text, str) or len(text) > LONGEST:
            yield problem("not_a_string", FILE, column=key, value=_shorten(text))
        elif key == "title" and not is_line(text.strip()):
            yield problem("not_one_line", FILE, column=key, value=_shorten(text))
    if not isinstance(meta.get("simulated", False), bool):
        yield problem("not_a_boolean", FILE, column="simulated", value=_shorten(meta["simulated"]))
    styles = meta.get("styles") or []
    if not isinstance(styles, list):
        yield problem("not_a_list", FILE, column="styles", value=_shorten(styles))
        return
    for style in styles:
        if not isinstance(style, str) or not is_label(style):
            yield problem("not_a_label", FILE, column="styles", value=_shorten(style))


def _check_queries(meta: dict) -> Iterator[Problem]:
    queries, scale = meta["queries"], meta["scale"]
    if not isinstance(queries, dict):
        details = {"value": _shorten(queries), "example": EXAMPLES["queries"]}
        yield problem("invalid_queries", FILE, column="queries", **details)
        return
    for query, entry in queries.items():
        wording = entry.get("wording") if isinstance(entry, dict) else entry
        unknown = set(entry) - {"wording", "scale"} - CATALOGUED if isinstance(entry, dict) else ()
        if not isinstance(query, str):
            yield problem("not_a_text", FILE, column="queries", value=_shorten(query))
        elif not is_label(query) or not query:
            yield problem("not_a_label", FILE, column="queries", value=_shorten(query))
        elif not isinstance(wording, str) or not wording.strip() or len(wording) > LONGEST:
            yield problem("missing_wording", FILE, column="queries", value=query)
        for key in unknown:
            details = {"value": _shorten(key), "keys": "wording, scale", "guess": "one of these"}
            yield problem("unknown_key", FILE, column=query, **details)
        ends = (isinstance(entry, dict) and entry.get("scale")) or scale
        if not _is_scale(ends):
            yield problem("invalid_scale", FILE, column="scale", value=_shorten(ends))
            return


def _check_controls(meta: dict) -> Iterator[Problem]:
    queries, controls = meta["queries"], meta.get("controls") or {}
    valid = isinstance(controls, dict) and all(
        query in queries and cause in CONTROL_CAUSES for query, cause in controls.items()
    )
    if not valid or set(controls) == set(queries):
        yield problem("invalid_controls", FILE, column="controls", value=_shorten(controls))


def _is_scale(scale: object) -> bool:
    try:
        ((low, high),) = query_scales({"queries": {"": ""}, "scale": scale}).values()
    except (TypeError, ValueError, OverflowError):
        return False
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in scale)
    return numbers and low < high and max(abs(low), abs(high)) <= LARGEST_RATING


def _plain(name: object) -> object:
    return plain_text(name) if isinstance(name, str) else name


def _shorten(value: object) -> str:
    """Convert a value to text, and truncate it after 80 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:80]} …"
