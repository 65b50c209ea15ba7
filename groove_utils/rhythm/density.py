"""Event density: number of events per second."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["onset_density"]


def onset_density(onsets: ArrayLike, seconds: float) -> float:
    """Compute the number of distinct onsets per second.

    Parameters
    ----------
    onsets : array_like, shape (n_onsets,)
        Onset times, or step numbers on a metrical grid. Equal values count as one onset.
    seconds : float
        Duration of the analysed music in seconds.

    Returns
    -------
    float
        Number of onsets per second.

    Examples
    --------
    At 120 BPM, one instrument plays on the beats, and another plays on the beats and off-beats:

    >>> onset_density([0, 8, 16, 24] + [0, 4, 8, 12, 16, 20, 24, 28], seconds=2.0)
    4.0
    """
    return np.unique(np.asarray(onsets)).size / seconds
