"""Encoders of the neural codecs EnCodec (Défossez et al., 2023) and DAC (Kumar et al., 2023)."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import nn

from groove_utils.embed.models.huggingface.hub_model import HubModel

__all__ = ["Codec"]


class Codec(HubModel):
    """Adapter for the encoder of EnCodec or DAC; the layer ``latent`` is its unquantised output."""

    any_length = True
    model_types = ("encodec", "dac")

    @cached_property
    def layers(self) -> dict[str, int]:
        """Number of dimensions of the layer ``latent``."""
        return {"latent": self.config.hidden_size}

    def load(self) -> nn.Module:
        """Return the encoder in evaluation mode."""
        import transformers

        kinds = {"encodec": transformers.EncodecModel, "dac": transformers.DacModel}
        return self.load_native(kinds[self.config.model_type], self.config).encoder

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Compute ``latent``, shape (n_windows, n_frames, dim), with NaN after the signal ends."""
        ratios = getattr(self.config, "upsampling_ratios", None) or [self.config.hop_length]
        hop = int(np.prod(ratios))
        batch = nn.functional.pad(batch, (0, -batch.shape[1] % hop))
        latent = network(batch[:, None]).mT
        starts = hop * torch.arange(latent.shape[1], device=latent.device)
        beyond = (starts >= n_valid[:, None])[..., None]
        return {"latent": latent.masked_fill(beyond, torch.nan)}
