"""Log-mel spectrogram, the input of the music taggers."""

from __future__ import annotations

import librosa
import torch
from torch import nn

from groove_utils.embed.models.musicnn.framing import HOP, SAMPLE_RATE

__all__ = ["N_MELS", "MelSpectrogram"]

N_FFT, N_MELS = 512, 96
LARGEST_HALF = torch.finfo(torch.float16).max


class MelSpectrogram(nn.Module):
    """Log-compressed mel power spectrogram, as used to train the taggers.

    Power spectra of 512 points, 256 samples apart at 16 kHz, are reduced to 96 bands of Slaney's
    mel scale. Values are rounded to half precision, as in the stored training data, and each value
    x is compressed to log10(10000·x + 1).
    """

    def __init__(self):
        super().__init__()
        filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS)
        self.register_buffer("filters", torch.tensor(filters.T, dtype=torch.float32))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Map windows (n_windows, n_samples) to spectrograms (n_windows, n_frames, 96)."""
        # in double precision, values between two half-precision numbers are nearly always
        # rounded to the same number as in the authors' code
        precise = torch.float32 if batch.device.type == "mps" else torch.float64
        window = torch.hann_window(N_FFT, dtype=precise, device=batch.device)
        spectrum = torch.fft.rfft(batch.to(precise).unfold(1, N_FFT, HOP) * window)
        power = spectrum.real.square() + spectrum.imag.square()
        mel = (power @ self.filters.to(precise)).float().clamp(max=LARGEST_HALF)
        return torch.log10(10000 * mel.half().float() + 1)
