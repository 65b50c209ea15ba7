"""The families of `groove_utils` import downward only, and no two files import each other."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import groove_utils
from groove_utils import import_graph
from groove_utils.import_graph import imported_modules, module_path, reachable_modules

ROOT = Path(groove_utils.__file__).parent
# from top to bottom; a family may import those below it
ORDER = [
    "book", "figures", "robustness", "genre", "probe", "stems", "similarity", "embed",
    "networks", "descriptors", "mixed", "synth", "study", "rhythm", "audio", "stats",
    "memoisation", "import_graph", "cache", "manifest", "packages", "files", "paths",
    "strict_yaml", "errors",
]  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


@pytest.fixture(scope="module")
def graph():
    return {name: {m for m in imported_modules(name) if module_path(m)} for name in MODULES}


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
    # a lazy package would return whichever of the two was imported first
    for path in ROOT.glob("*/__init__.py"):
        package = __import__(f"groove_utils.{path.parent.name}", fromlist=["__all__"])
        modules = {p.stem for p in path.parent.glob("*.py")}
        assert not modules & set(getattr(package, "__all__", ())), path.parent.name


def test_imports_in_functions_and_through_lazy_packages_are_resolved():
    # within a function, `benchmark` takes choose_device from the lazy package `networks`
    imported = imported_modules("groove_utils.embed.benchmark")
    assert {"groove_utils.networks.devices", "groove_utils.audio.decode"} <= imported
    assert not {"groove_utils.networks", "groove_utils.audio"} & imported
    assert "groove_utils.stats.threads" in imported_modules("groove_utils.stats")
    reachable = reachable_modules("groove_utils.descriptors.one_signal")
    assert {"groove_utils.descriptors.cards", "librosa"} <= reachable
    assert not any(name.startswith("groove_utils.book") for name in reachable)


def test_threads_may_read_imports_at_the_same_time():
    # another thread continues during garbage collection, as in a notebook
    import_graph._parse.cache_clear()
    gc.callbacks.append(lambda *_: time.sleep(1e-4))
    try:
        with ThreadPoolExecutor(2) as pool:
            assert len(list(pool.map(imported_modules, [*MODULES] * 2))) == 2 * len(MODULES)
    finally:
        gc.callbacks.pop()
