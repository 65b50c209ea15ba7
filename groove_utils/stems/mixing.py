"""Sums of stems, with their loudness kept or matched (ITU-R BS.1770).

Models are sensitive to level: a drum stem alone is quieter than its song, and a change in an
embedding may be due to that. A subset can therefore be scaled to the loudness of the whole mix.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from groove_utils.audio import check_signal, matching_gain, measure_loudness
from groove_utils.audio.loudness import PEAK
from groove_utils.errors import DetailedError
from groove_utils.study.stem_names import parse_subset, subset_name

__all__ = ["remix", "sum_stems"]


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
        Stems to sum, or their name, such as ``"drums+bass"``. The sum of no stems is silence.
    sr : int
        Sample rate in Hz.
    loudness : {'kept', 'matched'}
        Keep the loudness of the sum, or scale it to `target`.
    target : float, optional
        Integrated loudness to match, in LUFS; by default, that of the sum of all stems.

    Returns
    -------
    ndarray of float32, of the stems' shape
        A silent subset stays silent.

    Raises
    ------
    DetailedError
        If the subset names an unknown stem, shapes differ, a stem is not usable (see
        :func:`groove_utils.audio.check_signal`), or a setting is unknown.

    Warns
    -----
    RuntimeWarning
        If the gain had to be lowered to avoid clipping: a kept sum is scaled to a peak of at most 0
        dBFS, a matched one to at most −1 dBFS. No limiter is applied, so the waveform keeps its
        shape.

    Examples
    --------
    >>> t = np.arange(8000) / 8000
    >>> stems = {"drums": 0.1 * np.sin(700 * t), "bass": 0.1 * np.sin(300 * t)}
    >>> remix(stems, "drums+bass", 8000, loudness="matched", target=-30).shape
    (8000,)
    """
    if loudness not in ("kept", "matched"):
        message = f"loudness is {loudness!r}; expected 'kept' or 'matched'."
        raise DetailedError(message, kind="unknown_option", column="loudness", value=loudness)
    if target is not None and loudness == "kept":
        message = "target is given, but loudness='kept'; set loudness='matched'."
        raise DetailedError(message, kind="conflict", column="target", value=target)
    chosen = parse_subset(subset, stems)
    y = sum_stems(stems, chosen)
    wanted, ceiling, level = 1.0, 1.0, "the sum of its stems"
    if loudness == "matched":
        if target is None:
            target = measure_loudness(sum_stems(stems, tuple(stems)), sr)
        wanted, ceiling = matching_gain(y, sr, target, peak=None), PEAK
        level = f"its loudness of {target:.1f} LUFS"
    highest = float(np.abs(y).max())
    gain = min(wanted, ceiling / highest) if highest else wanted
    short = 20 * math.log10(wanted / gain)
    if short > 0.01:
        warnings.warn(
            f"{subset_name(chosen)}: stays {short:.1f} dB below {level}, since its peaks would "
            "clip. Choose a lower target to make all subsets equally loud.",
            RuntimeWarning,
            stacklevel=2,
        )
    return (y * gain).astype(np.float32)


def sum_stems(stems: Mapping[str, np.ndarray], subset: Iterable[str]) -> np.ndarray:
    """Return the sum of some stems, float32, of the stems' common shape."""
    if not stems:
        message = "there are no stems to sum; give them by name, each an array."
        raise DetailedError(message, kind="no_stems")
    arrays = {stem: check_signal(y, name=f"stem {stem!r}") for stem, y in stems.items()}
    shapes = {stem: y.shape for stem, y in arrays.items()}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{stem} {shape}" for stem, shape in shapes.items())
        message = f"stems have different shapes: {found}. Cut or pad them to the same shape."
        raise DetailedError(message, kind="different_shapes", value=shapes)
    total = np.zeros(next(iter(shapes.values())), np.float32)
    for stem in subset:
        total += arrays[stem]
    return total
