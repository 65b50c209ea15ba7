"""Encoders of the neural codecs EnCodec (Défossez et al., 2023) and DAC (Kumar et al., 2023)."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from groove_utils.embed.models.huggingface.hub_model import HubModel

__all__ = ["Codec"]


class Codec(HubModel):
    """The encoders of the neural codecs EnCodec and DAC: what is worth keeping of a waveform.

    The one layer, ``latent``, is the continuous code before quantisation.
    """

    any_length = True
    model_types = ("encodec", "dac")

    def _read_config(self):
        import transformers

        self._raw_config()
        return transformers.AutoConfig.from_pretrained(self.folder)

    def _name_layers(self) -> dict[str, int]:
        return {"latent": self.config.hidden_size}

    def load(self) -> nn.Module:
        """The encoder in evaluation mode, see :class:`HubModel`."""
        import transformers

        kinds = {"encodec": transformers.EncodecModel, "dac": transformers.DacModel}
        return self._load_native(kinds[self.config.model_type], self.config).encoder

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """The latent frames, (n_windows, n_frames, dim)."""
        hop = int(
            np.prod(getattr(self.config, "upsampling_ratios", None) or [self.config.hop_length])
        )
        batch = nn.functional.pad(batch, (0, -batch.shape[1] % hop))
        latent = network(batch[:, None]).transpose(1, 2)
        frames = torch.arange(latent.shape[1], device=latent.device)
        beyond = (frames * hop >= n_valid[:, None])[..., None]
        return {"latent": latent.masked_fill(beyond, torch.nan)}
