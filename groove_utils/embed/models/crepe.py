"""Smallest CREPE network (Kim et al., 2018): pitch estimation from the waveform.

The network has 0.5 million parameters and six convolutional layers. It was trained to estimate the
pitch of a single voice or instrument in steps of 20 cents. Each frame of 64 ms is processed
separately, so the model has no information about rhythm or harmonic changes. The authors' code
processes a frame every 10 ms. This adapter processes a frame every 32 ms, with an overlap of 50%,
which takes a third of the time.

References
----------
Kim, J. W., Salamon, J., Li, P. & Bello, J. P. (2018). CREPE: a convolutional representation for
pitch estimation. ICASSP. arXiv:1802.06182.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from groove_utils.embed.models.framing import Framing
from groove_utils.embed.models.packaged_network import PackagedNetwork

__all__ = ["Crepe", "CrepeNetwork", "pitch_frequencies"]

FRAMING = Framing(sample_rate=16000, length=1024, hop=512, n_frames=64)
N_PITCHES = 360
CHANNELS = (128, 16, 16, 16, 32, 64)
BN_EPSILON = 1e-3


class _Block(nn.Module):
    """Convolution (TensorFlow's "same" padding), ReLU, batch norm, and max-pooling by two."""

    def __init__(self, n_in: int, n_out: int, width: int, stride: int):
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, width, stride)
        self.norm = nn.BatchNorm1d(n_out, eps=BN_EPSILON)
        self.padding = (width - stride) // 2, (width - stride + 1) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.conv(functional.pad(x, self.padding)))
        return functional.max_pool1d(self.norm(x), 2)


class CrepeNetwork(nn.Module):
    """CREPE network, which standardises and processes each frame separately."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([_Block(1, CHANNELS[0], 512, 4)])
        self.blocks.extend(_Block(n, m, 64, 1) for n, m in pairwise(CHANNELS))
        self.classifier = nn.Linear(256, N_PITCHES)

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the outputs of all layers for each frame.

        Outputs have shape (n_windows, n_frames, dim), with NaN after the end of the signal.
        ``conv1`` to ``conv4`` are averaged over the positions in a frame; ``conv5`` and ``conv6``
        are flattened over positions and channels; ``pitch`` is the probability of each of the
        :func:`pitch_frequencies`. For the parameters, see :class:`PackagedNetwork`.
        """
        frames = FRAMING.cut(batch)
        centred = frames - frames.mean(2, keepdim=True)
        # a silent frame stays zero
        x = (centred / centred.std(2, keepdim=True).clamp(min=1e-10)).flatten(0, 1)[:, None]
        layers = {}
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            layers[f"conv{i}"] = x.mean(2) if i < 5 else x.mT.flatten(1)
        layers["pitch"] = torch.sigmoid(self.classifier(layers["conv6"]))
        beyond = ~FRAMING.valid(n_valid)[..., None]
        return {
            name: values.view(*frames.shape[:2], -1).masked_fill(beyond, torch.nan)
            for name, values in layers.items()
        }


class Crepe(PackagedNetwork):
    """Adapter for the smallest CREPE network (``crepe-tiny``) or a copy with random weights."""

    architecture, framing = CrepeNetwork, FRAMING
    version = "0.0.24"
    file = "assets/tiny.pth"
    sha256 = "d4993eea36ed1a0ad9ac549c740dae5265b049ce72004f00c2f59e01c0be8432"

    def read(self, path: Path) -> dict[str, torch.Tensor]:
        """Read the weights from the package's file, and drop the kernels' last axis (size 1)."""
        weights = {}
        for key, tensor in super().read(path).items():
            scope, _, last = key.partition(".")
            if scope.startswith("conv"):
                part = "norm" if scope.endswith("_BN") else "conv"
                key = f"blocks.{int(scope[4]) - 1}.{part}.{last}"
            weights[key] = tensor.squeeze(3) if tensor.ndim == 4 else tensor
        return weights


def pitch_frequencies() -> torch.Tensor:
    """Return the frequencies in Hz of CREPE's 360 pitches, in steps of 20 cents.

    Examples
    --------
    >>> [f"{hz:.1f}" for hz in pitch_frequencies()[[0, -1]]]
    ['31.7', '2005.5']
    """
    cents = 20 * torch.arange(N_PITCHES, dtype=torch.double) + 1997.3794084376191
    return 10 * 2 ** (cents / 1200)
