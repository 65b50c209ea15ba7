"""More songs or more raters? Learning curves and power (chapter 06)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.mixed import rating_variances
from groove_utils.probe.bootstrap import artist_influence, influence_draws
from groove_utils.probe.nested_cv import Split, ridge_splits, run_ridge, with_inner
from groove_utils.probe.result import ProbeResult, check_paired, score_statistic
from groove_utils.probe.ridge import DEFAULT_ALPHAS, make_plan, outer_folds
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["learning_curve", "rater_learning_curve", "songs_needed"]


def learning_curve(
    X,
    y,
    artists=None,
    styles=None,
    *,
    shares: Sequence[float] = (0.2, 0.4, 0.6, 0.8, 1.0),
    n_draws=5,
    n_splits=4,
    n_inner=4,
    alphas=DEFAULT_ALPHAS,
    layers="select",
    pca=None,
    seed=0,
    n_jobs=1,
) -> pd.DataFrame:
    """R² against the number of songs trained on; test songs are always all songs.

    Parameters
    ----------
    X, y, artists, styles, n_splits, n_inner, alphas, layers, pca, seed, n_jobs
        As in :func:`nested_ridge`.
    shares : sequence of float
        Share of the training artists of each fold that is kept, above 0 and at most 1.
    n_draws : int
        Random choices of artists, each with its own outer folds.

    Returns
    -------
    DataFrame
        One row a share and target: ``share, n_train`` (mean number of training songs), ``target,
        r2, r2_sd`` (mean and SD over draws), ``n_draws``.
    """
    songs = as_songs(y, artists, styles)
    blocks = as_blocks(X, len(songs), songs.ids)
    plan = make_plan(blocks, alphas=alphas, layers=layers, pca=pca, floor=1e-4, clip=5.0)
    folds = outer_folds(songs, None, n_splits, n_draws, seed)
    whole = ridge_splits(folds, songs.artists, songs.styles, n_inner=n_inner, seed=seed)
    names = songs.artists.astype(str)
    total = ((songs.ratings - songs.ratings.mean(axis=0)) ** 2).sum(axis=0)
    rows = []
    for share in shares:
        if not 0 < share <= 1:
            raise ProbeError(f"shares hold {share}; expected shares above 0 and at most 1")
        splits = []
        for split in whole:
            present = np.unique(names[split.train])
            keep = max(2, round(share * len(present)))
            rng = np.random.default_rng([seed, split.repeat, split.fold])
            drawn = rng.permutation(present)[:keep]  # larger shares hold the smaller ones
            train = split.train[np.isin(names[split.train], drawn)]
            part = Split(split.repeat, split.fold, train, split.test, train[:0])
            splits.append(with_inner(part, songs.artists, songs.styles, n_inner=n_inner, seed=seed))
        error = np.zeros((n_draws, len(total)))
        fits = run_ridge(blocks, songs.ratings, splits, plan, n_jobs=n_jobs)
        for split, fit in zip(splits, fits, strict=True):
            squared = (songs.ratings[split.test] - fit["predicted"]) ** 2
            error[split.repeat] += squared.sum(axis=0)
        r2 = 1 - error / total
        n_train = np.mean([len(split.train) for split in splits])
        rows += [
            (share, n_train, target, r2[:, j].mean(), r2[:, j].std(), n_draws)
            for j, target in enumerate(songs.targets)
        ]
    return pd.DataFrame(rows, columns=["share", "n_train", "target", "r2", "r2_sd", "n_draws"])


def rater_learning_curve(
    X,
    ratings: pd.DataFrame,
    ids,
    artists=None,
    styles=None,
    *,
    n_raters: Sequence[int] = (2, 5, 10, 20, 40),
    n_draws=20,
    n_splits=4,
    n_inner=4,
    alphas=DEFAULT_ALPHAS,
    layers="select",
    pca=None,
    seed=0,
    n_jobs=1,
) -> pd.DataFrame:
    """R² against the number of raters a song whose mean is learnt and predicted.

    Parameters
    ----------
    X : features
        As in :func:`nested_ridge`, in the order of `ids`.
    ratings : DataFrame
        Of one query: ``track_id, listener_id, rating``.
    ids : sequence
        Track ids in the order of the features.
    artists, styles, n_splits, n_inner, alphas, layers, pca, seed, n_jobs
        As in :func:`nested_ridge`.
    n_raters : sequence of int
        Songs with fewer raters keep all they have.
    n_draws : int
        Random panels, drawn for each song by itself.

    Returns
    -------
    DataFrame
        One row a number of raters: ``n_raters, r2, r2_sd`` against the means of the same panels;
        ``r2_all`` against the means over all raters; ``ceiling``, the reliability of such means.
    """
    ids = list(ids)
    if "query" in ratings and ratings["query"].nunique() > 1:
        raise ProbeError("the ratings hold several queries; give one at a time")
    table = ratings[ratings["track_id"].isin(ids)].dropna(subset=["rating"])
    groups = {track: part["rating"].to_numpy(float) for track, part in table.groupby("track_id")}
    missing = [track for track in ids if track not in groups]
    if missing:
        raise ProbeError(f"{len(missing)} songs have no ratings (first: {missing[0]!r})")
    everyone = np.array([groups[track].mean() for track in ids])
    songs = as_songs(pd.Series(everyone, index=ids), artists, styles)
    blocks = as_blocks(X, len(songs))
    rng = np.random.default_rng(seed)
    panels = [
        [[rng.permutation(groups[track])[: int(k)].mean() for track in ids] for _ in range(n_draws)]
        for k in n_raters
    ]
    Y = np.array(panels).reshape(-1, len(ids)).T
    folds = outer_folds(songs, None, n_splits, 1, seed)
    splits = ridge_splits(folds, songs.artists, songs.styles, n_inner=n_inner, seed=seed)
    plan = make_plan(blocks, alphas=alphas, layers=layers, pca=pca, floor=1e-4, clip=5.0)
    predicted = np.empty_like(Y)
    for split, fit in zip(splits, run_ridge(blocks, Y, splits, plan, n_jobs=n_jobs), strict=True):
        predicted[split.test] = fit["predicted"]

    def r2(truth):
        spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
        return (1 - ((truth - predicted) ** 2).sum(axis=0) / spread).reshape(-1, n_draws)

    own, whole = r2(Y), r2(np.broadcast_to(everyone[:, None], Y.shape))
    variance = rating_variances(table)
    noise = variance["residual"] + variance["listener"]  # panels differ from song to song
    k = np.array(n_raters, dtype=float)
    return pd.DataFrame(
        {
            "n_raters": k.astype(int),
            "r2": own.mean(axis=1),
            "r2_sd": own.std(axis=1),
            "r2_all": whole.mean(axis=1),
            "ceiling": variance["song"] / (variance["song"] + noise / k),
        }
    )


def songs_needed(
    results: Mapping[str, ProbeResult],
    *,
    score="r2",
    power: Sequence[float] = (0.8, 0.9),
    alpha=0.05,
    n_boot=2000,
    seed=0,
) -> pd.DataFrame:
    """How many songs would settle the difference between two models.

    Parameters
    ----------
    results : mapping of name → ProbeResult
        Exactly two, of the same songs and folds.
    score : str
    power : sequence of float
        Chances of finding the difference, 0…1.
    alpha : float
        Level of the two-sided test.
    n_boot, seed
        Draws of artists for the interval.

    Returns
    -------
    DataFrame
        One row a target and power: ``target, first, second, difference, se, power``, ``n_songs``
        (needed) with ``low, high``, the central 95% of that number over draws of artists (infinite
        where the difference vanishes or turns round), ``n_now``, ``power_now``.

    Notes
    -----
    The standard error falls with the root of the number of songs, artists growing alike, and the
    difference stays as it is now. Both are assumptions; and as the difference was estimated from
    the same songs, the number is rough: read its interval.
    """
    if len(results) != 2:
        raise ProbeError(f"{len(results)} results ({list(results)}); give the two to be told apart")
    check_paired(results)
    if not all(0 < value < 1 for value in power) or not 0 < alpha < 1:
        raise ProbeError(f"power {list(power)} and alpha {alpha} must lie between 0 and 1")
    (a, first), (b, second) = results.items()

    def statistic(result):
        return score_statistic(result, score)

    (one, moves), (two, others) = (
        artist_influence(result, statistic) for result in (first, second)
    )
    difference, influence = one - two, moves - others
    g, n = len(influence), len(first.ids)
    se = np.sqrt((influence**2).sum(axis=0) / (g * (g - 1)))
    draws = difference + influence_draws(influence, n_boot, seed)
    z = stats.norm.isf(alpha / 2)
    rows = []
    for j, target in enumerate(first.targets):
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = np.abs(difference[j]) / se[j] if se[j] > 0 else 0.0
        now = stats.norm.sf(z - effect) + stats.norm.cdf(-z - effect)
        for chance in power:
            factor = (z + stats.norm.ppf(chance)) ** 2 * se[j] ** 2 * n
            with np.errstate(divide="ignore", invalid="ignore"):
                need = np.ceil(factor / difference[j] ** 2) if difference[j] else np.inf
                spread = factor / draws[:, j] ** 2
            # a draw of the other sign would point to the wrong model, whatever the number
            spread[np.sign(draws[:, j]) != np.sign(difference[j])] = np.inf
            low, high = np.quantile(spread, [0.025, 0.975], method="inverted_cdf")
            rows.append(
                (target, a, b, difference[j], se[j], chance, need, np.ceil(low), np.ceil(high),
                 n, now)
            )  # fmt: skip
    columns = ["target", "first", "second", "difference", "se", "power", "n_songs", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "n_now", "power_now"])
