"""Partition of R² among blocks of features."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import combinations, product

import numpy as np
import pandas as pd

from groove_utils.memoisation import memoised
from groove_utils.probe.intervals import artist_influence
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import by_target
from groove_utils.probe.ridge import Plan, run_plan
from groove_utils.probe.scores import score_statistic
from groove_utils.probe.songs import ProbeError, as_songs
from groove_utils.stats.bootstrap import influence_interval
from groove_utils.stats.validation import as_blocks

__all__ = ["variance_partition"]

ALPHAS = np.logspace(-3, 4, 15)  # relative to the mean squared norm of the songs' feature vectors
WEIGHTS = (1.0, 0.1, 0.01)  # relative weights tried for each block


@memoised("probes")
def variance_partition(
    blocks: Mapping,
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    n_boot=2000,
    n_jobs=1,
) -> pd.DataFrame:
    """Compute the unique and shared out-of-fold R² of two or three blocks of features.

    A probe is fitted to each subset of blocks. Blocks are scaled to equal total variance, and their
    relative weights are chosen in the inner folds together with the penalty (banded ridge), so that
    thousands of embedding dimensions do not dominate a few descriptors.

    Parameters
    ----------
    blocks : mapping of str to features or labels
        Two or three blocks: features of shape (n, d), or labels of shape (n,), such as styles,
        which are converted to indicator variables.
    y, artists, styles, protocol, n_jobs
        See :func:`nested_ridge`. The protocol's `layers`, `alphas` and `pca` are ignored.
    n_boot : int
        Number of bootstrap samples of artists for the 95% intervals; the seed is `protocol.seed`.

    Returns
    -------
    DataFrame
        One row per target, subset of blocks and kind: ``target, part`` (names of the blocks, joined
        by `` & ``), ``kind, r2, low, high``. If ``kind`` is ``model``, ``r2`` is the R² of a probe
        fitted to the subset. If ``kind`` is ``unique`` (for one block) or ``shared`` (for two or
        three blocks), ``r2`` is the component of the full model's R² that is specific to the
        subset. These components add up to the R² of the full model.

    Notes
    -----
    This is commonality analysis by inclusion and exclusion (Mood 1971). R² is 1 − SSE / (SSE of
    predicting the training mean), which is exactly 0 for a model without blocks. A component may be
    negative: a block can reduce out-of-fold R², and two blocks can increase it by more than the sum
    of their separate contributions.

    References
    ----------
    Dupré la Tour et al. (2022), NeuroImage 264, on banded ridge and variance partitioning.
    """
    names = [str(name) for name in blocks]
    if not 2 <= len(names) <= 3:
        raise ProbeError(f"there are {len(names)} blocks ({names}); expected two or three",
                         kind="n_blocks", column="blocks", value=len(names))  # fmt: skip
    songs = as_songs(y, artists, styles)
    data = {name: _indicators(block) for name, block in blocks.items()}
    data = as_blocks(data, len(songs), songs.ids)
    subsets = [c for size in range(1, len(names) + 1) for c in combinations(names, size)]
    statistic = partial(score_statistic, score="r2_over_baseline")
    scores = {}
    for subset in subsets:
        grid = np.array([w for w in product(WEIGHTS, repeat=len(subset)) if max(w) == max(WEIGHTS)])
        grid /= grid.sum(axis=1, keepdims=True)
        labels = [" ".join(f"{w:.2g}" for w in row) for row in grid]
        result = run_plan(
            songs, {name: data[name] for name in subset},
            Plan(labels, grid, ALPHAS, equalise=True), protocol, n_jobs=n_jobs,
        )  # fmt: skip
        scores[subset] = artist_influence(result, statistic)
    rows = []
    for kind in ("model", "share"):
        for subset in subsets:
            terms = {subset: 1.0} if kind == "model" else _share(subset, names)
            value, influence = (
                sum(sign * scores[term][side] for term, sign in terms.items()) for side in (0, 1)
            )
            low, high, *_ = influence_interval(value, influence, n_boot=n_boot, seed=protocol.seed)
            label = kind if kind == "model" else "unique" if len(subset) == 1 else "shared"
            rows += [
                (target, " & ".join(subset), label, value[j], low[j], min(high[j], 1.0))
                for j, target in enumerate(songs.targets)
            ]
    frame = pd.DataFrame(rows, columns=["target", "part", "kind", "r2", "low", "high"])
    return by_target(frame, songs.targets)


def _share(subset, names):
    """Return the sign of each subset's R² in the sum that gives the component for `subset`."""
    rest = [name for name in names if name not in subset]
    terms = {}
    for size in range(len(subset) + 1):
        for part in combinations(subset, size):
            union = tuple(name for name in names if name in part or name in rest)
            if union:
                terms[union] = (-1.0) ** (len(part) + 1)
    return terms


def _indicators(block):
    array = np.asarray(block)
    if array.ndim == 1 and array.dtype.kind in "OUSTb":
        return (array[:, None] == np.unique(array.astype(str))).astype(np.float64)
    return block
