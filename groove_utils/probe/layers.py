"""How scores run over the layers of a model, and where they peak (chapter 06)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.probe.bootstrap import (
    artist_influence,
    by_target,
    influence_draws,
    influence_interval,
)
from groove_utils.probe.permutation import permutation_test
from groove_utils.probe.result import score_statistic
from groove_utils.probe.ridge import DEFAULT_ALPHAS, nested_ridge
from groove_utils.probe.validation import ProbeError

__all__ = ["layer_profile"]


def layer_profile(
    layers: Mapping,
    y,
    artists=None,
    styles=None,
    *,
    n_permutations=0,
    n_boot=2000,
    level=0.95,
    alphas=DEFAULT_ALPHAS,
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    folds=None,
    seed=0,
    n_jobs=1,
) -> pd.DataFrame:
    """Score of each layer by itself, with what may be said about the peak.

    The highest of many noisy scores is too high. Three remedies stand side by side: the R² of the
    layer that inner folds chose (never by looking at the test songs), a p-value against the maximum
    over layers, and the set of layers that cannot be told from the best.

    Parameters
    ----------
    layers : mapping of layer → array of shape (n, d)
    y, artists, styles, alphas, n_splits, n_repeats, n_inner, folds, seed, n_jobs
        As in :func:`nested_ridge`.
    n_permutations : int
        0 leaves the p-values out.
    n_boot, level
        Of intervals and of the set of best layers.

    Returns
    -------
    DataFrame
        One row a target and layer, in the order of `layers`: ``target, layer, r2, low, high, p,
        p_layers`` (against the maximum over layers), ``best`` (highest R²), ``may_be_best`` (its
        distance to the best is inside a simultaneous interval), ``chosen`` (share of folds in
        which the inner folds chose it), ``nested_r2, nested_low, nested_high`` (of the nested
        choice; the same for all layers of a target).
    """
    if not isinstance(layers, Mapping) or len(layers) < 2:
        raise ProbeError("a layer profile needs a mapping of two or more layers → features")
    common = {"alphas": alphas, "n_splits": n_splits, "n_repeats": n_repeats, "folds": folds}
    common |= {"n_inner": n_inner, "seed": seed, "n_jobs": n_jobs}
    names = [str(name) for name in layers]

    def statistic(result):
        return score_statistic(result, "r2")

    alone = [nested_ridge({n: X}, y, artists, styles, **common) for n, X in layers.items()]
    nested = nested_ridge(layers, y, artists, styles, **common)
    targets = nested.targets
    found = [artist_influence(result, statistic) for result in alone]
    r2 = np.stack([estimate for estimate, _ in found])  # layers × targets
    influence = np.stack([one for _, one in found])  # layers × artists × targets
    chance = None
    if n_permutations:
        chance = permutation_test(
            {"model": layers}, y, artists, styles, n_permutations=n_permutations,
            each_layer=True, **common,
        ).set_index(["layer", "target"])  # fmt: skip
    ends = {"n_boot": n_boot, "level": level, "seed": seed}
    honest = artist_influence(nested, statistic)
    nested_low, nested_high, _ = influence_interval(*honest, **ends)
    tables = []
    for j, target in enumerate(targets):
        low, high, _ = influence_interval(r2[:, j], influence[:, :, j].T, **ends)
        top = int(r2[:, j].argmax())
        table = pd.DataFrame({"target": target, "layer": names, "r2": r2[:, j]})
        table["low"], table["high"] = low, np.minimum(high, 1.0)
        if chance is not None:
            rows = chance.loc[[(name, target) for name in names]]
            table["p"], table["p_layers"] = rows["p"].to_numpy(), rows["p_target"].to_numpy()
        table["best"] = np.arange(len(names)) == top
        table["may_be_best"] = _may_be_best(r2[:, j], influence[:, :, j], top, **ends)
        picked = nested.choices.loc[nested.choices["target"] == target, "layer"]
        table["chosen"] = [(picked == name).mean() for name in names]
        table["nested_r2"] = honest[0][j]
        table["nested_low"], table["nested_high"] = nested_low[j], min(nested_high[j], 1.0)
        tables.append(table)
    return by_target(pd.concat(tables, ignore_index=True), targets)


def _may_be_best(r2, influence, top, *, n_boot, level, seed):
    """Layers whose distance to the best layer a maximum-t interval cannot tell from 0."""
    behind = r2[top] - r2
    apart = (influence[top] - influence).T  # artists × layers
    draws = influence_draws(apart, n_boot, seed)
    se = draws.std(axis=0)
    moving = se > 1e-12
    if not moving.any():
        return np.ones(len(r2), dtype=bool)
    t = np.abs(draws[:, moving] / se[moving]).max(axis=1)
    cut = np.quantile(t, level)
    return behind <= cut * np.maximum(se, 1e-15)
