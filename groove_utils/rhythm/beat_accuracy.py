"""Accuracy of beat trackers: F-measure of beats, correct tempi, and octave errors in tempo.

References
----------
Davies, M. E. P., Degara, N. & Plumbley, M. D. (2009). Evaluation methods for musical audio beat
tracking algorithms. Queen Mary University of London, technical report C4DM-TR-09-06.

Gouyon, F., Klapuri, A., Dixon, S., Alonso, M., Tzanetakis, G., Uhle, C. & Cano, P. (2006). An
experimental comparison of audio tempo induction algorithms. IEEE Transactions on Audio, Speech and
Language Processing, 14(5), 1832–1844.
"""

from __future__ import annotations

import mir_eval.beat
import numpy as np
import pandas as pd

from groove_utils.stats import influence_interval, jackknife_influence
from groove_utils.stats.bootstrap import FEWEST_CLUSTERS

__all__ = ["compare_trackers", "score_beats"]

TEMPO_TOLERANCE = 0.04  # as a fraction of the true tempo (Gouyon et al., 2006)


def score_beats(beats, true_beats) -> dict[str, float]:
    """Score the beats that a beat tracker found in a song against the true beats.

    Parameters
    ----------
    beats, true_beats : array-like of shape (n_beats,)
        Times in seconds, in ascending order; `beats` may be empty.

    Returns
    -------
    dict of str to float
        ``f`` is the F-measure of the beats, with a tolerance of 70 ms. The other values are 0 or 1:
        ``right`` is 1 if the tempo is within 4% of the true tempo, ``octave`` is 1 if it is within
        4% of half or double the true tempo, and ``wrong`` is 1 in all other cases. Tempi are
        computed from the median interval between beats.

    Examples
    --------
    >>> score_beats([0.0, 1.0, 2.0, 4.0], [0.0, 1.0, 2.0, 3.0])
    {'f': 0.75, 'right': 1.0, 'octave': 0.0, 'wrong': 0.0}
    """
    beats, true_beats = np.asarray(beats, float), np.asarray(true_beats, float)
    true_period, period = (
        np.median(np.diff(times)) if times.size > 1 else np.nan for times in (true_beats, beats)
    )
    right, double, half = (
        float(abs(true_period / period / factor - 1) <= TEMPO_TOLERANCE) for factor in (1, 2, 0.5)
    )
    f = float(mir_eval.beat.f_measure(true_beats, beats)) if beats.size else 0.0
    octave = double + half
    return {"f": f, "right": right, "octave": octave, "wrong": 1.0 - right - octave}


def compare_trackers(accuracy: pd.DataFrame, *, n_boot: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Compute each beat tracker's mean accuracy, with confidence intervals clustered by artist.

    Parameters
    ----------
    accuracy : DataFrame
        One row per song and tracker, with the columns ``tracker, song, artist, f, right, octave,
        wrong``; see :func:`score_beats`.
    n_boot, seed : int
        See :func:`groove_utils.stats.influence_interval`.

    Returns
    -------
    DataFrame, indexed by tracker
        Columns ``f, right, octave, wrong`` (means over songs), ``low, high`` (95% confidence
        interval of ``f``), ``gain`` (mean ``f`` minus the mean ``f`` of the first tracker in
        `accuracy`), and ``gain_low, gain_high`` (95% interval of ``gain``). The bounds of the
        intervals are NaN if there are fewer than three artists.
    """
    means = accuracy.groupby("tracker", sort=False)[["f", "right", "octave", "wrong"]].mean()
    scores = accuracy.pivot(index=["artist", "song"], columns="tracker", values="f")[means.index]
    gains = scores.sub(scores.iloc[:, 0], axis=0)
    low, high = _interval(scores, n_boot, seed)
    means["low"], means["high"] = np.clip(low, 0, 1), np.clip(high, 0, 1)
    means["gain"] = gains.mean()
    means["gain_low"], means["gain_high"] = _interval(gains, n_boot, seed)
    return means


def _interval(values: pd.DataFrame, n_boot: int, seed: int) -> tuple:
    """Compute 95% confidence intervals of column means, clustered by the index level ``artist``."""
    by_artist = values.groupby("artist")
    total, count = by_artist.sum(), by_artist.count()
    if len(total) < FEWEST_CLUSTERS:
        return np.nan, np.nan
    left_out = (total.sum() - total) / (count.sum() - count)
    influence = jackknife_influence(left_out.to_numpy())
    interval = influence_interval(values.mean().to_numpy(), influence, n_boot=n_boot, seed=seed)
    return interval.low, interval.high
