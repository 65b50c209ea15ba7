"""Correction of p-values for the number of tests."""

from __future__ import annotations

import numpy as np

__all__ = ["holm"]


def holm(p) -> np.ndarray:
    """Adjust p-values for multiple testing using Holm's step-down method.

    Parameters
    ----------
    p : array-like of float, shape (n,)
        p-values of one family of tests. NaN values stay NaN and are not counted as tests.

    Returns
    -------
    ndarray of float64, shape (n,)
        Adjusted p-values.

    Notes
    -----
    The result equals ``statsmodels.stats.multitest.multipletests(p, method="holm")[1]``. The
    statsmodels function is not used because it runs a full garbage collection in each call, which
    is slow once a neural network has been loaded.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")[: np.isfinite(p).sum()]
    adjusted = np.full(p.shape, np.nan)
    steps = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * steps), 1.0)
    return adjusted
