"""What each descriptor is: its formula, unit and source (chapter 04's table).

The tables here are the single list of names: :func:`describe` fills exactly these.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

__all__ = [
    "BASELINE",
    "DESCRIPTORS",
    "PORTRAIT",
    "RHYTHM",
    "Card",
    "axis_titles",
    "descriptor_card",
    "descriptor_table",
    "prose_titles",
    "published_correlations",
]


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

_RHYTHM = [
    Card(
        "tempo",
        "Tempo",
        "argmax over P of r(P/2) + 2r(P) + 2r(2P) + 2r(4P) − ½(octaves from 120 BPM / 0.4)²",
        "BPM",
        "Moelants (2002); Ellis (2007)",
        True,
    ),
    Card(
        "beat_salience",
        "Beat salience",
        "(onset strength on beats − between) / (on + between)",
        "",
        "after Madison et al. (2011)",
        True,
    ),
    Card(
        "metrical_strength",
        "Metrical strength",
        "correlation of the mean accents of a bar with its metrical weights",
        "",
        "Lerdahl & Jackendoff (1983)",
        True,
    ),
    Card(
        "periodicity",
        "Periodicity",
        "mean over time of the tempogram's highest value at 0.3–1.5 s",
        "",
        "Grosche, Müller & Kurth (2010)",
        True,
    ),
    Card(
        "syncopation",
        "Syncopation (Witek)",
        "polyphonic index of bass drum, snare and cymbals read off the grid, per bar",
        "per bar",
        "Witek et al. (2014)",
        True,
    ),
    Card(
        "syncopation_lhl",
        "Syncopation (LHL)",
        "rest weight − note weight, summed over bass drum and snare, per bar",
        "per bar",
        "Longuet-Higgins & Lee (1984)",
        True,
    ),
    Card(
        "microtiming_mean",
        "Microtiming, mean",
        "median deviation of onsets from the swung grid, without bass drum − with",
        "ms",
        "Senn et al. (2016)",
        True,
    ),
    Card(
        "microtiming_spread",
        "Microtiming, spread",
        "1.4826 × median absolute deviation from the swung grid",
        "ms",
        "Senn et al. (2016)",
        True,
    ),
    Card(
        "microtiming_percent",
        "Microtiming, share of the beat",
        "spread / beat",
        "% of a beat",
        "Senn et al. (2016)",
        True,
    ),
    Card(
        "swing_ratio",
        "Swing ratio",
        "first sixteenth of a quaver / second",
        "",
        "Friberg & Sundström (2002)",
        True,
    ),
    Card("density_low", "Event density below 100 Hz", "onsets / duration", "1/s", MIRTOOLBOX, True),
    Card("density_mid", "Event density 100–3200 Hz", "onsets / duration", "1/s", MIRTOOLBOX, True),
    Card(
        "density_high", "Event density above 3200 Hz", "onsets / duration", "1/s", MIRTOOLBOX, True
    ),
    Card(
        "low_energy",
        "Low-frequency energy",
        "energy up to 200 Hz / energy",
        "",
        "Stupacher, Hove & Janata (2016)",
        True,
    ),
    Card(
        "low_flux",
        "Low-frequency flux",
        "spectral flux of the bins up to 200 Hz, frames of 50 ms",
        AMPLITUDE,
        "Stupacher, Hove & Janata (2016)",
        False,
    ),
    Card(
        "danceability",
        "Danceability",
        "1 / scaling exponent of the detrended fluctuations over 0.31–8.8 s",
        "",
        "Streich & Herrera (2005)",
        True,
    ),
]

_CARDS = {card.name: card for card in [*_BASELINE, *_RHYTHM]}
BASELINE = tuple(card.name for card in _BASELINE)
RHYTHM = tuple(card.name for card in _RHYTHM)
DESCRIPTORS = BASELINE + RHYTHM
# one or two of each kind, for a figure that has no room for all
PORTRAIT = (
    "event_density", "rms_sd", "spectral_flux", "band_2_flux", "pulse_clarity",
    "pulse_clarity_attack", "tempo", "syncopation", "microtiming_spread", "swing_ratio",
    "low_energy", "danceability",
)  # fmt: skip


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


def axis_titles() -> pd.Series:
    """Title of each descriptor with its unit, where that is short: for axes and panels."""
    cards = descriptor_table()
    short = cards["unit"].where(cards["unit"].str.len().between(1, 8))
    return cards["title"] + (" (" + short + ")").fillna("")


def prose_titles() -> pd.Series:
    """Title of each descriptor as it stands within a sentence: «event density», but «RMS»."""
    return descriptor_table()["title"].map(
        lambda title: title if title[1].isupper() else title[0].lower() + title[1:]
    )


def published_correlations() -> pd.Series:
    """Correlations of classical descriptors with groove ratings, as published.

    Returns
    -------
    Series of float64, indexed by descriptor
        Pearson's r over 80 clips, from Stupacher, Hove & Janata (2014); those that they report.
    """
    found = {
        "rms": 0.37,
        "rms_sd": 0.57,
        "spectral_flux": 0.34,
        "band_1_flux": 0.29,
        "band_2_flux": 0.29,
        "band_3_flux": 0.23,
        "band_5_flux": 0.23,
        "band_6_flux": 0.24,
        "pulse_clarity_attack": 0.38,
    }
    return pd.Series(found)
