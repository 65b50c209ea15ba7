"""Permutation tests with family-wise error control over many models and layers.

The ratings of songs are permuted. Under free permutation the null hypothesis is that features and
ratings are unrelated; within styles, that they are unrelated beyond style. Two songs of one artist
resemble each other more than two songs of two artists, in features as in ratings, so single songs
are exchangeable only if ratings lack that resemblance. ``unit="artist"`` does not need this
assumption: whole artists exchange their ratings with artists of as many songs, which leaves fewer
distinct permutations (an artist whose number of songs is unique keeps its own ratings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from groove_utils.probe.folds import nested_splits, outer_folds
from groove_utils.probe.nested_cv import make_plan, nuisance_design, run_ridge
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.validation import ProbeError, as_songs
from groove_utils.stats.permutation import permutation_p, permute
from groove_utils.stats.validation import as_blocks

__all__ = ["permutation_test"]


def permutation_test(
    models: Mapping,
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    n_permutations=1000,
    within_style=False,
    unit="song",
    each_layer=False,
    nuisance=None,
    n_jobs=1,
    return_null=False,
):
    """Test whether ratings are predicted better than permuted ratings, for many models at once.

    The whole nested procedure, choices included, is repeated for every permutation; the same
    permutations serve all models and targets. The maximum over them controls the family-wise error
    (Westfall & Young 1993).

    Parameters
    ----------
    models : mapping of name → features
        Features as in :func:`nested_ridge`: an array, or a mapping of layers.
    y, artists, styles, protocol, nuisance, n_jobs
        See :func:`nested_ridge`.
    n_permutations : int
    within_style : bool
        Permute only among songs of one style, to test for effects beyond style.
    unit : {"song", "artist"}
        Exchange single songs or all songs of an artist, see the module's docstring.
    each_layer : bool
        Test each layer of each model alone instead of choosing or joining layers.
    return_null : bool
        Return the null distribution as well.

    Returns
    -------
    DataFrame
        One row per model (and layer) and target: ``model, layer, target, r2, p`` (against its own
        null), ``p_target`` (against the maximum over models and layers, for this target) and
        ``p_family`` (against the maximum over models, layers and targets), ``null_mean``,
        ``null_95``.
    null : ndarray, shape (n_permutations, n_rows), only with `return_null`
    """
    if not isinstance(models, Mapping):
        raise ProbeError("models must be a mapping of name → features, as {'MERT': X}",
                         kind="type", column="models")  # fmt: skip
    if unit not in ("song", "artist"):
        raise ProbeError(f"unit is {unit!r}; expected 'song' or 'artist'",
                         kind="unknown", column="unit", value=unit)  # fmt: skip
    songs = as_songs(y, artists, styles)
    n, targets = songs.ratings.shape
    orders = permute(
        n_permutations, n, clusters=songs.artists if unit == "artist" else None,
        strata=songs.styles if within_style else None, seed=protocol.seed,
    )  # fmt: skip
    orders = np.vstack([np.arange(n), orders])
    Y = songs.ratings[orders].transpose(1, 0, 2).reshape(n, -1)
    total = ((songs.ratings - songs.ratings.mean(axis=0)) ** 2).sum(axis=0)
    folds = outer_folds(songs, protocol)
    splits = nested_splits(songs, folds, protocol)
    design = nuisance_design(nuisance, n)
    labels, scores = [], []
    for name, X in models.items():
        blocks = as_blocks(X, n, songs.ids)
        for layers in blocks if each_layer else [protocol.layers]:
            plan = make_plan(blocks, replace(protocol, layers=layers))
            error = np.zeros(Y.shape[1])
            fits = run_ridge(blocks, Y, splits, plan, nuisance=design, n_jobs=n_jobs)
            for split, fit in zip(splits, fits, strict=True):
                error += ((Y[split.test] - fit["predicted"]) ** 2).sum(axis=0)
            scores.append(1 - (error / len(folds)).reshape(-1, targets) / total)
            labels.append((str(name), str(layers)))
    r2 = np.stack(scores, axis=1)  # (1 + n_permutations, models and layers, targets)
    rows = [(*label, target) for label in labels for target in songs.targets]
    frame = _add_p(pd.DataFrame(rows, columns=["model", "layer", "target"]), r2[0], r2[1:])
    return (frame, r2[1:].reshape(n_permutations, -1)) if return_null else frame


def _add_p(frame, observed, null) -> pd.DataFrame:
    """Add observed R² and p-values against its own null and against maxima."""
    best = null.max(axis=1, keepdims=True)
    frame["r2"] = observed.ravel()
    family = best.max(axis=2, keepdims=True)
    for name, reference in (("p", null), ("p_target", best), ("p_family", family)):
        frame[name] = permutation_p(observed, reference).ravel()
    frame["null_mean"] = null.mean(axis=0).ravel()
    frame["null_95"] = np.quantile(null, 0.95, axis=0).ravel()
    return frame
