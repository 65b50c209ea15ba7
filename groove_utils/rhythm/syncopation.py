"""Syncopation indices of Longuet-Higgins & Lee (1984) and Witek et al. (2014).

Both indices compare the metrical weight of each note with the weights of the positions between this
note and the next. The first index is defined for a single stream of onsets. The second index
combines the instruments of a drum kit, and gives more weight to syncopation against a sparse
accompaniment.

References
----------
Longuet-Higgins, H. C., & Lee, C. S. (1984). The rhythmic interpretation of monophonic music.
Music Perception, 1(4), 424–441.

Fitch, W. T., & Rosenfeld, A. J. (2007). Perception and production of syncopated rhythms. Music
Perception, 25(1), 43–58.

Witek, M. A. G., Clarke, E. F., Wallentin, M., Kringelbach, M. L., & Vuust, P. (2014).
Syncopation, body-movement and pleasure in groove music. PLoS ONE, 9(4), e94446.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from groove_utils.errors import DetailedError

__all__ = ["RhythmError", "lhl_syncopation", "metrical_weights", "witek_syncopation"]


class RhythmError(DetailedError):
    """Error raised if a syncopation index cannot be computed for a pattern or metre."""


def metrical_weights(n_steps: int = 16, divisions: Sequence[int] | None = None) -> np.ndarray:
    """Compute the metrical weight of each step in a bar: 0 for the downbeat, negative otherwise.

    The weight decreases by 1 from each metrical level to the next finer level.

    Parameters
    ----------
    n_steps : int
        Number of steps in a bar.
    divisions : sequence of int, optional
        Number of parts into which each level is divided, starting with the bar. The product of
        these numbers must be `n_steps`. By default, the bar is halved repeatedly: ``(2, 2, 2, 2)``
        for sixteenths in 4/4. For sixteenths in 6/8, use ``(2, 3, 2)``.

    Returns
    -------
    ndarray of int, shape (n_steps,)
        Metrical weights.

    Raises
    ------
    RhythmError
        If the product of the divisions is not `n_steps`, or if no divisions are given and `n_steps`
        is not a power of two.

    Examples
    --------
    >>> metrical_weights(8).tolist()
    [0, -3, -2, -3, -1, -3, -2, -3]
    """
    divisions = (2,) * (int(n_steps).bit_length() - 1) if divisions is None else tuple(divisions)
    if n_steps < 1 or int(np.prod(divisions)) != n_steps:
        raise RhythmError(
            f"a bar of {n_steps} steps cannot be divided by {divisions}: their product is "
            f"{int(np.prod(divisions))}. Pass divisions whose product is {n_steps}, for instance "
            "(2, 3, 2) for 12 steps in 6/8.",
            kind="divisions", column="n_steps", value=n_steps,
        )  # fmt: skip
    weights = np.full(n_steps, -len(divisions))
    for level in range(len(divisions) - 1, -1, -1):
        weights[:: int(np.prod(divisions[level:]))] = -level
    return weights


def lhl_syncopation(onsets: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Compute the syncopation index of Longuet-Higgins & Lee for one stream of onsets.

    A rest is a step without an onset. Each note is compared with the heaviest rest before the next
    note. If the rest has a greater metrical weight than the note, the difference is added to the
    index. The pattern is treated as a loop.

    Parameters
    ----------
    onsets : array_like of bool, shape (n_steps,) or (n_bars, n_steps)
        True for each step of the metrical grid on which there is an onset. Consecutive rows are
        consecutive bars.
    weights : array_like of int, shape (n_steps,), optional
        Metrical weights of one bar; by default, ``metrical_weights(n_steps)``.

    Returns
    -------
    float
        Syncopation index, ≥ 0. It is 0 for a pattern without onsets, or with onsets on all steps.

    Raises
    ------
    RhythmError
        If `onsets` is empty or does not have one or two dimensions, `weights` has the wrong length,
        or `n_steps` is not a power of two and no weights are given.

    Examples
    --------
    The son clave in one bar of sixteenths:

    >>> lhl_syncopation([1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0])
    4.0
    """
    (stream,), weights = _streams([onsets], weights)
    places = ((step, _heaviest_rest(stream, weights, step)) for step in np.flatnonzero(stream))
    rises = (weights[place] - weights[step] for step, place in places if place is not None)
    return float(sum(max(0, rise) for rise in rises))


# instrumental weights of Witek et al., which depend on the instruments at the heavier position
ONE_STREAM, TWO_STREAM, KICK_AGAINST_TWO, SNARE_AGAINST_TWO = 6, 5, 2, 1


