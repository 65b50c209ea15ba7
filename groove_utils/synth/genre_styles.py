"""Styles in the genre corpus: rhythmic figures, harmony, instruments and mixes.

The styles are defined in ``genre_styles.yml``; the comments at the top of that file explain the
notation.
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
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader is 10 times faster
    return yaml.load(FILE.read_bytes(), loader)


GENRES: tuple[str, ...] = tuple(_read()["styles"])
"""Names of the styles, in the order of ``genre_styles.yml``."""
GENRE_TREE: dict[str, str] = _read()["tree"]
"""Parent of each style and of each group of styles; top-level groups have no entry."""


def style_sheet(style: str) -> dict:
    """Return a style's definition from ``genre_styles.yml``, including its related styles.

    Raises
    ------
    DetailedError
        If the style is unknown (``kind="unknown_style"``).

    Examples
    --------
    >>> style_sheet("techno")["tempo"]
    [129, 4, 2]
    """
    if style not in GENRES:
        raise DetailedError(
            f"unknown style {style!r}; expected one of {', '.join(GENRES)}.",
            kind="unknown_style",
            value=style,
        )
    return _read()["styles"][style] | {"relatives": _read()["relatives"][style]}


def hash_styles() -> str:
    """Return a hash of all style definitions; if it changes, rendered corpora are out of date."""
    return hash_bytes(json.dumps(_read()))


def to_velocities(figure: str) -> np.ndarray:
    """Convert a drum figure to an array of MIDI velocities, shape (16,).

    Examples
    --------
    >>> to_velocities("X.o.x...........")[:5].tolist()
    [118, 0, 52, 0, 98]
    """
    return np.array([VELOCITIES[letter] for letter in check_figure(figure)])


def check_figure(figure: str) -> str:
    """Raise an error if a figure is not one bar of sixteenths; otherwise, return the figure."""
    if len(figure) != STEPS:
        raise DetailedError(
            f"{FILE.name}: figure {figure!r} has {len(figure)} characters; expected {STEPS}.",
            kind="wrong_length",
            path=FILE,
            value=figure,
        )
    return figure


def parse_progression(text: str) -> list[tuple[int, str]]:
    """Parse a chord progression into pairs (root in semitones above the tonic, chord quality).

    Examples
    --------
    >>> parse_progression("0:m7 5:9 7:")
    [(0, 'm7'), (5, '9'), (7, '')]
    """
    chords = [chord.partition(":") for chord in text.split()]
    return [(int(root), kind) for root, _, kind in chords]
