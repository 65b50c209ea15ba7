"""Handcrafted features of spectrograms, for classifiers that do not learn their own features."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.fft import dct

__all__ = ["spectrogram_statistics"]


def spectrogram_statistics(
    X: np.ndarray, frame_rate: float = 31.25, n_coefficients: int = 20
) -> pd.DataFrame:
    """Compute timbre, timbre-change and pulse-strength features from log-mel spectrograms.

    Parameters
    ----------
    X : ndarray, shape (n, n_mels, n_frames)
        Log-mel spectrograms in dB.
    frame_rate : float
        Frames per second.
    n_coefficients : int
        Number of mel-frequency cepstral coefficients.

    Returns
    -------
    DataFrame
        One row per clip: mean and standard deviation of each coefficient (``mfcc_mean_0`` …,
        ``mfcc_sd_0`` …), standard deviation of the differences between its values in successive
        frames (``mfcc_delta_0`` …), mean and standard deviation of the rise in level between
        successive frames (``flux_mean``, ``flux_sd``), and autocorrelation of this rise at lags
        from about 0.2 to 1.2 s (``pulse_0.19`` …).

    Examples
    --------
    >>> spectrogram_statistics(np.random.default_rng(0).normal(size=(2, 48, 94))).shape
    (2, 95)
    """
    mfcc = dct(X, axis=1, norm="ortho")[:, :n_coefficients]
    rise = np.maximum(np.diff(X, axis=2), 0).mean(axis=1)
    centred = rise - rise.mean(axis=1, keepdims=True)
    power = np.maximum((centred**2).mean(axis=1), 1e-12)
    lags = np.arange(round(0.2 * frame_rate), round(1.2 * frame_rate) + 1)
    lags = lags[lags < rise.shape[1]]
    pulses = [(centred[:, lag:] * centred[:, :-lag]).mean(axis=1) / power for lag in lags]
    numbers = range(mfcc.shape[1])
    columns = {
        **{f"mfcc_mean_{k}": mfcc[:, k].mean(axis=1) for k in numbers},
        **{f"mfcc_sd_{k}": mfcc[:, k].std(axis=1) for k in numbers},
        **{f"mfcc_delta_{k}": np.diff(mfcc[:, k], axis=1).std(axis=1) for k in numbers},
        "flux_mean": rise.mean(axis=1),
        "flux_sd": rise.std(axis=1),
        **{f"pulse_{lag / frame_rate:.2f}": pulse for lag, pulse in zip(lags, pulses)},
    }
    return pd.DataFrame(columns)
