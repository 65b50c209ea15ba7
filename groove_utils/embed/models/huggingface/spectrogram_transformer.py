"""AST, the audio spectrogram transformer (Gong, Chung & Glass, 2021)."""

from __future__ import annotations

from functools import cached_property, partial

import numpy as np
import torch
from torch import nn

from groove_utils.embed.models.huggingface.hub_model import PreparedHubModel, numbered_layers

__all__ = ["AudioSpectrogramTransformer"]


class AudioSpectrogramTransformer(PreparedHubModel):
    """Adapter for AST, a vision transformer applied to patches of a mel spectrogram.

    The layers are the input of the transformer and the output of each of its blocks, averaged over
    frequency for each frame (``layer_00``, …), and the mean of the two class tokens (``cls``).
    Patches that begin after the end of the signal are masked, so that no token attends to them.
    """

    extractor_class, input_name = "ASTFeatureExtractor", "input_values"
    frame_length, hop_length = 400, 160  # frames of the extractor, in samples
    any_length = True
    ignored = r"classifier\."
    model_types = ("audio-spectrogram-transformer",)

    @cached_property
    def layers(self) -> dict[str, int]:
        """Number of dimensions of each layer."""
        dim = self.config.hidden_size
        return {**numbered_layers([dim] * (self.config.num_hidden_layers + 1)), "cls": dim}

    def load(self) -> nn.Module:
        """Return the network in evaluation mode."""
        import transformers

        # a smaller value would cut off the end of each window
        self.check_preprocessing("max_length", self.extractor.max_length, self.config.max_length)
        network = self.load_native(transformers.ASTModel, self.config)
        network.embeddings.forward = partial(_embed_patches, network.embeddings)
        return network

    def _n_columns(self, n_samples: torch.Tensor) -> torch.Tensor:
        """Return how many columns of patches begin within `n_samples`, but at least one."""
        n_frames = (n_samples - self.frame_length) // self.hop_length + 1
        most = (self.config.max_length - self.config.patch_size) // self.config.time_stride + 1
        return (-(-n_frames // self.config.time_stride)).clamp(1, most)

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """Compute the mel spectrogram of a window, cut off after the last patch in `samples`."""
        n_columns = int(self._n_columns(torch.tensor(len(samples))))
        n_frames = (n_columns - 1) * self.config.time_stride + self.config.patch_size
        n_filled = max(n_valid, self.frame_length)  # the extractor needs at least one frame
        filled = np.pad(samples[:n_valid], (0, n_filled - n_valid))
        return super().prepare(filled, n_filled)[:n_frames]

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Compute the outputs of all layers.

        The layer ``cls`` has shape (n_windows, dim); the others have shape (n_windows, n_frames,
        dim). A frame is a column of patches. Frames that begin after the end of the signal are NaN.
        """
        n_bands, _ = network.embeddings.get_shape(self.config)
        n_places = -(-self.config.max_length // self.config.time_stride)  # one per 100 ms
        n_columns = (batch.shape[1] - self.config.patch_size) // self.config.time_stride + 1
        within = torch.arange(n_columns, device=batch.device) < self._n_columns(n_valid)[:, None]
        mask = nn.functional.pad(within.repeat(1, n_bands), (2, 0), value=True)
        output = network(batch, attention_mask=mask, output_hidden_states=True)
        layers = []
        for state in output.hidden_states:
            columns = state[:, 2:].unflatten(1, (n_bands, -1)).mean(1)
            columns = columns.masked_fill(~within[..., None], torch.nan)
            missing = (0, 0, 0, n_places - n_columns)
            layers.append(nn.functional.pad(columns, missing, value=torch.nan))
        return {**numbered_layers(layers), "cls": output.pooler_output}


def _embed_patches(embeddings: nn.Module, spectrograms: torch.Tensor) -> torch.Tensor:
    """Map shortened spectrograms (n, n_frames, n_mels) to AST's input tokens (n, n_tokens, dim).

    The network was built for windows of one length, with a position embedding for each patch. Each
    patch of a shortened window is given the position embedding that it would have in a full window.
    """
    patches = embeddings.patch_embeddings(spectrograms)
    shape = embeddings.get_shape(embeddings.config)  # bands and columns of a full window
    first, places = embeddings.position_embeddings.tensor_split([2], 1)
    places = places.unflatten(1, shape)[:, :, : patches.shape[1] // shape[0]].flatten(1, 2)
    tokens = torch.cat([embeddings.cls_token, embeddings.distillation_token], 1) + first
    return torch.cat([tokens.expand(len(patches), -1, -1), patches + places], 1)
