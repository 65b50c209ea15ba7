"""Style or groove? How much of a score is just knowing the style (chapter 06)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.probe.bootstrap import interval
from groove_utils.probe.engine import ridge_splits
from groove_utils.probe.inputs import as_songs
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.ridge import outer_folds

__all__ = ["style_baseline", "style_scores"]


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
    for split in ridge_splits(folds, songs.artists, songs.styles, n_inner=2, seed=seed):
        values = songs.ratings[split.train]
        baseline[split.repeat, split.test] = values.mean(axis=0)
        for one in np.unique(style[split.test]):
            same = values[style[split.train] == one]
            at = split.test[style[split.test] == one]
            predicted[split.repeat, at] = (same if len(same) else values).mean(axis=0)
    return ProbeResult.from_arrays("style baseline", songs, predicted, baseline, folds)


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
    error = y - (result.predicted - result.observed.mean(axis=0))

    def sums(w):
        """Between and within sums of squares of ratings and errors, (n_draws, n_targets) each."""
        total = w @ member  # (draws, styles)
        safe = np.where(total > 0, total, 1.0)[..., None]

        def parts(values):
            grouped = np.einsum("bn,ns,nt->bst", w, member, values)
            means = grouped / safe
            between = np.einsum("bs,bst->bt", total, means**2)
            return between, w @ values**2 - between

        y_between, y_within = parts(y)
        grand = (w @ y) ** 2 / w.sum(axis=1, keepdims=True)
        errors = [parts(one) for one in error]
        e_between, e_within = (np.mean([e[i] for e in errors], axis=0) for i in (0, 1))
        return y_between - grand, y_within, e_between, e_within

    def r2(w):
        y_between, y_within, e_between, e_within = sums(w)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = [
                1 - (e_between + e_within) / (y_between + y_within),
                np.where(y_between > 1e-12 * y_within, 1 - e_between / y_between, np.nan),
                1 - e_within / y_within,
            ]
            for column in member.T:
                v = w * column
                count = v.sum(axis=1, keepdims=True)
                spread = v @ y**2 - (v @ y) ** 2 / count
                found.append(1 - v @ (error**2).mean(axis=0) / spread)
        return np.concatenate(found, axis=1)

    low_high = interval(r2, result.artists, n_boot=n_boot, level=level, seed=seed)
    unit = np.ones((1, len(y)))
    y_between, y_within, *_ = (part[0] for part in sums(unit))
    whole = y_between + y_within
    inside = [
        ((y[style == i] - y[style == i].mean(axis=0)) ** 2).sum(axis=0) / whole
        for i in range(len(names))
    ]
    shares = np.concatenate([np.ones(len(whole)), y_between / whole, y_within / whole, *inside])
    parts = ["all", "between", "within", *names]
    counts = [len(y)] * 3 + [int((style == i).sum()) for i in range(len(names))]
    frame = pd.DataFrame(
        {
            "target": result.targets * len(parts),
            "part": np.repeat(parts, len(result.targets)),
            "r2": low_high[0],
            "low": low_high[1],
            "high": low_high[2],
            "share": shares,
            "n_songs": np.repeat(counts, len(result.targets)),
        }
    )
    order = {name: i for i, name in enumerate(result.targets)}
    return frame.sort_values(
        "target", key=lambda column: column.map(order), kind="stable", ignore_index=True
    )
