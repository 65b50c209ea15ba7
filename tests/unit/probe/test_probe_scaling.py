"""Standardisation with a floor and a limit, and summaries of scales."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from groove_utils.probe import ClippedStandardScaler, artist_folds, scale_facts


def test_scaler_floor_clip_and_constants():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 6)) * [1, 2, 1, 1e-9, 0, 1] + [0, 0, 0, 5, 3, 100]
    Z = ClippedStandardScaler().fit(X).transform(X)
    plain = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(Z[:, [0, 1, 2, 5]], plain[:, [0, 1, 2, 5]], atol=1e-9)
    assert np.abs(Z[:, 3]).max() < 1e-3  # limited by the floor
    assert (Z[:, 4] == 0).all()
    far = ClippedStandardScaler(clip=4).fit(X).transform(X + 1e6)
    assert far.max() == 4
    assert (far[:, 4] == 0).all()


def test_scale_facts_find_a_unit_that_jumps():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.standard_normal(40), 1000 * rng.standard_normal(40), np.full(40, 5)])
    jumping = np.full(40, 2.0)
    jumping[7] = 3.0  # constant wherever song 7 is held out
    folds = artist_folds(np.arange(40), n_repeats=2, seed=0)
    facts = scale_facts({"a": X, "b": jumping[:, None]}, folds)
    assert (facts["units"], facts["constant"], facts["bounded_percent"]) == (4, 2, 0)
    smallest = min(X[:, 0].std(), jumping.std())
    assert facts["orders"] == pytest.approx(np.log10(X[:, 1].std() / smallest))
    largest = 0.0
    for fold in folds:
        for k in range(4):
            scaler = ClippedStandardScaler(0.0, np.inf).fit(X[fold != k])
            largest = max(largest, np.abs(scaler.transform(X[fold == k])).max())
    assert facts["largest_z"] == pytest.approx(largest)
