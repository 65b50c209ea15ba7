"""Adapters that add style-classification networks to the catalogue of models.

The features of these networks can then be extracted and probed like those of any other model; see
:mod:`groove_utils.embed.adapters`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from groove_utils.embed.catalogue import register_model
from groove_utils.files import hash_bytes
from groove_utils.genre.inputs import MEL_SETTINGS, clip_mels

__all__ = ["NetworkModel", "register_network"]


class NetworkModel:
    """Adapter for a style-classification network that takes log-mel spectrograms as input.

    Spectrogram levels are in dB relative to the maximum of each window. In training, by contrast,
    they are relative to the maximum of the whole song.

    Parameters
    ----------
    network : SpectrogramNetwork
        Trained network.
    settings : mapping
        Settings to pass to :func:`groove_utils.genre.inputs.clip_mels`. They must be the same as in
        training.
    """

    concurrent = True

    def __init__(self, network: nn.Module, settings: Mapping = MEL_SETTINGS):
        self.network, self.settings = network.eval(), {**settings}
        self.sample_rate, self.window = settings["sr"], float(settings["seconds"])
        self.layers = {"embedding": network.output.in_features}
        weights = [value.numpy().tobytes() for value in network.state_dict().values()]
        self.version = hash_bytes(repr(sorted(settings.items())), repr(network), *weights)[:16]

    def load(self) -> nn.Module:
        """Return the network."""
        return self.network

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """Compute the log-mel spectrogram of a window; float32, shape (n_mels, n_frames)."""
        return clip_mels(samples, **self.settings)[0][0]

    def forward(self, network: nn.Module, batch: torch.Tensor, n_valid) -> dict[str, torch.Tensor]:
        """Return the features, shape (n_windows, dim), in a dict under the key ``embedding``."""
        return {"embedding": network.embed(batch)}


def register_network(name: str, network: nn.Module, settings: Mapping = MEL_SETTINGS) -> None:
    """Add a trained network to the catalogue of models for the duration of this process.

    Parameters
    ----------
    name : str
        Name of the model, such as ``genre-resnet-bigru``. Any existing model with this name is
        replaced.
    network, settings
        As in :class:`NetworkModel`.
    """
    adapter = NetworkModel(network, settings)
    register_model(name, lambda: adapter, replace=True)