def witek_syncopation(
    kick: ArrayLike, snare: ArrayLike, hat: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Compute the polyphonic syncopation index of Witek et al. for a drum-kit pattern.

    A stroke N of the kick or snare is syncopated if a metrically heavier position R comes before
    the next stroke of the same instrument. It contributes the metrical weight of R minus that of N,
    plus an instrumental weight: 6 if no instrument sounds at R, and 5 if only the hi-hat does. If
    the other drum sounds at R, with or without the hi-hat, the instrumental weight is 2 for a kick
    against the snare and 1 for a snare against the kick.

    Parameters
    ----------
    kick, snare, hat : array_like of bool, shape (n_steps,) or (n_bars, n_steps)
        Onsets of the three streams; `hat` includes all cymbals. The pattern is treated as a loop.
    weights : array_like of int, shape (n_steps,), optional
        Metrical weights of one bar. The default weights are taken from the paper, for sixteenths in
        4/4: 0 on the downbeat, −1 on the other beats, −2 on the remaining eighth notes, and −3 on
        the remaining sixteenths.

    Returns
    -------
    float
        Sum of the contributions of all syncopated strokes, ≥ 0.

    Raises
    ------
    RhythmError
        If the streams are empty, do not have one or two dimensions, or have different shapes; if
        `weights` has the wrong length; or if a bar does not have 16 steps and no weights are given.

    Notes
    -----
    The paper is ambiguous on two points. Here, R is the heaviest position before the instrument's
    next stroke (the first such position, if several have the same weight), as in Longuet-Higgins &
    Lee, even if a weaker hi-hat stroke comes in between. R must be heavier than N. If equal weights
    were enough, a plain backbeat would be syncopated on every stroke, because all beats but the
    first have the same weight.

    Examples
    --------
    A kick falls one sixteenth before the third beat, on which only the hi-hat sounds. The metrical
    weights contribute −1 − (−3) = 2, and the instruments contribute 5:

    >>> hat = [1, 0] * 8
    >>> kick = [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    >>> witek_syncopation(kick, [0] * 16, hat)
    7.0
    """
    if weights is None:
        n_steps = np.shape(kick)[-1] if np.ndim(kick) else 0
        if n_steps != 16:
            raise RhythmError(
                f"a bar has {n_steps} steps, but the default weights are for 16. Pass `weights`.",
                kind="steps", column="kick", value=n_steps,
            )  # fmt: skip
        weights = np.clip(metrical_weights(16) + 1, -3, -1) * (np.arange(16) > 0)
    (kick, snare, hat), weights = _streams([kick, snare, hat], weights)
    total = 0
    for stream, other, against_two in (
        (kick, snare, KICK_AGAINST_TWO),
        (snare, kick, SNARE_AGAINST_TWO),
    ):
        for step in np.flatnonzero(stream):
            place = _heaviest_rest(stream, weights, step)
            if place is None or weights[place] <= weights[step]:
                continue
            alone = TWO_STREAM if hat[place] else ONE_STREAM
            instrument = against_two if other[place] else alone
            total += int(weights[place] - weights[step]) + instrument
    return float(total)


def _heaviest_rest(stream: np.ndarray, weights: np.ndarray, step: int) -> int | None:
    """Return the heaviest step between a stroke and the next, or None if there is no such step.

    If several steps are equally heavy, the first of them is returned.
    """
    gap = int(np.argmax(np.roll(stream, -step - 1)))
    if gap == 0:
        return None
    places = (step + 1 + np.arange(gap)) % stream.size
    return int(places[np.argmax(weights[places])])


def _streams(streams: list[ArrayLike], weights: ArrayLike | None):
    """Check and flatten streams of onsets, and repeat the metrical weights for each bar."""
    streams = [np.asarray(stream) for stream in streams]
    shape = streams[0].shape
    if len(shape) not in (1, 2) or 0 in shape:
        raise RhythmError(
            f"onsets have shape {shape}; expected a non-empty array of shape (n_steps,) or "
            "(n_bars, n_steps).",
            kind="shape", column="onsets", value=shape,
        )  # fmt: skip
    if any(stream.shape != shape for stream in streams):
        shapes = [stream.shape for stream in streams]
        raise RhythmError(
            f"the streams have shapes {shapes}; expected equal shapes.", kind="shapes", value=shapes
        )
    weights = metrical_weights(shape[-1]) if weights is None else np.asarray(weights)
    if weights.shape != shape[-1:]:
        raise RhythmError(
            f"weights have shape {weights.shape}, but a bar has {shape[-1]} steps.",
            kind="weights", column="weights", value=weights.shape,
        )  # fmt: skip
    n_bars = shape[0] if len(shape) == 2 else 1
    return [stream.astype(bool).ravel() for stream in streams], np.tile(weights, n_bars)
