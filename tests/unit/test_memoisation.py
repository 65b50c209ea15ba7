"""Memoisation of slow functions."""

import dataclasses
import logging
import os
import shutil
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import groove_utils
from groove_utils import import_graph, memoisation
from groove_utils.cache import ArrayCache
from groove_utils.memoisation import memoised
from groove_utils.probe.songs import Songs


@pytest.fixture(autouse=True)
def no_file_is_edited(monkeypatch):
    monkeypatch.setattr(groove_utils, "IMPORTED_AT", np.inf)
    memoisation._hash_modules.cache_clear()
    memoisation._report.cache_clear()


@pytest.fixture
def calls():
    return []


@pytest.fixture
def keep(calls, tmp_path):
    """Function that returns its arguments, and records each computation."""

    @memoised("probes")
    def compute(value, factor=1, **options):
        calls.append(value)
        return value

    return lambda *args, **options: compute(*args, cache=ArrayCache(tmp_path), **options)


TABLE = pd.DataFrame(
    {"name": ["dance", "“groove”"], "n": [1, 2], "r2": [0.1, np.nan], "found": [True, False]},
    index=pd.Index(["a", "b"], name="song"),
)
LEVELS = pd.MultiIndex.from_tuples([("fixed", 1), ("sd", 0)], names=["kind", None])
RESULTS = {
    "integer": 3, "float": 0.1, "text": "text", "none": None, "boolean": True,
    "NumPy scalar": np.float32(0.1), "list": [1.5, None], "nested": (1, ("a", 2.0), [(3,)]),
    "dict": {"a": [1], "b": {}, 3: (), ("a", 1): 0.5}, "array": np.arange(6.0).reshape(2, 3),
    "transposed": np.arange(6).reshape(2, 3).T, "no dimension": np.array(2.0),
    "texts": np.array(["groove", "é"]), "short texts": np.array(["a", "b"], dtype="U9"),
    "objects": np.array(["x", "long", None, 2], dtype=object),
    "objects with two axes": np.array([["x", 1], [np.nan, pd.NA]], dtype=object),
    "table": TABLE, "numbered table": TABLE.reset_index(), "empty table": TABLE.iloc[:0, :0],
    "integers with NA": TABLE[["n"]].astype("Int64").mask(TABLE["n"] == 2),
    "levels in columns": pd.DataFrame([[1.0, 2.0]], columns=LEVELS),
    "levels in rows": pd.DataFrame({"x": [1.0, 2.0]}, index=LEVELS),
    "duplicate columns": pd.DataFrame([[1.0, "a"]], columns=["x", "x"]),
    "numbers as columns": pd.DataFrame([[1.0, 2.0]], columns=pd.Index([3, 5], name="layer")),
    "texts and numbers": pd.DataFrame({"a": pd.Series(["x", 1, None, np.nan], dtype=object)}),
    "tuples in cells": pd.DataFrame({"a": [(1, "x"), (2, "y")]}),
    "categories": pd.DataFrame({"a": pd.Categorical(["b", "a"], ["b", "a", "c"], ordered=True)}),
    "series": TABLE["r2"], "series of integers": TABLE["n"].astype("Int64"),
    "series of objects": pd.Series([0.1, "text", np.nan], list("abc"), dtype=object),
    "named by a tuple": pd.Series([1.0, 2.0], LEVELS, name=("a", 1)),
    "series with NA": pd.Series([1, pd.NA], dtype=object), "tuple of tables": (TABLE, np.ones(2)),
    "dataclass": Songs(
        np.array(["a"], dtype=object), ["r2"], np.ones((1, 1)), np.array(["x"]), np.array(["y"])
    ),
}  # fmt: skip


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_a_kept_result_equals_the_computed_one(keep, calls, result):
    keep(result)
    kept = keep(result)
    assert len(calls) == 1
    assert_same(kept, result)


