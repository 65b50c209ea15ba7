"""Handcrafted descriptors of groove, from audio (chapter 04; the onset curves also in 02).

The first sixteen, :data:`BASELINE`, are those of Stupacher, Hove & Janata (2016) by the
definitions of MIRtoolbox; they are the baseline that pretrained models are held against. Rhythm
descriptors follow. :func:`describe` gives them all for one signal, :func:`describe_study` for a
whole study, :func:`descriptor_table` says what each one is.
"""

from groove_utils.descriptors.beat import Grid, bar_profile, estimate_grid, estimate_tempo
from groove_utils.descriptors.cards import (
    BASELINE,
    DESCRIPTORS,
    PORTRAIT,
    RHYTHM,
    axis_titles,
    descriptor_card,
    descriptor_table,
    prose_titles,
    published_correlations,
)
from groove_utils.descriptors.coincidence import coincidence, describe_stems
from groove_utils.descriptors.fluctuation import danceability
from groove_utils.descriptors.microtiming import deviations, microtiming, swing_ratio
from groove_utils.descriptors.onsets import (
    detect_onsets,
    event_density,
    onset_strength,
    region_strength,
)
from groove_utils.descriptors.pulse import (
    attack_slopes,
    beat_salience,
    metrical_strength,
    periodicity,
    pulse_clarity,
    pulse_clarity_attack,
)
from groove_utils.descriptors.spectral import (
    BAND_EDGES,
    Spectra,
    analyse,
    rms,
    rms_curve,
    spectral_flux,
    subband_flux,
)
from groove_utils.descriptors.syncopation import drum_pattern, syncopation
from groove_utils.descriptors.table import describe, describe_study

__all__ = [
    "BAND_EDGES",
    "BASELINE",
    "DESCRIPTORS",
    "PORTRAIT",
    "RHYTHM",
    "Grid",
    "Spectra",
    "analyse",
    "attack_slopes",
    "axis_titles",
    "bar_profile",
    "beat_salience",
    "coincidence",
    "danceability",
    "describe",
    "describe_stems",
    "describe_study",
    "descriptor_card",
    "descriptor_table",
    "detect_onsets",
    "deviations",
    "drum_pattern",
    "estimate_grid",
    "estimate_tempo",
    "event_density",
    "metrical_strength",
    "microtiming",
    "onset_strength",
    "periodicity",
    "prose_titles",
    "published_correlations",
    "pulse_clarity",
    "pulse_clarity_attack",
    "region_strength",
    "rms",
    "rms_curve",
    "spectral_flux",
    "subband_flux",
    "swing_ratio",
    "syncopation",
]
