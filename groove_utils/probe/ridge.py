"""Nested ridge probes, with penalty, layer and number of components chosen in inner folds.

For standardised training features Z (n × d) with Gram matrix G = ZZᵀ = U diag(s) Uᵀ, ridge
predictions for test songs with features Z* are  ȳ + Z*Zᵀ U diag(1/(s + α)) Uᵀ(y − ȳ).  Once G has
been decomposed, each additional penalty, target or permuted target costs only a small matrix
product. Regression on the first k principal components truncates the sum over eigenvalues after k
terms, and the Gram matrix of concatenated layers is the sum of the layers' Gram matrices. (Hastie,
Tibshirani & Friedman 2009, §3.4 and §18.3.5.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.linalg import eigh

from groove_utils.cache import ArrayCache
from groove_utils.memoisation import memoised
from groove_utils.probe.folds import Split, nested_splits, outer_folds
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.scaling import ClippedStandardScaler
from groove_utils.probe.songs import ProbeError, Songs, as_data
from groove_utils.stats.threads import one_thread
from groove_utils.stats.validation import as_labels

__all__ = [
    "Plan",
    "assemble",
    "leave_out",
    "make_plan",
    "nested_ridge",
    "nested_ridges",
    "nuisance_design",
    "run_plan",
    "run_ridge",
]

_CHUNK = 4096  # number of targets processed together; limits memory use in the inner folds


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
    """Fit ridge probes using nested cross-validation that holds out whole artists.

    For each outer fold and target, the penalty, the layer and the number of principal components
    are chosen to minimise the mean squared error in inner folds of the training songs (averaged
    over folds, as in scikit-learn's ``GridSearchCV``). The model is then fitted to all training
    songs. Standardisation (:class:`ClippedStandardScaler`) is fitted to each training set.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer names to such arrays
        Features of n songs.
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
        One or more targets, such as mean ratings.
    artists, styles : array-like of shape (n,), optional
        Artist and style of each song. Folds consist of whole artists and have similar proportions
        of styles. Without `artists`, each song counts as its own artist.
    protocol : Protocol
        Settings for folds, layers, penalties, scaling and random numbers.
    nuisance : array-like of shape (n,), optional
        Labels, such as styles, whose effect is removed from the targets. The baseline is the mean
        target of the training songs with the same label. It is subtracted before the probe is
        fitted, and added to the predictions.
    folds : ndarray of shape (n,) or (n_repeats, n), optional
        Outer folds to use instead of new ones, such as the folds of another result.
    n_jobs : int
        Number of outer folds to process in parallel threads.

    Returns
    -------
    ProbeResult
        Out-of-fold predictions, and the settings chosen in the inner folds.

    Raises
    ------
    ProbeError, StatsError
        If settings are invalid, an artist is in more than one fold, or the data cannot be used.

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


@one_thread  # applied here, so that BLAS stays limited until the last worker has finished
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
    cache: ArrayCache | None = None,
) -> dict[str, ProbeResult]:
    """Run :func:`nested_ridge` for each of several representations of the same songs.

    `features` maps names to features; the result maps the same names to probe results. `n_jobs` is
    the number of representations to process in parallel threads. Results are stored in `cache` or,
    by default, in the project's store (see :mod:`groove_utils.memoisation`).
    """
    probe = delayed(_memoised_ridge)
    results = Parallel(n_jobs, prefer="threads")(
        probe(X, y, artists, styles, protocol, nuisance, folds, cache=cache)
        for X in features.values()
    )
    return dict(zip(features, results, strict=True))


@memoised("probes")
def _memoised_ridge(X, y, artists, styles, protocol, nuisance, folds) -> ProbeResult:
    return nested_ridge(X, y, artists, styles, protocol, nuisance=nuisance, folds=folds)


