"""AST, the audio spectrogram transformer (Gong, Chung & Glass, 2021)."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from groove_utils.embed.models.huggingface.hub_model import PreparedHubModel

__all__ = ["AudioSpectrogramTransformer"]


def _embed_patches(embeddings: nn.Module, spectrograms: torch.Tensor) -> torch.Tensor:
    """AST's first layer on the beginning of a window: (n, n_frames, n_mels) to (n, n_tokens, dim).

    The network knows one length, and adds a position to each patch. Of a window that has been cut
    to what it holds, the patches that are there keep theirs.
    """
    patches = embeddings.patch_embeddings(spectrograms)
    shape = embeddings.get_shape(embeddings.config)  # bands and columns of a whole window
    first, places = embeddings.position_embeddings.tensor_split([2], 1)
    places = places.unflatten(1, shape)[:, :, : patches.shape[1] // shape[0]].flatten(1, 2)
    tokens = torch.cat([embeddings.cls_token, embeddings.distillation_token], 1) + first
    return torch.cat([tokens.expand(len(patches), -1, -1), patches + places], 1)


class AudioSpectrogramTransformer(PreparedHubModel):
    """AST: a vision transformer on patches of a mel spectrogram.

    Layers are the transformer's input and each block's output, averaged over frequency, frame by
    frame, and ``cls``, the mean of its two class tokens. Patches that begin after the signal's end
    are masked: no token attends to them.
    """

    extractor, input_name = "ASTFeatureExtractor", "input_values"
    frame_length, hop_length = 400, 160  # samples of the extractor's frames
    any_length = True
    ignored = r"classifier\."
    model_types = ("audio-spectrogram-transformer",)

    def _read_config(self):
        import transformers

        self._raw_config()
        return transformers.ASTConfig.from_pretrained(self.folder)

    def _name_layers(self) -> dict[str, int]:
        n_layers = self.config.num_hidden_layers + 1
        layers = {f"layer_{i:02d}": self.config.hidden_size for i in range(n_layers)}
        return {**layers, "cls": self.config.hidden_size}

    def load(self) -> nn.Module:
        """The network in evaluation mode, see :class:`HubModel`."""
        import transformers

        given, wanted = self._extractor().max_length, self.config.max_length
        if given != wanted:  # else the rest of each window would be cut away unseen
            raise self._other_preprocessing(f"cuts at {given} frames", f"{wanted} as the network")
        network = self._load_native(transformers.ASTModel, self.config)
        network.embeddings.forward = functools.partial(_embed_patches, network.embeddings)
        return network

    def _n_columns(self, n_samples: torch.Tensor) -> torch.Tensor:
        """Columns of patches that begin within so many samples; at least one."""
        n_frames = (n_samples - self.frame_length) // self.hop_length + 1
        most = (self.config.max_length - self.config.patch_size) // self.config.time_stride + 1
        return (-(-n_frames // self.config.time_stride)).clamp(1, most)

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """The network's input for one window, cut to the patches that `samples` has room for."""
        n_columns = int(self._n_columns(torch.tensor(len(samples))))
        n_frames = (n_columns - 1) * self.config.time_stride + self.config.patch_size
        n_filled = max(n_valid, self.frame_length)  # the extractor fails on less than a frame
        filled = np.pad(samples[:n_valid], (0, n_filled - n_valid))
        return super().prepare(filled, n_filled)[:n_frames]

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Patch tokens averaged over frequency, (n_windows, n_frames, dim), and ``cls``.

        Frames are columns of patches; those that begin beyond the signal's end are NaN.
        """
        n_bands, _ = network.embeddings.get_shape(self.config)
        n_places = -(-self.config.max_length // self.config.time_stride)  # one each 100 ms
        n_columns = (batch.shape[1] - self.config.patch_size) // self.config.time_stride + 1
        within = torch.arange(n_columns, device=batch.device) < self._n_columns(n_valid)[:, None]
        mask = nn.functional.pad(within.repeat(1, n_bands), (2, 0), value=True)
        output = network(batch, attention_mask=mask, output_hidden_states=True)
        layers = {}
        for i, state in enumerate(output.hidden_states):
            columns = state[:, 2:].unflatten(1, (n_bands, -1)).mean(1)
            columns = columns.masked_fill(~within[..., None], torch.nan)
            filled = nn.functional.pad(columns, (0, 0, 0, n_places - n_columns), value=torch.nan)
            layers[f"layer_{i:02d}"] = filled
        return {**layers, "cls": output.pooler_output}
