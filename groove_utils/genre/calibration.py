"""Calibration of classifiers: agreement between confidence and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import softmax

from groove_utils.genre.metrics import check_probabilities
from groove_utils.stats.bootstrap import cluster_codes, influence_interval, jackknife_influence

__all__ = [
    "calibration_change",
    "calibration_error",
    "change_temperature",
    "fit_temperature",
    "reliability_curve",
]

SMALLEST = 1e-38  # replaces smaller probabilities, to keep logarithms finite
RANGE = (0.01, 100.0)  # lowest and highest temperature that can be fitted


def reliability_curve(y: np.ndarray, p: np.ndarray, n_bins: int = 10) -> pd.DataFrame:
    """Compare accuracy with mean confidence in confidence bins of equal width.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        True class of each example, numbered from 0.
    p : ndarray, shape (n, k)
        Predicted probabilities of k classes. The confidence is the highest value in each row.
    n_bins : int
        Number of bins into which the range from 0 to 1 is divided.

    Returns
    -------
    DataFrame
        One row per non-empty bin: ``low, high`` (edges of the bin, which includes its lower edge),
        ``n`` (number of examples), ``confidence`` (mean confidence) and ``accuracy``.

    Examples
    --------
    >>> reliability_curve([0, 1], [[0.9, 0.1], [0.6, 0.4]], n_bins=2)
       low  high  n  confidence  accuracy
    0  0.5   1.0  2        0.75       0.5
    """
    y, p = check_probabilities(y, p)
    table = pd.DataFrame({"confidence": p.max(axis=1), "accuracy": p.argmax(axis=1) == y})
    groups = table.groupby(_bins(table["confidence"], n_bins))
    edges = np.linspace(0, 1, n_bins + 1)
    means = groups[["confidence", "accuracy"]].mean()
    low = edges[means.index]
    columns = {"low": low, "high": edges[means.index + 1], "n": groups.size()}
    return pd.DataFrame(columns).join(means).reset_index(drop=True)


def calibration_error(y: np.ndarray, p: np.ndarray, n_bins: int = 10) -> float:
    """Compute the expected calibration error (ECE).

    The ECE is the absolute difference between accuracy and mean confidence, averaged over bins.
    Each bin is weighted by its number of examples. The ECE depends on the number of bins. With few
    examples, it is above 0 even for a perfectly calibrated classifier.

    Parameters
    ----------
    y, p, n_bins
        As in :func:`reliability_curve`.

    Returns
    -------
    float
        ECE, between 0 and 1.

    References
    ----------
    Guo et al. (2017), "On calibration of modern neural networks", ICML.

    Examples
    --------
    >>> calibration_error([0, 1], [[0.9, 0.1], [0.6, 0.4]], n_bins=2)
    0.25
    """
    return float(_weighted_errors(y, p, np.ones((1, len(y))), n_bins)[0])


def _weighted_errors(y, p, weights: np.ndarray, n_bins: int) -> np.ndarray:
    """Compute the expected calibration error for each row of `weights`, shape (n_draws, n)."""
    y, p = check_probabilities(y, p)
    confidence = p.max(axis=1)
    gaps = (p.argmax(axis=1) == y) - confidence
    cells = gaps[:, None] * np.eye(n_bins)[_bins(confidence, n_bins)]
    return np.abs(weights @ cells).sum(axis=1) / weights.sum(axis=1)


def _bins(confidence: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the bin of each example, from 0 to n_bins − 1; a bin includes its lower edge."""
    edges = np.linspace(0, 1, n_bins + 1)
    return np.clip(np.searchsorted(edges, confidence, "right") - 1, 0, n_bins - 1)


def calibration_change(
    y: np.ndarray, before: np.ndarray, after: np.ndarray, bands: Sequence, *,
    n_bins: int = 10, n_boot: int = 2000, seed: int = 0,
) -> dict[str, float]:  # fmt: skip
    """Compute the change in expected calibration error, with a 95% confidence interval.

    Parameters
    ----------
    y, n_bins
        As in :func:`calibration_error`.
    before, after : ndarray, shape (n, k)
        Predicted probabilities for the same examples before and after a change to the classifier.
    bands : sequence, shape (n,)
        Band (artist) of each example; at least three bands are required.
    n_boot, seed : int
        Number of bootstrap samples, and random seed.

    Returns
    -------
    dict
        ``estimate`` (error of `after` minus error of `before`; negative if calibration improved),
        ``low`` and ``high`` (bounds of the 95% interval).

    Notes
    -----
    A bootstrap of the error itself would be biased, because a bootstrap sample has fewer distinct
    examples in each bin. The interval is therefore computed from the influence of each band on the
    change (:func:`groove_utils.stats.influence_interval`).
    """
    codes, n_bands = cluster_codes(bands)
    weights = np.vstack([np.ones(len(codes)), codes != np.arange(n_bands)[:, None]])
    change = np.subtract(*(_weighted_errors(y, p, weights, n_bins) for p in (after, before)))
    influence = jackknife_influence(change[1:, None])
    low, high, *_ = influence_interval(change[:1], influence, n_boot=n_boot, seed=seed)
    return {"estimate": float(change[0]), "low": float(low[0]), "high": float(high[0])}


def change_temperature(p: np.ndarray, temperature: float) -> np.ndarray:
    """Rescale class probabilities by dividing their logits by a temperature.

    Temperatures above 1 make the distribution over classes more uniform; temperatures below 1 make
    it less uniform. The ranking of the classes does not change.

    Parameters
    ----------
    p : array-like, shape (n, k)
        Probabilities of k classes.
    temperature : float
        Positive number.

    Returns
    -------
    ndarray, shape (n, k)

    Examples
    --------
    >>> change_temperature([[0.9, 0.1]], 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    return softmax(np.log(np.maximum(p, SMALLEST)) / temperature, axis=1)


def fit_temperature(y: np.ndarray, p: np.ndarray) -> float:
    """Find the temperature that minimises the log loss of the rescaled probabilities.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        True class of each example, numbered from 0.
    p : ndarray, shape (n, k)
        Predicted probabilities for validation examples. Do not use the test set.

    Returns
    -------
    float
        Temperature, from 0.01 to 100; see :func:`change_temperature`.

    Notes
    -----
    For temperature T = 1/β, logits z and true class y, the derivative of the log loss with respect
    to β is the mean over examples of Σ p_c(β) z_c − z_y, where p_c(β) is the rescaled probability
    of class c and the sum is over classes. The derivative increases with β, so its root is the
    unique minimum of the log loss.

    Examples
    --------
    The confidence is 90%, but only 3 of 4 predictions are correct. The log odds are log 9, which is
    twice the correct value, log 3. The temperature is therefore 2.

    >>> round(fit_temperature([0, 0, 0, 1], [[0.9, 0.1]] * 4), 6)
    2.0
    """
    y, p = check_probabilities(y, p)
    z = np.log(np.maximum(p, SMALLEST))
    z = z - z.max(axis=1, keepdims=True)
    true_logits = z[np.arange(len(y)), y]

    def slope(log_beta):
        return ((softmax(np.exp(log_beta) * z, axis=1) * z).sum(axis=1) - true_logits).mean()

    low, high = np.log(1 / np.array(RANGE[::-1]))
    if slope(low) >= 0:
        return RANGE[1]
    if slope(high) <= 0:
        return RANGE[0]
    return float(np.exp(-brentq(slope, low, high, xtol=1e-15, rtol=1e-14)))
