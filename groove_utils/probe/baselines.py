"""Probes that use regressors other than ridge, and controls for the number of dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline

from groove_utils.memoisation import memoised
from groove_utils.probe.folds import nested_splits, outer_folds
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.ridge import Plan, make_plan, run_plan
from groove_utils.probe.scaling import ClippedStandardScaler
from groove_utils.probe.songs import ProbeError, as_data

__all__ = ["nested_estimator", "random_projection_control"]


@memoised("probes")
def nested_estimator(
    X,
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    estimator="kernel",
    grid: Mapping | None = None,
    folds=None,
    n_jobs=1,
) -> ProbeResult:
    """Tune a regressor other than ridge in the inner folds, and use it to predict targets.

    Parameters
    ----------
    X, y, artists, styles, protocol, folds
        See :func:`nested_ridge`, which uses the same folds. Layers are concatenated; the
        protocol's `layers`, `alphas` and `pca` are ignored.
    estimator : {"kernel", "pls", "boosting"}, or scikit-learn regressor for one target
        ``kernel``: kernel ridge regression in closed form, using a Gaussian kernel centred in
        feature space; both the penalty and gamma are tuned, and gamma is 0.1, 0.3, 1 or 3 divided
        by the number of features. ``pls``: partial least squares with 1, 2, 3, 5 or 10 components.
        ``boosting``: 25, 75 or 200 gradient-boosted trees of depth 1 or 3, suitable for a few
        descriptors rather than thousands of features.
    grid : mapping of str to sequence, optional
        Values to try for each parameter, if `estimator` is a scikit-learn regressor.
    n_jobs : int
        For ``kernel``, number of outer folds to process in parallel threads. Otherwise, number of
        models to fit in parallel processes; there is one model per outer fold and target.

    Returns
    -------
    ProbeResult
        Out-of-fold predictions; ``choices`` contains the selected parameters. Except for
        ``kernel``, the effect of leaving an artist out of the training set has no closed form, so
        intervals treat the predictions as fixed.
    """
    songs, blocks = as_data(X, y, artists, styles)
    matrix = np.concatenate(list(blocks.values()), axis=1)
    if isinstance(estimator, str) and estimator == "kernel":
        plan, data = _kernel_plan(matrix.shape[1], protocol), {"features": matrix}
        return run_plan(songs, data, plan, protocol, folds=folds, n_jobs=n_jobs)
    if isinstance(estimator, str):
        estimator, grid = _ready_made(estimator, matrix.shape[1], protocol)
    folds = outer_folds(songs, protocol, folds)
    splits = nested_splits(songs, folds, protocol)
    tasks = [(split, j) for split in splits for j in range(len(songs.targets))]
    fits = Parallel(n_jobs)(
        delayed(_fit_target)(clone(estimator), grid or {}, matrix, songs.ratings[:, j], split)
        for split, j in tasks
    )
    predicted, baseline = np.empty((2, len(folds), *songs.ratings.shape))
    rows = []
    for (split, j), (values, parameters, mse) in zip(tasks, fits, strict=True):
        predicted[split.repeat, split.test, j] = values
        baseline[split.repeat, split.test, j] = songs.ratings[split.train, j].mean()
        place = {"repeat": split.repeat, "fold": split.fold, "target": songs.targets[j]}
        rows.append({**place, **parameters, "inner_mse": mse})
    return ProbeResult(songs, predicted, baseline, folds, pd.DataFrame(rows))


def _fit_target(estimator, grid, X, y, split):
    search = GridSearchCV(
        estimator,
        dict(grid),
        scoring="neg_mean_squared_error",
        cv=PredefinedSplit(split.inner),
    ).fit(X[split.train], y[split.train])
    return np.ravel(search.predict(X[split.test])), search.best_params_, -search.best_score_


def _ready_made(name: str, dim: int, protocol: Protocol):
    if name == "pls":
        scaler = ClippedStandardScaler(protocol.floor, protocol.clip)
        estimator = Pipeline([("scale", scaler), ("pls", PLSRegression(scale=False))])
        return estimator, {"pls__n_components": [k for k in (1, 2, 3, 5, 10) if k <= dim]}
    if name == "boosting":
        estimator = GradientBoostingRegressor(
            learning_rate=0.05, subsample=0.7, min_samples_leaf=5, random_state=protocol.seed
        )
        return estimator, {"n_estimators": [25, 75, 200], "max_depth": [1, 3]}
    raise ProbeError(
        f"no such estimator: {name!r}; expected 'kernel', 'pls', 'boosting' or a scikit-learn "
        "regressor",
        kind="unknown", column="estimator", value=name,
    )  # fmt: skip


def _kernel_plan(dim: int, protocol: Protocol) -> Plan:
    gammas = np.array([0.1, 0.3, 1.0, 3.0]) / dim
    return Plan(
        names=[f"gamma {gamma:.3g}" for gamma in gammas],
        weights=np.ones((len(gammas), 1)),
        alphas=np.logspace(-3, 3, 13),
        scaler=ClippedStandardScaler(protocol.floor, protocol.clip),
        kernel=lambda a, b, number: rbf_kernel(a, b, gamma=gammas[number]),
    )


@memoised("probes")
def random_projection_control(
    X,
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    n_components: int,
    n_draws=10,
    n_jobs=1,
) -> pd.DataFrame:
    """Score probes fitted to random projections of the features, and to noise of the same size.

    The projection tests whether a high-dimensional model keeps its advantage if all models have
    the same number of dimensions. The noise features show how high R² can be for pure noise with
    this number of dimensions.

    Parameters
    ----------
    X, y, artists, styles, protocol, n_jobs
        See :func:`nested_ridge`.
    n_components : int
        Number of dimensions of the projected features and of the noise. For the projection, the
        standardised features are multiplied by a random Gaussian matrix.
    n_draws : int
        Number of random projections, and of sets of noise features, to draw.

    Returns
    -------
    DataFrame
        One row per control, draw and target: ``control`` (``projection`` or ``noise``), ``draw,
        target, r2, spearman``.
    """
    songs, blocks = as_data(X, y, artists, styles)
    if n_components < 1:
        raise ProbeError(
            f"n_components is {n_components}; expected 1 or more",
            kind="out_of_range", column="n_components", value=n_components,
        )  # fmt: skip
    plan = make_plan(blocks, protocol)
    noise_plan = make_plan({"noise": None}, replace(protocol, layers="select"))
    tables = []
    for draw in range(n_draws):
        rng = np.random.default_rng([protocol.seed, draw])
        project = {
            name: rng.standard_normal((block.shape[1], n_components)) / np.sqrt(block.shape[1])
            for name, block in blocks.items()
        }
        noise = {"noise": rng.standard_normal((len(songs), n_components))}
        for control, data, candidates in (
            ("projection", blocks, replace(plan, project=project)),
            ("noise", noise, noise_plan),
        ):
            result = run_plan(songs, data, candidates, protocol, n_jobs=n_jobs)
            scores = result.scores()[["target", "r2", "spearman"]]
            tables.append(scores.assign(control=control, draw=draw))
    frame = pd.concat(tables, ignore_index=True)
    return frame[["control", "draw", "target", "r2", "spearman"]]
