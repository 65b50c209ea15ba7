"""Scores for each layer of a model, and a test of which layers may be the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from groove_utils.memoisation import memoised
from groove_utils.probe.intervals import artist_influence
from groove_utils.probe.permutation import permutation_test
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.ridge import nested_ridge
from groove_utils.probe.scores import score_statistic
from groove_utils.probe.songs import ProbeError
from groove_utils.stats.bootstrap import influence_draws, influence_interval

__all__ = ["layer_profile"]


@memoised("probes")
def layer_profile(
    layers: Mapping,
    y,
    artists=None,
    styles=None,
    protocol: Protocol = Protocol(),
    *,
    n_permutations=0,
    n_boot=2000,
    n_jobs=1,
) -> pd.DataFrame:
    """Compute R² for each layer of a model, accounting for selection of the best layer.

    The highest of many noisy scores is biased upwards. The returned table therefore includes the R²
    obtained by choosing the layer in the inner folds (without the test songs), a p-value from the
    permutation distribution of the maximum over layers, and the set of layers that cannot be
    distinguished from the best.

    Parameters
    ----------
    layers : mapping of layer names to arrays of shape (n, d)
        Features from two or more layers.
    y, artists, styles, protocol, n_jobs
        See :func:`nested_ridge`; `protocol.layers` is ignored.
    n_permutations : int
        Number of permutations for the p-values. If 0, the p-values are omitted.
    n_boot : int
        Number of bootstrap samples of artists for the 95% intervals; the seed is `protocol.seed`.

    Returns
    -------
    DataFrame
        One row per target and layer, in the order of `layers`: ``target, layer, r2, low, high, p,
        p_layers`` (p-value corrected for the number of layers), ``best`` (True for the highest R²),
        ``may_be_best`` (True if not distinguishable from the best layer by simultaneous 95%
        intervals), ``chosen`` (proportion of outer folds for which this layer was chosen in the
        inner folds), ``nested_r2, nested_low, nested_high`` (R² and interval if the layer is chosen
        in the inner folds; the same for all layers).
    """
    if not isinstance(layers, Mapping) or len(layers) < 2:
        raise ProbeError("layers must be a mapping of two or more layer names to features",
                         kind="too_few", column="layers")  # fmt: skip
    protocol = replace(protocol, layers="select")
    songs, options = (y, artists, styles, protocol), {"n_jobs": n_jobs}
    statistic = partial(score_statistic, score="r2")
    draws = {"n_boot": n_boot, "seed": protocol.seed}
    names = [str(name) for name in layers]
    alone = [
        artist_influence(nested_ridge({name: X}, *songs, **options), statistic)
        for name, X in layers.items()
    ]
    r2, influence = (np.stack(parts, axis=-1) for parts in zip(*alone))  # layers on the last axis
    nested = nested_ridge(layers, *songs, **options)
    nested_r2, nested_influence = artist_influence(nested, statistic)
    nested_interval = influence_interval(nested_r2, nested_influence, **draws)
    if n_permutations:
        chance = permutation_test(
            {"model": layers}, *songs, n_permutations=n_permutations, each_layer=True, **options
        ).set_index(["layer", "target"])
    tables = []
    for j, target in enumerate(nested.songs.targets):
        low, high, *_ = influence_interval(r2[j], influence[:, j], **draws)
        table = pd.DataFrame({"target": target, "layer": names, "r2": r2[j], "low": low})
        table["high"] = np.minimum(high, 1.0)
        if n_permutations:
            rows = chance.loc[[(name, target) for name in names]]
            table["p"], table["p_layers"] = rows["p"].to_numpy(), rows["p_target"].to_numpy()
        table["best"] = np.arange(len(names)) == r2[j].argmax()
        table["may_be_best"] = _may_be_best(r2[j], influence[:, j], **draws)
        chosen = nested.choices.loc[nested.choices["target"] == target, "layer"]
        table["chosen"] = [(chosen == name).mean() for name in names]
        table["nested_r2"], table["nested_low"] = nested_r2[j], nested_interval.low[j]
        table["nested_high"] = min(nested_interval.high[j], 1.0)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _may_be_best(r2, influence, *, n_boot, seed, level=0.95):
    """Mark layers whose difference from the best layer is within a max-t interval around 0."""
    top = r2.argmax()
    draws = influence_draws(influence[:, [top]] - influence, n_boot, seed)
    se = draws.std(axis=0)
    moving = se > 1e-12
    if not moving.any():
        return np.ones(len(r2), dtype=bool)
    cut = np.quantile(np.abs(draws[:, moving] / se[moving]).max(axis=1), level)
    return r2[top] - r2 <= cut * np.maximum(se, 1e-15)
