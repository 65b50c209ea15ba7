"""Tempo-CNN (Schreiber & Müller, 2019): tempo estimation from 12-second mel spectrograms.

The network has 0.1 million parameters, and was trained to estimate the tempo in beats per minute.
Its kernels extend only along time; frequency bands are combined only by pooling.

References
----------
Schreiber, H. & Müller, M. (2019). Musical tempo and key estimation using convolutional neural
networks with directional filters. SMC, 47–54. arXiv:1903.10839.
"""

from __future__ import annotations

from pathlib import Path

import librosa
import torch
from torch import nn
from torch.nn import functional

from groove_utils.embed.models.framing import Framing
from groove_utils.embed.models.packaged_network import PackagedNetwork

__all__ = ["FIRST_TEMPO", "TempoCNN", "TempoNetwork"]

SAMPLE_RATE, N_FFT, N_MELS = 11025, 1024, 40
FRAMING = Framing(SAMPLE_RATE, N_FFT, hop=512, n_frames=256)
FIRST_TEMPO, N_TEMPOS = 30, 256  # beats per minute, in steps of one
CHANNELS = (8, 16, 32, 32, 64, 64)
BN_EPSILON = 1e-3


class _Block(nn.Module):
    """Two convolutions (over 5 and 3 frames), each with ReLU and batch norm, then max-pooling."""

    def __init__(self, n_in: int, n_out: int, n_bands: int):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, (1, 5), padding=(0, 2))
        self.conv2 = nn.Conv2d(n_out, n_out, (1, 3), padding=(0, 1))
        self.bn1, self.bn2 = (nn.BatchNorm2d(n_out, eps=BN_EPSILON) for _ in range(2))
        self.pool = n_bands, 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn1(functional.relu(self.conv1(x)))
        return functional.max_pool2d(self.bn2(functional.relu(self.conv2(x))), self.pool)


class TempoNetwork(nn.Module):
    """DeepTemp network of Schreiber & Müller (2019) with k = 8 filters in the first block."""

    def __init__(self):
        super().__init__()
        filters = librosa.filters.mel(
            sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS, fmin=20, fmax=5000
        )
        self.register_buffer("filters", torch.tensor(filters.T, dtype=torch.float32))
        pools = (2, 2, 2, 2, 2, 1)
        channels = zip((1, *CHANNELS), CHANNELS, pools)
        self.blocks = nn.ModuleList(_Block(*sizes) for sizes in channels)
        self.tempo = nn.Conv2d(CHANNELS[-1], N_TEMPOS, 1)

    def spectrogram(self, batch: torch.Tensor) -> torch.Tensor:
        """Map windows (n_windows, n_samples) to mel spectrograms (n_windows, n_frames, 40)."""
        window = torch.hann_window(N_FFT, device=batch.device)
        with torch.autocast(batch.device.type, enabled=False):  # bfloat16 is too coarse
            return torch.fft.rfft(FRAMING.cut(batch) * window).abs() @ self.filters

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the feature maps, averaged over frequency, and the tempo probabilities.

        The spectrogram of each window is standardised and rounded to half precision, as in
        training. ``block1`` to ``block6`` have shape (n_windows, n_positions, n_channels), with NaN
        after the end of the signal. ``tempo``, shape (n_windows, 256), contains the probability of
        each tempo from 30 to 285 beats per minute. For the parameters, see
        :class:`PackagedNetwork`.
        """
        x = self.spectrogram(batch)
        mask = FRAMING.valid(n_valid)
        x = x * mask[..., None]
        spread = x.std((1, 2), correction=0, keepdim=True)
        x = (x - x.mean((1, 2), keepdim=True)) / torch.where(spread > 0, spread, 1)
        x, layers = x.half().float().mT[:, None], {}
        for i, block in enumerate(self.blocks, 1):
            x, mask = block(x), mask[:, ::2]
            layers[f"block{i}"] = x.mean(2).mT.masked_fill(~mask[..., None], torch.nan)
        layers["tempo"] = functional.relu(self.tempo(x)).mean((2, 3)).softmax(1)
        return layers


class TempoCNN(PackagedNetwork):
    """Adapter for Tempo-CNN (``tempo-cnn``) or a copy with random weights (``…-untrained``).

    The package and the weights are licensed under the AGPL, so they are not installed by default.
    """

    architecture, framing = TempoNetwork, FRAMING
    hop = FRAMING.period / 2
    version = "0.0.8"
    file = "models/deeptemp_k8.h5"
    sha256 = "65bd692fbb3699643d8567012887eb31f7d27be5f71f5bca60ad073dfed5ef8d"

    def read(self, path: Path) -> dict[str, torch.Tensor]:
        """Return the weights from an HDF5 file whose kernels have axes (height, width, in, out)."""
        import h5py

        names = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
        names |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
        places = {"1x1": "tempo"}
        for i in range(2 * len(CHANNELS)):
            block = f"blocks.{i // 2}"
            places |= {f"Conv{i}": f"{block}.conv{i % 2 + 1}", f"BN{i}": f"{block}.bn{i % 2 + 1}"}
        weights = {}
        with h5py.File(path) as file:
            for layer, place in places.items():
                for key, values in file["model_weights"][layer][layer].items():
                    tensor = torch.from_numpy(values[()])
                    tensor = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor
                    weights[f"{place}.{names[key.partition(':')[0]]}"] = tensor.contiguous()
        return weights
