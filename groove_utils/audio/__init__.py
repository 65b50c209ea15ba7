"""Audio in and out: decode, resample, cut into windows, match loudness, encode for the web.

Chapters 01 (players), 02 (resampling, loudness) and 05 (windows) use it. Arrays are float32 in
−1…1; stereo signals are (channels, n_samples), mono signals (n_samples,).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "decode": [
            "AudioError",
            "load_audio",
            "mix_down",
            "open_audio",
            "resample",
            "stream_audio",
        ],
        "loudness": ["match_loudness", "measure_loudness"],
        "web": ["write_mp3"],
        "windowing": ["windows"],
    },
)
