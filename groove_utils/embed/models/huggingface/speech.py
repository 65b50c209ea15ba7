"""Transformers on the waveform: wav2vec 2.0, HuBERT, WavLM, and MERT, which is trained on music."""

from __future__ import annotations

import threading
import warnings

import torch
from torch import nn

from groove_utils.embed.adapters import ModelRefusedError
from groove_utils.embed.models.huggingface.hub_model import HubModel
from groove_utils.embed.weights import read_tensors

__all__ = ["SpeechEncoder"]


class MaskedGroupNorm(nn.GroupNorm):
    """Group norm over the valid frames only.

    The first layer of these encoders normalises each channel over time. Zeros after the signal's
    end would shift its mean and spread; left out, a padded window gives what the signal alone does.
    """

    batch = threading.local()  # each thread's: the valid frames of the windows that it runs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, channels, n_frames) to the same."""
        lengths = getattr(self.batch, "lengths", None)
        if lengths is None:
            return super().forward(x)
        rows = []
        for row, length in zip(x[:, None], lengths.tolist()):
            normed, beyond = super().forward(row[..., :length]), x.shape[2] - length
            rows.append(nn.functional.pad(normed, (0, beyond)) if beyond else normed)
        return torch.cat(rows) if len(rows) > 1 else rows[0]


class SpeechEncoder(HubModel):
    """wav2vec 2.0, HuBERT, WavLM and MERT: convolutions over the waveform, then a transformer.

    MERT is trained on music; its network has HuBERT's shape, so HuBERT's class loads it. Layers
    are the input of the transformer (``layer_00``) and the output of each of its blocks.
    """

    any_length = True
    ignored = r"(lm_head|quantizer|project_hid|project_q|final_proj|label_embs_concat)\b"
    model_types = ("mert_model", "hubert", "wav2vec2", "wavlm")

    def _read_config(self):
        import transformers

        raw = self._raw_config()
        kind = raw.pop("model_type")
        for key in ("architectures", "auto_map", "transformers_version", "torch_dtype", "dtype"):
            raw.pop(key, None)
        if kind == "mert_model":
            if raw.get("feature_extractor_cqt") or raw.get("deepnorm"):
                raise ModelRefusedError(
                    f"{self.name}: refused. {self.folder} describes a MERT with a constant-Q input "
                    "or deep normalisation, which HuBERT's class does not have."
                )
            kind = "hubert"
        if kind == "hubert":
            return transformers.HubertConfig(**raw)
        return transformers.AutoConfig.for_model(kind, **raw)

    def _name_layers(self) -> dict[str, int]:
        n_layers = self.config.num_hidden_layers + 1
        return {f"layer_{i:02d}": self.config.hidden_size for i in range(n_layers)}

    def load(self) -> nn.Module:
        """The network in evaluation mode, see :class:`HubModel`."""
        import transformers

        self.normalise = bool(self.preprocessing().get("do_normalize", True))
        kinds = {
            "hubert": transformers.HubertModel,
            "wav2vec2": transformers.Wav2Vec2Model,
            "wavlm": transformers.WavLMModel,
        }
        kind = kinds[self.config.model_type]
        if kind is transformers.WavLMModel:  # it hands PyTorch masks of two types
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
        if self._raw_config()["model_type"] == "mert_model":  # HuBERT's, some under other names
            network = self._load_built(lambda: kind(self.config), self._tensors())
        else:
            network = self._load_native(kind, self.config)
        for layer in network.feature_extractor.conv_layers:
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, nn.GroupNorm):
                norm.__class__ = MaskedGroupNorm
        return network

    def _tensors(self) -> dict[str, torch.Tensor]:
        tensors = read_tensors(self.name, self.folder)
        prefix = next((p for p in ("hubert.", "mert_model.") if any(map(_begins(p), tensors))), "")
        return {key.removeprefix(prefix): value for key, value in tensors.items()}

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Hidden states, (n_windows, n_frames, dim) by layer; frames beyond the end are NaN."""
        batch, n_valid = _at_least(batch, n_valid, _receptive_field(self.config))
        mask = torch.arange(batch.shape[1], device=batch.device) < n_valid[:, None]
        if self.normalise:
            count = n_valid[:, None].to(batch.dtype)
            mean = batch.sum(1, keepdim=True) / count
            variance = ((batch - mean).square() * mask).sum(1, keepdim=True) / count
            batch = (batch - mean) * torch.rsqrt(variance + 1e-7) * mask
        first = network.feature_extractor.conv_layers[0]
        norm = getattr(first, "layer_norm", None)
        if isinstance(norm, MaskedGroupNorm):
            stride, kernel = self.config.conv_stride[0], self.config.conv_kernel[0]
            norm.batch.lengths = (n_valid - kernel) // stride + 1
        try:
            states = network(batch, attention_mask=mask.long(), output_hidden_states=True)
        finally:
            if isinstance(norm, MaskedGroupNorm):
                norm.batch.lengths = None
        lengths = network._get_feat_extract_output_lengths(n_valid)
        frames = torch.arange(states.hidden_states[0].shape[1], device=batch.device)
        beyond = (frames >= lengths[:, None])[..., None]
        return {
            f"layer_{i:02d}": state.masked_fill(beyond, torch.nan)
            for i, state in enumerate(states.hidden_states)
        }


def _begins(prefix: str):
    return lambda key: key.startswith(prefix)


def _receptive_field(config) -> int:
    """Samples that one frame of the convolutions sees."""
    size = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride)):
        size = (size - 1) * stride + kernel
    return size


def _at_least(batch, n_valid, n_samples: int):
    """Room and credit for one frame, where a window holds less than one."""
    if batch.shape[1] < n_samples:
        batch = nn.functional.pad(batch, (0, n_samples - batch.shape[1]))
    return batch, n_valid.clamp(min=n_samples)
