"""Handcrafted descriptors of groove, from audio (chapter 04; the onset curves also in 02).

The first sixteen, :data:`BASELINE`, are those of Stupacher, Hove & Janata (2016) by the
definitions of MIRtoolbox; they are the baseline that pretrained models are held against. Rhythm
descriptors follow. :func:`describe` gives them all for one signal, :func:`describe_study` for a
whole study, :func:`descriptor_table` says what each one is.
"""

from groove_utils.descriptors.cards import (
    BASELINE,
    DESCRIPTORS,
    RHYTHM,
    descriptor_card,
    descriptor_table,
)
from groove_utils.descriptors.onsets import (
    detect_onsets,
    event_density,
    onset_strength,
    region_strength,
)
from groove_utils.descriptors.pulse import attack_slopes, pulse_clarity, pulse_clarity_attack
from groove_utils.descriptors.spectral import (
    BAND_EDGES,
    Spectra,
    analyse,
    rms,
    rms_curve,
    spectral_flux,
    subband_flux,
)
from groove_utils.descriptors.table import describe, describe_study

__all__ = [
    "BAND_EDGES",
    "BASELINE",
    "DESCRIPTORS",
    "RHYTHM",
    "Spectra",
    "analyse",
    "attack_slopes",
    "describe",
    "describe_study",
    "descriptor_card",
    "descriptor_table",
    "detect_onsets",
    "event_density",
    "onset_strength",
    "pulse_clarity",
    "pulse_clarity_attack",
    "region_strength",
    "rms",
    "rms_curve",
    "spectral_flux",
    "subband_flux",
]
