"""Detection of data leaks from held-out songs to the model that predicts them.

The check changes data that the model must not see. If the predictions change as well, there is a
leak. The check works with any probe, including your own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from groove_utils.probe.folds import check_folds
from groove_utils.probe.songs import ProbeError, as_data

__all__ = ["find_leaks"]


def find_leaks(
    probe: Callable, X, y, artists=None, *, folds, n_tries=3, tolerance=1e-6, seed=0
) -> pd.DataFrame:
    """Check the out-of-fold predictions of a probe for three kinds of data leak.

    Parameters
    ----------
    probe : callable
        Deterministic function ``probe(X, y, folds)``, where ``X`` maps layer names to features
        (n, d), ``y`` contains the targets (n, m), and ``folds`` has shape (n,). It must return
        out-of-fold predictions, (n,) or (n, m), or a :class:`ProbeResult` with one repeat.
    X, y, artists
        See :func:`nested_ridge`.
    folds : ndarray of int, shape (n,)
        The fold in which each song is held out.
    n_tries, seed : int
        Number of random changes to the held-out songs in each fold, and random seed.
    tolerance : float
        Largest change in a prediction that does not count as a leak, in SDs of the target.

    Returns
    -------
    DataFrame
        One row per ``check``: ``artists`` (an artist is in more than one fold), ``ratings``
        (predictions depend on the ratings of the held-out fold, for example because a setting was
        chosen by its test score), and ``features`` (the prediction for a held-out song depends on
        the features of other held-out songs, for example because a scaler was fitted to all songs).
        Columns: ``check``; ``leaks``, True if there is a leak; ``change``, the largest change in a
        prediction, in SDs of the target; ``found``, a description of the result.

    Examples
    --------
    >>> from groove_utils.probe import nested_ridge
    >>> rng = np.random.default_rng(0)
    >>> X, y, folds = rng.standard_normal((40, 5)), rng.standard_normal(40), np.arange(40) % 4
    >>> def probe(X, y, folds):
    ...     return nested_ridge(X, y, folds=folds)
    >>> bool(find_leaks(probe, X, y, folds=folds, n_tries=1).leaks.any())
    False
    """
    songs, blocks = as_data(X, y, artists)
    folds = np.asarray(folds)
    rng = np.random.default_rng(seed)
    spread = np.maximum(songs.ratings.std(axis=0), 1e-300)

    def predict(X, y):
        result = probe(X, y, folds)
        predicted = result.predicted[0] if hasattr(result, "predicted") else np.asarray(result)
        predicted = predicted.reshape(len(songs), -1)
        if predicted.shape != songs.ratings.shape:
            raise ProbeError(
                f"the probe returned predictions of shape {predicted.shape}; expected "
                f"{songs.ratings.shape}, one prediction per song and target",
                kind="shape", column="probe", value=predicted.shape,
            )  # fmt: skip
        return predicted

    reference = predict(blocks, songs.ratings)
    changes = {"ratings": (0.0, None), "features": (0.0, None)}

    def record(check, fold, rows, predicted):
        change = float((np.abs(predicted - reference)[rows] / spread).max())
        changes[check] = max(changes[check], (change, fold), key=lambda entry: entry[0])

    for fold in np.unique(folds):
        held_out = np.flatnonzero(folds == fold)
        for _ in range(n_tries):
            ratings = songs.ratings.copy()
            # the changes are large, so they affect any setting that was chosen using these ratings
            ratings[held_out] += 30 * spread * rng.standard_normal((len(held_out), len(spread)))
            record("ratings", fold, held_out, predict(blocks, ratings))
            if len(held_out) < 2:
                continue
            kept, other = np.array_split(rng.permutation(held_out), [len(held_out) // 2])
            changed = {name: block.copy() for name, block in blocks.items()}
            for block in changed.values():
                noise = rng.standard_normal((len(other), block.shape[1]))
                block[other] += 30 * (block.std(axis=0) + 1e-12) * noise
            record("features", fold, kept, predict(changed, songs.ratings))
    return _table(folds, songs.artists, changes, tolerance)


def _table(folds, artists, changes, tolerance) -> pd.DataFrame:
    """Tabulate the results: artists in more than one fold, and leaks found by changing data."""
    try:
        check_folds(folds, artists)
        rows = [("artists", False, np.nan, "every artist is in only one fold")]
    except ProbeError as error:
        rows = [("artists", True, np.nan, str(error))]
    words = {
        "ratings": "predictions for the fold depend on its own ratings",
        "features": "predictions for a song depend on the features of other held-out songs",
    }
    for check, (change, fold) in changes.items():
        leaks = change > tolerance
        text = f"fold {fold}: {words[check]}" if leaks else "no prediction changed"
        rows.append((check, leaks, change, text))
    return pd.DataFrame(rows, columns=["check", "leaks", "change", "found"])
