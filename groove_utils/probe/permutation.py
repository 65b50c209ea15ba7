"""Permutation tests with family-wise error control over many models and layers.

Ratings are permuted between songs. If they are permuted over all songs, the null hypothesis is that
features and ratings are unrelated; if they are permuted within styles, the null hypothesis is that
features and ratings are unrelated within each style. Songs by the same artist are more similar than
songs by different artists, both in features and in ratings, so single songs are not exchangeable.
By default, artists with the same number of songs therefore exchange all their ratings; if no other
artist has the same number of songs, an artist's ratings are not permuted. ``unit="song"`` permutes
single songs, which is valid only if songs by the same artist are no more alike than songs by
different artists.

The same permutations are used for all models and targets. Comparing each score with the maximum
over models and targets controls the family-wise error rate (Westfall & Young 1993).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from groove_utils.memoisation import memoised
from groove_utils.probe.folds import nested_splits, outer_folds
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.ridge import assemble, make_plan, nuisance_design, run_ridge
from groove_utils.probe.scores import within_style_r
from groove_utils.probe.songs import ProbeError, as_songs
from groove_utils.stats.permutation import permutation_p, permute
from groove_utils.stats.validation import as_blocks

__all__ = ["permutation_test"]

UNITS, SCORES = ("artist", "song"), ("r2", "within_r")


@memoised("probes")
def permutation_test(
    models: Mapping,
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    n_permutations=1000,
    within_style=False,
    unit="artist",
    score="r2",
    each_layer=False,
    nuisance=None,
    n_jobs=1,
    return_null=False,
):
    """Test whether models predict the ratings better than they predict permuted ratings.

    The whole nested procedure, including model selection, is repeated for every permutation. The
    family-wise error rate is controlled by the method of Westfall & Young (1993).

    Parameters
    ----------
    models : mapping of str to features
        Features of each model: an array, or a mapping of layer names to arrays.
    y, artists, styles, protocol, nuisance, n_jobs
        See :func:`nested_ridge`.
    n_permutations : int
        Number of permutations.
    within_style : bool
        Permute ratings only within styles, to test for effects beyond that of style.
    unit : {"artist", "song"}
        Permute whole artists or single songs; see the docstring of this module.
    score : {"r2", "within_r"}
        R² over all songs, or the correlation between ratings and predictions within styles.
    each_layer : bool
        Test each layer of each model separately instead of selecting or concatenating layers.
    return_null : bool
        Also return the null distribution.

    Returns
    -------
    DataFrame
        One row per model (and layer) and target: ``model, layer, target``; the score (``r2`` or
        ``within_r``); p-values from the null distribution of this score (``p``), of the maximum
        over rows for this target (``p_target``) and of the maximum over all rows (``p_family``);
        mean and 95% quantile of the score's null distribution (``null_mean, null_95``).
    null : ndarray, shape (n_permutations, n_rows)
        Scores with permuted ratings; returned only if `return_null` is True.
    """
    if not isinstance(models, Mapping):
        raise ProbeError("models must be a mapping of names to features, such as {'MERT': X}",
                         kind="type", column="models")  # fmt: skip
    for name, value, allowed in (("unit", unit, UNITS), ("score", score, SCORES)):
        if value not in allowed:
            raise ProbeError(f"{name} is {value!r}; expected one of {', '.join(allowed)}",
                             kind="unknown", column=name, value=value)  # fmt: skip
    songs = as_songs(y, artists, styles)
    n = len(songs)
    orders = permute(
        n_permutations, n, clusters=songs.artists if unit == "artist" else None,
        strata=songs.styles if within_style else None, seed=protocol.seed,
    )  # fmt: skip
    orders = np.vstack([np.arange(n), orders])
    Y = songs.ratings[orders].transpose(1, 0, 2).reshape(n, -1)
    splits = nested_splits(songs, outer_folds(songs, protocol), protocol)
    design = nuisance_design(nuisance, n)
    labels, scores = [], []
    for name, X in models.items():
        blocks = as_blocks(X, n, songs.ids)
        for layers in blocks if each_layer else [protocol.layers]:
            plan = make_plan(blocks, replace(protocol, layers=layers))
            fits = run_ridge(blocks, Y, splits, plan, nuisance=design, n_jobs=n_jobs)
            predicted = assemble(splits, fits, "predicted", n)
            scores.append(_score(score, Y, predicted, songs))
            labels.append((str(name), str(layers)))
    scores = np.stack(scores, axis=1)  # (1 + n_permutations, models and layers, targets)
    rows = [(*label, target) for label in labels for target in songs.targets]
    frame = _add_p(pd.DataFrame(rows, columns=["model", "layer", "target"]), score, scores)
    return (frame, scores[1:].reshape(n_permutations, -1)) if return_null else frame


def _score(score: str, Y, predicted, songs) -> np.ndarray:
    """Return scores for observed and permuted targets Y, shape (1 + n_permutations, n_targets)."""
    n, targets = songs.ratings.shape
    if score == "r2":
        total = ((songs.ratings - songs.ratings.mean(axis=0)) ** 2).sum(axis=0)
        error = ((Y - predicted) ** 2).sum(axis=1).mean(axis=0)
        return 1 - error.reshape(-1, targets) / total
    values = within_style_r(Y, predicted, songs.style_codes, np.ones((1, n)))
    return np.nan_to_num(values.reshape(-1, targets))  # undefined for constant predictions


def _add_p(frame, score, scores) -> pd.DataFrame:
    """Add the observed scores, p-values, and the mean and 95% quantile of the null distribution."""
    observed, null = scores[0], scores[1:]
    frame[score] = observed.ravel()
    best = null.max(axis=1, keepdims=True)
    family = best.max(axis=2, keepdims=True)
    for name, reference in (("p", null), ("p_target", best), ("p_family", family)):
        frame[name] = permutation_p(observed, reference).ravel()
    frame["null_mean"] = null.mean(axis=0).ravel()
    frame["null_95"] = np.quantile(null, 0.95, axis=0).ravel()
    return frame
