"""Handcrafted descriptors of groove, computed from audio.

The first sixteen, :data:`BASELINE`, were used by Stupacher, Hove & Janata (2016), are defined as in
MIRtoolbox, and serve as a baseline with which pretrained models are compared. The others,
:data:`RHYTHM`, mostly describe rhythm. :func:`describe` computes all descriptors of one signal, and
:func:`describe_study` those of all tracks in a study; :func:`descriptor_table` lists their
formulas, units and sources.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "beat": ["bar_profile", "estimate_grid", "track_beats"],
        "cards": [
            "BASELINE",
            "DESCRIPTORS",
            "PORTRAIT",
            "RHYTHM",
            "axis_titles",
            "descriptor_table",
            "prose_titles",
            "published_correlations",
        ],
        "detrended_fluctuation": ["danceability"],
        "drum_strokes": ["drum_pattern", "syncopation"],
        "one_signal": ["describe"],
        "onsets": ["detect_onsets", "onset_strength", "region_strength"],
        "pulse": [
            "attack_slopes",
            "beat_salience",
            "metrical_strength",
            "periodicity",
            "pulse_clarity",
            "pulse_clarity_attack",
        ],
        "spectral": [
            "BAND_EDGES",
            "DescriptorError",
            "Spectra",
            "analyse",
            "rms_curve",
            "subband_flux",
        ],
        "stem_coupling": ["coincidence", "describe_stems"],
        "tempo": ["estimate_tempo"],
        "whole_study": ["describe_study"],
    },
)
