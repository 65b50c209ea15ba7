"""Base of adapters of PyTorch networks with weights inside Python packages.

The networks are written here from their publications and the shapes of their weights.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import torch
from torch import nn

from groove_utils.embed.integrity import check_weights
from groove_utils.embed.models.framing import Framing
from groove_utils.embed.models.packaged_model import PackagedModel

__all__ = ["PackagedNetwork", "draw_weights"]


class PackagedNetwork(PackagedModel):
    """Base of the adapters of a network in a Python package, and of its untrained twin.

    A twin has kernels drawn as before training (uniform, Glorot & Bengio 2010), zero biases and
    neutral normalisation. Windows of a batch are computed one by one, so that neighbours change no
    bit of a result.

    Attributes
    ----------
    architecture : type of torch.nn.Module
        Class of the network. It takes a batch of windows, (n_windows, …), and `n_valid`, the
        samples of each window before the signal's end, as a Tensor of int, (n_windows,). It
        returns the layers by name: (n_windows, dim), or (n_windows, n_positions, dim) with NaN at
        positions after the end.
    framing : Framing
        Frames of a window, which define sample rate, window, hop and lead, unless the subclass has
        attributes of these names.
    """

    architecture: type[nn.Module]
    framing: Framing

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        return self.framing.sample_rate

    @property
    def window(self) -> float:
        """Duration of a window in seconds."""
        return self.framing.window

    @property
    def hop(self) -> float:
        """Seconds from one window's start to the next."""
        return self.framing.period

    @property
    def lead(self) -> float:
        """Seconds of silence before the signal."""
        return self.framing.lead

    def read(self, path: Path) -> dict[str, torch.Tensor]:
        """Return the network's weights, by their names in the network, from a verified file."""
        return torch.load(path, map_location="cpu", weights_only=True)

    def draw(self) -> nn.Module:
        """Return the untrained twin's network."""
        return draw_weights(self.architecture(), f"{self.name}/{self.seed}")

    def load(self) -> nn.Module:
        """Return the network in evaluation mode.

        Raises
        ------
        ModelUnavailableError, ModelRefusedError
            If the package is not installed; if the file has other content than the known one.
        """
        if not self.trained:
            return self.draw().eval()
        network = self.architecture().eval()
        stored = self.read(self.verify())
        network.load_state_dict(stored, strict=False)
        check_weights(self.name, network, stored)
        return network

    def forward(self, network: nn.Module, batch: torch.Tensor, n_valid: torch.Tensor) -> dict:
        """Compute the layers of a batch of windows; `n_valid` counts samples."""
        windows = [network(y[None], n[None]) for y, n in zip(batch, n_valid, strict=True)]
        layers = windows[0].keys()
        return {layer: torch.cat([window[layer] for window in windows]).float() for layer in layers}


def draw_weights(network: nn.Module, key: str) -> nn.Module:
    """Draw a network's kernels by Glorot & Bengio's (2010) uniform rule, and return the network.

    Biases are set to zero; normalisation layers are left as built.

    Parameters
    ----------
    network : torch.nn.Module
    key : str
        Text from which the seed is derived.
    """
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    for part in network.modules():
        if isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return network
