"""Accuracy of networks, with bootstrap intervals over bands."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.stats import bca_interval

__all__ = ["accuracy_difference", "accuracy_table"]


def accuracy_table(
    predictions: pd.DataFrame, by: str = "network", *, n_boot: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Compute the accuracy on test clips, with bootstrap intervals over bands.

    Bands are resampled, each with all predictions of its clips over all seeds.

    Parameters
    ----------
    predictions : DataFrame
        Output of :func:`groove_utils.genre.train_networks`.
    by : str
        Column whose values are compared.
    n_boot, seed : int

    Returns
    -------
    DataFrame
        One row per value of `by`, in order of appearance: `by`, ``accuracy, low, high, sd_seeds,
        n_bands``. ``sd_seeds`` is the standard deviation of the accuracy over seeds.
    """
    test = _mark(predictions)
    rows = []
    for value, part in test.groupby(by, sort=False):
        estimate, low, high = _interval([part], n_boot, seed)
        per_seed = part.groupby("seed")["correct"].mean()
        rows.append(
            {by: value, "accuracy": estimate, "low": low, "high": high,
             "sd_seeds": per_seed.std(), "n_bands": part["artist"].nunique()}
        )  # fmt: skip
    return pd.DataFrame(rows)


def accuracy_difference(
    predictions: pd.DataFrame,
    first,
    second,
    by: str = "network",
    *,
    n_boot: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """Compute the difference in accuracy between two networks, with a paired bootstrap over bands.

    Parameters
    ----------
    predictions, by, n_boot, seed
        As in :func:`accuracy_table`.
    first, second
        Values of `by`.

    Returns
    -------
    dict
        ``difference`` (accuracy of `first` minus that of `second`), ``low``, ``high``, ``n_bands``.
    """
    test = _mark(predictions)
    parts = [test[test[by] == value] for value in (first, second)]
    estimate, low, high = _interval(parts, n_boot, seed)
    n_bands = pd.concat(parts)["artist"].nunique()
    return {"difference": estimate, "low": low, "high": high, "n_bands": n_bands}


def _mark(predictions: pd.DataFrame) -> pd.DataFrame:
    """Select test clips, and mark whether the most probable style is correct."""
    test = predictions[predictions["split"] == "test"]
    columns = [name for name in test if name.startswith("p_")]
    best = test[columns].to_numpy().argmax(axis=1)
    named = np.array([name[2:] for name in columns])[best]
    return test.assign(correct=(named == test["style"].to_numpy()).astype(float))


def _interval(parts: list[pd.DataFrame], n_boot: int, seed: int) -> tuple[float, float, float]:
    """Compute the accuracy of the first part, or its difference from the second, with interval."""
    sums = [part.groupby("artist")["correct"].agg(["sum", "size"]) for part in parts]
    bands = sums[0].index
    for other in sums[1:]:
        bands = bands.union(other.index)
    right, count = (
        np.stack([s[column].reindex(bands, fill_value=0) for s in sums])
        for column in ("sum", "size")
    )

    def statistic(weights):
        share = (weights @ right.T) / np.maximum(weights @ count.T, 1e-12)
        return (share[:, :1] - share[:, 1:2]) if len(parts) > 1 else share

    each = statistic(np.eye(len(bands)))
    if np.ptp(each) == 0:  # all bands are equal, as when all clips are correct
        return (float(each[0, 0]),) * 3
    estimate, low, high, _ = bca_interval(statistic, bands.to_numpy(), n_boot=n_boot, seed=seed)
    return float(estimate[0]), float(low[0]), float(high[0])
