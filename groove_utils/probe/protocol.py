"""Settings for a nested probe: folds, layers, penalties, scaling and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from groove_utils.probe.songs import ProbeError

__all__ = ["DEFAULT_ALPHAS", "Protocol"]

DEFAULT_ALPHAS = tuple(np.logspace(-1, 6, 15).tolist())
"""Default ridge penalties for standardised features. The range is suitable for anything from 16 to
9,984 dimensions. With the largest penalty, predictions are close to the mean, which is appropriate
for features without signal."""


@dataclass(frozen=True)
class Protocol:
    """Settings for a nested probe. To change a setting, use :func:`dataclasses.replace`.

    Parameters
    ----------
    n_splits, n_repeats, n_inner : int
        Number of outer folds, number of repeats (each with new outer folds), and number of inner
        folds (fewer if a training set has fewer artists).
    layers : {"select", "concat"} or str or sequence of str
        ``select``: choose one layer in the inner folds. ``concat``: concatenate all standardised
        layers. Name of a layer: use this layer. Sequence of names: choose one of these layers.
    alphas : float or sequence of float
        Ridge penalties for standardised features, greater than 0.
    pca : int or sequence of (int or None), optional
        Number of principal components to regress on, or a sequence of numbers to choose from in the
        inner folds; None keeps all components. Use a single number to compare models with the same
        number of dimensions.
    floor, clip : float
        Settings to pass to :class:`groove_utils.probe.ClippedStandardScaler`: relative lower bound
        for the SD, and limit for standardised values.
    whole_artists : bool
        If True, all songs by an artist are held out together. If False, single songs are assigned
        to outer and inner folds, so a probe can benefit from recognising artists; intervals still
        resample whole artists.
    seed : int
        Random seed for folds, permutations and bootstrap samples.

    Examples
    --------
    >>> from dataclasses import replace
    >>> protocol = Protocol(n_repeats=2, seed=7)
    >>> replace(protocol, layers="concat").layers, protocol.layers
    ('concat', 'select')
    """

    n_splits: int = 4
    n_repeats: int = 5
    n_inner: int = 4
    layers: str | Sequence[str] = "select"
    alphas: float | Sequence[float] = DEFAULT_ALPHAS
    pca: int | Sequence[int | None] | None = None
    floor: float = 1e-4
    clip: float = 5.0
    whole_artists: bool = True
    seed: int = 0

    def __post_init__(self):
        for name, least in (("n_splits", 2), ("n_repeats", 1), ("n_inner", 2)):
            self._check(name, _is_count(getattr(self, name), least), f"an integer ≥ {least}")
        alphas = np.atleast_1d(np.asarray(self.alphas, dtype=np.float64))
        usable = alphas.ndim == 1 and alphas.size and (np.isfinite(alphas) & (alphas > 0)).all()
        self._check("alphas", usable, "one or more finite penalties above 0")
        pca = (self.pca,) if self.pca is None or np.isscalar(self.pca) else tuple(self.pca)
        usable = pca and all(k is None or _is_count(k, 1) for k in pca)
        self._check("pca", usable, "one or more numbers of components, each 1 or more, or None")
        self._check("floor", self.floor >= 0, "0 or more")
        self._check("clip", self.clip > 0, "a number above 0")
        layers = self.layers if isinstance(self.layers, str) else tuple(map(str, self.layers))
        self._check("layers", layers, "'select', 'concat' or names of layers")
        for name, value in (("alphas", tuple(alphas.tolist())), ("pca", pca), ("layers", layers)):
            object.__setattr__(self, name, value)

    def _check(self, name: str, usable, expected: str) -> None:
        if not usable:
            value = getattr(self, name)
            raise ProbeError(f"{name} is {value!r}; expected {expected}", kind="out_of_range",
                             column=name, value=value)  # fmt: skip


def _is_count(value, least: int) -> bool:
    return isinstance(value, Integral) and value >= least
