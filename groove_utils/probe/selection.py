"""Selection among several representations by their errors in the inner folds.

The inner folds consist of training songs only. The selection therefore uses no test scores, and
does not bias the score of the selected predictions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.probe.result import ProbeResult, check_paired
from groove_utils.probe.songs import ProbeError

__all__ = ["inner_errors", "select_by_inner_folds"]


def inner_errors(results: Mapping[str, ProbeResult]) -> pd.DataFrame:
    """Average the mean squared errors of the inner folds, in units of each target's variance.

    Parameters
    ----------
    results : mapping of str to ProbeResult
        Outputs of :func:`nested_ridge`, with the same songs and folds.

    Returns
    -------
    DataFrame
        One row per representation and one column per target. In each column, the representation
        with the smallest value is the one preferred in the inner folds.
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
            "the results contain no inner-fold errors; probe with several penalties or layers",
            kind="no_inner_folds", column="choices",
        )  # fmt: skip
    return table.rename_axis("model")


def select_by_inner_folds(results: Mapping[str, ProbeResult]) -> ProbeResult:
    """Select, in each fold, the predictions of the representation with the smallest inner error.

    Parameters
    ----------
    results : mapping of str to ProbeResult
        As in :func:`inner_errors`.

    Returns
    -------
    ProbeResult
        Selected predictions; the column ``model`` of ``choices`` contains the selected name. Scores
        apply to the whole procedure, including selection, and are not biased upwards as the highest
        of several scores would be.

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
