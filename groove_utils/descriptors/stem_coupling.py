"""Coincidence of bass and bass-drum onsets, and other descriptors that require stems."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.descriptors.onsets import (
    detect_onsets,
    find_kicks,
    level_rise,
    onset_strength,
    region_strength,
)
from groove_utils.descriptors.spectral import analyse
from groove_utils.rhythm.density import onset_density

__all__ = ["coincidence", "describe_stems"]

TOGETHER = 0.04  # s; attacks that are closer than this are heard as one
BASS_THRESHOLD = 0.1  # see `threshold` in `detect_onsets`
SILENT = 1e-5  # peak in full-scale amplitude
STEM_DESCRIPTORS = ("bass_drum_coincidence", "density_drums", "density_bass")


def coincidence(first: np.ndarray, second: np.ndarray, window: float = TOGETHER) -> float:
    """Compute the agreement between two sets of onsets as an F-measure.

    Parameters
    ----------
    first, second : ndarray, shapes (n,) and (m,)
        Onset times in seconds, in ascending order.
    window : float
        Maximum distance between matching onsets in seconds. Two onsets match if they are each
        other's nearest neighbours and at most this far apart.

    Returns
    -------
    float
        ``2 · matches / (n + m)``, 0…1; NaN if either set is empty.

    Examples
    --------
    >>> coincidence([1.0, 2.0, 3.0], [1.03, 2.5])
    0.4
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
    """Compute the descriptors that require the stems of a track.

    Parameters
    ----------
    stems : dict of str to ndarray, shape (n_samples,) or (n_channels, n_samples)
        Signals by stem name; only ``drums`` and ``bass`` are used.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    pandas.Series
        ``bass_drum_coincidence`` (0…1) is the :func:`coincidence` between the onsets in the bass
        stem and the strokes of the bass drum (strong onsets below 100 Hz in the drum stem), with a
        window of 40 ms. ``density_drums`` and ``density_bass`` are onsets per second. ``reason`` is
        a string that lists the reasons for NaN; it is empty if there are none.

    Notes
    -----
    Stems with voices or chords are not used, since their attacks are too soft for this onset
    detector.
    """
    values = dict.fromkeys(STEM_DESCRIPTORS, float("nan"))
    reasons, onsets = {}, {}
    for name in ("drums", "bass"):
        y = np.asarray(stems.get(name, ()), dtype=np.float32)
        y = y.mean(axis=0) if y.ndim == 2 else y
        if y.size == 0 or not np.isfinite(y).all():
            reasons[f"density_{name}"] = "the stem is missing, empty or contains NaN"
            continue
        if np.abs(y).max() < SILENT:
            values[f"density_{name}"], onsets[name] = 0.0, np.empty(0)
            continue
        spectra = analyse(y, sr)
        if name == "drums":
            times, _ = detect_onsets(onset_strength(spectra), spectra.hop)
            onsets[name] = find_kicks(region_strength(spectra)["low"], spectra.hop)
        else:
            times, _ = detect_onsets(level_rise(spectra), spectra.hop, threshold=BASS_THRESHOLD)
            onsets[name] = times
        values[f"density_{name}"] = onset_density(times, spectra.duration)
    if len(onsets) == 2:
        values["bass_drum_coincidence"] = coincidence(onsets["bass"], onsets["drums"])
    if np.isnan(values["bass_drum_coincidence"]):
        reasons["bass_drum_coincidence"] = "no bass onset or no bass-drum stroke was found"
    reason = "; ".join(f"{name}: {why}" for name, why in reasons.items())
    return pd.Series({**values, "reason": reason}, dtype=object)
