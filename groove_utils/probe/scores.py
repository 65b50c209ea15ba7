"""Scores of out-of-fold predictions as functions of song weights.

With weights, the same function computes the score itself (all weights 1), its bootstrap
distribution (weights are counts), and the score after leaving out an artist (whose songs have
weight 0).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from groove_utils.probe.songs import ProbeError

__all__ = [
    "SCORES", "r2_by_repeat", "rmse_by_repeat", "score_statistic", "style_statistic",
    "within_style_r",
]  # fmt: skip

SCORES = (
    "r2", "spearman", "rmse", "fold_r2", "r2_over_baseline", "within_r", "fold_rmse", "within_r2"
)  # fmt: skip


def score_statistic(result, score: str):
    """Return a function that computes a score from song weights.

    The function maps weights of shape (n_draws, n) to scores of shape (n_draws, n_targets). For a
    description of the scores, see :meth:`groove_utils.probe.ProbeResult.scores`.
    """
    y = result.songs.ratings
    squared = ((y - result.predicted) ** 2).mean(axis=0)
    if score == "r2":
        return lambda w: 1 - _ratio(w @ squared, _spread(w, y - y.mean(axis=0)))
    if score == "rmse":
        return lambda w: np.sqrt(w @ squared / w.sum(axis=1, keepdims=True))
    if score == "r2_over_baseline":
        base = ((y - result.baseline) ** 2).mean(axis=0)
        return lambda w: 1 - _ratio(w @ squared, w @ base)
    if score == "fold_r2":
        return lambda w: r2_by_repeat(result, w).mean(axis=0)
    if score == "fold_rmse":
        return lambda w: rmse_by_repeat(result, w).mean(axis=0)
    if score == "spearman":
        return lambda w: np.stack([_spearman(result, row) for row in w])
    if score == "within_r":
        styles = result.songs.style_codes
        return lambda w: within_style_r(y, result.predicted, styles, w)
    if score == "within_r2":
        parts, m = style_statistic(result), y.shape[1]
        return lambda w: parts(w)[:, 2 * m : 3 * m]
    raise ProbeError(f"no such score: {score!r}; expected one of {', '.join(SCORES)}",
                     kind="unknown", column="score", value=score)  # fmt: skip


def within_style_r(y, predicted, styles, w) -> np.ndarray:
    """Correlate ratings and predictions within styles, and average over repeats.

    Parameters
    ----------
    y : ndarray, shape (n, m)
        Ratings.
    predicted : ndarray, shape (n_repeats, n, m)
        Out-of-fold predictions.
    styles : ndarray of int, shape (n,)
        Style of each song, 0 … k − 1.
    w : ndarray, shape (n_draws, n)
        Song weights.

    Returns
    -------
    ndarray, shape (n_draws, m)
        Pearson correlations.
    """
    y, predicted = y - y.mean(axis=0), predicted - predicted.mean(axis=1, keepdims=True)
    weights = [w * (styles == number) for number in range(styles.max() + 1)]

    def moment(a, b):
        of_style = (
            v @ (a * b) - (v @ a) * (v @ b) / np.maximum(v.sum(axis=1, keepdims=True), 1e-300)
            for v in weights
        )
        return sum(of_style)

    yy, pp, yp = moment(y, y), moment(predicted, predicted), moment(y, predicted)
    below = np.where((yy > 1e-12) & (pp > 1e-12), np.sqrt(np.maximum(yy * pp, 0)), 0.0)
    return _ratio(yp, below).mean(axis=0)


def r2_by_repeat(result, w) -> np.ndarray:
    """Return the mean R² over folds for each repeat, shape (n_repeats, n_draws, n_targets)."""

    def r2(y, predicted, w):
        return 1 - _ratio(w @ (y - predicted) ** 2, _spread(w, y - y.mean(axis=0)))

    return _fold_means(result, w, r2)


def rmse_by_repeat(result, w) -> np.ndarray:
    """Return the mean RMSE over folds for each repeat, shape (n_repeats, n_draws, n_targets)."""

    def rmse(y, predicted, w):
        return np.sqrt(_ratio(w @ (y - predicted) ** 2, w.sum(axis=1, keepdims=True)))

    return _fold_means(result, w, rmse)


def _fold_means(result, w, score) -> np.ndarray:
    """Average ``score(ratings, predictions, weights)`` over the folds of each repeat."""
    means = []
    for fold, predicted in zip(result.folds, result.predicted, strict=True):
        held_out = [fold == number for number in range(fold.max() + 1)]
        y = result.songs.ratings
        means.append(np.mean([score(y[h], predicted[h], w[:, h]) for h in held_out], axis=0))
    return np.array(means)


def style_statistic(result):
    """Return a function that computes R² overall and by style from song weights.

    The function maps weights of shape (n_draws, n) to R² over all songs, between styles, within
    styles, and in each style. Its output has shape (n_draws, (3 + n_styles) · n_targets).
    """
    y = result.songs.ratings - result.songs.ratings.mean(axis=0)
    error = result.songs.ratings - result.predicted
    squared = (error**2).mean(axis=0)
    styles = result.songs.style_codes
    member = styles == np.arange(styles.max() + 1)[:, None]

    def statistic(w):
        weights = (member[:, None] * w).reshape(-1, w.shape[1])  # all styles at once
        by_style = len(member), len(w), y.shape[1]
        total, inside = _spread(w, y), _spread(weights, y).reshape(by_style)
        within = inside.sum(axis=0)
        error_within = _spread(weights, error).mean(axis=0).reshape(by_style).sum(axis=0)
        between = np.where(total - within > 1e-12 * total, total - within, 0.0)
        parts = [(w @ squared, total), (w @ squared - error_within, between)]
        parts += [(error_within, within)]
        parts += zip((weights @ squared).reshape(by_style), inside)
        return 1 - np.concatenate([_ratio(*part) for part in parts], axis=1)

    return statistic


def _ratio(above, below):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 1e-12, above / below, np.nan)


def _spread(w, values):
    """Return weighted sums of squares about weighted means; shape (..., n_draws, n_targets)."""
    total = np.maximum(w.sum(axis=1, keepdims=True), 1e-300)
    return w @ values**2 - (w @ values) ** 2 / total


def _spearman(result, weights):
    rows = np.repeat(np.arange(len(weights)), weights.astype(int))
    y = rankdata(result.songs.ratings[rows], axis=0)
    y -= y.mean(axis=0)
    p = rankdata(result.predicted[:, rows], axis=1)
    p -= p.mean(axis=1, keepdims=True)
    below = np.sqrt((y**2).sum(axis=0) * (p**2).sum(axis=1))
    return _ratio((y * p).sum(axis=1), below).mean(axis=0)
