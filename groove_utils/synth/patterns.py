"""Drum patterns by style, on a grid of sixteenths.

A pattern has one stream per drum (kick, snare, hi-hats, …): an array of MIDI velocities of shape
(n_bars, 16), where 0 means no stroke. Patterns are controlled by two parameters, syncopation and
density. See the appendix "The demo study and its known effects".
"""

from __future__ import annotations

import numpy as np

from groove_utils.rhythm.grid import STEPS

__all__ = ["draw_drums", "from_text", "play_fill"]

# kick figures by style, from least to most syncopated; each is a bar of sixteenths
KICKS = {
    "funk": [
        "x.......x.......", "x.....x.x.......", "x..x....x.......", "x.x.......x.....",
        "x.....x...x..x..", "x..x..x...x.....", "x.x....x..x..x..", "x..x..x..x..x...",
        "x..x...x.xx..x..", ".x.x..x..x.x..x.",
    ],
    "pop": [
        "x...x...x...x...", "x.......x.......", "x.......x.x.....", "x.....x.x.......",
        "x.....x.x.....x.", "x..x....x..x....", "x..x..x.x.....x.", "x..x..x...x..x..",
    ],
    "rock": [
        "x.......x.......", "x.......x.x.....", "x.x.....x.x.....", "x.x.....x.....x.",
        "x.....x.x.x.....", "x.x...x...x.....", "x..x..x.x.x.....", "x..x..x...x.x.x.",
    ],
}  # fmt: skip
GHOSTS = np.array([7, 9, 15, 1, 11, 3, 6, 14])  # steps of ghost notes, in order of preference
# style from which a song may borrow its kick figure, and the probability that it does
BORROWED = {"funk": ("pop", 0.12), "pop": ("funk", 0.22), "rock": ("pop", 0.15)}


def from_text(text: str, velocity: int = 100) -> np.ndarray:
    """Convert a rhythm written as text to velocities; every character except a dot is a stroke.

    Examples
    --------
    >>> from_text("x..x").tolist()
    [100, 0, 0, 100]
    """
    return np.array([0 if letter == "." else velocity for letter in text])


def draw_drums(
    rng: np.random.Generator,
    style: str,
    n_bars: int,
    syncopation: float,
    density: float,
    timekeeper: str,
) -> dict[str, np.ndarray]:
    """Randomly generate the drum part of one song.

    The part repeats a two-bar pattern, whose second bar is a variation of the first. Every fourth
    bar and the last bar end with a fill.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    style : {"funk", "pop", "rock"}
        Style of the song.
    n_bars : int
        Number of bars.
    syncopation, density : float
        Degree of syncopation and density of strokes, each from 0 (low) to 1 (high).
    timekeeper : {"hat", "ride", "open", "offbeat"}
        Right-hand part: closed hi-hat, ride cymbal, half-open hi-hat, or closed hi-hat that is
        opened on the off-beats.

    Returns
    -------
    dict of str to ndarray of int, shape (n_bars, 16)
        Velocities of ``kick, snare, hat, open_hat, ride, crash, tom_high, tom_low, clap``.
    """
    names = ("kick", "snare", "hat", "open_hat", "ride", "crash", "tom_high", "tom_low", "clap")
    parts = {name: np.zeros((n_bars, STEPS), int) for name in names}
    two_bars = {
        "kick": _kick(rng, style, syncopation, density),
        "snare": _snare(rng, style, syncopation, density),
        **_timekeeping(rng, style, density, timekeeper),
    }
    for name, pattern in two_bars.items():
        parts[name] = np.resize(pattern, (n_bars, STEPS)).copy()
    if style == "pop" and rng.random() < 0.5:
        parts["clap"][:, [4, 12]] = 88
    parts["crash"][::4, 0] = 112
    for bar in range(3, n_bars, 4):
        play_fill(rng, parts, bar, density)
    if n_bars % 4:
        play_fill(rng, parts, n_bars - 1, 0.5 * density)
    return parts


