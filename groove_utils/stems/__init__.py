"""Stems: source separation, sums of stems, separation quality, and coupling of bass and drums.

Chapter 08-stem-ablation uses these functions. Demucs and PyTorch are imported only when a network
is loaded.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "controls": [
            "load_stems",
            "regroup_stems",
            "swap_stem",
            "tempo_partners",
        ],
        "measure": ["describe_coupling", "matching_gains"],
        "mixing": ["remix"],
        "demucs_weights": ["SeparatorUnavailableError"],
        "quality": ["separation_checks", "separation_quality"],
        "separation": ["separate", "separate_study", "separate_tracks"],
    },
)
