"""Selection of a representation by its error in the inner folds.

The inner folds contain only training songs. The selection therefore uses no test scores, and does
not bias the score of the selected predictions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.probe.result import ProbeResult, check_paired
from groove_utils.probe.songs import ProbeError

__all__ = ["inner_errors", "select_by_inner_folds"]


def inner_errors(results: Mapping[str, ProbeResult]) -> pd.DataFrame:
    """Compute each probe's inner-fold mean squared error, relative to the target's variance.

    Parameters
    ----------
    results : mapping of str to ProbeResult
        Outputs of :func:`nested_ridge` for the same songs and folds, keyed by representation.

    Returns
    -------
    DataFrame
        Mean squared errors divided by the target's variance, with one row per representation and
        one column per target. In each column, the representation with the smallest value performs
        best in the inner folds.
    """
    check_paired(results)
    songs = next(iter(results.values())).songs
    variance = pd.Series(songs.ratings.var(axis=0), songs.targets)
    errors = {
        name: result.choices.groupby("target")["inner_mse"].mean()
        for name, result in results.items()
    }
    table = pd.DataFrame(errors).T.reindex(columns=songs.targets).div(variance)
    if table.isna().all(axis=None):
        raise ProbeError(
            "the results contain no inner-fold errors; use more than one penalty or layer",
            kind="no_inner_folds", column="choices",
        )  # fmt: skip
    return table.rename_axis("model")


def select_by_inner_folds(results: Mapping[str, ProbeResult]) -> ProbeResult:
    """Select the representation with the smallest inner-fold error for each fold and target.

    Parameters
    ----------
    results : mapping of str to ProbeResult
        See :func:`inner_errors`.

    Returns
    -------
    ProbeResult
        Predictions from the selected representations, which are named in the column ``model`` of
        ``choices``. The scores of this result apply to the whole procedure, including selection.
        Unlike the highest of several scores, they are not biased upwards.

    Examples
    --------
    >>> from groove_utils.probe import Protocol, nested_ridge
    >>> rng = np.random.default_rng(0)
    >>> signal, noise = rng.standard_normal((2, 60, 5))
    >>> y = signal.sum(axis=1)
    >>> results = {
    ...     name: nested_ridge(X, y, protocol=Protocol(n_repeats=1))
    ...     for name, X in (("signal", signal), ("noise", noise))
    ... }
    >>> select_by_inner_folds(results).choices["model"].unique().tolist()
    ['signal']
    """
    check_paired(results)
    table = pd.concat([result.choices.assign(model=name) for name, result in results.items()])
    table = table.reset_index(drop=True)
    best = table.groupby(["repeat", "fold", "target"], sort=False)["inner_mse"].idxmin()
    choices = table.loc[best].sort_values(["repeat", "fold"], ignore_index=True)
    first = next(iter(results.values()))
    predicted = np.empty_like(first.predicted)
    left_out = np.empty((len(set(first.songs.artists)), *predicted.shape))
    for row in choices.itertuples():
        j = first.songs.targets.index(row.target)
        held_out = np.flatnonzero(first.folds[row.repeat] == row.fold)
        chosen = results[row.model]
        predicted[row.repeat, held_out, j] = chosen.predicted[row.repeat, held_out, j]
        left_out[:, row.repeat, held_out, j] = chosen.leave_artist_out[:, row.repeat, held_out, j]
    return ProbeResult(
        first.songs, predicted, first.baseline, first.folds, choices, leave_artist_out=left_out
    )
