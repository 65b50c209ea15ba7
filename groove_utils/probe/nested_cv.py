"""The closed form under every ridge probe: one Gram matrix a split, all penalties at once.

For standardised training features Z (n × d) with Gram matrix G = ZZᵀ = U diag(s) Uᵀ, ridge
predictions of test songs are  ȳ + Z*Zᵀ U diag(1/(s + α)) Uᵀ(y − ȳ).  Once G is decomposed, a
further penalty, a further target or a further permutation of a target costs a small product. A
regression on the first k principal components is the same sum cut off after k terms, and a
concatenation of layers has the sum of their Gram matrices. (Hastie, Tibshirani & Friedman 2009,
§3.4 and §18.3.5.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from joblib import Parallel, delayed
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from groove_utils.probe.folds import artist_folds
from groove_utils.probe.scaling import ClippedStandardScaler
from groove_utils.probe.validation import ProbeError

__all__ = ["Plan", "Split", "ridge_splits", "run_ridge"]

_CHUNK = 4096  # targets treated together; bounds the memory of the inner predictions


@dataclass(frozen=True)
class Split:
    """One outer fold: where it belongs, its songs, and the inner folds of its training songs.

    `inner` holds a fold number for each entry of `train`.
    """

    repeat: int
    fold: int
    train: np.ndarray
    test: np.ndarray
    inner: np.ndarray


@dataclass(frozen=True)
class Plan:
    """What is tried inside the inner folds.

    Attributes
    ----------
    names : list of str
        One name a candidate.
    weights : ndarray, shape (n_candidates, n_blocks)
        Factor by which each block's Gram matrix enters each candidate.
    alphas : ndarray, shape (n_alphas,)
    sizes : list of int or None
        Numbers of principal components; None keeps all.
    equalise : bool
        Divide each block's Gram matrix by its mean diagonal, so that blocks count alike whatever
        their dimension.
    project : dict of str → ndarray of shape (d, k)
        Fixed projections applied to blocks after standardisation.
    kernel : callable, optional
        ``kernel(A, B, candidate)`` in place of the linear Gram matrix of standardised features.
    """

    names: list[str]
    weights: np.ndarray
    alphas: np.ndarray
    sizes: list = field(default_factory=lambda: [None])
    scaler: ClippedStandardScaler = field(default_factory=ClippedStandardScaler)
    equalise: bool = False
    project: dict = field(default_factory=dict)
    kernel: Callable | None = None


def ridge_splits(folds, artists, styles, *, n_inner: int, seed) -> list[Split]:
    """Outer splits from fold numbers (n_repeats, n), each with inner folds of whole artists."""
    splits = []
    for repeat, fold in enumerate(np.atleast_2d(folds)):
        for number in range(fold.max() + 1):
            train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            splits.append(Split(repeat, number, train, test, np.empty(0, int)))
    return [with_inner(split, artists, styles, n_inner=n_inner, seed=seed) for split in splits]


def with_inner(split: Split, artists, styles, *, n_inner: int, seed) -> Split:
    """The same split with inner folds dealt for its training songs."""
    groups = len(set(np.asarray(artists)[split.train].astype(str)))
    if groups < 2:
        raise ProbeError(
            f"the training songs of fold {split.fold} are all by one artist, so no inner folds of "
            "whole artists can be made; use fewer outer folds or more artists"
        )
    base = [seed] if np.isscalar(seed) else list(seed)
    inner = artist_folds(
        np.asarray(artists)[split.train],
        np.asarray(styles)[split.train],
        n_splits=min(n_inner, groups),
        seed=[*base, 1 + split.repeat, 1 + split.fold],
    )[0]
    return Split(split.repeat, split.fold, split.train, split.test, inner)


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
    """Fit and predict every split.

    Parameters
    ----------
    blocks : dict of str → ndarray of shape (n, d)
    Y : ndarray, shape (n, m)
        Targets; permuted copies of a target are just further columns.
    splits : sequence of Split
    plan : Plan
    nuisance : ndarray, shape (n, q), optional
        Design of what is regressed out of the targets inside each training set, intercept
        included. Without it the training mean is taken out.
    groups : ndarray of int, shape (n,), optional
        Number 0 … g − 1 of each song's artist. If given, the predictions that would come of
        leaving out each artist from the training songs are worked out as well.
    n_jobs : int
        Threads over splits.

    Returns
    -------
    list of dict
        For each split ``predicted`` and ``baseline`` (n_test, m), the chosen ``candidate``,
        ``size``, ``alpha`` (indices, (m,)) with ``inner_mse`` (m,), and with `groups` ``without``
        (g, n_test, m).
    """
    matrices = list(blocks.values())
    projections = [plan.project.get(name) for name in blocks]
    design = np.ones((len(Y), 1)) if nuisance is None else nuisance
    task = delayed(_run_split)
    jobs = (task(matrices, projections, Y, split, plan, design, groups) for split in splits)
    # the matrices are small: threads inside each product wait for one another more than they work
    # (ten times slower on two busy cores), so threads go over splits instead
    with threadpool_limits(1, user_api="blas"):
        if n_jobs == 1:
            return [function(*args) for function, args, _ in jobs]
        return Parallel(n_jobs=n_jobs, prefer="threads")(jobs)


def _run_split(matrices, projections, Y, split, plan, design, groups):
    n_targets = Y.shape[1]
    shape = (len(plan.names), len(plan.sizes), len(plan.alphas), n_targets)
    if np.prod(shape[:3]) > 1:
        loss = np.zeros(shape)
        inner_folds = np.unique(split.inner)
        for number in inner_folds:
            train, test = split.train[split.inner != number], split.train[split.inner == number]
            loss += _losses(matrices, projections, Y, train, test, plan, design)
        loss = (loss / len(inner_folds)).reshape(-1, n_targets)
        best = loss.argmin(axis=0)
        inner_mse = loss[best, np.arange(n_targets)]
    else:
        best, inner_mse = np.zeros(n_targets, int), np.full(n_targets, np.nan)
    candidate, size, alpha = np.unravel_index(best, shape[:3])
    train_y, test_base = _take_out(Y, split.train, split.test, design)
    predicted = np.empty((len(split.test), n_targets))
    change = None if groups is None else np.zeros((groups.max() + 1, *predicted.shape))
    kernels = _kernels(matrices, projections, split.train, split.test, plan)
    for number in np.unique(candidate):
        columns = np.flatnonzero(candidate == number)
        values, vectors, cross = _decompose(kernels, number, plan)
        gain = 1.0 / (values[:, None] + plan.alphas[alpha[columns]])
        kept = np.array([len(values) if k is None else k for k in plan.sizes])[size[columns]]
        gain[np.arange(len(values))[:, None] >= kept] = 0.0
        turned = vectors.T @ train_y[:, columns]
        predicted[:, columns] = cross @ (gain * turned)
        if groups is not None:
            error = train_y[:, columns] - vectors @ (values[:, None] * gain * turned)
            for i, column in enumerate(columns):
                leave_out(
                    change[:, :, column], groups[split.train], error[:, i],
                    (vectors * (values * gain[:, i])) @ vectors.T, (cross * gain[:, i]) @ vectors.T,
                    
                )  # fmt: skip
    extra = {} if groups is None else {"without": predicted + test_base + change}
    return {
        "predicted": predicted + test_base,
        "baseline": test_base,
        "candidate": candidate,
        "size": size,
        "alpha": alpha,
        "inner_mse": inner_mse,
        **extra,
    }


def leave_out(change, group, error, own, cross):
    """Change of test predictions as each group of training songs is left out, in closed form.

    A linear smoother with hat matrix H and test rows C, refitted without the songs b, predicts
    C[:, b] (I − H[b, b])⁻¹ e[b] less (Cook & Weisberg 1982, §3.6). Scaling, penalty, layer and
    components stay as they were chosen. Of nuisance variables only the mean is refitted.
    """
    # the mean is part of the smoother, at right angles to the centred features
    own, cross = own + 1 / len(own), cross + 1 / len(own)
    numbers, first, counts = np.unique(np.sort(group), return_index=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    for size in np.unique(counts):  # groups of one size are solved together
        alike = counts == size
        b = order[first[alike, None] + np.arange(size)]
        left = np.eye(size) - own[b[:, :, None], b[:, None, :]]
        solved = np.linalg.solve(left, error[b].reshape(*b.shape, -1))
        found = cross[:, b].transpose(1, 0, 2) @ solved
        change[numbers[alike]] = -found.reshape(-1, *change.shape[1:])


def _losses(matrices, projections, Y, train, test, plan, design):
    """Mean squared error on `test` of every candidate × size × penalty × target."""
    train_y, test_base = _take_out(Y, train, test, design)
    test_y = Y[test] - test_base
    kernels = _kernels(matrices, projections, train, test, plan)
    loss = np.empty((len(plan.names), len(plan.sizes), len(plan.alphas), Y.shape[1]))
    for number in range(len(plan.names)):
        values, vectors, cross = _decompose(kernels, number, plan)
        turned = vectors.T @ train_y
        for j, size in enumerate(plan.sizes):
            k = len(values) if size is None else min(size, len(values))
            gain = 1.0 / (values[:k] + plan.alphas[:, None])
            left = (cross[None, :, :k] * gain[:, None, :]).reshape(-1, k)
            for start in range(0, Y.shape[1], _CHUNK):
                part = slice(start, start + _CHUNK)
                error = (left @ turned[:k, part]).reshape(len(plan.alphas), len(test), -1)
                error -= test_y[:, part]
                loss[number, j, :, part] = np.einsum("atm,atm->am", error, error) / len(test)
    return loss


def _take_out(Y, train, test, design):
    """Targets of the training songs less their baseline, and the baseline of the test songs.

    The baseline is learnt from the training songs alone.
    """
    mean = Y[train].mean(axis=0)
    centred = Y[train] - mean
    if design.shape[1] == 1:
        return centred, np.broadcast_to(mean, (len(test), Y.shape[1]))
    # the mean is out already, so a label that no training song has falls back on it
    coefficients = np.linalg.lstsq(design[train], centred, rcond=None)[0]
    return centred - design[train] @ coefficients, mean + design[test] @ coefficients


def _kernels(matrices, projections, train, test, plan):
    """A pair (train × train, test × train) of Gram matrices a block; features for kernels."""
    pairs = []
    for matrix, projection in zip(matrices, projections, strict=True):
        Z = matrix[np.concatenate([train, test])]
        scaler = copy(plan.scaler).fit(Z[: len(train)])
        Z = scaler.transform(Z)
        if projection is not None:
            Z = Z @ projection
        if plan.kernel is not None:
            pairs.append((Z[: len(train)], Z[len(train) :]))
            continue
        Z -= Z[: len(train)].mean(axis=0)
        gram = Z @ Z[: len(train)].T
        if plan.equalise:
            mean = np.trace(gram[: len(train)]) / len(train)
            gram /= mean if mean > 0 else 1.0
        pairs.append((gram[: len(train)], gram[len(train) :]))
    return pairs


def _decompose(kernels, number, plan):
    """Eigenvalues (descending, ≥ 0), eigenvectors, and test × train products in that basis."""
    if plan.kernel is not None:
        ((train, test),) = kernels
        own, cross = plan.kernel(train, train, number), plan.kernel(test, train, number)
        mean = own.mean(axis=0)  # centred in feature space, as an intercept asks for
        cross = cross - mean - cross.mean(axis=1, keepdims=True) + mean.mean()
        own = own - mean - mean[:, None] + mean.mean()
    else:
        weights = plan.weights[number]
        used = np.flatnonzero(weights)
        own, cross = (sum(weights[b] * kernels[b][side] for b in used) for side in (0, 1))
    values, vectors = eigh(own, driver="evd", check_finite=False)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    return values, vectors, cross @ vectors
