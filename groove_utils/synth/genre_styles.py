"""Styles of the genre corpus: figures, harmony, instruments and mix.

The styles are defined in the file ``genre_styles.yml``; comments at its top explain the notation.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml

from groove_utils.errors import DetailedError
from groove_utils.files import hash_bytes
from groove_utils.rhythm.grid import STEPS

__all__ = [
    "GENRES",
    "GENRE_TREE",
    "check_figure",
    "hash_styles",
    "parse_progression",
    "style_sheet",
    "to_velocities",
]

FILE = Path(__file__).with_name("genre_styles.yml")
VELOCITIES = {".": 0, "o": 52, "x": 98, "X": 118}


@lru_cache(maxsize=1)
def _read() -> dict:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former is ten times faster
    return yaml.load(FILE.read_bytes(), loader)


GENRES: tuple[str, ...] = tuple(_read()["styles"])
"""Names of the styles, in a fixed order."""
GENRE_TREE: dict[str, str] = _read()["tree"]
"""Parent of each style and of each group of styles; top-level groups have none."""


def style_sheet(style: str) -> dict:
    """Return a style's definition in ``genre_styles.yml``, including its related styles.

    Raises
    ------
    DetailedError
        If the style does not exist (``kind="unknown_style"``).

    Examples
    --------
    >>> style_sheet("techno")["tempo"]
    [129, 4, 2]
    """
    if style not in GENRES:
        raise DetailedError(
            f"there is no style {style!r}; expected one of {', '.join(GENRES)}.",
            kind="unknown_style",
            value=style,
        )
    return _read()["styles"][style] | {"relatives": _read()["relatives"][style]}


def hash_styles() -> str:
    """Return a hash of all style definitions; if it changes, rendered corpora are out of date."""
    return hash_bytes(json.dumps(_read()))


def to_velocities(figure: str) -> np.ndarray:
    """Convert a drum figure to MIDI velocities, shape (16,).

    Examples
    --------
    >>> to_velocities("X.o.x...........")[:5].tolist()
    [118, 0, 52, 0, 98]
    """
    return np.array([VELOCITIES[letter] for letter in check_figure(figure)])


def check_figure(figure: str) -> str:
    """Return a figure if it is one bar of sixteenths; otherwise raise an error."""
    if len(figure) != STEPS:
        raise DetailedError(
            f"{FILE.name}: figure {figure!r} has {len(figure)} letters; expected {STEPS}.",
            kind="wrong_length",
            path=FILE,
            value=figure,
        )
    return figure


def parse_progression(text: str) -> list[tuple[int, str]]:
    """Parse a chord progression into pairs (semitones above the key, kind of chord).

    Examples
    --------
    >>> parse_progression("0:m7 5:9 7:")
    [(0, 'm7'), (5, '9'), (7, '')]
    """
    chords = [chord.partition(":") for chord in text.split()]
    return [(int(root), kind) for root, _, kind in chords]
