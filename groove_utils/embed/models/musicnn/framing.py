"""Sample rate and framing of the music taggers' spectrograms."""

__all__ = ["HOP", "N_FRAMES", "SAMPLE_RATE"]

SAMPLE_RATE = 16000  # Hz
HOP = 256  # samples per frame of the spectrogram
N_FRAMES = 187  # frames per window, about 3 s
