"""Audio in and out: decode, resample, cut into windows, match loudness, encode for the web.

Arrays are float32 in −1…1; stereo signals are (channels, n_samples), mono signals (n_samples,).
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
