"""The protocol normalises its settings, and rejects invalid ones."""

from dataclasses import replace

import numpy as np
import pytest
from expect import raises

from groove_utils.probe import DEFAULT_ALPHAS, ProbeError, Protocol


def test_settings_become_comparable_values():
    protocol = Protocol(alphas=np.array([1, 10]), pca=[3, None], layers=["a", "b"])
    assert protocol.alphas == (1.0, 10.0)
    assert protocol.pca == (3, None)
    assert protocol == replace(Protocol(), alphas=[1, 10], pca=(3, None), layers=("a", "b"))
    assert Protocol(alphas=0.5, pca=2).pca == (2,)
    assert len(Protocol().alphas) == len(DEFAULT_ALPHAS) == 15


@pytest.mark.parametrize(
    "change",
    [
        {"n_splits": 1},
        {"n_repeats": 0},
        {"n_inner": 2.5},
        {"alphas": [0.0]},
        {"alphas": []},
        {"alphas": [np.inf]},
        {"pca": 0},
        {"pca": [2, 1.5]},
        {"floor": -1},
        {"clip": 0},
        {"layers": []},
    ],
)
def test_unusable_settings_are_named(change):
    (column,) = change
    with raises(ProbeError, "out_of_range", column=column):
        Protocol(**change)
    with raises(ProbeError, "out_of_range", column=column):
        replace(Protocol(), **change)