def _kick(rng, style, syncopation, density):
    lender, chance = BORROWED[style]
    figures = KICKS[lender if rng.random() < chance else style]
    place = np.clip(syncopation + rng.normal(0, 0.08), 0, 0.999) * len(figures)
    first = from_text(figures[int(place)], 108)
    second = first.copy()
    # in the second bar, remove or add a stroke; the more syncopated the song, the more often the
    # added stroke is off the beat
    inner = np.flatnonzero(second[1:]) + 1
    if inner.size and rng.random() < 0.5:
        second[rng.choice(inner)] = 0
    if rng.random() < 0.3 + 0.5 * density:
        free = [s for s in (3, 6, 7, 10, 11, 14, 15) if not second[s]]
        on_beat = [s for s in (8, 10, 2) if not second[s]]
        pool = free if rng.random() < syncopation or not on_beat else on_beat
        second[rng.choice(pool)] = 96
    return np.stack([first, second])


def _snare(rng, style, syncopation, density):
    snare = np.zeros((2, STEPS), int)
    snare[:, [4, 12]] = 118 if style == "rock" else 108
    if rng.random() < 1.1 * syncopation - 0.25:  # a displaced backbeat in the second bar
        snare[1, 12] = 0
        snare[1, rng.choice([10, 11, 14, 15])] = 106
    if style == "funk" and rng.random() < syncopation - 0.45:
        snare[0, 4], snare[0, 3 if rng.random() < 0.5 else 7] = 0, 106
    likely = {"funk": 1.0, "pop": 0.35, "rock": 0.25}[style]
    n_ghosts = rng.binomial(len(GHOSTS), np.clip(likely * density, 0, 0.95) * 0.75)
    for bar in range(2):
        for step in GHOSTS[:n_ghosts]:
            if not snare[bar, step] and rng.random() < 0.85:
                snare[bar, step] = rng.integers(38, 58)
    return snare


def _timekeeping(rng, style, density, timekeeper):
    every = 1 if density > {"funk": 0.48, "pop": 0.68, "rock": 0.85}[style] else 2
    if density < 0.16:
        every = 4
    line = np.zeros((2, STEPS), int)
    line[:, ::every] = 78
    line[:, ::4] = 96
    line[:, 2::4][line[:, 2::4] > 0] = 84
    line[:, 1::2][line[:, 1::2] > 0] = 60
    if every == 1:  # leave gaps in the sixteenths
        holes = rng.random(STEPS) < 0.45 * (1 - density)
        line[:, holes & (np.arange(STEPS) % 2 == 1)] = 0
    elif style != "rock" and rng.random() < density:
        line[:, rng.choice([3, 7, 11, 15], 2, replace=False)] = 56
    opened = np.zeros_like(line)
    if timekeeper == "hat" and rng.random() < 0.7:
        step = int(rng.choice([2, 6, 10, 14], p=[0.15, 0.2, 0.25, 0.4]))
        opened[rng.integers(0, 2) :, step] = 92
        line[opened > 0] = 0
    if timekeeper == "ride":
        return {"ride": line}
    if timekeeper == "open":
        return {"open_hat": np.where(np.arange(STEPS) % 2 == 0, line, 0)}
    if timekeeper == "offbeat":
        opened[:] = 0
        opened[:, 2::4] = 96
        line[:, 2::4] = 0
    return {"hat": line, "open_hat": opened}


def play_fill(rng, parts, bar, density):
    """Replace the last beats of a bar with a fill: a crescendo on snare and toms."""
    start = int(rng.choice([8, 10, 12], p=[0.2, 0.3, 0.5]))
    steps = np.arange(start, STEPS)
    for part in parts.values():
        part[bar, start:] = 0
    played = steps[(rng.random(steps.size) < 0.45 + 0.5 * density) | (steps % 4 == 0)]
    drums = np.array(["snare", "tom_high", "tom_low"])[
        np.minimum((played - start) * 3 // max(1, STEPS - start), 2)
    ]
    if rng.random() < 0.35:
        drums[:] = "snare"
    for drum, step in zip(drums, played):
        parts[drum][bar, step] = 82 + 2 * (step - start) + (8 if step % 4 == 0 else 0)
    parts["kick"][bar, start] = 100
