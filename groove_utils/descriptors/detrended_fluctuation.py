"""Danceability, computed by detrended fluctuation analysis."""

from __future__ import annotations

import numpy as np

__all__ = ["danceability"]

FRAME = 0.01  # s
SHORTEST, LONGEST, GROWTH = 0.31, 8.8, 1.1  # s, s, factor: spans as in Streich & Herrera


def danceability(y: np.ndarray, sr: int) -> float:
    """Compute danceability as defined by Streich & Herrera (2005).

    The standard deviation of the signal is computed in each 10 ms frame. The mean of the resulting
    series is subtracted, and the series is cumulatively summed. In windows of length τ from 0.31 s
    to 8.8 s, a linear trend is subtracted from the sum, and F(τ) is the root mean square of the
    residual. The scaling exponent α is the mean slope of log F against log τ, and danceability is
    1/α. Music with a strong, regular beat fluctuates little over spans longer than the beat, so its
    α is small.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    float
        About 0.5…3, independent of gain. For white noise, for which α is ½ in theory, the result is
        slightly below 2, since short windows bias α. NaN for silence, for signals shorter than
        2 s, and if α is not positive.
    """
    frame = max(1, round(FRAME * sr))
    n = len(y) // frame
    if n * FRAME < 2:
        return float("nan")
    series = np.asarray(y[: n * frame], dtype=np.float64).reshape(n, frame).std(axis=1)
    if not series.max() > 0:
        return float("nan")
    walk = np.cumsum(series - series.mean())
    n_spans = int(np.log(min(LONGEST / FRAME, n / 2) * FRAME / SHORTEST) / np.log(GROWTH)) + 1
    spans = np.round(SHORTEST / FRAME * GROWTH ** np.arange(n_spans)).astype(int)
    residual = np.array([_fluctuation(walk, span) for span in spans])
    if len(spans) < 2 or not (residual > 0).all():
        return float("nan")
    alpha = np.mean(np.diff(np.log(residual)) / np.diff(np.log(spans + 3)))
    return float(1 / alpha) if alpha > 0 else float("nan")


def _fluctuation(walk: np.ndarray, span: int) -> float:
    """Return the RMS deviation of `walk` from lines fitted in windows of `span` frames."""
    step = max(1, span // 50)
    cut = np.lib.stride_tricks.sliding_window_view(walk, span)[::step]
    x = np.arange(span) - (span - 1) / 2
    centred = cut - cut.mean(axis=1, keepdims=True)
    slope = centred @ x / (x @ x)
    power = (centred**2).sum(axis=1) - slope**2 * (x @ x)
    return float(np.sqrt(np.maximum(power, 0).mean() / span))
