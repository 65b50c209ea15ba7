"""Nested ridge probes: every choice inside the training songs, artists held out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from groove_utils.probe.folds import nested_splits, outer_folds
from groove_utils.probe.nested_cv import Plan, assemble, make_plan, nuisance_design, run_ridge
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.validation import Songs, as_data

__all__ = ["nested_ridge", "nested_ridges", "run_plan"]


def nested_ridge(
    X,
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    nuisance=None,
    folds=None,
    n_jobs=1,
) -> ProbeResult:
    """Probe with every choice made inside the training songs, and whole artists held out.

    For each outer fold and target, the penalty, the layer and the number of principal components
    are those with the smallest mean squared error over inner folds of the training songs (mean
    over folds, as in scikit-learn's ``GridSearchCV``); the model is then fitted to all training
    songs. Standardisation (:class:`ClippedStandardScaler`) is fitted to each training set.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer → such arrays
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
        One or several targets.
    artists, styles : array-like of shape (n,), optional
        Folds are made of whole artists and balanced over styles. Without `artists` each song has
        an artist of its own.
    protocol : Protocol
        Folds, layers, penalties, scaling and seed.
    nuisance : array-like of shape (n,), optional
        Labels whose means are taken out of the targets inside each training set, such as styles.
        Predictions and baseline include what they predict.
    folds : ndarray of shape (n,) or (n_repeats, n), optional
        Outer folds to use instead of new ones, for example those of another result.
    n_jobs : int
        Threads over outer folds.

    Returns
    -------
    ProbeResult

    Raises
    ------
    ProbeError, StatsError
        Unusable settings, folds that divide an artist; unusable data.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 20))
    >>> y = X[:, 0] + rng.standard_normal(60)
    >>> result = nested_ridge(X, y, np.arange(60) // 2, protocol=Protocol(n_repeats=2))
    >>> bool(result.scores().r2[0] > 0)
    True
    """
    songs, blocks = as_data(X, y, artists, styles)
    return run_plan(
        songs, blocks, make_plan(blocks, protocol), protocol,
        folds=folds, nuisance=nuisance, n_jobs=n_jobs,
    )  # fmt: skip


def nested_ridges(
    features: Mapping[str, object],
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    nuisance=None,
    folds=None,
    n_jobs=1,
) -> dict[str, ProbeResult]:
    """Run :func:`nested_ridge` on several representations of the same songs, by name.

    `n_jobs` is the number of processes over representations.
    """
    probe = delayed(nested_ridge)
    results = Parallel(n_jobs)(
        probe(X, y, artists, styles, protocol, nuisance=nuisance, folds=folds)
        for X in features.values()
    )
    return dict(zip(features, results, strict=True))


def run_plan(
    songs: Songs,
    blocks: dict[str, np.ndarray],
    plan: Plan,
    protocol: Protocol,
    *,
    folds=None,
    nuisance=None,
    n_jobs=1,
) -> ProbeResult:
    """Run the candidates of a plan on the folds of a protocol."""
    folds = outer_folds(songs, protocol, folds)
    splits = nested_splits(songs, folds, protocol)
    n = len(songs)
    fits = run_ridge(
        blocks, songs.ratings, splits, plan,
        nuisance=nuisance_design(nuisance, n), groups=songs.artist_codes, n_jobs=n_jobs,
    )  # fmt: skip
    choices = [
        pd.DataFrame(
            {
                "repeat": split.repeat,
                "fold": split.fold,
                "target": songs.targets,
                "layer": np.array(plan.names, dtype=object)[fit["candidate"]],
                "alpha": plan.alphas[fit["alpha"]],
                "pca": pd.array([plan.sizes[i] for i in fit["size"]], dtype="Int64"),
                "inner_mse": fit["inner_mse"],
            }
        )
        for split, fit in zip(splits, fits, strict=True)
    ]
    predicted, baseline, left_out = (
        assemble(splits, fits, name, n) for name in ("predicted", "baseline", "leave_artist_out")
    )
    choices = pd.concat(choices, ignore_index=True)
    return ProbeResult(songs, predicted, baseline, folds, choices, left_out)
