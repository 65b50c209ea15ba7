"""Transformers for waveforms: wav2vec 2.0, HuBERT and WavLM for speech, MERT for music."""

from __future__ import annotations

import threading
import warnings
from functools import cached_property

import torch
from torch import nn

from groove_utils.embed.models.huggingface.hub_model import HubModel, numbered_layers
from groove_utils.embed.weights import read_tensors

__all__ = ["SpeechEncoder"]


class MaskedGroupNorm(nn.GroupNorm):
    """Group normalisation over the valid frames only.

    The first layer of encoders such as HuBERT normalises each channel over time. Zeros after the
    end of the signal would change the mean and variance, so these zeros are excluded. A padded
    window therefore gives the same result as the signal without padding.
    """

    batch = threading.local()  # per thread: number of valid frames in each window

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise feature maps of shape (n, channels, n_frames)."""
        lengths = getattr(self.batch, "lengths", None)
        if lengths is None:
            return super().forward(x)
        rows = []
        for row, length in zip(x[:, None], lengths.tolist()):
            normed, beyond = super().forward(row[..., :length]), x.shape[2] - length
            rows.append(nn.functional.pad(normed, (0, beyond)) if beyond else normed)
        return torch.cat(rows) if len(rows) > 1 else rows[0]


class SpeechEncoder(HubModel):
    """Adapter for models that apply convolutions to the waveform, followed by a transformer.

    The layers are the input of the transformer (``layer_00``) and the output of each of its blocks.
    MERT is loaded with the HuBERT class, because it has the same architecture.
    """

    any_length = True
    ignored = r"(lm_head|quantizer|project_hid|project_q|final_proj|label_embs_concat)\b"
    model_types = ("mert_model", "hubert", "wav2vec2", "wavlm")

    @cached_property
    def config(self):
        """The model's configuration, a ``transformers.PretrainedConfig``."""
        import transformers

        raw = self.check_model_type()
        for key in ("architectures", "auto_map", "transformers_version", "torch_dtype", "dtype"):
            raw.pop(key, None)
        kind = raw.pop("model_type")
        if kind == "mert_model":
            for key in ("feature_extractor_cqt", "deepnorm"):
                if raw.get(key):
                    reason = (
                        f"{self.folder} describes a MERT with {key}, which HuBERT does not support"
                    )
                    raise self.refusal(reason, path=self.folder / "config.json", column=key)
            kind = "hubert"
        return transformers.AutoConfig.for_model(kind, **raw)

    @cached_property
    def layers(self) -> dict[str, int]:
        """Number of dimensions of each layer."""
        return numbered_layers([self.config.hidden_size] * (self.config.num_hidden_layers + 1))

    def load(self) -> nn.Module:
        """Return the network in evaluation mode."""
        import transformers

        self.normalise = bool(self.preprocessing().get("do_normalize", True))
        kinds = {
            "hubert": transformers.HubertModel,
            "wav2vec2": transformers.Wav2Vec2Model,
            "wavlm": transformers.WavLMModel,
        }
        kind = kinds[self.config.model_type]
        if kind is transformers.WavLMModel:  # WavLM passes masks of two types to PyTorch
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
        if self.check_model_type()["model_type"] == "mert_model":
            network = self.load_built(lambda: kind(self.config), self._hubert_tensors())
        else:
            network = self.load_native(kind, self.config)
        for layer in network.feature_extractor.conv_layers:
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, nn.GroupNorm):
                norm.__class__ = MaskedGroupNorm
        return network

    def _hubert_tensors(self) -> dict[str, torch.Tensor]:
        """Return the tensors of MERT by name, with any prefix such as ``hubert.`` removed."""
        tensors = read_tensors(self.name, self.folder)
        prefixes = [p for p in ("hubert.", "mert_model.") if any(k.startswith(p) for k in tensors)]
        return {k.removeprefix(prefixes[0]) if prefixes else k: v for k, v in tensors.items()}

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Compute all layers, shape (n_windows, n_frames, dim), with NaN after the signal ends."""
        batch, n_valid = _pad_to(_receptive_field(self.config), batch, n_valid)
        mask = torch.arange(batch.shape[1], device=batch.device) < n_valid[:, None]
        if self.normalise:
            count = n_valid[:, None].to(batch.dtype)
            mean = batch.sum(1, keepdim=True) / count
            variance = ((batch - mean).square() * mask).sum(1, keepdim=True) / count
            batch = (batch - mean) * torch.rsqrt(variance + 1e-7) * mask
        stride, kernel = self.config.conv_stride[0], self.config.conv_kernel[0]
        MaskedGroupNorm.batch.lengths = (n_valid - kernel) // stride + 1
        try:
            output = network(batch, attention_mask=mask.long(), output_hidden_states=True)
        finally:
            MaskedGroupNorm.batch.lengths = None
        lengths = network._get_feat_extract_output_lengths(n_valid)
        frames = torch.arange(output.hidden_states[0].shape[1], device=batch.device)
        beyond = (frames >= lengths[:, None])[..., None]
        states = [state.masked_fill(beyond, torch.nan) for state in output.hidden_states]
        return numbered_layers(states)


def _receptive_field(config) -> int:
    """Return the number of samples on which one output frame of the convolutions depends."""
    size = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride)):
        size = (size - 1) * stride + kernel
    return size


def _pad_to(n_samples: int, batch, n_valid):
    """Pad windows to at least `n_samples` samples, and increase `n_valid` accordingly."""
    batch = nn.functional.pad(batch, (0, max(0, n_samples - batch.shape[1])))
    return batch, n_valid.clamp(min=n_samples)
