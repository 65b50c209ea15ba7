"""Rhythm of a score or of onsets: syncopation, microtiming and swing.

Chapters 04 and 08 use it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "timing": ["deviations", "microtiming", "swing_ratio"],
        "syncopation": ["lhl_syncopation", "metrical_weights", "witek_syncopation"],
    },
)
