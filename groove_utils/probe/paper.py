"""Probing protocol used by Marmoret, Farrugia & Stupacher (2026), arXiv:2603.27237."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from groove_utils.probe.result import ProbeResult
from groove_utils.probe.ridge import leave_out
from groove_utils.probe.songs import ProbeError, Songs, as_data

__all__ = ["paper_protocol", "single_precision_difference"]


def paper_protocol(
    X, y, artists=None, styles=None, *, seeds: Sequence[int] = range(5), n_splits=4, alpha=0.2
) -> ProbeResult:
    """Probe features using the protocol of Marmoret, Farrugia & Stupacher (2026).

    Ridge regression with a fixed penalty is fitted to unscaled features. Songs are sorted by id
    and, for each seed, shuffled and divided into folds without regard to artists. The scores
    reported in the paper are ``fold_r2`` and ``fold_r2_sd`` in the output of
    :meth:`ProbeResult.scores`.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer names to such arrays
        Features. Layers are concatenated in the order of the mapping.
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
        Targets, indexed by song id.
    artists, styles : array-like of shape (n,), optional
        Not used by the protocol, but stored in the result for intervals and plots.
    seeds : sequence of int
        Random seeds. The songs are shuffled and divided into folds once per seed.
    n_splits : int
        Number of folds.
    alpha : float
        Ridge penalty.

    Returns
    -------
    ProbeResult
        Out-of-fold predictions, with songs sorted by id and one repeat per seed.
    """
    songs, matrix = _sorted_by_id(*as_data(X, y, artists, styles))
    values, seeds, n = songs.ratings, list(seeds), len(songs)
    if not seeds or n < n_splits:
        raise ProbeError(f"there are {len(seeds)} seeds and {n} songs; expected at least 1 seed "
                         f"and {n_splits} songs",
                         kind="too_few", column="seeds" if not seeds else "n_splits")  # fmt: skip
    predicted, baseline = np.empty((2, len(seeds), *values.shape))
    folds = np.empty((len(seeds), n), dtype=np.int64)
    groups = songs.artist_codes
    left_out = np.empty((groups.max() + 1, *predicted.shape))
    for repeat, seed in enumerate(seeds):
        cut = KFold(n_splits, shuffle=True, random_state=int(seed))
        for number, (train, test) in enumerate(cut.split(matrix)):
            model = Ridge(alpha=alpha, solver="cholesky").fit(matrix[train], values[train])
            fitted = model.predict(matrix).reshape(values.shape)
            predicted[repeat, test] = fitted[test]
            baseline[repeat, test] = values[train].mean(axis=0)
            folds[repeat, test] = number
            change = np.zeros((len(left_out), len(test), values.shape[1]))
            error = values[train] - fitted[train]
            centred = matrix - matrix[train].mean(axis=0)
            gram = centred @ centred[train].T
            inverse = np.linalg.inv(gram[train] + alpha * np.eye(len(train)))
            leave_out(change, groups[train], error, gram[train] @ inverse, gram[test] @ inverse)
            left_out[:, repeat, test] = fitted[test] + change
    return ProbeResult(songs, predicted, baseline, folds, leave_artist_out=left_out)


def single_precision_difference(X, y, *, seeds: Sequence[int] = range(5), n_splits=4, alpha=0.2):
    """Measure how numerical precision affects R² in the protocol of Marmoret et al. (2026).

    The authors' code uses single precision (float32) for features and model fitting;
    :func:`paper_protocol` uses double precision (float64).

    Parameters
    ----------
    X, y, seeds, n_splits, alpha
        See :func:`paper_protocol`.

    Returns
    -------
    float
        Largest absolute difference, over all targets and seeds, between R² (mean over folds) in
        single precision and in double precision.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(40, 60))
    >>> single_precision_difference(X, X[:, 0]) < 1e-5
    True
    """
    songs, matrix = _sorted_by_id(*as_data(X, y))
    values = songs.ratings
    differences = []
    for seed in seeds:
        cut = KFold(n_splits, shuffle=True, random_state=int(seed))
        scores = [
            [
                r2_score(
                    values[test],
                    Ridge(alpha=alpha, solver="cholesky")
                    .fit(features[train], values[train])
                    .predict(features[test]),
                    multioutput="raw_values",
                )
                for train, test in cut.split(matrix)
            ]
            for features in (matrix, matrix.astype(np.float32))
        ]
        double, single = np.mean(scores, axis=1)
        differences.append(np.abs(double - single).max())
    return float(max(differences))


def _sorted_by_id(songs: Songs, blocks: Mapping[str, np.ndarray]) -> tuple[Songs, np.ndarray]:
    """Sort songs by id, and concatenate their feature blocks."""
    try:
        order = np.array(sorted(range(len(songs)), key=lambda i: songs.ids[i]))
    except TypeError:  # numbers and strings cannot be sorted together
        order = np.argsort(songs.ids.astype(str), kind="stable")
    matrix = np.concatenate(list(blocks.values()), axis=1)[order]
    songs = Songs(songs.ids[order], songs.targets, songs.ratings[order], songs.artists[order],
                  songs.styles[order])  # fmt: skip
    return songs, matrix