@dataclass(frozen=True)
class Plan:
    """Candidate models and settings to choose from in the inner folds.

    Attributes
    ----------
    names : list of str
        Name of each candidate, such as a layer.
    weights : ndarray, shape (n_candidates, n_blocks)
        Weight of each block's Gram matrix in each candidate.
    alphas : ndarray, shape (n_alphas,)
        Ridge penalties to choose from.
    sizes : sequence of int or None
        Numbers of principal components to choose from; None keeps all components.
    scaler : ClippedStandardScaler
        Scaler used to standardise each block.
    equalise : bool
        If True, divide each block's Gram matrix by the mean of its diagonal, so that blocks have
        equal weight regardless of their number of dimensions.
    project : dict of str to ndarray of shape (d, k)
        Projection matrices, keyed by block name. A block that has a matrix is multiplied by it
        after standardisation.
    kernel : callable, optional
        ``kernel(A, B, i)`` returns the kernel matrix of candidate i between the standardised
        features A and B. It is used instead of the linear Gram matrix.
    """

    names: list[str]
    weights: np.ndarray
    alphas: np.ndarray
    sizes: Sequence[int | None] = (None,)
    scaler: ClippedStandardScaler = field(default_factory=ClippedStandardScaler)
    equalise: bool = False
    project: dict = field(default_factory=dict)
    kernel: Callable | None = None


def make_plan(blocks: dict[str, np.ndarray], protocol: Protocol) -> Plan:
    """Create the plan that a protocol defines for the given layers of features."""
    names, layers = list(blocks), protocol.layers
    chosen, weights = names, np.eye(len(names))
    if layers == "concat":
        chosen, weights = ["concat"], np.ones((1, len(names)))
    elif layers != "select":
        chosen = [layers] if isinstance(layers, str) else list(layers)
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise ProbeError(
                f"no such layers: {unknown}; expected 'select', 'concat', or some of {names}",
                kind="unknown", column="layers", value=unknown,
            )  # fmt: skip
        weights = weights[[names.index(name) for name in chosen]]
    scaler = ClippedStandardScaler(protocol.floor, protocol.clip)
    return Plan(chosen, weights, np.array(protocol.alphas), protocol.pca, scaler)


def nuisance_design(nuisance, n: int) -> np.ndarray | None:
    """Build a design matrix, shape (n, q), with an intercept and one indicator per label."""
    if nuisance is None:
        return None
    labels = as_labels(nuisance, n, "nuisance", None).astype(str)
    return np.column_stack([np.ones(n), labels[:, None] == np.unique(labels)])


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
    """Run a nested ridge probe with the candidates in a plan and the folds of a protocol."""
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


@one_thread  # splits run in parallel instead of BLAS
def run_ridge(
    blocks: dict[str, np.ndarray],
    Y: np.ndarray,
    splits: Sequence[Split],
    plan: Plan,
    *,
    nuisance: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    n_jobs: int = 1,
) -> list[dict[str, np.ndarray]]:
    """For each split and target, choose a candidate, fit it, and predict the test songs' targets.

    Parameters
    ----------
    blocks : dict of str to ndarray of shape (n, d)
        Blocks of features, such as layers.
    Y : ndarray, shape (n, m)
        Targets. Permuted copies of a target may be passed as additional columns.
    splits : sequence of Split
        Outer splits with inner folds.
    plan : Plan
        Candidates to choose from.
    nuisance : ndarray, shape (n, q), optional
        Output of :func:`nuisance_design`; regressed out of the targets within each training set.
    groups : ndarray of int, shape (n,), optional
        Integer code of each song's artist, 0 … g − 1. If given, the output includes predictions
        with each artist in turn left out of the training set.
    n_jobs : int
        Number of splits to process in parallel threads.

    Returns
    -------
    list of dict
        One dict per split: ``predicted`` and ``baseline`` (n_test, m); the indices of the chosen
        ``candidate``, ``size`` and ``alpha`` (m,), with their ``inner_mse`` (m,); and, if `groups`
        is given, ``leave_artist_out`` (g, n_test, m).
    """
    used = plan.weights.any(axis=0)
    blocks = {name: block for (name, block), u in zip(blocks.items(), used, strict=True) if u}
    plan = replace(plan, weights=plan.weights[:, used])
    design = np.ones((len(Y), 1)) if nuisance is None else nuisance
    task = delayed(_run_split)
    return Parallel(n_jobs=n_jobs, prefer="threads")(
        task(blocks, Y, split, plan, design, groups) for split in splits
    )


