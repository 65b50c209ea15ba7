"""Rivals of the ridge probe on the same folds, and controls for dimension (chapter 06)."""

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

from groove_utils.probe.nested_cv import Plan, ridge_splits
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.ridge import DEFAULT_ALPHAS, make_plan, outer_folds, run_plan
from groove_utils.probe.scaling import ClippedStandardScaler
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["nested_estimator", "nested_rival", "random_projection_control"]


def nested_estimator(
    X,
    y,
    artists=None,
    styles=None,
    *,
    estimator,
    grid: Mapping,
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    folds=None,
    seed=0,
    n_jobs=1,
    method="",
) -> ProbeResult:
    """Any scikit-learn regressor as a probe, tuned inside the same inner folds as the ridge.

    Parameters
    ----------
    X, y, artists, styles, n_splits, n_repeats, n_inner, folds, seed
        As in :func:`nested_ridge`; layers are concatenated. With the same seed the outer and
        inner folds are those of the ridge.
    estimator : scikit-learn regressor or pipeline
        For one target.
    grid : mapping of parameter → values
    n_jobs : int
        Processes over outer folds.
    method : str

    Returns
    -------
    ProbeResult
        Its `choices` hold the chosen parameters. There is no closed form without an artist, so
        intervals are those with predictions kept as they are.
    """
    songs = as_songs(y, artists, styles)
    X = np.concatenate(list(as_blocks(X, len(songs), songs.ids).values()), axis=1)
    folds = outer_folds(songs, folds, n_splits, n_repeats, seed)
    splits = ridge_splits(folds, songs.artists, songs.styles, n_inner=n_inner, seed=seed)
    fits = Parallel(n_jobs)(
        delayed(_fit_target)(clone(estimator), grid, X, songs.ratings[:, j], split)
        for split in splits
        for j in range(len(songs.targets))
    )
    shape = (len(folds), *songs.ratings.shape)
    predicted, baseline = np.empty(shape), np.empty(shape)
    rows = []
    for i, (guess, chosen, mse) in enumerate(fits):
        split, j = splits[i // shape[2]], i % shape[2]
        predicted[split.repeat, split.test, j] = guess
        baseline[split.repeat, split.test, j] = songs.ratings[split.train, j].mean()
        head = {"repeat": split.repeat, "fold": split.fold, "target": songs.targets[j]}
        rows.append({**head, **chosen, "inner_mse": mse})
    return ProbeResult.from_arrays(method, songs, predicted, baseline, folds, pd.DataFrame(rows))


def _fit_target(estimator, grid, X, y, split):
    search = GridSearchCV(
        estimator,
        dict(grid),
        scoring="neg_mean_squared_error",
        cv=PredefinedSplit(split.inner),
    ).fit(X[split.train], y[split.train])
    return np.ravel(search.predict(X[split.test])), search.best_params_, -search.best_score_


def nested_rival(
    X,
    y,
    artists=None,
    styles=None,
    *,
    kind="kernel",
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    folds=None,
    seed=0,
    n_jobs=1,
) -> ProbeResult:
    """A ready-made rival of :func:`nested_ridge` on its folds.

    Parameters
    ----------
    X, y, artists, styles, n_splits, n_repeats, n_inner, folds, seed, n_jobs
        As in :func:`nested_ridge`; layers are concatenated.
    kind : {"kernel", "pls", "boosting"}
        ``kernel``: ridge with a Gaussian kernel, centred in feature space, its width (0.1, 0.3, 1
        or 3 over the number of features) and penalty tuned, in closed form. ``pls``: partial
        least squares with 1–10 components. ``boosting``: gradient-boosted trees of depth 1 or 3,
        25–200 of them; made for a few descriptors rather than thousands of features.

    Returns
    -------
    ProbeResult
    """
    common = {"n_splits": n_splits, "n_repeats": n_repeats, "n_inner": n_inner}
    common |= {"folds": folds, "seed": seed, "n_jobs": n_jobs}
    if kind == "kernel":
        return _kernel_ridge(X, y, artists, styles, **common)
    blocks = as_blocks(X)
    dim = sum(block.shape[1] for block in blocks.values())
    if kind == "pls":
        steps = [("scale", ClippedStandardScaler()), ("pls", PLSRegression(scale=False))]
        grid = {"pls__n_components": [k for k in (1, 2, 3, 5, 10) if k <= dim]}
        estimator = Pipeline(steps)
    elif kind == "boosting":
        estimator = GradientBoostingRegressor(
            learning_rate=0.05, subsample=0.7, min_samples_leaf=5, random_state=seed
        )
        grid = {"n_estimators": [25, 75, 200], "max_depth": [1, 3]}
    else:
        raise ProbeError(f"no such kind: {kind!r}; there are 'kernel', 'pls' and 'boosting'")
    return nested_estimator(
        blocks, y, artists, styles, estimator=estimator, grid=grid, method=kind, **common
    )


def _kernel_ridge(
    X, y, artists, styles, *, n_splits, n_repeats, n_inner, folds, seed, n_jobs
) -> ProbeResult:
    songs = as_songs(y, artists, styles)
    matrix = np.concatenate(list(as_blocks(X, len(songs), songs.ids).values()), axis=1)
    widths = np.array([0.1, 0.3, 1.0, 3.0]) / matrix.shape[1]
    plan = Plan(
        names=[f"gamma {width:.3g}" for width in widths],
        weights=np.ones((len(widths), 1)),
        alphas=np.logspace(-3, 3, 13),
        kernel=lambda a, b, number: rbf_kernel(a, b, gamma=widths[number]),
    )
    folds = outer_folds(songs, folds, n_splits, n_repeats, seed)
    return run_plan(
        "kernel", songs, {"features": matrix}, plan, folds, n_inner=n_inner, seed=seed,
        n_jobs=n_jobs,
    )  # fmt: skip


def random_projection_control(
    X,
    y,
    artists=None,
    styles=None,
    *,
    n_components,
    n_draws=10,
    layers="select",
    alphas=DEFAULT_ALPHAS,
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    folds=None,
    seed=0,
    n_jobs=1,
) -> pd.DataFrame:
    """Scores after random projection to a given dimension, and of as many random features.

    Two questions in one: does a wide model keep its lead when all have as many dimensions, and how
    much R² does that many dimensions of pure chance give?

    Parameters
    ----------
    X, y, artists, styles, layers, alphas, n_splits, n_repeats, n_inner, folds, seed, n_jobs
        As in :func:`nested_ridge`.
    n_components : int
        Dimension that standardised features are projected to by a Gaussian matrix, which does not
        depend on the data.
    n_draws : int

    Returns
    -------
    DataFrame
        One row a ``control`` (``projection``, ``noise``), ``draw`` and ``target``: with ``r2``
        and ``spearman``.
    """
    songs = as_songs(y, artists, styles)
    blocks = as_blocks(X, len(songs), songs.ids)
    if int(n_components) != n_components or n_components < 1:
        raise ProbeError(f"n_components is {n_components}; expected a whole number of 1 or more")
    folds = outer_folds(songs, folds, n_splits, n_repeats, seed)
    plan = make_plan(blocks, alphas=alphas, layers=layers, pca=None, floor=1e-4, clip=5.0)
    alone = {"noise": np.empty((len(songs), n_components))}
    noise_plan = make_plan(
        alone, alphas=alphas, layers="select", pca=None, floor=1e-4, clip=5.0
    )  # fmt: skip
    tables = []
    for draw in range(n_draws):
        rng = np.random.default_rng([seed, draw])
        project = {
            name: rng.standard_normal((block.shape[1], n_components)) / np.sqrt(block.shape[1])
            for name, block in blocks.items()
        }
        alone["noise"] = rng.standard_normal(alone["noise"].shape)
        for control, data, one in (
            ("projection", blocks, replace(plan, project=project)),
            ("noise", alone, noise_plan),
        ):
            found = run_plan(
                control, songs, data, one, folds, n_inner=n_inner, seed=seed, n_jobs=n_jobs
            )
            table = found.scores()[["target", "r2", "spearman"]]
            tables.append(table.assign(control=control, draw=draw))
    frame = pd.concat(tables, ignore_index=True)
    return frame[["control", "draw", "target", "r2", "spearman"]]
