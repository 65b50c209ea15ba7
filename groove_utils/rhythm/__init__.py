"""Measures of rhythm: syncopation, microtiming, swing, event density and beat-tracking accuracy.

These measures are used for the audio descriptors and for the simulation of the demo study.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "beat_accuracy": ["compare_trackers", "score_beats"],
        "density": ["onset_density"],
        "grid": ["Grid", "swung_bars"],
        "syncopation": ["RhythmError", "lhl_syncopation", "metrical_weights", "witek_syncopation"],
        "timing": ["deviations", "microtiming", "swing_ratio"],
    },
)
