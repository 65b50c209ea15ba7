"""Base class for adapters of PyTorch networks whose weights are in Python packages.

The networks were re-implemented for this project from the publications and the shapes of the
weights.
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
    """Base class for adapters of PyTorch networks in packages and of their untrained twins.

    A twin is initialised as a network would be before training: its kernels are random (uniform,
    Glorot & Bengio 2010), its biases are zero, and its normalisation layers neither scale nor
    shift. The windows in a batch are processed one by one, because the rounding errors in a
    window's results could otherwise depend on the other windows.

    Attributes
    ----------
    architecture : type of torch.nn.Module
        Class of the network. The network is called with two arguments: a batch of windows, shape
        (n_windows, …), and `n_valid`, a Tensor of int of shape (n_windows,) that contains the
        number of samples in each window that precede the end of the signal. It returns a dict of
        layer outputs of shape (n_windows, dim), or (n_windows, n_positions, dim) with NaN after the
        end of the signal.
    framing : Framing
        Division of windows into frames, which determines the attributes `sample_rate`, `window`,
        `hop` and `lead` unless a subclass overrides them.
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
        """Seconds between the starts of consecutive windows."""
        return self.framing.period

    @property
    def lead(self) -> float:
        """Seconds of silence to insert before the signal."""
        return self.framing.lead

    def read(self, path: Path) -> dict[str, torch.Tensor]:
        """Read a verified weights file; return the tensors by their names in the network."""
        return torch.load(path, map_location="cpu", weights_only=True)

    def draw(self) -> nn.Module:
        """Return a network with random weights, for the untrained twin."""
        return draw_weights(self.architecture(), f"{self.name}/{self.seed}")

    def load(self) -> nn.Module:
        """Return the network in evaluation mode.

        Raises
        ------
        ModelUnavailableError
            If the package is not installed.
        ModelRefusedError
            If the weights file is missing or differs from the expected file.
        """
        if not self.trained:
            return self.draw().eval()
        network = self.architecture().eval()
        stored = self.read(self.verify())
        network.load_state_dict(stored, strict=False)
        check_weights(self.name, network, stored)
        return network

    def forward(self, network: nn.Module, batch: torch.Tensor, n_valid: torch.Tensor) -> dict:
        """Compute the layer outputs for a batch of windows, one window at a time.

        Parameters
        ----------
        network : torch.nn.Module
            Result of :meth:`load`.
        batch : Tensor of float32, shape (n_windows, n_samples)
            Windows, padded with zeros after the end of the signal.
        n_valid : Tensor of int, shape (n_windows,)
            Number of samples in each window that precede the end of the signal.
        """
        windows = [network(y[None], n[None]) for y, n in zip(batch, n_valid, strict=True)]
        layers = windows[0].keys()
        return {layer: torch.cat([window[layer] for window in windows]).float() for layer in layers}


def draw_weights(network: nn.Module, key: str) -> nn.Module:
    """Initialise a network with random weights using the uniform scheme of Glorot & Bengio (2010).

    Biases are set to zero. Normalisation layers are not modified.

    Parameters
    ----------
    network : torch.nn.Module
        Network to initialise; modified in place.
    key : str
        String from which the seed is derived.

    Returns
    -------
    torch.nn.Module
        The same network.
    """
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    for part in network.modules():
        if isinstance(part, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return network
