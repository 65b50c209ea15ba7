"""Quality of a separation, with and without true stems for comparison."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.audio import check_signal
from groove_utils.errors import DetailedError
from groove_utils.stems.mixing import sum_stems

__all__ = ["separation_checks", "separation_quality"]

SILENT_BELOW = -50.0  # dB relative to the mix; separators' output for absent stems is below
FAINTEST = 10 ** (-120 / 10)  # mean power of a signal that counts as digital silence
TOLERANCE = 0.01  # seconds by which signals of the same song may differ in length


def separation_quality(
    estimates: Mapping[str, np.ndarray], references: Mapping[str, np.ndarray], sr: int
) -> pd.DataFrame:
    """Compare separated stems with the true ones.

    Parameters
    ----------
    estimates, references : mapping of str to ndarray, shape (n_samples,) or (n_channels, n_samples)
        Signals by stem. Stems that are in both are compared and must have the same shape. (For
        HPSS, sum the true stems first: percussive corresponds roughly to the drums, harmonic to the
        rest.)
    sr : int
        Sample rate in Hz, for the column `seconds`.

    Returns
    -------
    pandas.DataFrame
        One row per stem, in the order of `estimates`: `stem`, `si_sdr` in dB, `seconds`. NaN if the
        reference is silent, −inf if only the estimate is.

    Raises
    ------
    DetailedError
        If no stem is in both (``kind="no_stems"``), shapes differ (``kind="different_shapes"``), or
        a signal is not usable, see :func:`groove_utils.audio.check_signal`.

    Notes
    -----
    `si_sdr` is the scale-invariant signal-to-distortion ratio (Le Roux et al. 2019) of the whole
    signal: the estimate is compared with the best-fitting multiple of the reference, the same for
    all channels.
    """
    names = [stem for stem in estimates if stem in references]
    if not names:
        raise DetailedError(
            f"no stem is in both: estimates are {', '.join(estimates) or 'none'}, references "
            f"{', '.join(references) or 'none'}. Use the same names.",
            kind="no_stems",
        )
    rows = []
    for stem in names:
        estimate = check_signal(estimates[stem], sr, f"estimate {stem!r}")
        reference = check_signal(references[stem], sr, f"reference {stem!r}")
        e, s = _align(f"estimate of {stem!r}", estimate, "reference", reference, sr)
        s, e = np.atleast_2d(s).astype(float), np.atleast_2d(e).astype(float)
        rows.append({"stem": stem, "si_sdr": _si_sdr(e, s), "seconds": s.shape[1] / sr})
    return pd.DataFrame(rows)


def separation_checks(
    mix: np.ndarray,
    stems: Mapping[str, np.ndarray],
    sr: int,
    *,
    silent_below: float = SILENT_BELOW,
) -> pd.DataFrame:
    """Measure a separation without true stems.

    Parameters
    ----------
    mix : ndarray, shape (n_samples,) or (n_channels, n_samples)
    stems : mapping of str to ndarray, of the mix's shape
    sr : int
        Sample rate in Hz, for the column `seconds`.
    silent_below : float
        Power in dB relative to the mix's at or below which a stem counts as silent.

    Returns
    -------
    pandas.DataFrame
        One row per stem: `stem`; `energy_share`, its energy over the sum of all stems' (NaN if all
        are silent); `level_db`, its power relative to the mix's; `silent`; and, the same in each
        row, `residual_db`, the power of the mix minus the sum of all stems relative to the mix's
        (−inf if they add up exactly; NaN for a silent mix); `seconds`.

    Raises
    ------
    DetailedError
        If shapes differ (``kind="different_shapes"``), or a signal is not usable, see
        :func:`groove_utils.audio.check_signal`.
    """
    mix = check_signal(mix, sr, "the mix")
    mix, total = _align("mix", mix, "stems", sum_stems(stems, tuple(stems)), sr)
    energies = {stem: _energy(y) for stem, y in stems.items()}
    of_mix, of_all = _energy(mix), sum(energies.values())
    audible = of_mix > mix.size * FAINTEST
    floor = max(of_mix * 10 ** (silent_below / 10), mix.size * FAINTEST)
    rows = [
        {
            "stem": stem,
            "energy_share": energy / of_all if of_all else np.nan,
            "level_db": _db(energy, of_mix),
            "silent": bool(energy <= floor),
            "residual_db": _db(_energy(mix.astype(float) - total), of_mix) if audible else np.nan,
            "seconds": mix.shape[-1] / sr,
        }
        for stem, energy in energies.items()
    ]
    return pd.DataFrame(rows)


def _align(
    name: str, y: np.ndarray, other_name: str, other: np.ndarray, sr: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut two signals to the same length where they differ by at most 10 ms.

    A study's stems may be shorter or longer than their mix by this much.
    """
    n, m = y.shape[-1], other.shape[-1]
    if y.shape[:-1] != other.shape[:-1] or abs(n - m) > TOLERANCE * sr:
        raise DetailedError(
            f"the {name} has shape {y.shape}, the {other_name} {other.shape}. Convert both to the "
            "same rate, length and number of channels.",
            kind="different_shapes",
            value=(y.shape, other.shape),
        )
    return y[..., : min(n, m)], other[..., : min(n, m)]


def _energy(y: np.ndarray) -> float:
    return float(np.sum(np.square(y, dtype=np.float64)))


def _db(part: float, whole: float) -> float:
    if whole == 0:
        return np.nan if part == 0 else np.inf
    return 10 * np.log10(part / whole) if part > 0 else -np.inf


def _si_sdr(estimate: np.ndarray, reference: np.ndarray) -> float:
    energy = _energy(reference)
    if energy == 0:
        return np.nan
    target = (np.vdot(estimate, reference) / energy) * reference
    return _ratio(_energy(target), _energy(estimate - target))


def _ratio(signal: float, noise: float) -> float:
    if signal == 0:
        return -np.inf
    return 10 * np.log10(signal / noise) if noise > 0 else np.inf
