"""The published protocol compared with the scikit-learn calls that it describes."""

import numpy as np
import pandas as pd
import pytest
from expect import raises
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score

from groove_utils.probe import ProbeError, paper_protocol, single_precision_difference
from groove_utils.stats import StatsError


def test_paper_protocol_is_the_scikit_learn_calls_it_names(small):
    X, y, *_ = small
    order = np.argsort(y.index.to_numpy())
    features = np.hstack([X["low"], X["high"]])[order]
    for name in y:
        target = y[name].to_numpy()[order]
        seeds = []
        for seed in range(5):
            cut = KFold(4, shuffle=True, random_state=seed)
            model = Ridge(alpha=0.2, solver="cholesky")
            seeds.append(cross_val_score(model, features, target, cv=cut, scoring="r2").mean())
        scores = paper_protocol(X, y).scores().set_index("target").loc[name]
        assert scores["fold_r2"] == pytest.approx(np.mean(seeds), abs=1e-10)
        assert scores["fold_r2_sd"] == pytest.approx(np.std(seeds), abs=1e-10)
        rmse = [
            -cross_val_score(
                Ridge(alpha=0.2, solver="cholesky"), features, target,
                cv=KFold(4, shuffle=True, random_state=seed),
                scoring="neg_root_mean_squared_error",
            ).mean()
            for seed in range(5)
        ]  # fmt: skip
        assert scores["fold_rmse"] == pytest.approx(np.mean(rmse), abs=1e-10)


def test_single_precision_is_the_same_calls_on_float32(small):
    X, y, *_ = small
    order = np.argsort(y.index.to_numpy())
    features = np.hstack([X["low"], X["high"]])[order]
    largest = 0
    for name in y:
        for seed in range(3):
            both = [
                cross_val_score(
                    Ridge(alpha=0.2, solver="cholesky"), values, y[name].to_numpy()[order],
                    cv=KFold(4, shuffle=True, random_state=seed), scoring="r2",
                ).mean()
                for values in (features, features.astype(np.float32))
            ]  # fmt: skip
            largest = max(largest, abs(both[0] - both[1]))
    found = single_precision_difference(X, y, seeds=range(3))
    assert found == pytest.approx(largest, rel=0.5, abs=1e-7)
    assert 0 < found < 1e-5


def test_paper_protocol_does_not_depend_on_row_order(small):
    X, y, *_ = small
    shuffle = np.random.default_rng(0).permutation(len(y))
    a = paper_protocol(X["low"], y).scores()
    b = paper_protocol(X["low"][shuffle], y.iloc[shuffle]).scores()
    pd.testing.assert_frame_equal(a, b, rtol=1e-12)


def test_predictions_without_an_artist_are_refits(small):
    X, y, artists, styles = small
    order = np.argsort(y.index.to_numpy())
    result = paper_protocol(X["low"] / 10, y["dance"], artists, styles, seeds=[3])
    by, values, low = artists[order], y["dance"].to_numpy()[order], X["low"][order] / 10
    for number, name in enumerate(np.unique(artists)[:5]):
        for fold in range(4):
            test = result.folds[0] == fold
            train = ~test & (by != name)
            model = Ridge(0.2).fit(low[train], values[train])
            found = result.leave_artist_out[number, 0, test, 0]
            np.testing.assert_allclose(found, model.predict(low[test]), atol=1e-8)


def test_too_few_songs_or_seeds(small):
    X, y, *_ = small
    with raises(ProbeError, "too_few", column="seeds"):
        paper_protocol(X, y, seeds=[])
    with raises(ProbeError, "too_few", column="n_splits"):
        paper_protocol(X["low"][:3], y[:3])


def test_ids_of_mixed_kinds_and_artists_in_another_order():
    X = np.random.default_rng(0).normal(size=(12, 3))
    ids = [1, 2, 3, "4b", *range(5, 13)]
    result = paper_protocol(X, pd.Series(X[:, 0], ids))
    assert set(result.songs.ids) == set(ids)
    artists = pd.Series([f"artist {k // 2}" for k in range(12)], ids)
    with raises(StatsError, "index", column="artists"):
        paper_protocol(X, pd.Series(X[:, 0], ids), artists[::-1])