def assemble(splits: Sequence[Split], fits: Sequence[dict], name: str, n: int) -> np.ndarray:
    """Combine one output of :func:`run_ridge` from all splits; shape (..., n_repeats, n, m)."""
    *groups, _, m = fits[0][name].shape
    values = np.full((*groups, 1 + max(split.repeat for split in splits), n, m), np.nan)
    for split, fit in zip(splits, fits, strict=True):
        values[..., split.repeat, split.test, :] = fit[name]
    return values


def _run_split(blocks, Y, split, plan, design, groups):
    n_targets = Y.shape[1]
    shape = (len(plan.names), len(plan.sizes), len(plan.alphas))
    if np.prod(shape) > 1:
        inner_folds = np.unique(split.inner)
        loss = np.zeros((*shape, n_targets))
        for number in inner_folds:
            train, test = split.train[split.inner != number], split.train[split.inner == number]
            loss += _losses(blocks, Y, train, test, plan, design)
        loss = (loss / len(inner_folds)).reshape(-1, n_targets)
        best = loss.argmin(axis=0)
        inner_mse = loss[best, np.arange(n_targets)]
    else:
        best, inner_mse = np.zeros(n_targets, int), np.full(n_targets, np.nan)
    candidate, size, alpha = np.unravel_index(best, shape)
    train_y, baseline = _residualise(Y, split.train, split.test, design)
    predicted = np.empty((len(split.test), n_targets))
    change = None if groups is None else np.zeros((groups.max() + 1, *predicted.shape))
    kernels = _kernels(blocks, split.train, split.test, plan)
    for number in np.unique(candidate):
        columns = np.flatnonzero(candidate == number)
        values, vectors, cross = _decompose(kernels, number, plan)
        gain = 1.0 / (values[:, None] + plan.alphas[alpha[columns]])
        kept = np.array([len(values) if k is None else k for k in plan.sizes])[size[columns]]
        gain[np.arange(len(values))[:, None] >= kept] = 0.0
        rotated = vectors.T @ train_y[:, columns]
        predicted[:, columns] = cross @ (gain * rotated)
        if groups is None:
            continue
        error = train_y[:, columns] - vectors @ (values[:, None] * gain * rotated)
        for i, column in enumerate(columns):
            leave_out(
                change[:, :, column], groups[split.train], error[:, i],
                (vectors * (values * gain[:, i])) @ vectors.T, (cross * gain[:, i]) @ vectors.T,
            )  # fmt: skip
    predicted += baseline
    fit = {"predicted": predicted, "baseline": baseline, "inner_mse": inner_mse}
    fit |= {"candidate": candidate, "size": size, "alpha": alpha}
    return fit if groups is None else fit | {"leave_artist_out": predicted + change}


