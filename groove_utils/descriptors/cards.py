"""Definitions of the descriptors: title, formula, unit and source.

Names of descriptors are defined only here; :func:`groove_utils.descriptors.describe` computes
exactly these descriptors.
"""

from __future__ import annotations

import pandas as pd

__all__ = [
    "BASELINE",
    "DESCRIPTORS",
    "PORTRAIT",
    "RHYTHM",
    "axis_titles",
    "descriptor_table",
    "prose_titles",
    "published_correlations",
]

MIRTOOLBOX, CLARITY = "Lartillot & Toiviainen (2007)", "Lartillot et al. (2008)"
STUPACHER, SENN = "Stupacher, Hove & Janata (2016)", "Senn et al. (2016)"
AMPLITUDE = "full-scale amplitude"
BANDS = ("below 50 Hz", "50–100 Hz", "100–200 Hz", "200–400 Hz", "400–800 Hz", "800–1600 Hz",
         "1.6–3.2 kHz", "3.2–6.4 kHz", "6.4–12.8 kHz", "above 12.8 kHz")  # fmt: skip

# name, title, formula, unit, source, and whether it is invariant to the signal's gain
_BASELINE = [
    ("event_density", "Event density", "onsets / duration", "1/s", MIRTOOLBOX, True),
    ("rms", "RMS", "√(mean of y²)", AMPLITUDE, MIRTOOLBOX, False),
    ("rms_sd", "RMS variability",
     "standard deviation of the RMS of 50 ms frames, half overlapping", AMPLITUDE, STUPACHER,
     False),
    ("spectral_flux", "Spectral flux",
     "mean over t of √Σₖ(|Xₜ(k)| − |Xₜ₋₁(k)|)², frames of 50 ms", AMPLITUDE, MIRTOOLBOX, False),
    *((f"band_{band}_flux", f"Flux {where}",
       f"spectral flux of the band {where}, frames of 25 ms", AMPLITUDE,
       "Alluri & Toiviainen (2010)", False) for band, where in enumerate(BANDS, start=1)),
    ("pulse_clarity", "Pulse clarity",
     "highest peak of the onset curve's autocorrelation at 0.3–1.5 s", "", CLARITY, True),
    ("pulse_clarity_attack", "Pulse clarity (attack)",
     "mean slope of the attacks in the amplitude envelope scaled to 1", "1/s", CLARITY, True),
]  # fmt: skip
_RHYTHM = [
    ("tempo", "Tempo",
     "60 / P, for the period P (s) with the highest r(P/2) + 2 r(P) + 2 r(2P) + 2 r(4P) "
     "− ½ (log₂(P / 0.5) / 0.4)²", "BPM",
     "Moelants (2002); Ellis (2007)", True),
    ("beat_salience", "Beat salience", "(onset strength on beats − between) / (on + between)", "",
     "after Madison et al. (2011)", True),
    ("metrical_strength", "Metrical strength",
     "correlation of the mean accents of a bar with its metrical weights", "",
     "Lerdahl & Jackendoff (1983)", True),
    ("periodicity", "Periodicity",
     "mean over time of the tempogram's highest value at 0.3–1.5 s", "",
     "Grosche, Müller & Kurth (2010)", True),
    ("syncopation", "Syncopation (Witek)",
     "polyphonic index of bass drum, snare and cymbals at the steps of the grid, per bar",
     "per bar", "Witek et al. (2014)", True),
    ("syncopation_lhl", "Syncopation (LHL)",
     "rest weight − note weight, summed over bass drum and snare, per bar", "per bar",
     "Longuet-Higgins & Lee (1984)", True),
    ("microtiming_mean", "Microtiming, mean",
     "median deviation from the swung grid of onsets without a bass drum, minus that of onsets "
     "with one", "ms", SENN, True),
    ("microtiming_spread", "Microtiming, spread",
     "1.4826 × median absolute deviation from the swung grid", "ms", SENN, True),
    ("microtiming_percent", "Microtiming, share of the beat", "spread / duration of a beat",
     "% of a beat", SENN, True),
    ("swing_ratio", "Swing ratio",
     "duration of the first sixteenth of a quaver / duration of the second", "",
     "Friberg & Sundström (2002)", True),
    *((f"density_{region}", f"Event density {where}", "onsets / duration", "1/s", MIRTOOLBOX, True)
      for region, where in [("low", "below 100 Hz"), ("mid", "100–3200 Hz"),
                            ("high", "above 3200 Hz")]),
    ("low_energy", "Low-frequency energy", "energy up to 200 Hz / energy", "", STUPACHER, True),
    ("low_flux", "Low-frequency flux", "spectral flux of the bins up to 200 Hz, frames of 50 ms",
     AMPLITUDE, STUPACHER, False),
    ("danceability", "Danceability",
     "1 / scaling exponent of the detrended fluctuations over 0.31–8.8 s", "",
     "Streich & Herrera (2005)", True),
]  # fmt: skip

BASELINE = tuple(name for name, *_ in _BASELINE)
RHYTHM = tuple(name for name, *_ in _RHYTHM)
DESCRIPTORS = BASELINE + RHYTHM
# one or two descriptors of each kind, for figures that have no room for all of them
PORTRAIT = (
    "event_density", "rms_sd", "spectral_flux", "band_2_flux", "pulse_clarity",
    "pulse_clarity_attack", "tempo", "syncopation", "microtiming_spread", "swing_ratio",
    "low_energy", "danceability",
)  # fmt: skip


def descriptor_table() -> pd.DataFrame:
    """Tabulate the title, formula, unit and source of every descriptor.

    Returns
    -------
    DataFrame, indexed by ``name`` in the order of :data:`DESCRIPTORS`
        Columns ``title`` (for text and axes), ``formula`` (in plain notation), ``unit`` (empty if
        there is none), ``source`` (the paper) and ``gain_invariant`` (bool).
    """
    columns = ["name", "title", "formula", "unit", "source", "gain_invariant"]
    return pd.DataFrame([*_BASELINE, *_RHYTHM], columns=columns).set_index("name")


def axis_titles() -> pd.Series:
    """Return descriptor titles for axes and panels, with the unit if it is short."""
    cards = descriptor_table()
    short = cards["unit"].where(cards["unit"].str.len().between(1, 8))
    return cards["title"] + (" (" + short + ")").fillna("")


def prose_titles() -> pd.Series:
    """Return descriptor titles for use within a sentence, such as “event density” or “RMS”."""
    return descriptor_table()["title"].map(
        lambda title: title if title[1].isupper() else title[0].lower() + title[1:]
    )


def published_correlations() -> pd.Series:
    """Return published correlations of handcrafted descriptors with groove ratings.

    Returns
    -------
    Series of float64, indexed by descriptor
        Pearson's r over 80 clips, for the descriptors reported by Stupacher, Hove & Janata (2014).
    """
    return pd.Series(
        {"rms": 0.37, "rms_sd": 0.57, "spectral_flux": 0.34, "band_1_flux": 0.29,
         "band_2_flux": 0.29, "band_3_flux": 0.23, "band_5_flux": 0.23, "band_6_flux": 0.24,
         "pulse_clarity_attack": 0.38}
    )  # fmt: skip
