"""Audio input and output: decoding, resampling, windowing, loudness matching and encoding.

Signals are float32 arrays, scaled so that full scale is ±1. Their shape is (n_samples,) if mono,
otherwise (n_channels, n_samples).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "decode": ["audio_duration", "load_audio", "mix_down", "resample", "stream_audio"],
        "loudness": ["match_loudness", "matching_gain", "measure_loudness"],
        "validation": ["AudioError", "check_signal"],
        "web": ["write_mp3"],
    },
)
