"""Computation of all descriptors of one signal."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.audio import check_signal
from groove_utils.descriptors import pulse, spectral
from groove_utils.descriptors.beat import estimate_grid
from groove_utils.descriptors.cards import DESCRIPTORS
from groove_utils.descriptors.detrended_fluctuation import danceability
from groove_utils.descriptors.drum_strokes import syncopation
from groove_utils.descriptors.onsets import (
    clear_onsets,
    detect_onsets,
    find_kicks,
    onset_strength,
    region_onsets,
    region_strength,
)
from groove_utils.memoisation import memoised
from groove_utils.rhythm.density import onset_density
from groove_utils.rhythm.timing import microtiming, swing_ratio

__all__ = ["describe"]

SILENT = 1e-5  # peak in full-scale amplitude (−100 dB); only dither is quieter
SHORTEST = 0.1  # s: two frames of 50 ms
SHORTEST_RHYTHM = 3.0  # s: two beats at the slowest tempo, 40 BPM


@memoised("descriptors")
def describe(y: np.ndarray, sr: int, *, bands: np.ndarray | None = None) -> pd.Series:
    """Compute all descriptors of one signal.

    Parameters
    ----------
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
        Signal; channels are averaged.
    sr : int
        Sample rate in Hz, 4000…400000.
    bands : ndarray, shape (10,), optional
        Output of :func:`subband_flux` for the signal, if already computed.

    Returns
    -------
    pandas.Series
        One float for each name in :data:`DESCRIPTORS` (for their units, see
        :func:`descriptor_table`), and a string ``reason``. If any descriptors are NaN, it lists the
        reasons as ``name, name: reason``, separated by semicolons; otherwise, it is empty.

    Raises
    ------
    DescriptorError
        If `sr` is out of range.
    AudioError
        If the signal is invalid; see :func:`groove_utils.audio.check_signal`. Silent and short
        signals are valid, but some of their descriptors are NaN.

    Notes
    -----
    For silence, levels, fluxes and densities are 0 or almost 0, and all other descriptors are NaN.
    For signals shorter than 0.1 s, all descriptors except the RMS are NaN. For signals shorter than
    3 s, pulse clarity (except the attack model), periodicity, danceability and all descriptors that
    require a metrical grid are NaN. The flux of bands above half the sample rate is NaN.

    Examples
    --------
    Clicks at 120 BPM for 4 s:

    >>> y = np.zeros(4 * 22050)
    >>> y[:: 22050 // 2] = 0.5
    >>> row = describe(y, 22050)
    >>> round(row["event_density"], 1), row["pulse_clarity"] > 0.9
    (2.0, True)
    """
    if not 4000 <= sr <= 400_000:
        raise spectral.DescriptorError(
            f"sr is {sr}; expected a sample rate between 4000 and 400000 Hz.",
            kind="out_of_range", column="sr", value=sr,
        )  # fmt: skip
    y = check_signal(y)
    y = y.mean(axis=0) if y.ndim == 2 else y
    values = dict.fromkeys(DESCRIPTORS, float("nan"))
    reasons: dict[str, str] = {}
    why = _measure(values, reasons, y.astype(np.float32), int(sr), bands)
    for name in DESCRIPTORS:
        if np.isnan(values[name]):
            reasons.setdefault(name, why)
    return pd.Series({**values, "reason": _join(reasons)}, dtype=object)


def _measure(
    values: dict[str, float], reasons: dict[str, str], y: np.ndarray, sr: int, bands
) -> str:
    """Add to `values` all descriptors that can be computed; return why the others are NaN."""
    values["rms"] = float(np.sqrt(np.mean(y.astype(np.float64) ** 2)))
    duration = y.size / sr
    if duration < SHORTEST:
        return f"{duration:.2g} s is shorter than {SHORTEST} s"
    spectra = spectral.analyse(y, sr)
    bands = spectral.subband_flux(y, sr) if bands is None else bands
    for band, flux in enumerate(bands, start=1):
        values[f"band_{band}_flux"] = float(flux)
        if np.isnan(flux):
            reasons[f"band_{band}_flux"] = f"above half the sample rate of {sr} Hz"
    values["rms_sd"] = float(spectral.rms_curve(y, sr).std())
    values["spectral_flux"] = float(spectra.flux.mean())
    values["low_flux"] = float(spectra.low_flux.mean())
    if np.abs(y).max() < SILENT:
        densities = ("event_density", "density_low", "density_mid", "density_high")
        values |= dict.fromkeys(densities, 0.0)
        return "the signal is silent"
    values["low_energy"] = spectra.low_energy
    curve, regions = onset_strength(spectra), region_strength(spectra)
    times, strengths = detect_onsets(curve, spectra.hop)
    values["event_density"] = onset_density(times, duration)
    for name, onsets in region_onsets(regions, spectra.hop).items():
        values[f"density_{name}"] = onset_density(onsets, duration)
    values["pulse_clarity_attack"] = pulse.pulse_clarity_attack(y, sr)
    if np.isnan(values["pulse_clarity_attack"]):
        reasons["pulse_clarity_attack"] = "the amplitude envelope has no attack"
    if duration < SHORTEST_RHYTHM:
        return f"{duration:.2g} s is shorter than {SHORTEST_RHYTHM:g} s"
    values["pulse_clarity"] = pulse.pulse_clarity(curve, spectra.hop)
    values["periodicity"] = pulse.periodicity(curve, spectra.hop)
    values["danceability"] = danceability(y, sr)
    grid = estimate_grid(curve, regions, spectra.hop)
    if grid is None:
        return "no regular pulse of at least eight beats was found"
    kicks = find_kicks(regions["low"], spectra.hop)
    mean, spread, percent = microtiming(clear_onsets(times, strengths), grid, kicks)
    values |= {
        "tempo": grid.tempo,
        "beat_salience": pulse.beat_salience(curve, spectra.hop, grid),
        "metrical_strength": pulse.metrical_strength(curve, spectra.hop, grid),
        "microtiming_mean": mean,
        "microtiming_spread": spread,
        "microtiming_percent": percent,
        "swing_ratio": swing_ratio(grid),
    }
    values["syncopation"], values["syncopation_lhl"] = syncopation(spectra, grid)
    if np.isnan(values["swing_ratio"]):
        reasons["swing_ratio"] = "straight or too sparse: fewer than four onsets on odd sixteenths"
    return "too few strokes on the grid"


def _join(reasons: dict[str, str]) -> str:
    """Join reasons, with names grouped by reason: ``name, name: reason; name: reason``."""
    causes: dict[str, list[str]] = {}
    for name, why in reasons.items():
        causes.setdefault(why, []).append(name)
    return "; ".join(
        f"{'all' if len(names) == len(DESCRIPTORS) else ', '.join(names)}: {why}"
        for why, names in causes.items()
    )
