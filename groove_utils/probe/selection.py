"""Selection of one representation out of several by the errors of inner folds.

The inner folds belong to the training songs, so the choice uses no test score, and the score of
the chosen predictions pays for the choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.probe.result import ProbeResult, check_paired
from groove_utils.probe.songs import ProbeError

__all__ = ["inner_errors", "select_by_inner_folds"]


def inner_errors(results: Mapping[str, ProbeResult]) -> pd.DataFrame:
    """Average the inner folds' mean squared errors, in units of each target's variance.

    Parameters
    ----------
    results : mapping of name → ProbeResult
        From :func:`nested_ridge`, with the same songs and folds.

    Returns
    -------
    DataFrame
        Index: names; one column per target. The smallest value of a column marks the
        representation that the inner folds prefer.
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
            "there are no errors of inner folds; probe with several penalties or layers",
            kind="no_inner_folds", column="choices",
        )  # fmt: skip
    return table.rename_axis("model")


def select_by_inner_folds(results: Mapping[str, ProbeResult]) -> ProbeResult:
    """Take each fold's predictions from the representation with the smallest inner error there.

    Parameters
    ----------
    results : mapping of name → ProbeResult
        As in :func:`inner_errors`.

    Returns
    -------
    ProbeResult
        ``choices`` has the column ``model``. Its score is that of the whole procedure, selection
        included; the highest score of several representations would be too high.

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
        held = np.flatnonzero(first.folds[row.repeat] == row.fold)
        chosen = results[row.model]
        predicted[row.repeat, held, j] = chosen.predicted[row.repeat, held, j]
        left_out[:, row.repeat, held, j] = chosen.leave_artist_out[:, row.repeat, held, j]
    return ProbeResult(
        first.songs, predicted, first.baseline, first.folds, choices, leave_artist_out=left_out
    )
