"""Sum stems, and optionally scale the sum to a target loudness (ITU-R BS.1770).

A single stem is quieter than the complete mix, and the embeddings from many models depend on the
level. Therefore, a sum of stems can be scaled to the loudness of the mix.
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
    """Sum a subset of a song's stems, and optionally scale the sum to a target loudness.

    Parameters
    ----------
    stems : mapping of str to ndarray, shape (n_samples,) or (n_channels, n_samples)
        All stems of one song, with equal shapes, scaled so that full scale is ±1.
    subset : iterable of str, or str
        Stems to sum, or the name of the sum, such as ``"drums+bass"``. An empty subset gives
        silence.
    sr : int
        Sample rate in Hz.
    loudness : {'kept', 'matched'}
        ``'kept'`` leaves the level of the sum unchanged; ``'matched'`` scales the sum to `target`.
    target : float, optional
        Target loudness in LUFS; by default, the loudness of the sum of all stems.

    Returns
    -------
    ndarray of float32, with the shape of one stem
        The sum. A silent sum is not scaled.

    Raises
    ------
    DetailedError
        If the subset contains an unknown stem, shapes differ, a stem is not usable (see
        :func:`groove_utils.audio.check_signal`), or a setting is not valid.

    Warns
    -----
    RuntimeWarning
        If the gain is reduced to avoid clipping. The peak is at most 0 dBFS with ``'kept'``, and at
        most −1 dBFS with ``'matched'``. No limiter is applied, so the shape of the waveform does
        not change.

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
    ideal_gain, ceiling, level = 1.0, 1.0, "the sum of the stems"
    if loudness == "matched":
        if target is None:
            target = measure_loudness(sum_stems(stems, tuple(stems)), sr)
        ideal_gain, ceiling = matching_gain(y, sr, target, peak=None), PEAK
        level = f"the target of {target:.1f} LUFS"
    highest = float(np.abs(y).max())
    gain = min(ideal_gain, ceiling / highest) if highest else ideal_gain
    shortfall = 20 * math.log10(ideal_gain / gain)
    if shortfall > 0.01:
        warnings.warn(
            f"{subset_name(chosen)}: the result is {shortfall:.1f} dB below {level}, because its "
            "peaks would clip. Choose a lower target to make all subsets equally loud.",
            RuntimeWarning,
            stacklevel=2,
        )
    return (y * gain).astype(np.float32)


def sum_stems(stems: Mapping[str, np.ndarray], subset: Iterable[str]) -> np.ndarray:
    """Check all stems, and sum the stems in `subset` to a float32 array of the same shape.

    Raises
    ------
    DetailedError
        If there are no stems (``kind="no_stems"``), their shapes differ
        (``kind="different_shapes"``), or a stem is not usable.
    """
    if not stems:
        message = "there are no stems to sum; expected a mapping from stem names to arrays."
        raise DetailedError(message, kind="no_stems")
    arrays = {stem: check_signal(y, name=f"stem {stem!r}") for stem, y in stems.items()}
    shapes = {stem: y.shape for stem, y in arrays.items()}
    if len(set(shapes.values())) > 1:
        listing = ", ".join(f"{stem} {shape}" for stem, shape in shapes.items())
        message = f"stems have different shapes: {listing}. Cut or pad them to the same shape."
        raise DetailedError(message, kind="different_shapes", value=shapes)
    total = np.zeros(next(iter(shapes.values())), np.float32)
    for stem in subset:
        total += arrays[stem]
    return total