def leave_out(change, group, error, hat, cross) -> None:
    """Compute how the test predictions change when each group in turn is left out of training.

    For a linear smoother with hat matrix H, test rows C and training residuals e, leaving out the
    songs b changes the test predictions by −C[:, b] (I − H[b, b])⁻¹ e[b] (Cook & Weisberg 1982,
    §3.6). The changes are stored in `change`, shape (n_groups, n_test, …). Scaling, penalty, layer
    and components are kept fixed. With nuisance labels, only the overall mean is re-estimated.
    """
    # the smoother includes the mean, which is orthogonal to the centred features
    hat, cross = hat + 1 / len(hat), cross + 1 / len(hat)
    numbers, first, counts = np.unique(np.sort(group), return_index=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    for size in np.unique(counts):  # groups of the same size are solved together
        same = counts == size
        b = order[first[same, None] + np.arange(size)]
        system = np.eye(size) - hat[b[:, :, None], b[:, None, :]]
        solved = np.linalg.solve(system, error[b].reshape(*b.shape, -1))
        moves = cross[:, b].transpose(1, 0, 2) @ solved
        change[numbers[same]] = -moves.reshape(-1, *change.shape[1:])


def _losses(blocks, Y, train, test, plan, design):
    """Compute the mean squared error on `test` for each candidate, size, penalty and target."""
    train_y, baseline = _residualise(Y, train, test, design)
    test_y = Y[test] - baseline
    kernels = _kernels(blocks, train, test, plan)
    loss = np.empty((len(plan.names), len(plan.sizes), len(plan.alphas), Y.shape[1]))
    for number in range(len(plan.names)):
        values, vectors, cross = _decompose(kernels, number, plan)
        rotated = vectors.T @ train_y
        for j, size in enumerate(plan.sizes):
            k = len(values) if size is None else min(size, len(values))
            gain = 1.0 / (values[:k] + plan.alphas[:, None])
            smoother = (cross[None, :, :k] * gain[:, None, :]).reshape(-1, k)
            for start in range(0, Y.shape[1], _CHUNK):
                part = slice(start, start + _CHUNK)
                error = (smoother @ rotated[:k, part]).reshape(len(plan.alphas), len(test), -1)
                error -= test_y[:, part]
                loss[number, j, :, part] = np.einsum("atm,atm->am", error, error) / len(test)
    return loss


def _residualise(Y, train, test, design):
    """Return the training targets minus their baseline, and the baseline for the test songs.

    The baseline is fitted to the training songs alone.
    """
    mean = Y[train].mean(axis=0)
    centred = Y[train] - mean
    if design.shape[1] == 1:
        return centred, np.broadcast_to(mean, (len(test), Y.shape[1]))
    # for a label without training songs, the baseline is close to the overall mean
    coefficients = np.linalg.lstsq(design[train], centred, rcond=None)[0]
    return centred - design[train] @ coefficients, mean + design[test] @ coefficients


def _kernels(blocks, train, test, plan):
    """Return each block's Gram matrices (train × train, test × train).

    If the plan has a kernel, return each block's scaled training and test features instead.
    """
    pairs = []
    for name, block in blocks.items():
        Z = block[np.concatenate([train, test])]
        Z = copy(plan.scaler).fit(Z[: len(train)]).transform(Z)
        if name in plan.project:
            Z = Z @ plan.project[name]
        if plan.kernel is None:
            Z -= Z[: len(train)].mean(axis=0)
            Z = Z @ Z[: len(train)].T
            if plan.equalise:
                mean = np.trace(Z[: len(train)]) / len(train)
                Z /= mean if mean > 0 else 1.0
        pairs.append((Z[: len(train)], Z[len(train) :]))
    return pairs


def _decompose(kernels, number, plan):
    """Eigendecompose a candidate's Gram matrix.

    Return its eigenvalues (descending, ≥ 0) and eigenvectors, and the test × train Gram matrix
    multiplied by the eigenvectors.
    """
    if plan.kernel is not None:
        ((train, test),) = kernels
        gram, cross = plan.kernel(train, train, number), plan.kernel(test, train, number)
        mean = gram.mean(axis=0)  # centring in feature space, since there is an intercept
        cross = cross - mean - cross.mean(axis=1, keepdims=True) + mean.mean()
        gram = gram - mean - mean[:, None] + mean.mean()
    else:
        weights = plan.weights[number]
        used = np.flatnonzero(weights)
        gram, cross = (sum(weights[b] * kernels[b][side] for b in used) for side in (0, 1))
    values, vectors = eigh(gram, driver="evd", check_finite=False)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    return values, vectors, cross @ vectors