def assert_same(kept, result):
    assert type(kept) is type(result)
    if isinstance(result, pd.DataFrame):
        pd.testing.assert_frame_equal(
            kept, result, check_exact=True, check_index_type="exact", check_column_type="exact"
        )
        for column in range(result.shape[1]):
            if result.dtypes.iloc[column].kind == "O":
                assert_same(kept.iloc[:, column].tolist(), result.iloc[:, column].tolist())
    elif isinstance(result, pd.Series):
        assert kept.name == result.name
        assert_same(kept.to_frame("values"), result.to_frame("values"))
    elif isinstance(result, np.ndarray) and result.dtype != object:
        np.testing.assert_array_equal(kept, result, strict=True)
        assert kept.flags.writeable
    elif isinstance(result, Songs):
        assert_same(vars(kept), vars(result))
    elif isinstance(result, dict):
        assert_same(list(kept.items()), list(result.items()))
    elif isinstance(result, (list, tuple, np.ndarray)):
        assert np.shape(kept) == np.shape(result) if isinstance(result, np.ndarray) else True
        assert len(kept) == len(result)
        for one, other in zip(kept, result):
            assert_same(one, other)
    else:
        assert kept is result or kept == result or np.isnan([kept, result]).all()


@pytest.mark.parametrize(
    "result",
    [
        [{1, 2}], Fraction(1, 2), TABLE.assign(day=pd.Timestamp("2026-01-01")),
        np.zeros(2, dtype=[("a", "i4")]),
    ],
    ids=["set", "fraction", "dates", "records"],
)  # fmt: skip
def test_what_cannot_be_kept_unchanged_is_computed_again(keep, calls, caplog, result):
    caplog.set_level(logging.INFO, memoisation.__name__)
    first, second = keep(result), keep(result)
    assert first is result
    assert second is result
    assert len(calls) == 2
    assert len(caplog.records) == 1


@pytest.mark.parametrize("named", [["subprocess", "Popen"], ["groove_utils.stats", "holm"]])
def test_an_entry_of_another_program_makes_only_dataclasses_of_this_package(named):
    with pytest.raises((TypeError, AttributeError)):
        memoisation._assemble({"class": [*named, {"args": {"plain": "true"}}]}, {})


def test_any_other_argument_is_computed(keep, calls):
    x = np.arange(3.0)
    for arguments, options in (
        ((x,), {}), ((x + 1e-12,), {}), ((x,), {"factor": 2}), ((x,), {"extra": {"a": x}}),
        (({"layer": x},), {}), ((x.astype("f4"),), {}), ((x[:, None],), {}),
    ):  # fmt: skip
        keep(*arguments, **options)
    assert len(calls) == 7
    keep(x.copy(), factor=1)
    assert len(calls) == 7  # an explicit default value is the same argument


def test_names_and_attributes_of_tables_are_arguments(keep, calls):
    labelled = TABLE.copy()
    labelled.attrs["unit"] = "beats"
    tables = [
        TABLE, TABLE.rename_axis("track"), TABLE.rename_axis(columns="value"), labelled,
        TABLE.set_axis(LEVELS), TABLE.set_axis(LEVELS.rename(["a", "b"])),
        TABLE["r2"], TABLE["r2"].rename("other"), TABLE["r2"].rename_axis("track"),
    ]  # fmt: skip
    for table in tables:
        keep([1.0], table=table)
    assert len(calls) == len(tables)
    keep([1.0], table=labelled.copy())
    assert len(calls) == len(tables)


FIT = """
import joblib, numpy as np, pandas as pd
from groove_utils.memoisation import _content
from groove_utils.mixed import fit_lmm
rng = np.random.default_rng(0)
rows = pd.DataFrame({"x": rng.normal(size=60), "style": list("abc") * 20,
                     "listener": np.repeat(np.arange(6), 10).astype(str)})
rows["y"] = rows["x"] + rng.normal(size=60)
result = fit_lmm("y ~ x * style + (1 | listener)", rows)
first = joblib.hash(_content(result, set()))
result.fixed_effects()
print(first, joblib.hash(_content(result, set())))
"""


