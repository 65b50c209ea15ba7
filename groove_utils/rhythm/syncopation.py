"""Exact syncopation of a score: Longuet-Higgins & Lee (1984) and Witek et al. (2014).

Chapters 04 and 08 use it: it is the truth that descriptors measured from audio are held against.
Both indices compare each rest with the note before it in a metrical hierarchy. The first looks at
one stream of onsets; the second at several instruments of a drum kit together, and gives more to
syncopations over sparse accompaniment.

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

__all__ = ["lhl_syncopation", "metrical_weights", "witek_syncopation"]


def metrical_weights(
    n_steps: int = 16, divisions: Sequence[int] | None = None, *, top: int = 0
) -> np.ndarray:
    """Weights of the steps of one bar: `top` on the downbeat, one less at each lower level.

    Parameters
    ----------
    n_steps : int
        Steps in a bar.
    divisions : sequence of int, optional
        How the bar is divided, level by level; their product is `n_steps`. Halves by default:
        ``(2, 2, 2, 2)`` for sixteenths in 4/4. Sixteenths in 6/8 are ``(2, 3, 2)``.
    top : int
        Weight of the downbeat.

    Returns
    -------
    ndarray of int, shape (n_steps,)

    Raises
    ------
    ValueError
        If the divisions do not multiply to `n_steps`, or, without them, `n_steps` is no power
        of two.

    Examples
    --------
    >>> metrical_weights(8).tolist()
    [0, -3, -2, -3, -1, -3, -2, -3]
    """
    if divisions is None:
        levels = int(n_steps).bit_length() - 1
        if n_steps < 1 or 2**levels != n_steps:
            raise ValueError(
                f"n_steps is {n_steps}, no power of two: say how the bar is divided, "
                "for instance divisions=(2, 3, 2) for 12 steps in 6/8."
            )
        divisions = (2,) * levels
    if int(np.prod(divisions)) != n_steps:
        raise ValueError(
            f"divisions {tuple(divisions)} multiply to {int(np.prod(divisions))}, "
            f"not to n_steps {n_steps}."
        )
    weights = np.full(n_steps, top - len(divisions))
    unit = n_steps
    weights[0] = top
    for level, division in enumerate(divisions, start=1):
        unit //= division
        steps = np.arange(0, n_steps, unit)
        weights[steps] = np.maximum(weights[steps], top - level)
    return weights


def lhl_syncopation(onsets: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Longuet-Higgins & Lee's syncopation of one stream of onsets.

    A rest (a step without an onset) that follows a note is syncopated if its metrical weight is
    at least the note's; the syncopation is the weight of the rest less that of the note. Each
    note counts once, with the heaviest rest before the next note. The pattern is taken as a loop.

    Parameters
    ----------
    onsets : array_like of bool, shape (n_steps,) or (n_bars, n_steps)
        Which steps of the metrical grid have an onset; several bars are read one after the other.
    weights : array_like of int, shape (n_steps,), optional
        Metrical weights of one bar; :func:`metrical_weights` of `n_steps` by default.

    Returns
    -------
    float
        Sum over notes, ≥ 0. A pattern without onsets, or with onsets on all steps, has 0.

    Raises
    ------
    ValueError
        If `onsets` has more than two dimensions or is empty, or the lengths differ.

    Notes
    -----
    Pairs with a difference of 0 are syncopated by the definition but add nothing to the sum.

    Examples
    --------
    The son clave, a bar of sixteenths:

    >>> lhl_syncopation([1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0])
    4.0
    """
    (grid,), w = _grids([onsets], weights)
    steps = np.flatnonzero(grid)
    total, n = 0, grid.size
    for step, following in zip(steps, np.roll(steps, -1)):
        gap = (following - step - 1) % n
        if gap:
            total += max(0, int(w[(step + 1 + np.arange(gap)) % n].max() - w[step]))
    return float(total)


# what Witek et al. add to a syncopation, by what sounds where the rest or the other note falls
ONE_STREAM, TWO_STREAM, KICK_AGAINST_TWO, SNARE_AGAINST_TWO = 6, 5, 2, 1


