"""Predictions from style alone, and probe scores between and within styles."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.probe.folds import outer_folds, outer_splits
from groove_utils.probe.intervals import result_interval
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult, by_target
from groove_utils.probe.scores import style_statistic
from groove_utils.probe.songs import as_songs

__all__ = ["style_baseline", "style_scores"]


def style_baseline(
    y, artists=None, styles=None, protocol: Protocol = Protocol(), *, folds=None
) -> ProbeResult:
    """Predict each held-out song's rating as the mean rating of its style in the training set.

    If a style has no training songs, the mean rating of all training songs is used. For the
    parameters, see :func:`nested_ridge`.
    """
    songs = as_songs(y, artists, styles)
    folds = outer_folds(songs, protocol, folds)
    style, artist = songs.style_codes, songs.artist_codes
    predicted, baseline = np.empty((2, len(folds), *songs.ratings.shape))
    left_out = np.empty((artist.max() + 1, *predicted.shape))

    def mean(train, same):
        return songs.ratings[same if len(same) else train].mean(axis=0)

    for split in outer_splits(folds):
        baseline[split.repeat, split.test] = songs.ratings[split.train].mean(axis=0)
        for number in np.unique(style[split.test]):
            same = split.train[style[split.train] == number]
            rows = split.test[style[split.test] == number]
            predicted[split.repeat, rows] = mean(split.train, same)
            for omitted in range(len(left_out)):
                rest = split.train[artist[split.train] != omitted]
                left_out[omitted, split.repeat, rows] = mean(rest, same[artist[same] != omitted])
    return ProbeResult(songs, predicted, baseline, folds, leave_artist_out=left_out)


def style_scores(result: ProbeResult, *, n_boot=2000, seed=0) -> pd.DataFrame:
    """Compute R² overall, between styles, within styles, and in each style, with 95% intervals.

    Parameters
    ----------
    result : ProbeResult
        Out-of-fold predictions to score.
    n_boot, seed : int
        Number of bootstrap samples of artists, and random seed.

    Returns
    -------
    DataFrame
        One row per target and ``part`` (``all``, ``between``, ``within``, or a style's name):
        ``target, part, r2, low, high, share, n_songs``. ``share`` is the part's proportion of the
        target's total sum of squares. The R² over all songs is exactly equal to
        ``share(between)·r2(between) + share(within)·r2(within)``.

    Notes
    -----
    Ratings and predictions are split into style means and deviations from these means. This splits
    the squared error and the total sum of squares into two parts, between and within styles, each
    with its own R². The R² in a single style is computed relative to the style's mean rating, so
    predictions that are too high or too low for the whole style count as errors.
    """
    songs = result.songs
    estimate, low, high, *_ = result_interval(result, style_statistic, n_boot=n_boot, seed=seed)
    y = songs.frame.groupby(songs.styles.astype(str))
    inside = y.agg(lambda values: ((values - values.mean()) ** 2).sum())
    total = ((songs.ratings - songs.ratings.mean(axis=0)) ** 2).sum(axis=0)
    within = inside.sum().to_numpy()
    shares = np.vstack([total, total - within, within, inside.to_numpy()]) / total
    parts = ["all", "between", "within", *inside.index]
    frame = pd.DataFrame(
        {
            "target": songs.targets * len(parts),
            "part": np.repeat(parts, len(songs.targets)),
            "r2": estimate,
            "low": low,
            "high": np.minimum(high, 1.0),
            "share": shares.ravel(),
            "n_songs": np.repeat([len(songs)] * 3 + y.size().tolist(), len(songs.targets)),
        }
    )
    return by_target(frame, songs.targets)
