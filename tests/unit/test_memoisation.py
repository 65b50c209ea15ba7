"""Results of slow functions that are kept."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from groove_utils import memoisation
from groove_utils.cache import ArrayCache
from groove_utils.memoisation import memoised
from groove_utils.probe.songs import Songs


@pytest.fixture
def calls():
    return []


@pytest.fixture
def keep(calls, tmp_path):
    """A function that returns what it is given, and notes each time that it is computed."""

    @memoised("probes")
    def compute(value, factor=1, **options):
        calls.append(value)
        return value

    return lambda *args, **options: compute(*args, cache=ArrayCache(tmp_path), **options)


TABLE = pd.DataFrame(
    {"name": ["dance", "“groove”"], "n": [1, 2], "r2": [0.1, np.nan], "found": [True, False]},
    index=pd.Index(["a", "b"], name="song"),
)
RESULTS = [
    3, 0.1, "text", None, True, np.float32(0.1), [1.5, None], (1, ("a", 2.0)), {"a": [1], "b": {}},
    np.arange(6.0).reshape(2, 3), np.array(["groove", "é"]), np.array(["x", "long"], dtype=object),
    TABLE, TABLE.reset_index(), TABLE[["n"]].astype("Int64").mask(TABLE["n"] == 2),
    pd.DataFrame([[1.0, 2.0]], columns=pd.MultiIndex.from_tuples([("fixed", "x"), ("sd", 0)])),
    pd.Series([0.1, "text", np.nan], ["a", "b", "c"], dtype=object, name="row"), TABLE["r2"],
    (TABLE, np.ones(2)),
    Songs(np.array(["a"], dtype=object), ["r2"], np.ones((1, 1)), np.array(["x"]), np.array(["y"])),
]  # fmt: skip


@pytest.mark.parametrize("result", RESULTS, ids=lambda value: type(value).__name__)
def test_a_kept_result_equals_the_computed_one(keep, calls, result):
    keep(result)
    kept = keep(result)
    assert len(calls) == 1
    assert_same(kept, result)


def assert_same(kept, result):
    assert type(kept) is type(result)
    if isinstance(result, pd.DataFrame):
        pd.testing.assert_frame_equal(kept, result)
    elif isinstance(result, pd.Series):
        pd.testing.assert_series_equal(kept, result, check_names=False)
    elif isinstance(result, np.ndarray):
        np.testing.assert_array_equal(kept, result, strict=True)
        assert kept.flags.writeable
    elif isinstance(result, Songs):
        for name in ("ids", "targets", "ratings", "artists", "styles"):
            assert_same(getattr(kept, name), getattr(result, name))
    elif isinstance(result, (list, tuple)):
        assert len(kept) == len(result)
        for one, other in zip(kept, result):
            assert_same(one, other)
    else:
        assert kept == result


def test_what_cannot_be_kept_is_refused(keep):
    with pytest.raises(TypeError, match="set"):
        keep([{1, 2}])
    with pytest.raises(TypeError, match="Fraction"):
        keep(Fraction(1, 2))


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
    assert len(calls) == 7  # a default that is written out is the same argument


def test_an_edit_of_any_module_that_a_function_uses_reaches_its_key(monkeypatch):
    from groove_utils.probe import permutation

    def digest():
        memoisation._hash_code.cache_clear()
        return memoisation._hash_code(permutation.__name__)

    before, read = digest(), memoisation.Path.read_bytes
    for edited, changes in (
        ("probe/permutation.py", True), ("probe/ridge.py", True), ("stats/permutation.py", True),
        ("probe/paper.py", False), ("book/outputs.py", False),
    ):  # fmt: skip
        monkeypatch.setattr(
            memoisation.Path, "read_bytes",
            lambda path, edited=edited: read(path) + b"#" * str(path).endswith(edited),
        )  # fmt: skip
        assert (digest() != before) == changes, edited
    monkeypatch.undo()
    monkeypatch.setattr(memoisation, "version", lambda package: "0")
    assert digest() != before
    monkeypatch.undo()
    assert digest() == before
