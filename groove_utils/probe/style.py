"""Style or groove? How much of a score is just knowing the style (chapter 06)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.probe.bootstrap import by_target, result_interval
from groove_utils.probe.folds import artist_folds
from groove_utils.probe.nested_cv import Split, ridge_splits, run_ridge, with_inner
from groove_utils.probe.result import ProbeResult, score_statistic
from groove_utils.probe.ridge import DEFAULT_ALPHAS, artist_codes, make_plan, outer_folds
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["style_baseline", "style_scores", "transfer_matrix"]


def style_baseline(
    y, artists=None, styles=None, *, n_splits=4, n_repeats=5, folds=None, seed=0
) -> ProbeResult:
    """Predict each held-out song by the mean of its style over the training songs.

    Parameters
    ----------
    y, artists, styles, n_splits, n_repeats, folds, seed
        As in :func:`nested_ridge`; with the same seed the folds are the same.

    Returns
    -------
    ProbeResult
        A style without training songs is predicted by the mean of all training songs.
    """
    songs = as_songs(y, artists, styles)
    folds = outer_folds(songs, folds, n_splits, n_repeats, seed)
    _, style = np.unique(songs.styles.astype(str), return_inverse=True)
    shape = (len(folds), *songs.ratings.shape)
    predicted, baseline = np.empty(shape), np.empty(shape)
    artist = artist_codes(songs.artists)
    without = np.empty((artist.max() + 1, *shape))
    for split in ridge_splits(folds, songs.artists, songs.styles, n_inner=2, seed=seed):
        values = songs.ratings[split.train]
        baseline[split.repeat, split.test] = values.mean(axis=0)
        for one in np.unique(style[split.test]):
            same = split.train[style[split.train] == one]
            same = same if len(same) else split.train
            at = split.test[style[split.test] == one]
            predicted[split.repeat, at] = songs.ratings[same].mean(axis=0)
            for number in range(len(without)):
                left = same[artist[same] != number]
                left = left if len(left) else split.train[artist[split.train] != number]
                without[number, split.repeat, at] = songs.ratings[left].mean(axis=0)
    return ProbeResult.from_arrays(
        "style baseline", songs, predicted, baseline, folds, without=without
    )


def style_scores(result: ProbeResult, *, n_boot=2000, level=0.95, seed=0) -> pd.DataFrame:
    """R² between styles, within styles, and inside each style.

    Parameters
    ----------
    result : ProbeResult
    n_boot, level, seed
        Of the interval over artists.

    Returns
    -------
    DataFrame
        One row a target and ``part`` (``all``, ``between``, ``within``, or a style's name):
        ``target, part, r2, low, high, share, n_songs``. `share` is the part of the target's sum
        of squares; ``all = share(between)·r2(between) + share(within)·r2(within)`` exactly.

    Notes
    -----
    Both ratings and predictions are split into style means and departures from them. Squared
    errors and sums of squares then fall into two parts, so each has an R² of its own. R² inside
    a style is about that style's mean, and counts a wrong level of the style as error.
    """
    names, style = np.unique(result.styles.astype(str), return_inverse=True)
    member = (style[:, None] == np.arange(len(names))).astype(float)
    y = result.observed - result.observed.mean(axis=0)
    found = result_interval(
        result,
        lambda one: _style_statistic(one, member),
        n_boot=n_boot,
        level=level,
        method="refit",
        seed=seed,
    )
    unit = np.ones((1, len(y)))
    inner = _within(unit, y, member)[0]
    total = (y**2).sum(axis=0)
    inside = [
        ((y[style == i] - y[style == i].mean(axis=0)) ** 2).sum(axis=0) for i in range(len(names))
    ]
    shares = np.concatenate([total, total - inner, inner, *inside]) / np.tile(total, 3 + len(names))
    parts = ["all", "between", "within", *names]
    counts = [len(y)] * 3 + [int((style == i).sum()) for i in range(len(names))]
    frame = pd.DataFrame(
        {
            "target": result.targets * len(parts),
            "part": np.repeat(parts, len(result.targets)),
            "r2": found[0],
            "low": found[1],
            "high": np.minimum(found[2], 1.0),
            "share": shares,
            "n_songs": np.repeat(counts, len(result.targets)),
        }
    )
    return by_target(frame, result.targets)


def _within(w, values, member):
    """Weighted sum of squares within styles, (n_draws, n_columns)."""
    total = w @ member
    grouped = np.einsum("bn,ns,nt->bst", w, member, values, optimize=True)
    means = grouped / np.where(total > 0, total, 1.0)[..., None]
    return w @ values**2 - np.einsum("bs,bst->bt", total, means**2)


def _style_statistic(result, member):
    """R² over all songs, between styles, within styles and inside each style, side by side."""
    y = result.observed - result.observed.mean(axis=0)
    error = result.observed - result.predicted
    repeats, n, targets = error.shape
    flat = error.transpose(1, 0, 2).reshape(n, -1)
    squared = (error**2).mean(axis=0)

    def statistic(w):
        y_within = _within(w, y, member)
        y_all = w @ y**2 - (w @ y) ** 2 / w.sum(axis=1, keepdims=True)
        e_within = _within(w, flat, member).reshape(len(w), repeats, targets).mean(axis=1)
        e_all = w @ squared
        y_between = y_all - y_within
        with np.errstate(divide="ignore", invalid="ignore"):
            found = [
                1 - e_all / y_all,
                np.where(y_between > 1e-12 * y_all, 1 - (e_all - e_within) / y_between, np.nan),
                1 - e_within / y_within,
            ]
            for column in member.T:
                v = w * column
                spread = v @ y**2 - (v @ y) ** 2 / v.sum(axis=1, keepdims=True)
                found.append(1 - v @ squared / spread)
        return np.concatenate(found, axis=1)

    return statistic


def transfer_matrix(
    X,
    y,
    artists=None,
    styles=None,
    *,
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    alphas=DEFAULT_ALPHAS,
    layers="select",
    pca=None,
    n_boot=2000,
    level=0.95,
    seed=0,
    n_jobs=1,
) -> pd.DataFrame:
    """Train on one style, test on another.

    Parameters
    ----------
    X, y, artists, styles, n_splits, n_repeats, n_inner, alphas, layers, pca, seed, n_jobs
        As in :func:`nested_ridge`. Penalty and layer are chosen inside the training style.
    n_boot, level
        Of the intervals over artists.

    Returns
    -------
    DataFrame
        One row a ``train`` style, ``test`` style and ``target``, with ``r2, low, high`` and
        ``spearman``, ``n_train, n_test``. On the diagonal songs are held out by artist folds
        inside the style. Rows with ``train == "others"`` leave the test style out and train on all
        the rest. R² is about the mean of the test style, so a wrong level counts as error;
        Spearman's ρ does not mind it. Styles with fewer than four artists are not trained on.

    Notes
    -----
    Songs by artists who are in the training songs are left out of the test.
    """
    songs = as_songs(y, artists, styles)
    blocks = as_blocks(X, len(songs), songs.ids)
    plan = make_plan(blocks, alphas=alphas, layers=layers, pca=pca, floor=1e-4, clip=5.0)
    style, artist = songs.styles.astype(str), artist_codes(songs.artists)
    names = list(np.unique(style))
    if len(names) < 2:
        raise ProbeError(f"only one style ({names[0]!r}): there is nothing to transfer to")
    jobs = []
    for train in [*names, "others"]:
        for test in names:
            source = style != test if train == "others" else style == train
            if len(np.unique(artist[source])) < 4:
                continue
            if train == test:
                rows = np.flatnonzero(source)
                splits_here = min(n_splits, len(np.unique(artist[rows])))
                folds = artist_folds(
                    songs.artists[rows], n_splits=splits_here, n_repeats=n_repeats, seed=seed
                )
                jobs.append((train, test, [
                    Split(repeat, number, rows[fold != number], rows[fold == number], rows[:0])
                    for repeat, fold in enumerate(folds) for number in range(splits_here)
                ]))  # fmt: skip
                continue
            reached = np.flatnonzero((style == test) & ~np.isin(artist, artist[source]))
            if len(reached) >= 3:
                split = Split(0, 0, np.flatnonzero(source), reached, reached[:0])
                jobs.append((train, test, [split]))
    tables = []
    for train, test, splits in jobs:
        splits = [
            with_inner(one, songs.artists, songs.styles, n_inner=n_inner, seed=seed)
            for one in splits
        ]
        fits = run_ridge(blocks, songs.ratings, splits, plan, groups=artist, n_jobs=n_jobs)
        table = _transfer_scores(songs, splits, fits, n_boot=n_boot, level=level, seed=seed)
        trained = np.unique(np.concatenate([one.train for one in splits]))
        tested = np.unique(np.concatenate([one.test for one in splits]))
        table.insert(0, "train", train)
        table.insert(1, "test", test)
        tables.append(table.assign(n_train=len(trained), n_test=len(tested)))
    return pd.concat(tables, ignore_index=True)


def _transfer_scores(songs, splits, fits, *, n_boot, level, seed):
    """Scores over the tested songs alone; artists of training and test songs count."""
    shape = (1 + max(one.repeat for one in splits), *songs.ratings.shape)
    # songs that are not tested get weight 0, and any value will do for them
    predicted = np.broadcast_to(songs.ratings, shape).copy()
    without = np.broadcast_to(predicted, (len(fits[0]["without"]), *shape)).copy()
    tested = np.zeros(len(songs))
    for split, fit in zip(splits, fits, strict=True):
        predicted[split.repeat, split.test] = fit["predicted"]
        without[:, split.repeat, split.test] = fit["without"]
        tested[split.test] = 1.0
    result = ProbeResult.from_arrays(
        "transfer", songs, predicted, predicted, np.zeros(shape[:2], int), without=without
    )

    def statistic(score):
        def of(one):
            inner = score_statistic(one, score)
            return lambda w: inner(w * tested)

        return of

    estimate, low, high, *_ = result_interval(
        result, statistic("r2"), n_boot=n_boot, level=level, method="refit", seed=seed
    )
    rho = statistic("spearman")(result)(np.ones((1, len(songs))))[0]
    return pd.DataFrame(
        {
            "target": songs.targets,
            "r2": estimate,
            "low": low,
            "high": np.minimum(high, 1.0),
            "spearman": rho,
        }
    )
