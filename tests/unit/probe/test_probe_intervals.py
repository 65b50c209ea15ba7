"""Intervals over artists, and closed forms without an artist compared with refitted probes."""

import numpy as np
import pandas as pd
import pytest
from expect import raises
from sklearn.linear_model import Ridge

from groove_utils.probe import (
    ClippedStandardScaler,
    ProbeError,
    Protocol,
    bootstrap_scores,
    nested_estimator,
    nested_ridge,
    style_baseline,
)

TWICE = Protocol(n_repeats=2)


@pytest.fixture(scope="module")
def result(small):
    X, y, artists, styles = small
    return nested_ridge(X, y, artists, styles, TWICE)


def test_bootstrap_scores_table(result):
    table = bootstrap_scores(result, n_boot=300)
    assert table["refit"].all()
    assert table["target"].tolist() == ["dance"] * 3 + ["listen"] * 3
    assert (table["low"] < table["estimate"]).all()
    assert (table["estimate"] < table["high"]).all()
    r2 = table[table["score"] == "r2"]["estimate"].to_numpy()
    np.testing.assert_allclose(r2, result.scores()["r2"])
    pd.testing.assert_frame_equal(table, bootstrap_scores(result, n_boot=300))
    with raises(ProbeError, "unknown", value="mse"):
        bootstrap_scores(result, scores=["mse"])


def test_closed_form_without_an_artist_is_a_refit_without_the_artist(small, result):
    X, y, artists, _ = small
    values = y["dance"].to_numpy()
    choices = result.choices[result.choices["target"] == "dance"].set_index(["repeat", "fold"])
    for number, name in enumerate(np.unique(artists)[:5]):
        for (repeat, fold), choice in choices.iterrows():
            test = result.folds[repeat] == fold
            train = ~test & (artists != name)
            features = X[choice["layer"]]
            Z = ClippedStandardScaler().fit(features[~test]).transform(features)
            model = Ridge(choice["alpha"]).fit(Z[train], values[train])
            found = result.leave_artist_out[number, repeat, test, 0]
            np.testing.assert_allclose(found, model.predict(Z[test]), atol=1e-8)


def test_the_style_baseline_without_an_artist_is_a_mean_without_the_artist(small):
    _, y, artists, styles = small
    base = style_baseline(y["dance"], artists, styles, Protocol(n_repeats=1))
    for number, name in enumerate(np.unique(artists)[:5]):
        for fold in range(4):
            test = base.folds[0] == fold
            for style in set(styles):
                train = ~test & (artists != name) & (styles == style)
                found = base.leave_artist_out[number, 0, test & (styles == style), 0]
                np.testing.assert_allclose(found, y["dance"].to_numpy()[train].mean())


def test_intervals_without_refits_are_marked_and_narrower(small, result):
    full = bootstrap_scores(result, scores=["r2"]).iloc[0]
    part = bootstrap_scores(result, scores=["r2"], refit=False).iloc[0]
    assert not part["refit"]
    assert part["se"] < full["se"]
    X, y, artists, styles = small
    pls = nested_estimator(
        X["low"], y["dance"], artists, styles, Protocol(n_repeats=1), estimator="pls"
    )
    assert not bootstrap_scores(pls, n_boot=50)["refit"].any()
