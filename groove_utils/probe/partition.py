"""What blocks of features tell alone and what they tell in common (chapter 06)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
import pandas as pd

from groove_utils.probe.bootstrap import artist_influence, by_target, influence_interval
from groove_utils.probe.nested_cv import Plan
from groove_utils.probe.result import score_statistic
from groove_utils.probe.ridge import outer_folds, run_plan
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["variance_partition"]


def variance_partition(
    blocks: Mapping,
    y,
    artists=None,
    styles=None,
    *,
    weights=(1.0, 0.1, 0.01),
    alphas=None,
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    folds=None,
    n_boot=2000,
    level=0.95,
    seed=0,
    n_jobs=1,
) -> pd.DataFrame:
    """Unique and shared out-of-fold R² of two or three blocks of features.

    Every subset of blocks is probed. Blocks are scaled to the same total variance, and how much
    each then counts is chosen inside the inner folds together with the penalty (banded ridge), so
    that thousands of embedding dimensions do not drown a handful of descriptors.

    Parameters
    ----------
    blocks : mapping of name → features or labels
        Two or three. Features (n, d), or labels (n,) such as style, which become indicators.
    y, artists, styles, n_splits, n_repeats, n_inner, folds, seed, n_jobs
        As in :func:`nested_ridge`.
    weights : sequence of float
        Relative weights that are tried for each block.
    alphas : array-like of float, optional
        Penalties relative to the mean squared length of a song's features; by default 15 from
        1e-3 to 1e4.
    n_boot, level
        Of the intervals over artists.

    Returns
    -------
    DataFrame
        One row a target and ``part``: ``r2, low, high`` of each subset of blocks (``kind`` is
        ``model``), and of its share in the full model that no other subset has (``kind`` is
        ``unique`` for one block, ``shared`` for several); the shares add up to the full model.
        Names of several blocks are joined by `` & ``.

    Notes
    -----
    Commonality analysis by inclusion and exclusion (Mood 1971). R² is
    ``1 − SSE/SSE of the training mean``, for which «no block» is 0 exactly. A share may be
    negative: out of fold, a block can harm, or two blocks can help more together than each by
    itself.

    References
    ----------
    Dupré la Tour et al. (2022), NeuroImage 264, on banded ridge and variance partitioning.
    """
    names = [str(name) for name in blocks]
    if not 2 <= len(names) <= 3:
        raise ProbeError(f"{len(names)} blocks ({names}); a partition takes two or three")
    songs = as_songs(y, artists, styles)
    data = as_blocks(
        {name: _indicators(block) for name, block in blocks.items()}, len(songs), songs.ids
    )
    alphas = np.logspace(-3, 4, 15) if alphas is None else np.asarray(alphas, dtype=np.float64)
    folds = outer_folds(songs, folds, n_splits, n_repeats, seed)
    subsets = [c for size in range(1, len(names) + 1) for c in combinations(names, size)]
    estimate, influence = {}, {}
    for subset in subsets:
        grid = [np.array(w) for w in product(weights, repeat=len(subset)) if max(w) == max(weights)]
        grid = np.array([w / w.sum() for w in grid]) if len(subset) > 1 else np.ones((1, 1))
        labels = [" ".join(f"{w:.2g}" for w in row) for row in grid]
        plan = Plan(labels, grid, alphas, equalise=True)
        used = {name: data[name] for name in subset}
        result = run_plan(
            "partition", songs, used, plan, folds, n_inner=n_inner, seed=seed, n_jobs=n_jobs
        )
        estimate[subset], influence[subset] = artist_influence(
            result, lambda one: score_statistic(one, "r2_over_baseline")
        )
    full = tuple(names)
    rows = []
    for kind in ("model", "share"):
        for subset in subsets:
            terms = {subset: 1.0} if kind == "model" else _share(subset, full)
            value = sum(sign * estimate[one] for one, sign in terms.items())
            moves = sum(sign * influence[one] for one, sign in terms.items())
            low, high, _ = influence_interval(value, moves, n_boot=n_boot, level=level, seed=seed)
            label = kind if kind == "model" else "unique" if len(subset) == 1 else "shared"
            rows += [
                (target, " & ".join(subset), label, value[j], low[j], min(high[j], 1.0))
                for j, target in enumerate(songs.targets)
            ]
    frame = pd.DataFrame(rows, columns=["target", "part", "kind", "r2", "low", "high"])
    return by_target(frame, songs.targets)


def _share(subset, full):
    """Signs with which the subsets' R² enter what `subset` alone has in common."""
    rest = tuple(name for name in full if name not in subset)
    terms = {}
    for size in range(len(subset) + 1):
        for part in combinations(subset, size):
            union = tuple(name for name in full if name in part or name in rest)
            if union:
                terms[union] = (-1.0) ** (len(part) + 1)
    return terms


def _indicators(block):
    array = np.asarray(block)
    if array.ndim == 1 and array.dtype.kind in "OUSTb":
        return (array[:, None] == np.unique(array.astype(str))).astype(np.float64)
    return block