def witek_syncopation(
    kick: ArrayLike, snare: ArrayLike, hat: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Witek et al.'s polyphonic syncopation of a drum-kit pattern.

    A kick or snare stroke N is syncopated where a metrically heavier place R passes before its
    instrument sounds again. It counts R's metrical weight less N's, plus an instrumental weight by
    what sounds at R: 6 for a rest in all streams, 5 for the hi-hat alone, 2 for a kick against the
    snare, 1 for a snare against the kick (with or without hi-hat).

    Parameters
    ----------
    kick, snare, hat : array_like of bool, shape (n_steps,) or (n_bars, n_steps)
        Onsets of the three streams; `hat` stands for all cymbals. The pattern is a loop.
    weights : array_like of int, shape (n_steps,), optional
        Metrical weights of one bar. By default those of the paper for sixteenths in 4/4: 0 on the
        downbeat, −1 on the other beats, −2 on quavers, −3 on semiquavers.

    Returns
    -------
    float
        Sum over the pattern, ≥ 0.

    Raises
    ------
    ValueError
        If the shapes differ, or a bar has not 16 steps and no weights are given.

    Notes
    -----
    Readings of the paper differ in two details. R is here the heaviest place (the first of equals)
    before the instrument's next stroke, as in Longuet-Higgins & Lee, also where a weaker hi-hat
    stroke comes between. And R has to be heavier than N, not just as heavy: all beats but the
    first weigh the same, so that a plain backbeat would else count as syncopated throughout.

    Examples
    --------
    A kick a semiquaver before the third beat, which the hi-hat marks alone: 2 for the step from
    −3 to −1, and 5.

    >>> hat = [1, 0] * 8
    >>> kick = [1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    >>> witek_syncopation(kick, [0] * 16, hat)
    7.0
    """
    if weights is None:
        n_steps = np.asarray(kick).shape[-1] if np.asarray(kick).ndim else 0
        if n_steps != 16:
            raise ValueError(
                f"a bar has {n_steps} steps; the paper's weights are for 16. Pass weights."
            )
        weights = np.clip(metrical_weights(16) + 1, -3, -1) * (np.arange(16) > 0)
    (kick, snare, hat), w = _grids([kick, snare, hat], weights)
    total = 0
    for own, other, against_two in (
        (kick, snare, KICK_AGAINST_TWO),
        (snare, kick, SNARE_AGAINST_TWO),
    ):
        for step in np.flatnonzero(own):
            place = _heavier_place(own, w, int(step))
            if place is None:
                continue
            if other[place]:
                instrument = against_two
            elif hat[place]:
                instrument = TWO_STREAM
            else:
                instrument = ONE_STREAM
            total += int(w[place] - w[step]) + instrument
    return float(total)


def _heavier_place(own, w, step):
    """First heaviest place after a stroke and before its instrument's next; None if no heavier."""
    n = own.size
    gap = next(k for k in range(1, n + 1) if own[(step + k) % n]) - 1
    if gap == 0:
        return None
    places = (step + 1 + np.arange(gap)) % n
    best = int(places[np.argmax(w[places])])
    return best if w[best] > w[step] else None


def _grids(streams, weights):
    """Flatten streams of one shape and repeat the weights over their bars."""
    streams = [np.asarray(stream) for stream in streams]
    shape = streams[0].shape
    if len(shape) not in (1, 2) or 0 in shape:
        raise ValueError(
            f"onsets have shape {shape}, expected (n_steps,) or (n_bars, n_steps), not empty."
        )
    if any(stream.shape != shape for stream in streams):
        raise ValueError(
            f"the streams have shapes {[s.shape for s in streams]}, expected one and the same."
        )
    w = metrical_weights(shape[-1]) if weights is None else np.asarray(weights)
    if w.shape != shape[-1:]:
        raise ValueError(f"weights have shape {w.shape}, but a bar has {shape[-1]} steps.")
    n_bars = shape[0] if len(shape) == 2 else 1
    return [stream.astype(bool).ravel() for stream in streams], np.tile(w, n_bars)
