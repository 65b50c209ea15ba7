"""Encoder of the speech recogniser Whisper (Radford et al., 2023)."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import nn

from groove_utils.embed.models.huggingface.hub_model import PreparedHubModel, numbered_layers

__all__ = ["WhisperEncoder"]


class WhisperEncoder(PreparedHubModel):
    """Adapter for the encoder of Whisper, which transcribes speech in 30-second windows."""

    extractor_class, input_name = "WhisperFeatureExtractor", "input_features"
    ignored = r"proj_out\."
    model_types = ("whisper",)

    @cached_property
    def layers(self) -> dict[str, int]:
        """Number of dimensions of each layer."""
        return numbered_layers([self.config.d_model] * (self.config.encoder_layers + 1))

    def load(self) -> nn.Module:
        """Return the encoder in evaluation mode."""
        import transformers

        self.preprocessing()
        return self.load_native(transformers.WhisperModel, self.config).encoder

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Compute the hidden states of all layers, each of shape (n_windows, n_frames, dim)."""
        return numbered_layers(network(batch, output_hidden_states=True).hidden_states)
