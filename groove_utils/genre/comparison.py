"""Accuracy of networks and differences in accuracy, with confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.stats import bca_interval, holm, two_way_interval

__all__ = ["accuracy_by_seed", "accuracy_differences", "accuracy_table"]


def accuracy_table(
    predictions: pd.DataFrame, by: str = "network", *, n_boot: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Compute the accuracy on test clips, with 95% bootstrap confidence intervals.

    Whole bands (artists) are resampled, together with the predictions for their clips from all
    training runs. The intervals reflect the sampling of bands, but not the randomness of training.

    Parameters
    ----------
    predictions : DataFrame
        Predictions returned by :func:`groove_utils.genre.train_networks`.
    by : str
        Column that identifies the groups to compare, such as ``network``.
    n_boot, seed : int
        Number of bootstrap samples, and random seed.

    Returns
    -------
    DataFrame
        One row per value of `by`, in order of appearance: `by`, ``accuracy, low, high, sd_seeds,
        n_bands``. ``sd_seeds`` is the standard deviation of the accuracy over seeds.
    """
    test = _mark_correct(predictions)
    rows = []
    for value, part in test.groupby(by, sort=False):
        estimate, low, high = _interval(part, n_boot, seed)
        per_seed = part.groupby("seed")["correct"].mean()
        rows.append(
            {by: value, "accuracy": estimate, "low": low, "high": high,
             "sd_seeds": per_seed.std(), "n_bands": part["artist"].nunique()}
        )  # fmt: skip
    return pd.DataFrame(rows)


def accuracy_by_seed(predictions: pd.DataFrame, by: str = "network") -> pd.DataFrame:
    """Compute the accuracy on test clips for each training run.

    Parameters
    ----------
    predictions, by
        As in :func:`accuracy_table`.

    Returns
    -------
    DataFrame
        Accuracies, with one row per value of `by` and one column per seed.
    """
    table = _mark_correct(predictions).pivot_table("correct", by, "seed", sort=False)
    return table.sort_index(axis=1)


def accuracy_differences(
    predictions: pd.DataFrame, pairs: Mapping[str, tuple], by: str = "network"
) -> pd.DataFrame:
    """Compute differences in accuracy between networks, with 95% confidence intervals.

    Networks are compared on the same bands and seeds; a seed determines both the split and the
    training run. The intervals reflect both the sampling of bands and the randomness of training
    (:func:`groove_utils.stats.two_way_interval`).

    Parameters
    ----------
    predictions, by
        As in :func:`accuracy_table`.
    pairs : mapping of str to (first, second)
        Pairs of values in the column `by` to compare. The keys become the index of the result.

    Returns
    -------
    DataFrame
        One row per key of `pairs`: ``first, second, difference`` (accuracy of `first` minus that of
        `second`), ``low, high`` (95% interval; NaN if there is only one seed), ``p`` (p-value of a
        two-sided test of whether the difference is 0), ``p_holm`` (`p` adjusted by Holm's method
        for the number of pairs), ``n_bands`` and ``n_seeds``.
    """
    test = _mark_correct(predictions)
    sums = test.groupby([by, "artist", "seed"], observed=True)["correct"].agg(["sum", "size"])
    rows = []
    for first, second in pairs.values():
        cells = pd.concat([sums.loc[first], sums.loc[second]], axis=1).fillna(0)
        bands, seeds = (cells.index.get_level_values(level) for level in (0, 1))
        right, count = cells["sum"].to_numpy(), cells["size"].to_numpy()

        def statistic(weights, right=right, count=count):
            share = (weights @ right) / np.maximum(weights @ count, 1e-12)
            return share[:, :1] - share[:, 1:]

        estimate, low, high, _, p = (part[0] for part in two_way_interval(statistic, bands, seeds))
        rows.append((first, second, estimate, low, high, p, bands.nunique(), seeds.nunique()))
    names = ["first", "second", "difference", "low", "high", "p", "n_bands", "n_seeds"]
    table = pd.DataFrame(rows, index=pd.Index(pairs, name="key"), columns=names)
    table.insert(6, "p_holm", holm(table["p"]))
    return table


def _mark_correct(predictions: pd.DataFrame) -> pd.DataFrame:
    """Select the predictions for test clips and add a column ``correct`` (1.0 or 0.0)."""
    test = predictions[predictions["split"] == "test"]
    columns = [name for name in test if name.startswith("p_")]
    best = test[columns].to_numpy().argmax(axis=1)
    predicted = np.array([name[2:] for name in columns])[best]
    return test.assign(correct=(predicted == test["style"].to_numpy()).astype(float))


def _interval(part: pd.DataFrame, n_boot: int, seed: int) -> tuple[float, float, float]:
    """Compute the accuracy and its 95% bootstrap interval (resampled by band)."""
    sums = part.groupby("artist")["correct"].agg(["sum", "size"])
    right, count = sums["sum"].to_numpy(), sums["size"].to_numpy()

    def statistic(weights):
        return (weights @ right / np.maximum(weights @ count, 1e-12))[:, None]

    if np.ptp(right / count) == 0:  # same accuracy in all bands, for example 100%
        return (float(right.sum() / count.sum()),) * 3
    estimate, low, high, _ = bca_interval(
        statistic, sums.index.to_numpy(), n_boot=n_boot, seed=seed
    )
    return float(estimate[0]), float(low[0]), float(high[0])
