"""The encoder of Whisper (Radford et al., 2023)."""

from __future__ import annotations

import torch
from torch import nn

from groove_utils.embed.models.huggingface.hub_model import PreparedHubModel

__all__ = ["WhisperEncoder"]


class WhisperEncoder(PreparedHubModel):
    """The encoder of Whisper: trained to transcribe speech, on windows of half a minute."""

    extractor, input_name = "WhisperFeatureExtractor", "input_features"
    ignored = r"proj_out\."
    model_types = ("whisper",)

    def _read_config(self):
        import transformers

        self._raw_config()
        return transformers.WhisperConfig.from_pretrained(self.folder)

    def _name_layers(self) -> dict[str, int]:
        n_layers = self.config.encoder_layers + 1
        return {f"layer_{i:02d}": self.config.d_model for i in range(n_layers)}

    def load(self) -> nn.Module:
        """The encoder in evaluation mode, see :class:`HubModel`."""
        import transformers

        self._extractor()  # which is held to be there before any audio is read
        return self._load_native(transformers.WhisperModel, self.config).encoder

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Hidden states, (n_windows, n_frames, dim) by layer."""
        states = network(batch, output_hidden_states=True).hidden_states
        return {f"layer_{i:02d}": state for i, state in enumerate(states)}
