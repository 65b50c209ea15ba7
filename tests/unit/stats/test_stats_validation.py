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
