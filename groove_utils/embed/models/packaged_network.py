"""Adapters of PyTorch networks with weights inside Python packages.

Only the weights are read from such a package; its code is never imported. The networks are written
here from their publications and the shapes of their weights.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import torch
from torch import nn

from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.integrity import check_weights
from groove_utils.embed.models.package_files import check_file, package_file

__all__ = ["PackagedNetwork", "draw_weights", "valid_frames"]


class PackagedNetwork:
    """Base of adapters whose weights are a file in a Python package, and of their untrained twins.

    A twin has kernels drawn as before training (uniform, Glorot & Bengio 2010), zero biases and
    neutral normalisation. Windows of a batch are computed one by one, so that neighbours change no
    bit of a result.

    Parameters
    ----------
    name : str
        Name of the model in the catalogue, with ``-untrained`` for the twin.
    seed : int
        Seed of the twin's weights.

    Attributes
    ----------
    architecture : type of torch.nn.Module
        Class of the network.
    file : str
        Path of the weights inside the package, which is the first of the card's packages.
    sha256 : str
        Hash of that file.
    """

    architecture: type[nn.Module]
    file: str
    sha256: str
    batch_size = 2
    concurrent = True

    def __init__(self, name: str, seed: int = 0):
        self.name, self.seed = name, seed
        self.trained = not name.endswith("-untrained")
        self.layers = dict(catalogued_models()[name].layers)

    def read(self, path: Path) -> dict[str, torch.Tensor]:
        """Return the network's weights, by their names in the network, from a verified file."""
        raise NotImplementedError

    def files(self) -> list[Path]:
        """Return the file of the weights; none for the untrained twin.

        Raises
        ------
        ModelUnavailableError
            If one of the model's packages is not installed.
        """
        return [package_file(self.name, self.file)] if self.trained else []

    def load(self) -> nn.Module:
        """Return the network in evaluation mode.

        Raises
        ------
        ModelUnavailableError, ModelRefusedError
            If the package is not installed; if the file has other content than the known one.
        """
        network = self.architecture().eval()
        if not self.trained:
            return draw_weights(network, f"{self.name}/{self.seed}")
        (path,) = self.files()
        check_file(self.name, path, self.sha256)
        stored = self.read(path)
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


def valid_frames(n_valid: torch.Tensor, length: int, hop: int, n_frames: int) -> torch.Tensor:
    """Mark frames whose centre lies before the signal's end; the first one always counts.

    Parameters
    ----------
    n_valid : Tensor of int, shape (n_windows,)
        Samples of each window before the signal's end.
    length, hop : int
        Samples per frame, and from one frame to the next.
    n_frames : int

    Returns
    -------
    Tensor of bool, shape (n_windows, n_frames)

    Examples
    --------
    >>> valid_frames(torch.tensor([3, 9]), length=4, hop=2, n_frames=4).int().tolist()
    [[1, 0, 0, 0], [1, 1, 1, 1]]
    """
    centres = torch.arange(n_frames, device=n_valid.device) * hop + length // 2
    mask = centres < n_valid[:, None]
    mask[:, 0] = True
    return mask
