"""Measure the quality of source separation, with or without the true stems."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from groove_utils.audio import check_signal
from groove_utils.errors import DetailedError
from groove_utils.stems.mixing import sum_stems

__all__ = ["separation_checks", "separation_quality"]

SILENT_BELOW = -50.0  # dB relative to the mix; separators return absent stems at lower levels
FAINTEST = 10 ** (-120 / 10)  # mean power at or below which a signal counts as digital silence
TOLERANCE = 0.01  # seconds by which the lengths of signals of one song may differ


def separation_quality(
    estimates: Mapping[str, np.ndarray], references: Mapping[str, np.ndarray], sr: int
) -> pd.DataFrame:
    """Measure the quality of separated stems by comparing them with the true stems.

    Parameters
    ----------
    estimates, references : mapping of str to ndarray, shape (n_samples,) or (n_channels, n_samples)
        Separated and true signals by stem. Only stems that are in both mappings are compared. The
        two signals of a stem may differ by up to 10 ms in length; the longer one is then truncated.
        For HPSS, compute the references with :func:`groove_utils.stems.regroup_stems`.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    pandas.DataFrame
        One row per stem, in the order of `estimates`, with the columns ``stem``, ``si_sdr`` (in dB;
        NaN if the reference is silent, −inf if only the estimate is silent) and ``seconds``
        (duration).

    Raises
    ------
    DetailedError
        If no stem is in both mappings (``kind="no_stems"``), shapes differ
        (``kind="different_shapes"``), or a signal is not usable (see
        :func:`groove_utils.audio.check_signal`).

    Notes
    -----
    ``si_sdr`` is the scale-invariant signal-to-distortion ratio (Le Roux et al. 2019) of the
    complete signal: the estimate is compared with the best-fitting multiple of the reference, with
    one factor for all channels.
    """
    names = [stem for stem in estimates if stem in references]
    if not names:
        raise DetailedError(
            f"estimates ({', '.join(estimates) or 'none'}) and references "
            f"({', '.join(references) or 'none'}) have no stem in common. Use the same names.",
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
    """Compare separated stems with the mix, for songs without true stems.

    Parameters
    ----------
    mix : ndarray, shape (n_samples,) or (n_channels, n_samples)
        Signal that was separated.
    stems : mapping of str to ndarray
        Separated stems, with as many channels as the mix. Stems and mix may differ by up to 10 ms
        in length.
    sr : int
        Sample rate in Hz.
    silent_below : float
        Power threshold in dB relative to the mix. A stem at or below the threshold counts as
        silent.

    Returns
    -------
    pandas.DataFrame
        One row per stem, with the columns ``stem``; ``energy_share``, the energy of the stem
        divided by the summed energies of all stems (NaN if all are silent); ``level_db``, the power
        of the stem in dB relative to the mix; ``silent``, True if the stem counts as silent;
        ``residual_db``, the power in dB, relative to the mix, of the difference between the mix and
        the sum of all stems (−inf if they are equal, NaN if the mix is silent); and ``seconds``,
        the duration of the mix. The last two columns have the same value in each row.

    Raises
    ------
    DetailedError
        If shapes differ (``kind="different_shapes"``), or a signal is not usable (see
        :func:`groove_utils.audio.check_signal`).
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
    """Cut two signals to the same length if their lengths differ by at most 10 ms.

    The stems of a song may be slightly shorter or longer than its mix.
    """
    n, m = y.shape[-1], other.shape[-1]
    if y.shape[:-1] != other.shape[:-1] or abs(n - m) > TOLERANCE * sr:
        raise DetailedError(
            f"the {name} has shape {y.shape}, the {other_name} {other.shape}. Convert both to the "
            "same sample rate, length and number of channels.",
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
