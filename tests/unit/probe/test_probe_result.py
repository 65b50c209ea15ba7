"""Scores of a result compared with scikit-learn and SciPy, and tables of a result."""

import numpy as np
import pandas as pd
import pytest
from expect import raises
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import r2_score, root_mean_squared_error

from groove_utils.probe import ProbeError, Protocol, nested_ridge
from groove_utils.probe.scores import SCORES, score_statistic
from groove_utils.stats import cluster_weights


@pytest.fixture(scope="module")
def result(small):
    X, y, artists, styles = small
    return nested_ridge(X, y, artists, styles, Protocol(n_repeats=2))


def centre(values, labels):
    return values - pd.Series(values).groupby(labels).transform("mean")


@pytest.mark.parametrize("score", SCORES)
def test_weighted_scores_are_scores_of_repeated_songs(result, score):
    weights = np.vstack([np.ones(60), cluster_weights(result.songs.artists, 2, seed=0)])
    values = score_statistic(result, score)(weights)
    for w, row in zip(weights.astype(int), values, strict=True):
        pick = np.repeat(np.arange(60), w)
        for j in range(2):
            y, p = result.songs.ratings[pick, j], result.predicted[:, pick, j]
            base, folds = result.baseline[:, pick, j], result.folds[:, pick]
            expected = {
                "r2": lambda y=y, p=p: np.mean([r2_score(y, one) for one in p]),
                "rmse": lambda y=y, p=p: np.sqrt(((y - p) ** 2).mean()),
                "spearman": lambda y=y, p=p: np.mean([spearmanr(y, one)[0] for one in p]),
                "fold_r2": lambda y=y, p=p, folds=folds: np.mean(
                    [r2_score(y[f == k], one[f == k]) for one, f in zip(p, folds, strict=True)
                     for k in range(4)]
                ),
                "fold_rmse": lambda y=y, p=p, folds=folds: np.mean(
                    [root_mean_squared_error(y[f == k], one[f == k])
                     for one, f in zip(p, folds, strict=True) for k in range(4)]
                ),
                "r2_over_baseline": lambda y=y, p=p, base=base: (
                    1 - ((y - p) ** 2).sum() / ((y - base) ** 2).sum()
                ),
                "within_r2": lambda y=y, p=p, styles=result.songs.styles[pick]: np.mean(
                    [1 - (centre(y - one, styles) ** 2).sum() / (centre(y, styles) ** 2).sum()
                     for one in p]
                ),
                "within_r": lambda y=y, p=p, styles=result.songs.styles[pick]: np.mean(
                    [pearsonr(centre(y, styles), centre(one, styles))[0] for one in p]
                ),
            }[score]()  # fmt: skip
            assert row[j] == pytest.approx(expected, abs=1e-9)


def test_the_table_of_scores_adds_spread_over_repeats(result):
    table = result.scores().set_index("target")
    weights = np.ones((1, 60))
    for j, name in enumerate(result.songs.targets):
        truth, guesses = result.songs.ratings[:, j], result.predicted[..., j]
        for score in SCORES:
            expected = score_statistic(result, score)(weights)[0, j]
            assert table.loc[name, score] == pytest.approx(expected)
        r2 = [r2_score(truth, guess) for guess in guesses]
        assert table.loc[name, "r2_sd"] == pytest.approx(np.std(r2))
        by_repeat = [
            np.mean([r2_score(truth[fold == k], guess[fold == k]) for k in range(4)])
            for fold, guess in zip(result.folds, guesses, strict=True)
        ]
        assert table.loc[name, "fold_r2_sd"] == pytest.approx(np.std(by_repeat))
        by_repeat = [
            np.mean([root_mean_squared_error(truth[fold == k], guess[fold == k]) for k in range(4)])
            for fold, guess in zip(result.folds, guesses, strict=True)
        ]
        assert table.loc[name, "fold_rmse_sd"] == pytest.approx(np.std(by_repeat))
    assert (table["n_songs"] == 60).all()


def test_predictions_are_tidy(result, small):
    y = small[1]
    frame = result.predictions
    assert len(frame) == 2 * 60 * 2
    one = frame[(frame.track_id == "t05") & (frame.target == "listen")]
    assert one["observed"].tolist() == [y.loc["t05", "listen"]] * 2
    place = list(result.songs.ids).index("t05")
    assert one["predicted"].tolist() == result.predicted[:, place, 1].tolist()
    assert one["fold"].tolist() == result.folds[:, place].tolist()
    mean = result.mean_predictions()
    assert len(mean) == 120
    row = mean[(mean.track_id == "t05") & (mean.target == "listen")].iloc[0]
    assert row["predicted"] == pytest.approx(one["predicted"].mean())


def test_unknown_scores_are_refused(result):
    with raises(ProbeError, "unknown", column="score", value="mse"):
        score_statistic(result, "mse")
