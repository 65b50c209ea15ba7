"""Standardisation that a near-constant unit cannot blow up (chapter 06).

Pretrained networks have units that hardly move over the training songs and then do on a test
song. Divided by their tiny standard deviation, one such value outweighs all other features.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["ClippedStandardScaler"]


class ClippedStandardScaler(TransformerMixin, BaseEstimator):
    """Standardise features by training mean and SD, with a floor under the SD and a bound on z.

    Parameters
    ----------
    floor : float, default 1e-4
        The divisor is never below `floor` times the median SD of the block's varying features.
        It is small because descriptors in different units differ a thousandfold in SD with good
        reason.
    clip : float, default 5.0
        Standardised values are limited to ±`clip`. This catches what no relative floor can: a
        unit whose SD is merely small in training and whose test value is not.

    Attributes
    ----------
    mean_, scale_ : ndarray, shape (d,), dtype float64
        `scale_` is infinite for constant features, which thereby become exactly 0.

    Notes
    -----
    The values come back centred by the training mean *before* clipping; a regression with an
    intercept takes out what mean the clipping leaves.
    """

    def __init__(self, floor: float = 1e-4, clip: float = 5.0):
        self.floor = floor
        self.clip = clip

    def fit(self, X, y=None):
        """Learn mean and scale from training songs, shape (n, d)."""
        X = np.asarray(X, dtype=np.float64)
        self.mean_ = X.mean(axis=0)
        sd = X.std(axis=0)
        # below rounding error of the mean a spread is no spread
        moving = sd > 1e-12 * np.maximum(np.abs(self.mean_), np.finfo(float).tiny)
        least = self.floor * np.median(sd[moving]) if moving.any() else 1.0
        self.scale_ = np.where(moving, np.maximum(sd, least), np.inf)
        return self

    def transform(self, X):
        """Standardise songs, shape (n, d) → (n, d)."""
        Z = np.asarray(X, dtype=np.float64) - self.mean_
        Z /= self.scale_
        return np.clip(Z, -self.clip, self.clip, out=Z)
