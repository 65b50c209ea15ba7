"""Audio in and out: decode, resample, cut into windows, match loudness, encode for the web.

Chapters 01 (players), 02 (resampling, loudness) and 05 (windows) use it. Arrays are float32 in
−1…1; stereo signals are (channels, n_samples), mono signals (n_samples,).
"""

from groove_utils.audio.decode import (
    AudioError,
    load_audio,
    mix_down,
    open_audio,
    resample,
    stream_audio,
)
from groove_utils.audio.loudness import match_loudness, measure_loudness
from groove_utils.audio.web import write_mp3
from groove_utils.audio.windows import windows

__all__ = [
    "AudioError",
    "load_audio",
    "match_loudness",
    "measure_loudness",
    "mix_down",
    "open_audio",
    "resample",
    "stream_audio",
    "windows",
    "write_mp3",
]
