"""What each descriptor is: its formula, unit and source (chapter 04's table).

The tables here are the single list of names: :func:`describe` fills exactly these.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

__all__ = ["BASELINE", "DESCRIPTORS", "RHYTHM", "Card", "descriptor_card", "descriptor_table"]


class Card(NamedTuple):
    """One descriptor in words.

    Attributes
    ----------
    name : str
        As in the columns of :func:`describe_study`.
    title : str
        What it is called in text and on axes.
    formula : str
        In plain notation.
    unit : str
        Empty where it has none.
    source : str
        The paper it comes from.
    gain_invariant : bool
        Whether it stays the same when the signal is made louder.
    """

    name: str
    title: str
    formula: str
    unit: str
    source: str
    gain_invariant: bool


MIRTOOLBOX = "Lartillot & Toiviainen (2007)"
SUBBANDS = "Alluri & Toiviainen (2010)"
CLARITY = "Lartillot et al. (2008)"
AMPLITUDE = "full-scale amplitude"
BAND_NAMES = ("below 50 Hz", "50–100 Hz", "100–200 Hz", "200–400 Hz", "400–800 Hz",
              "800–1600 Hz", "1.6–3.2 kHz", "3.2–6.4 kHz", "6.4–12.8 kHz",
              "above 12.8 kHz")  # fmt: skip

_BASELINE = [
    Card("event_density", "Event density", "onsets / duration", "1/s", MIRTOOLBOX, True),
    Card("rms", "RMS", "√(mean of y²)", AMPLITUDE, MIRTOOLBOX, False),
    Card(
        "rms_sd",
        "RMS variability",
        "standard deviation of the RMS of 50 ms frames, half overlapping",
        AMPLITUDE,
        "Stupacher, Hove & Janata (2016)",
        False,
    ),
    Card(
        "spectral_flux",
        "Spectral flux",
        "mean over t of √Σₖ(|Xₜ(k)| − |Xₜ₋₁(k)|)², frames of 50 ms",
        AMPLITUDE,
        MIRTOOLBOX,
        False,
    ),
    *(
        Card(
            f"band_{band}_flux",
            f"Flux {where}",
            f"spectral flux of the band {where}, frames of 25 ms",
            AMPLITUDE,
            SUBBANDS,
            False,
        )
        for band, where in enumerate(BAND_NAMES, start=1)
    ),
    Card(
        "pulse_clarity",
        "Pulse clarity",
        "highest peak of the onset curve's autocorrelation at 0.3–1.5 s",
        "",
        CLARITY,
        True,
    ),
    Card(
        "pulse_clarity_attack",
        "Pulse clarity (attack)",
        "mean slope of the attacks in the amplitude envelope scaled to 1",
        "1/s",
        CLARITY,
        True,
    ),
]

_RHYTHM: list[Card] = []

_CARDS = {card.name: card for card in [*_BASELINE, *_RHYTHM]}
BASELINE = tuple(card.name for card in _BASELINE)
RHYTHM = tuple(card.name for card in _RHYTHM)
DESCRIPTORS = BASELINE + RHYTHM


def descriptor_card(name: str) -> Card:
    """Look up what a descriptor is.

    Raises
    ------
    KeyError
        If there is no descriptor of that name; the message lists them.
    """
    if name not in _CARDS:
        raise KeyError(f"no descriptor {name!r}; there are {', '.join(_CARDS)}.")
    return _CARDS[name]


def descriptor_table() -> pd.DataFrame:
    """All cards as a table, indexed by name, in the order of :func:`describe`."""
    return pd.DataFrame(list(_CARDS.values())).set_index("name")
