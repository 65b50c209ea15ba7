"""Conventions of CONTRIBUTING.md: short functions, plain docstrings, lazy families, a true map."""

import ast
import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "groove_utils").rglob("*.py"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def nodes(kinds):
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kinds):
                name = getattr(node, "name", "module docstring")
                yield f"{path.relative_to(ROOT)}: {name}", node


def test_functions_have_at_most_80_lines():
    assert not [name for name, f in nodes(FUNCTIONS) if f.end_lineno - f.lineno >= 80]


def test_docstrings_begin_with_a_verb_or_the_thing():
    question = re.compile(r"(What|How|Whether|Which|Of|As|To how)\b")
    documented = nodes((*FUNCTIONS, ast.ClassDef, ast.Module))
    assert not [name for name, node in documented if question.match(ast.get_docstring(node) or "")]


def test_examples_of_docstrings_are_run():
    assert not [path for path in MODULES if "doctest: +SKIP" in path.read_text(encoding="utf-8")]


def test_chapters_are_named_by_slug_and_not_by_number():
    number = re.compile(r"\bchapters? \d\d\b(?!-)", re.IGNORECASE)
    assert not [path for path in MODULES if number.search(path.read_text(encoding="utf-8"))]


def test_families_import_their_modules_when_they_are_used():
    for path in MODULES:
        if path.name == "__init__.py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            imports = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert {ast.unparse(n) for n in imports} <= {"import lazy_loader", "import time"}, path


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.\w+)`", MAP))))
def test_the_map_names_paths_that_exist(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(groove_utils\.[\w.]+)", MAP))))
def test_the_map_names_functions_that_exist(name):
    resolve_name(name)
