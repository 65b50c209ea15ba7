"""Sums of stems, with their loudness kept or matched (ITU-R BS.1770; chapter 07).

A model hears level too: a drum stem alone is quieter than its song, and a change of an embedding
may come from that. So a subset can be brought to the loudness of the whole.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from groove_utils.audio import measure_loudness
from groove_utils.audio.loudness import PEAK
from groove_utils.study.stem_names import parse_subset, subset_name

__all__ = ["checked_signal", "matching_gain", "remix", "sum_stems"]


def remix(
    stems: Mapping[str, np.ndarray],
    subset: str | Iterable[str],
    sr: int,
    *,
    loudness: str = "kept",
    target: float | None = None,
) -> np.ndarray:
    """Sum a subset of stems.

    Parameters
    ----------
    stems : mapping of str to ndarray, shape (n_samples,) or (n_channels, n_samples)
        All stems of one song, of one shape; full scale is −1…1.
    subset : iterable of str, or str
        Stems to sum; also by name, such as ``"drums+bass"``. Of none, the sum is silence.
    sr : int
        Sample rate in Hz.
    loudness : {'kept', 'matched'}
        Leave the sum as loud as it is, or scale it to `target`.
    target : float, optional
        Integrated loudness in LUFS to match; that of the sum of all stems by default.

    Returns
    -------
    ndarray of float32, of the stems' shape
        A silent subset stays silent.

    Raises
    ------
    ValueError
        If a stem is missing, is empty or holds NaN, if shapes differ, or a setting is unknown.

    Warns
    -----
    RuntimeWarning
        Where a gain had to be lowered so that nothing clips: a kept sum is scaled to a peak of
        0 dBFS where it would exceed it, a matched one to at most −1 dBFS; the warning tells by
        how many dB it is quieter than asked. There is no limiter: the waveform keeps its shape.

    Examples
    --------
    >>> remix(stems, "drums+bass", 44100, loudness="matched")  # doctest: +SKIP
    """
    if loudness not in ("kept", "matched"):
        raise ValueError(f"loudness is {loudness!r}; expected 'kept' or 'matched'.")
    if target is not None and loudness == "kept":
        raise ValueError("target is given, but loudness='kept'; say loudness='matched'.")
    chosen = parse_subset(subset, stems)
    y = sum_stems(stems, chosen)
    if loudness == "matched":
        if target is None:
            target = measure_loudness(sum_stems(stems, tuple(stems)), sr)
        gain, short = _matching(y, sr, target, PEAK)
        what = f"its loudness of {target:.1f} LUFS"
    else:
        peak = float(np.abs(y).max())
        gain = 1 / peak if peak > 1 else 1.0
        short, what = -20 * math.log10(gain), "what its stems sum to"
    if short > 0.01:
        warnings.warn(
            f"{subset_name(chosen)}: stays {short:.1f} dB under {what}, since its peaks would "
            "clip. Ask for a lower target to have all subsets equally loud.",
            RuntimeWarning,
            stacklevel=2,
        )
    return (y * gain).astype(np.float32)


def matching_gain(
    y: np.ndarray, sr: int, target_lufs: float, *, peak: float | None = PEAK
) -> float:
    """The factor that brings a signal to a loudness.

    Parameters
    ----------
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
    sr : int
        Sample rate in Hz.
    target_lufs : float
        Integrated loudness (ITU-R BS.1770) to reach; −inf leaves the signal as it is.
    peak : float, optional
        Highest sample that the scaled signal may have, −1 dBFS by default; None for no limit
        (for whoever computes in floating point and encodes nothing).

    Returns
    -------
    float
        Linear gain, > 0; 1 where the signal is silent, which the standard puts at −70 LUFS and
        below. :func:`remix` applies the same.

    Raises
    ------
    ValueError
        If the signal is empty or holds NaN, or the target is NaN or +inf.
    """
    return _matching(checked_signal("the signal", y), sr, target_lufs, peak)[0]


def _matching(y, sr: int, target: float, peak: float | None) -> tuple[float, float]:
    """Gain, and by how many dB it falls short of the target."""
    if math.isnan(target) or target == math.inf:
        raise ValueError(f"target is {target} LUFS; expected a finite loudness, such as -20.")
    loudness = measure_loudness(y, sr)
    if not (math.isfinite(loudness) and math.isfinite(target)):
        return 1.0, 0.0
    wanted = 10 ** ((target - loudness) / 20)
    allowed = math.inf if peak is None else peak / float(np.abs(y).max())
    gain = min(wanted, allowed)
    return gain, 20 * math.log10(wanted / gain)


def sum_stems(stems: Mapping[str, np.ndarray], subset: Iterable[str]) -> np.ndarray:
    """Sum of some stems, float32, of the shape that they all have."""
    if not stems:
        raise ValueError("there are no stems to sum; give them by name, each an array.")
    arrays = {stem: checked_signal(f"stem {stem!r}", y) for stem, y in stems.items()}
    shapes = {stem: y.shape for stem, y in arrays.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{stem} {shape}" for stem, shape in shapes.items())
        raise ValueError(f"stems are of different shapes: {told}. Cut or pad them to one.")
    total = np.zeros(next(iter(shapes.values())), np.float32)
    for stem in subset:
        total += arrays[stem]
    return total


def checked_signal(what: str, y: np.ndarray) -> np.ndarray:
    """A signal as float32, refused where it cannot be used."""
    y = np.asarray(y, dtype=np.float32)
    if y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(
            f"{what} has shape {y.shape}; expected (n_samples,) or (n_channels, n_samples) with "
            "at least one sample."
        )
    if n_bad := int((~np.isfinite(y)).sum()):
        raise ValueError(f"{what}: {n_bad} of {y.size} samples are NaN or infinite.")
    return y
