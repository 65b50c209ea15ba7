"""Feature blocks, targets and labels: accepted forms, and errors that name the row and column."""

import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.stats import StatsError, as_blocks, as_labels, as_targets

X = np.arange(12.0).reshape(4, 3)


def test_blocks_and_targets_are_arrays_with_names():
    assert list(as_blocks(X)) == ["features"]
    assert as_blocks({"a": X[:, 0], 2: X})["a"].shape == (4, 1)
    ids, names, values = as_targets(pd.Series([1, 2], index=["x", "y"], name="groove"))
    assert (ids.tolist(), names, values.tolist()) == (["x", "y"], ["groove"], [[1.0], [2.0]])
    assert as_targets(X)[1] == ["target_0", "target_1", "target_2"]
    assert as_targets(X[:, 0])[1] == ["target"]
    assert as_labels(None, 2, "artists", ["a", "b"]).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("block", "kind", "fields"),
    [
        ({}, "empty", {}),
        (X[:3], "shape", {"column": "features", "value": (3, 3)}),
        ({"low": np.where(X == 7, np.nan, X)}, "not_finite", {"column": "low", "row": 2}),
        (X[:, :0], "shape", {"value": (4, 0)}),
        (pd.DataFrame(X, index=list("dcba")), "index", {"column": "features"}),
    ],
)
def test_unusable_blocks(block, kind, fields):
    with raises(StatsError, kind, **fields):
        as_blocks(block, 4, list("abcd"))


def test_blocks_of_different_lengths():
    with raises(StatsError, "shape", column="b", value=(3, 3)):
        as_blocks({"a": X, "b": X[:3]})


@pytest.mark.parametrize(
    ("y", "kind", "fields"),
    [
        (pd.DataFrame({"a": [1.0, 2], "b": [1, np.inf]}), "not_finite", {"row": 1, "column": "b"}),
        (pd.Series([1, 2], index=["x", "x"]), "duplicate", {}),
        (np.empty((0, 2)), "empty", {}),
    ],
)
def test_unusable_targets(y, kind, fields):
    with raises(StatsError, kind, **fields):
        as_targets(y)


def test_unusable_labels():
    with raises(StatsError, "shape", column="artists"):
        as_labels(["a"], 2, "artists", [])
    with raises(StatsError, "missing", column="styles", row=1):
        as_labels(["a", None], 2, "styles", [])


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_pandas_own_types_of_numbers(backend):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}).convert_dtypes(
        dtype_backend=backend
    )
    np.testing.assert_array_equal(as_blocks(frame)["features"], [[1, 0.5], [2, 1.5], [3, 2.5]])
    np.testing.assert_array_equal(as_targets(frame["a"])[2], [[1], [2], [3]])
    frame.loc[1, "b"] = pd.NA
    with raises(StatsError, "not_finite", row=1):
        as_blocks(frame)
    with raises(StatsError, "not_finite", row=1, column="b"):
        as_targets(frame["b"])


def test_labels_in_another_order_are_refused():
    ids = np.array(["x", "y", "z"], dtype=object)
    labels = pd.Series(["a", "b", "c"], index=ids)
    assert as_labels(labels, 3, "artists", None, ids).tolist() == ["a", "b", "c"]
    with raises(StatsError, "index", column="artists"):
        as_labels(labels[::-1], 3, "artists", None, ids)
    # rows with only a default index are matched by position
    numbered = labels.reset_index(drop=True)[[2, 1, 0]]
    assert as_labels(numbered, 3, "artists", None, ids).tolist() == ["c", "b", "a"]
