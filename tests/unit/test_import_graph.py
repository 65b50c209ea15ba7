"""The families of `groove_utils` import downward only, and no two files import each other."""

import ast
from pathlib import Path

import pytest

import groove_utils

ROOT = Path(groove_utils.__file__).parent
# from the top to the ground; a family may import those below it
ORDER = [
    "book", "figures", "robustness", "genre", "probe", "stems", "similarity", "embed",
    "networks", "descriptors", "mixed", "synth", "study", "rhythm", "audio", "stats",
    "memoisation", "cache", "manifest", "packages", "files", "paths", "strict_yaml", "errors",
]  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports anywhere, type checking included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("groove_utils"):
            for alias in node.names:
                nested = f"{node.module}.{alias.name}"
                found.add(nested if nested in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("groove_utils")}
    return found


@pytest.fixture(scope="module")
def graph():
    return {name: imports(path) - {name} for name, path in MODULES.items()}


def family(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_every_family_has_its_place():
    assert {family(name) for name in MODULES} - {""} <= set(ORDER)


def test_imports_go_downward(graph):
    upward = [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in targets
        if family(name) and family(target) and family(name) != family(target)
        and ORDER.index(family(target)) < ORDER.index(family(name))
    ]  # fmt: skip
    assert not upward


def test_no_file_imports_itself_through_others(graph):
    def reachable(start):
        seen, waiting = set(), list(graph[start])
        while waiting:
            name = waiting.pop()
            if name in graph and name not in seen:
                seen.add(name)
                waiting += graph[name]
        return seen

    assert not [name for name in graph if name in reachable(name)]


def test_a_family_has_no_module_named_as_one_of_its_functions():
    # a lazy package would hand out whichever of the two was imported first
    for path in ROOT.glob("*/__init__.py"):
        package = __import__(f"groove_utils.{path.parent.name}", fromlist=["__all__"])
        modules = {p.stem for p in path.parent.glob("*.py")}
        assert not modules & set(getattr(package, "__all__", ())), path.parent.name