def test_the_hash_of_a_fitted_model_is_the_same_in_any_process():
    runs = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FIT], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        for seed in "12"
    ]  # fmt: skip
    assert len({digest for run in runs for digest in run.stdout.split()}) == 1


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Copy of the package's files that tests can edit."""
    copy = tmp_path / "groove_utils"
    shutil.copytree(import_graph.ROOT, copy, ignore=shutil.ignore_patterns("*.pyc", "*.npz"))
    monkeypatch.setattr(import_graph, "ROOT", copy)
    return copy


@pytest.mark.parametrize(
    ("module", "used", "others"),
    [
        (
            "probe.permutation", ["probe/permutation.py", "probe/ridge.py", "stats/permutation.py"],
            ["probe/paper.py", "book/outputs.py"],
        ),
        (
            "descriptors.one_signal", ["descriptors/cards.py", "rhythm/timing.py"],
            ["descriptors/stem_coupling.py"],
        ),
        (
            "embed.benchmark", ["networks/devices.py", "embed/engine/forward.py"],
            ["networks/training.py"],
        ),
    ],
)  # fmt: skip
def test_an_edit_of_any_module_that_a_function_uses_reaches_its_key(sources, module, used, others):
    def digest():
        memoisation._hash_modules.cache_clear()
        return memoisation._hash_code({f"groove_utils.{module}"})

    for edited in [*used, *others]:
        before = digest()
        with (sources / edited).open("a") as file:
            file.write("# edited\n")
        assert (digest() != before) == (edited in used), edited


def test_versions_of_packages_that_a_function_imports_reach_its_key(monkeypatch):
    def digest(module):
        memoisation._hash_modules.cache_clear()
        return memoisation._hash_code({f"groove_utils.{module}"})

    installed = memoisation.installed_versions()
    before = [digest("probe.ridge"), digest("embed.benchmark")]
    for package, changed in (
        ("formulaic", [True, True]), ("torch", [False, True]), ("sphinx", [False, False]),
    ):  # fmt: skip
        versions = installed | {package: "0"}
        monkeypatch.setattr(memoisation, "installed_versions", lambda found=versions: found)
        after = [digest("probe.ridge"), digest("embed.benchmark")]
        assert [a != b for a, b in zip(after, before)] == changed, package
    monkeypatch.undo()
    monkeypatch.setattr(memoisation.platform, "python_version", lambda: "0")
    assert digest("probe.ridge") not in (None, before[0])


def test_code_edited_after_its_import_is_neither_kept_nor_found(
    sources, monkeypatch, calls, tmp_path
):
    songs, options = RESULTS["dataclass"], {"cache": ArrayCache(tmp_path / "store")}
    edited = sources / "probe" / "songs.py"  # defines the class of the argument

    @memoised("probes")
    def compute(value):
        calls.append(value)
        if len(calls) == 3:
            edited.write_text(edited.read_text() + "# edited\n")  # while it is computed
        return len(calls)

    monkeypatch.setattr(groove_utils, "IMPORTED_AT", time.time() + 60)
    assert [compute(songs, **options), compute(songs, **options)] == [1, 1]
    monkeypatch.setattr(groove_utils, "IMPORTED_AT", time.time() - 60)
    assert compute(songs, **options) == 2
    # a result whose code is edited while it is computed
    monkeypatch.setattr(groove_utils, "IMPORTED_AT", time.time() + memoisation.COARSE)
    time.sleep(0.02)  # longer than the resolution of time stamps
    other = dataclasses.replace(songs, targets=["other"])
    assert compute(other, **options) == 3
    assert compute(other, **options) == 4
    assert len(options["cache"]) == 1
    os.utime(edited, (0, 0))  # an earlier modification time does not hide the edit
    assert compute(songs, **options) == 5
