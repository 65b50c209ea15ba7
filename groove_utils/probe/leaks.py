"""Does anything of the held-out songs reach the model that predicts them? (chapter 06)

A leak is not a matter of opinion: change what the model must not see, and look whether its
predictions move. The check works for any probe, ours or a reader's own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from groove_utils.probe.folds import check_folds
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["find_leaks"]


def find_leaks(
    probe: Callable, X, y, artists=None, *, folds, n_tries=3, tolerance=1e-6, seed=0
) -> pd.DataFrame:
    """Look for three kinds of leak in a procedure that makes out-of-fold predictions.

    Parameters
    ----------
    probe : callable
        ``probe(X, y, folds)`` with X a dict of layer → (n, d), y (n, m) and folds (n,), giving
        out-of-fold predictions (n,) or (n, m), or a :class:`ProbeResult` of one repeat. It must
        be deterministic.
    X, y, artists
        As in :func:`nested_ridge`.
    folds : ndarray of int, shape (n,)
        The fold in which each song is held out.
    n_tries : int
        Different changes of the held-out songs for each fold.
    tolerance : float
        A prediction has moved if it did so by more than this share of the target's SD.
    seed : int

    Returns
    -------
    DataFrame
        One row a ``check``: ``artists`` (an artist is on both sides of a split), ``ratings``
        (predictions depend on ratings of the held-out fold: targets scaled or residualised over
        all songs, or anything chosen by the test score), ``features`` (the prediction of a
        held-out song depends on features of other held-out songs: scaling or components learnt
        from all songs). Columns ``check, leaks, change, found``: whether, by how many SDs of the
        target at most, and in words.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y, folds = rng.standard_normal((40, 5)), rng.standard_normal(40), np.arange(40) % 4
    >>> def probe(X, y, folds):
    ...     return nested_ridge(X, y, folds=folds)
    >>> bool(find_leaks(probe, X, y, folds=folds).leaks.any())  # doctest: +SKIP
    False
    """
    songs = as_songs(y, artists)
    blocks = as_blocks(X, len(songs), songs.ids)
    folds = np.asarray(folds)
    rng = np.random.default_rng(seed)
    spread = np.maximum(songs.ratings.std(axis=0), 1e-300)

    def predict(X, y):
        found = probe(X, y, folds)
        found = found.predicted[0] if hasattr(found, "predicted") else np.asarray(found)
        found = found.reshape(len(songs), -1)
        if found.shape != songs.ratings.shape:
            raise ProbeError(
                f"the probe gave predictions of shape {found.shape}; expected "
                f"{songs.ratings.shape}, one a song and target"
            )
        return found

    reference = predict(blocks, songs.ratings)
    moved = {"ratings": (0.0, None), "features": (0.0, None)}

    def note(check, fold, rows, found):
        change = (np.abs(found - reference)[rows] / spread).max()
        if change > moved[check][0]:
            moved[check] = (float(change), fold)

    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold)
        for _ in range(n_tries):
            ratings = songs.ratings.copy()
            # large and random, so that whatever listens to them also chooses otherwise
            ratings[held] += 30 * spread * rng.standard_normal((len(held), len(spread)))
            note("ratings", fold, held, predict(blocks, ratings))
            if len(held) < 2:
                continue
            order = rng.permutation(held)
            kept, other = order[: len(held) // 2], order[len(held) // 2 :]
            changed = {name: block.copy() for name, block in blocks.items()}
            for block in changed.values():
                noise = rng.standard_normal((len(other), block.shape[1]))
                block[other] += 30 * (block.std(axis=0) + 1e-12) * noise
            note("features", fold, kept, predict(changed, songs.ratings))
    rows = [_split_artists(folds, songs.artists)]
    words = {
        "ratings": "predictions of a fold depend on that fold's own ratings",
        "features": "predictions of a song depend on features of other held-out songs",
    }
    for check, (change, fold) in moved.items():
        leaks = change > tolerance
        rows.append(
            (check, leaks, change, f"fold {fold}: {words[check]}" if leaks else "nothing moved")
        )
    return pd.DataFrame(rows, columns=["check", "leaks", "change", "found"])


def _split_artists(folds, artists):
    try:
        check_folds(folds, artists)
    except ProbeError as error:
        return "artists", True, np.nan, str(error)
    return "artists", False, np.nan, "every artist is in one fold"
