"""Handcrafted descriptors of groove, from audio (chapter 04; the onset curves also in 02).

The first sixteen, :data:`BASELINE`, are those of Stupacher, Hove & Janata (2016) by the
definitions of MIRtoolbox; they are the baseline that pretrained models are held against. Rhythm
descriptors follow. :func:`describe` gives them all for one signal, :func:`describe_study` for a
whole study, :func:`descriptor_table` says what each one is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "beat": ["Grid", "bar_profile", "estimate_grid", "estimate_tempo"],
        "cards": [
            "BASELINE",
            "DESCRIPTORS",
            "PORTRAIT",
            "RHYTHM",
            "axis_titles",
            "descriptor_card",
            "descriptor_table",
            "prose_titles",
            "published_correlations",
        ],
        "stem_coupling": ["coincidence", "describe_stems"],
        "fluctuation": ["danceability"],
        "onsets": ["detect_onsets", "event_density", "onset_strength", "region_strength"],
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
            "Spectra",
            "analyse",
            "rms",
            "rms_curve",
            "spectral_flux",
            "subband_flux",
        ],
        "drum_patterns": ["drum_pattern", "syncopation"],
        "table": ["describe", "describe_study"],
    },
)
