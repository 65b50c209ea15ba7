"""How good is a separation: against true stems where there are any, and by itself where not.

Chapter 07 reports both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import toeplitz

from groove_utils.stems.mixing import checked_signal, sum_stems

__all__ = ["separation_checks", "separation_quality"]

FILTER_LENGTH = 512  # taps that BSS Eval allows for, as in its reference implementation
SILENT_BELOW = -50.0  # dB relative to the mix; what separators leave of an absent stem is below
FAINTEST = 10 ** (-120 / 10)  # mean power of a signal that counts as digital silence


def separation_quality(
    estimates: Mapping[str, np.ndarray], references: Mapping[str, np.ndarray], sr: int
) -> pd.DataFrame:
    """Hold separated stems to the true ones.

    Parameters
    ----------
    estimates, references : mapping of str to ndarray, shape (n_samples,) or (n_channels, n_samples)
        By stem. Those that both name are compared, and must have one shape. (For HPSS, sum the
        true stems first: percussive is about drums, harmonic the rest.)
    sr : int
        Sample rate in Hz, for the column `seconds`.

    Returns
    -------
    pandas.DataFrame
        One row a stem, in the order of `estimates`: `stem`, `si_sdr`, `sdr` (both dB), `seconds`.
        NaN where the reference is silent, −inf where only the estimate is.

    Raises
    ------
    ValueError
        If no stem is in both, if shapes differ, or a signal is empty or holds NaN.

    Notes
    -----
    `si_sdr` is the scale-invariant signal-to-distortion ratio (Le Roux et al. 2019): the estimate
    against the best multiple of the reference, all channels with one factor. `sdr` is that of BSS
    Eval (Vincent, Gribonval & Févotte 2006): a filter of 512 taps, one a channel, is allowed for
    in place of the factor, so it is never lower. Both are of the whole signal, not medians over
    frames; energies of channels are summed.
    """
    names = [stem for stem in estimates if stem in references]
    if not names:
        raise ValueError(
            f"no stem is in both: estimates are {', '.join(estimates) or 'none'}, references "
            f"{', '.join(references) or 'none'}. Name them alike."
        )
    rows = []
    for stem in names:
        estimate = checked_signal(f"estimate {stem!r}", estimates[stem])
        reference = checked_signal(f"reference {stem!r}", references[stem])
        if estimate.shape != reference.shape:
            raise ValueError(
                f"stem {stem!r}: the estimate has shape {estimate.shape}, the reference "
                f"{reference.shape}. Bring both to one rate, length and number of channels."
            )
        s, e = np.atleast_2d(reference).astype(float), np.atleast_2d(estimate).astype(float)
        rows.append(
            {"stem": stem, "si_sdr": _si_sdr(e, s), "sdr": _sdr(e, s), "seconds": s.shape[1] / sr}
        )
    return pd.DataFrame(rows)


def separation_checks(
    mix: np.ndarray,
    stems: Mapping[str, np.ndarray],
    sr: int,
    *,
    silent_below: float = SILENT_BELOW,
) -> pd.DataFrame:
    """What can be said of a separation without true stems.

    Parameters
    ----------
    mix : ndarray, shape (n_samples,) or (n_channels, n_samples)
    stems : mapping of str to ndarray, of the mix's shape
    sr : int
        Sample rate in Hz, for the column `seconds`.
    silent_below : float
        A stem whose power is so many dB relative to the mix's, or less, counts as silent.

    Returns
    -------
    pandas.DataFrame
        One row a stem: `stem`; `energy_share`, its energy over the sum of all stems' (NaN where
        all are silent); `level_db`, its power relative to the mix's; `silent`; and, the same in
        each row, `residual_db`, the power of the mix minus the sum of all stems relative to the
        mix's (−inf where they add up exactly; NaN for a silent mix); `seconds`.

    Raises
    ------
    ValueError
        If shapes differ, or a signal is empty or holds NaN.
    """
    mix = checked_signal("the mix", mix)
    total = sum_stems(stems, tuple(stems))
    if total.shape != mix.shape:
        raise ValueError(
            f"the mix has shape {mix.shape}, the stems {total.shape}. Bring them to one rate, "
            "length and number of channels."
        )
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


def _sdr(estimate: np.ndarray, reference: np.ndarray) -> float:
    if not reference.any():
        return np.nan
    signal = noise = 0.0
    for e, s in zip(estimate, reference):
        target = _filtered_to(e, s) if s.any() else np.zeros(len(e) + FILTER_LENGTH - 1)
        signal += _energy(target)
        noise += _energy(np.pad(e, (0, FILTER_LENGTH - 1)) - target)
    return _ratio(signal, noise)


def _ratio(signal: float, noise: float) -> float:
    if signal == 0:
        return -np.inf
    return 10 * np.log10(signal / noise) if noise > 0 else np.inf


def _filtered_to(estimate: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The filtered reference that is nearest to the estimate; both grow by the filter's tail."""
    n = len(reference) + FILTER_LENGTH - 1
    size = next_fast_len(n, real=True)
    s, e = rfft(reference, size), rfft(estimate, size)
    power = irfft(np.abs(s) ** 2, size)[:FILTER_LENGTH]
    cross = irfft(e * s.conj(), size)[:FILTER_LENGTH]
    gram = toeplitz(power)
    try:
        taps = np.linalg.solve(gram, cross)
    except np.linalg.LinAlgError:  # of a band-limited reference, some filters do the same
        taps = np.linalg.lstsq(gram, cross, rcond=None)[0]
    return irfft(s * rfft(taps, size), size)[:n]
