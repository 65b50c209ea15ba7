"""Learning curves: R² as a function of the number of training songs or the number of raters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import hmean

from groove_utils.memoisation import memoised
from groove_utils.mixed import rating_variances
from groove_utils.probe.folds import nested_splits, outer_folds, outer_splits
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.ridge import assemble, make_plan, run_ridge
from groove_utils.probe.songs import ProbeError, as_data

__all__ = ["learning_curve", "rater_learning_curve"]


@memoised("probes")
def learning_curve(
    X,
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    shares: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0),
    n_jobs=1,
) -> pd.DataFrame:
    """Compute R² over all songs as a function of the number of training songs.

    Parameters
    ----------
    X, y, artists, styles, protocol, n_jobs
        See :func:`nested_ridge`. New folds and training artists are drawn for each repeat.
    shares : sequence of float
        Proportions of training artists to keep in each fold, above 0 and at most 1. At least two
        artists are kept.

    Returns
    -------
    DataFrame
        One row per share and target: ``share, n_train`` (mean number of training songs), ``target,
        r2, r2_sd`` (mean and SD over repeats), ``n_draws`` (number of repeats).
    """
    if not all(0 < share <= 1 for share in shares):
        raise ProbeError(f"shares are {list(shares)}; expected numbers above 0 and at most 1",
                         kind="out_of_range", column="shares")  # fmt: skip
    songs, blocks = as_data(X, y, artists, styles)
    plan = make_plan(blocks, protocol)
    full = outer_splits(outer_folds(songs, protocol))
    names = songs.artists.astype(str)
    total = ((songs.ratings - songs.ratings.mean(axis=0)) ** 2).sum(axis=0)
    rows = []
    for share in shares:
        splits = []
        for split in full:
            present = np.unique(names[split.train])
            rng = np.random.default_rng([protocol.seed, split.repeat, split.fold])
            # each larger subset includes the smaller ones
            drawn = rng.permutation(present)[: max(2, round(share * len(present)))]
            kept = split.train[np.isin(names[split.train], drawn)]
            splits.append(replace(split, train=kept))
        splits = nested_splits(songs, splits, protocol)
        fits = run_ridge(blocks, songs.ratings, splits, plan, n_jobs=n_jobs)
        predicted = assemble(splits, fits, "predicted", len(songs))
        r2 = 1 - ((songs.ratings - predicted) ** 2).sum(axis=1) / total
        n_train = np.mean([len(split.train) for split in splits])
        rows += [
            (share, n_train, target, r2[:, j].mean(), r2[:, j].std(), len(r2))
            for j, target in enumerate(songs.targets)
        ]
    return pd.DataFrame(rows, columns=["share", "n_train", "target", "r2", "r2_sd", "n_draws"])


@memoised("probes")
def rater_learning_curve(
    X,
    ratings: pd.DataFrame,
    ids,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    n_raters: Sequence[int] = (2, 5, 10, 20, 40),
    n_draws=20,
    n_jobs=1,
) -> pd.DataFrame:
    """Compute R² as a function of the number of raters per song.

    Models are trained and tested on the mean ratings of random panels of raters.

    Parameters
    ----------
    ratings : DataFrame
        Ratings for one query, with the columns ``track_id, listener_id, rating``.
    ids : sequence
        Track IDs, in the same order as the rows of the features.
    X, artists, styles, protocol, n_jobs
        See :func:`nested_ridge`. Folds are drawn only once, regardless of `protocol.n_repeats`.
    n_raters : sequence of int
        Numbers of raters per song, limited to the largest number of raters for any song. If a song
        has fewer raters, all of them are used.
    n_draws : int
        Number of random panels for each number of raters, drawn separately for each song.

    Returns
    -------
    DataFrame
        One row per number of raters: ``n_raters``; ``r2, r2_sd`` (mean and SD over panels);
        ``r2_all``, the R² of the same predictions when compared with the mean ratings of all
        raters; ``ceiling``, the reliability of the panels' mean ratings (computed from the harmonic
        mean of the number of raters per song).
    """
    ids = list(ids)
    if "query" in ratings and ratings["query"].nunique() > 1:
        raise ProbeError("the ratings contain more than one query; pass the ratings for one query",
                         kind="several_queries", column="query")  # fmt: skip
    table = ratings[ratings["track_id"].isin(ids)].dropna(subset=["rating"])
    groups = {track: part["rating"].to_numpy(float) for track, part in table.groupby("track_id")}
    missing = [track for track in ids if track not in groups]
    if missing:
        raise ProbeError(f"{len(missing)} songs have no ratings (first: {missing[0]!r})",
                         kind="unrated", column="ratings", value=missing)  # fmt: skip
    available = np.array([len(groups[track]) for track in ids])
    n_raters = sorted({min(int(k), int(available.max())) for k in n_raters})
    everyone = pd.Series([groups[track].mean() for track in ids], index=ids)
    songs, blocks = as_data(X, everyone, artists, styles)
    rng = np.random.default_rng(protocol.seed)
    panels = [
        [[rng.permutation(groups[track])[:k].mean() for track in ids] for _ in range(n_draws)]
        for k in n_raters
    ]
    Y = np.array(panels).reshape(-1, len(ids)).T
    folds = outer_folds(songs, replace(protocol, n_repeats=1))
    splits = nested_splits(songs, folds, protocol)
    fits = run_ridge(blocks, Y, splits, make_plan(blocks, protocol), n_jobs=n_jobs)
    (predicted,) = assemble(splits, fits, "predicted", len(songs))

    def r2(truth):
        spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
        return (1 - ((truth - predicted) ** 2).sum(axis=0) / spread).reshape(-1, n_draws)

    of_panels, of_all = r2(Y), r2(np.broadcast_to(songs.ratings, Y.shape))
    variance = rating_variances(table)
    noise = variance["residual"] + variance["listener"]  # each song has its own panel
    k = np.array([hmean(np.minimum(k, available)) for k in n_raters])
    return pd.DataFrame(
        {
            "n_raters": n_raters,
            "r2": of_panels.mean(axis=1),
            "r2_sd": of_panels.std(axis=1),
            "r2_all": of_all.mean(axis=1),
            "ceiling": variance["song"] / (variance["song"] + noise / k),
        }
    )
