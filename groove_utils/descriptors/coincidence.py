"""Bass and bass drum together, and other descriptors that need stems (chapters 04 and 07)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.descriptors.onsets import (
    detect_onsets,
    find_kicks,
    onset_strength,
    region_strength,
)
from groove_utils.descriptors.spectral import analyse

__all__ = ["coincidence", "describe_stems"]

TOGETHER = 0.04  # s; about the spread within which two attacks fuse
SILENT = 1e-5


def coincidence(first: np.ndarray, second: np.ndarray, window: float = TOGETHER) -> float:
    """F-measure of the agreement of two sets of onsets.

    Parameters
    ----------
    first, second : ndarray, shape (n,), (m,)
        Seconds, ascending.
    window : float
        Onsets that are each other's nearest and at most this many seconds apart are together.

    Returns
    -------
    float
        ``2 · together / (n + m)``, 0…1; NaN if either is empty.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not first.size or not second.size:
        return float("nan")
    distance = np.abs(first[:, None] - second)
    mutual = distance.argmin(axis=1)
    paired = distance.argmin(axis=0)[mutual] == np.arange(first.size)
    together = paired & (distance[np.arange(first.size), mutual] <= window)
    return float(2 * together.sum() / (first.size + second.size))


def describe_stems(stems: dict[str, np.ndarray], sr: int) -> pd.Series:
    """Descriptors that need the stems of a track.

    Parameters
    ----------
    stems : dict of str to ndarray, shape (n_samples,) or (n_channels, n_samples)
        Signals by stem; ``drums`` and ``bass`` are needed for their coincidence.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    pandas.Series
        ``bass_drum_coincidence`` (0…1): the F-measure of the onsets of the bass stem and of the
        bass drum, the onsets of the drum stem below 100 Hz, within 40 ms; ``density_<stem>`` in
        events a second for each stem given; last ``reason``, a str: why a value is NaN.
    """
    values: dict[str, float] = {"bass_drum_coincidence": float("nan")}
    reasons, onsets = [], {}
    for name, y in stems.items():
        y = np.asarray(y, dtype=np.float32)
        y = y.mean(axis=0) if y.ndim == 2 else y
        if y.size == 0 or not np.isfinite(y).all():
            values[f"density_{name}"] = float("nan")
            reasons.append(f"density_{name}: the stem is empty or holds NaN")
            continue
        if np.abs(y).max() < SILENT:
            values[f"density_{name}"], onsets[name] = 0.0, np.empty(0)
            continue
        spectra = analyse(y, sr)
        times, _ = detect_onsets(onset_strength(spectra), spectra.hop)
        values[f"density_{name}"] = times.size / spectra.duration
        if name == "drums":
            times = find_kicks(region_strength(spectra)["low"], spectra.hop)
        onsets[name] = times
    if "drums" in onsets and "bass" in onsets:
        values["bass_drum_coincidence"] = coincidence(onsets["bass"], onsets["drums"])
    if np.isnan(values["bass_drum_coincidence"]):
        reasons.insert(0, "bass_drum_coincidence: there is no bass or no bass drum to compare")
    return pd.Series({**values, "reason": "; ".join(reasons)}, dtype=object)
