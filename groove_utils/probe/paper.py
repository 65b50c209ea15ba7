"""The protocol of Marmoret, Farrugia & Stupacher (2026), arXiv:2603.27237."""

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
    """Probe as Marmoret, Farrugia & Stupacher (2026) did.

    Ridge with a fixed penalty on unscaled features, with songs sorted by id and shuffled K folds
    for each seed, regardless of artists. The paper's score is ``fold_r2`` with ``fold_r2_sd`` of
    :meth:`ProbeResult.scores`.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer → such arrays
        Layers are concatenated in their order.
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
        Songs are sorted by its index.
    artists, styles : array-like of shape (n,), optional
        Not used by the protocol, but stored in the result for intervals and plots.
    seeds : sequence of int
        Seeds, with one shuffled ``KFold`` each.
    n_splits : int
    alpha : float

    Returns
    -------
    ProbeResult
        Predictions, with songs in sorted order and one repeat per seed.
    """
    songs, matrix = _sorted_by_id(*as_data(X, y, artists, styles))
    values, seeds, n = songs.ratings, list(seeds), len(songs)
    if not seeds or n < n_splits:
        raise ProbeError(f"{len(seeds)} seeds and {n} songs for {n_splits} folds",
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
    """Compute how much R² of the published protocol depends on numerical precision.

    The authors' code keeps the published vectors in single precision (float32) and also fits in it;
    :func:`paper_protocol` fits in double precision (float64).

    Parameters
    ----------
    X, y, seeds, n_splits, alpha
        As in :func:`paper_protocol`.

    Returns
    -------
    float
        Largest absolute difference between the two mean R², over targets and seeds.

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
    """Sort songs by id, and join their features."""
    try:
        order = np.array(sorted(range(len(songs)), key=lambda i: songs.ids[i]))
    except TypeError:  # numbers and strings have no common order
        order = np.argsort(songs.ids.astype(str), kind="stable")
    matrix = np.concatenate(list(blocks.values()), axis=1)[order]
    songs = Songs(songs.ids[order], songs.targets, songs.ratings[order], songs.artists[order],
                  songs.styles[order])  # fmt: skip
    return songs, matrix
