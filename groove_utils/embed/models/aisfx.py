"""aiSFX (Ma & Lerch, 2022): an embedding for sound effects.

The network has eight convolutional layers and 4.7 million parameters. Its input is a 2.3-second mel
spectrogram. The network was trained to classify sound effects (doors, crowds, weather, …)
from nine commercial libraries. It was not trained on music.

References
----------
Ma, A. B. & Lerch, A. (2022). Representation learning for the automatic indexing of sound effects
libraries. ISMIR, 866–875.
"""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from groove_utils.embed.models.framing import Framing
from groove_utils.embed.models.packaged_network import PackagedNetwork

__all__ = ["AiSFX", "AiSFXNetwork", "MelSpectrogram"]

SAMPLE_RATE, N_FFT, N_MELS = 44100, 2048, 96
FRAMING = Framing(SAMPLE_RATE, N_FFT, hop=1024, n_frames=100)
LARGEST = 9.457798957824707  # largest value in the training data, after compression
CHANNELS = (64, 128, 256, 512)


class MelSpectrogram(nn.Module):
    """Log-mel spectrogram as defined in Essentia and as used to train aiSFX.

    Power spectra of 2048 points, 1024 samples apart, are reduced to 96 bands of the HTK mel scale
    up to 22,050 Hz. Filters are triangular on the mel scale, and the weights of each filter sum to
    1. Each value x is compressed to log10(10000·x + 1) and divided by the largest value in the
       training data.
    """

    def __init__(self):
        super().__init__()
        bins = librosa.hz_to_mel(np.arange(N_FFT // 2 + 1) * SAMPLE_RATE / N_FFT, htk=True)
        edges = np.linspace(0, librosa.hz_to_mel(SAMPLE_RATE / 2, htk=True), N_MELS + 2)[:, None]
        width = edges[1] - edges[0]
        filters = (1 - np.abs(bins - edges[1:-1]) / width).clip(0)
        filters = (filters / filters.sum(1, keepdims=True)).T
        self.register_buffer("filters", torch.tensor(filters, dtype=torch.float32))
        self.register_buffer("window", torch.hann_window(N_FFT, periodic=False))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Map windows (n_windows, n_samples) to spectrograms (n_windows, n_frames, 96)."""
        spectrum = torch.fft.rfft(FRAMING.cut(batch) * self.window)
        with torch.autocast(batch.device.type, enabled=False):  # bfloat16 is too coarse
            mel = (spectrum.real.square() + spectrum.imag.square()) @ self.filters
        return torch.log10(10000 * mel + 1) / LARGEST


class _Block(nn.Module):
    """Two 3×3 convolutions, each followed by batch norm and ReLU."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(n_out), nn.BatchNorm2d(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)))


class AiSFXNetwork(nn.Module):
    """Embedding network of aiSFX, without the classifiers for the nine sound libraries."""

    def __init__(self):
        super().__init__()
        self.spectrogram = MelSpectrogram()
        self.blocks = nn.ModuleList(_Block(n, m) for n, m in zip((1, *CHANNELS), CHANNELS))

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the feature maps, averaged over frequency, and the embedding.

        ``block1``, ``block2`` and ``block3`` have shape (n_windows, n_positions, n_channels), with
        NaN after the end of the signal. ``embedding``, shape (n_windows, 512), is the maximum over
        time of the last block's feature maps. For the parameters, see :class:`PackagedNetwork`.
        """
        x = self.spectrogram(batch)
        mask = FRAMING.valid(n_valid)
        x, layers = (x * mask[..., None])[:, None], {}
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            last = i == len(self.blocks)
            if not last:
                x, mask = functional.max_pool2d(x, 2), mask[:, : mask.shape[1] // 2 * 2 : 2]
            fill = -torch.inf if last else torch.nan
            maps = x.mean(3).mT.masked_fill(~mask[..., None], fill)
            layers["embedding" if last else f"block{i}"] = maps.amax(1) if last else maps
        return layers


class AiSFX(PackagedNetwork):
    """Adapter for aiSFX (``aisfx``) or a copy with random weights (``aisfx-untrained``)."""

    architecture, framing = AiSFXNetwork, FRAMING
    version = "0.1.2"
    file = "models/checkpoint.pth"
    sha256 = "499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5"

    def read(self, path: Path) -> dict[str, torch.Tensor]:
        """Return the weights of the embedding network from the package's file.

        The file also contains the number of classes in each library as a NumPy integer. PyTorch's
        restricted unpickler must therefore be allowed to read NumPy integers as well as tensors.
        """
        scalar = np.int64(0).__reduce__()[0]
        allowed = [scalar, (scalar, "numpy.core.multiarray.scalar")]  # its name before NumPy 2
        allowed += [np.dtype, type(np.dtype("int64"))]
        with torch.serialization.safe_globals(allowed):
            stored, _ = torch.load(path, map_location="cpu", weights_only=True)
        prefix = "embedding_net.conv_block"
        weights = {}
        for key, tensor in stored.items():
            if key.startswith(prefix):
                number, _, rest = key.removeprefix(prefix).partition(".")
                weights[f"blocks.{int(number) - 1}.{rest}"] = tensor
        return weights
