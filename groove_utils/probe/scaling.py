"""Standardisation that is robust to near-constant features.

Some units of pretrained networks are almost constant over the training songs, but not over the test
songs. If such a unit were divided by its tiny standard deviation, a single test value could
dominate all other features.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from groove_utils.probe.folds import outer_splits
from groove_utils.stats.validation import as_blocks

__all__ = ["ClippedStandardScaler", "scale_facts"]


class ClippedStandardScaler(TransformerMixin, BaseEstimator):
    """Standardise features by their training mean and SD (with a lower bound), then clip them.

    Parameters
    ----------
    floor : float, default 1e-4
        Relative lower bound for the SD: features are divided by at least `floor` times the median
        SD of all features that vary. The default is small because descriptors have different units,
        so their SDs can differ by a factor of a thousand.
    clip : float, default 5.0
        Standardised values are limited to ±`clip`. Clipping handles features with a small SD in the
        training songs but large values in the test songs; for these features, a lower bound for the
        SD is not enough.

    Attributes
    ----------
    mean_, scale_ : ndarray, shape (d,), dtype float64
        Mean and divisor of each feature. For constant features, `scale_` is infinite, so their
        standardised values are exactly 0.

    Notes
    -----
    Values are centred on the training mean *before* clipping. After clipping, their mean may differ
    from 0; a regression with an intercept adjusts for this.

    Examples
    --------
    >>> ClippedStandardScaler().fit([[0.0], [2.0]]).transform([[1.0], [2.0], [100.0]]).ravel()
    array([0., 1., 5.])
    """

    def __init__(self, floor: float = 1e-4, clip: float = 5.0):
        self.floor = floor
        self.clip = clip

    def fit(self, X, y=None):
        """Compute the mean and scale of each feature over the training songs `X`, shape (n, d)."""
        X = np.asarray(X, dtype=np.float64)
        self.mean_ = X.mean(axis=0)
        sd = X.std(axis=0)
        # an SD below the rounding error of the mean counts as 0
        varying = sd > 1e-12 * np.maximum(np.abs(self.mean_), np.finfo(float).tiny)
        least = self.floor * np.median(sd[varying]) if varying.any() else 1.0
        self.scale_ = np.where(varying, np.maximum(sd, least), np.inf)
        return self

    def transform(self, X):
        """Standardise features of shape (n, d); return an array of the same shape."""
        Z = np.asarray(X, dtype=np.float64) - self.mean_
        Z /= self.scale_
        return np.clip(Z, -self.clip, self.clip, out=Z)


def scale_facts(X, folds, *, floor=1e-4, clip=5.0) -> dict[str, float]:
    """Summarise the scales of features, and how far test values are from the training mean.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer names to such arrays
        Features of n songs.
    folds : ndarray of int, shape (n_repeats, n)
        Fold in which each song is held out.
    floor, clip : float
        Settings to pass to :class:`ClippedStandardScaler`.

    Returns
    -------
    dict
        ``units`` (number of features); ``constant`` (number of features that are constant in at
        least one training set); ``orders`` (orders of magnitude between the largest and smallest SD
        of the features that vary); ``largest_z`` (largest distance of a held-out value from the
        training mean, in training SDs, without `floor` or `clip`); ``bounded_percent`` (percentage
        of held-out values that are clipped).
    """
    blocks = as_blocks(X)
    splits = outer_splits(folds)
    constant, largest, beyond, count = 0, 0.0, 0, 0
    for block in blocks.values():
        is_constant = np.zeros(block.shape[1], dtype=bool)
        for split in splits:
            train, test = block[split.train], block[split.test]
            plain = ClippedStandardScaler(0.0, np.inf).fit(train)
            is_constant |= np.isinf(plain.scale_)
            largest = max(largest, float(np.abs(plain.transform(test)).max()))
            z = ClippedStandardScaler(floor, np.inf).fit(train).transform(test)
            beyond, count = beyond + int((np.abs(z) > clip).sum()), count + z.size
        constant += int(is_constant.sum())
    sd = np.concatenate([block.std(axis=0) for block in blocks.values()])
    varying = sd[sd > 0]
    orders = np.log10(varying.max() / varying.min()) if len(varying) else np.nan
    return {"units": len(sd), "constant": constant, "orders": float(orders), "largest_z": largest,
            "bounded_percent": 100 * beyond / count}  # fmt: skip
