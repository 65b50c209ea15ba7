"""Find this package's imports by parsing its source code, without running it.

Imports inside functions are included, as are submodules that a package loads lazily.
"""

from __future__ import annotations

import ast
import functools
import threading
from pathlib import Path

__all__ = ["imported_modules", "module_path", "reachable_modules"]

ROOT = Path(__file__).resolve().parent  # folder of this package
PARSER_LOCK = threading.Lock()  # CPython's ast.parse() can fail if two threads call it at once


def module_path(module: str) -> Path | None:
    """Return the path of a module's source file, or None if the module is not in this package.

    Examples
    --------
    >>> module_path("groove_utils.stats").name, module_path("numpy")
    ('__init__.py', None)
    """
    package, *names = module.split(".")
    if package != ROOT.name:
        return None
    base = ROOT.joinpath(*names)
    paths = [base / "__init__.py", *([base.with_suffix(".py")] if names else [])]
    return next((path for path in paths if path.is_file()), None)


def imported_modules(module: str) -> frozenset[str]:
    """Return the direct imports of a module of this package, including those inside functions.

    Parameters
    ----------
    module : str
        Full name of the module. If it is a package that loads its names lazily, the submodules that
        define these names count as imports.

    Returns
    -------
    frozenset of str
        Full names of the imported modules, whether or not they are in this package.

    Examples
    --------
    >>> sorted(imported_modules("groove_utils.mixed.errors"))
    ['__future__', 'collections.abc', 'groove_utils.errors', 'pandas']
    """
    imported = set()
    for source, name in _statements(module):
        table = dict(_lazy_names(source)) if name else {}
        if name and module_path(f"{source}.{name}"):
            imported.add(f"{source}.{name}")
        else:
            imported.add(table.get(name, source))
    imported |= {submodule for _, submodule in _lazy_names(module)}
    return frozenset(imported - {module})


def reachable_modules(*modules: str) -> set[str]:
    """Return the given modules and all modules that they import, directly or indirectly.

    Imports in modules outside this package are not followed.

    Examples
    --------
    >>> sorted(reachable_modules("groove_utils.errors"))
    ['__future__', 'collections.abc', 'errno', 'groove_utils.errors', 'os']
    """
    reachable, waiting = set(), list(modules)
    while waiting:
        module = waiting.pop()
        if module not in reachable:
            reachable.add(module)
            waiting += imported_modules(module) if module_path(module) else ()
    return reachable


def _statements(module: str) -> tuple[tuple[str, str], ...]:
    return _parse(*_version(module))[0]


def _lazy_names(module: str) -> tuple[tuple[str, str], ...]:
    """Return the names that a package loads lazily, each with its submodule's full name."""
    if not module_path(module):
        return ()
    return tuple((name, f"{module}.{part}") for name, part in _parse(*_version(module))[1])


def _version(module: str) -> tuple[Path, int, int]:
    path = module_path(module)
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


@functools.cache
def _parse(path: Path, *version: int) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Return a file's imports, as (module, name or ""), and lazy names, as (name, submodule).

    `version` is the file's modification time and size. Results are cached, and passing these values
    ensures that an edited file is parsed again.
    """
    statements, lazy = [], []
    with PARSER_LOCK:
        tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            statements += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            statements += [(node.module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "attach":
            tables = [k.value for k in node.keywords if k.arg == "submod_attrs"]
            for submodule, names in ast.literal_eval(tables[0]).items() if tables else ():
                lazy += [(name, submodule) for name in names]
    return tuple(statements), tuple(lazy)
