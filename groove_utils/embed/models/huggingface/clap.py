"""CLAP (Wu et al., 2023): audio and text in one space."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.catalogue import model_card
from groove_utils.embed.models.huggingface.hub_model import PreparedHubModel
from groove_utils.embed.weights import offline

__all__ = ["CLAP", "embed_text"]


class CLAP(PreparedHubModel):
    """The audio tower of CLAP: a hierarchical transformer that shares a space with text.

    Layers are the stages of the transformer averaged over time and frequency, ``pooled``, and
    ``audio_embeds`` in the shared space. A last window that is shorter is repeated until it fills
    ten seconds, as in training; the extractor's own random crop is never reached.
    """

    extractor, input_name = "ClapFeatureExtractor", "input_features"
    ignored = r"(text_model\.|text_projection\.|logit_scale|.*position_ids|.*position_index)"
    model_types = ("clap",)

    def _read_config(self):
        import transformers

        self._raw_config()
        return transformers.ClapConfig.from_pretrained(self.folder)

    def _name_layers(self) -> dict[str, int]:
        audio = self.config.audio_config
        n_stages = len(audio.depths)
        sizes = [
            audio.patch_embeds_hidden_size * 2 ** min(i, n_stages - 1) for i in range(n_stages + 1)
        ]
        stages = {f"stage_{i}": size for i, size in enumerate(sizes)}
        return {**stages, "pooled": sizes[-1], "audio_embeds": self.config.projection_dim}

    def load(self) -> nn.Module:
        """The audio tower in evaluation mode, see :class:`HubModel`."""
        import transformers

        extractor = self._extractor()
        if extractor.truncation != "rand_trunc" or self.config.audio_config.enable_fusion:
            raise ModelRefusedError(
                f"{self.name}: refused. {self.folder} describes a CLAP with feature fusion; its "
                "windows would be mixed with random crops. Use an unfused checkpoint."
            )
        if extractor.nb_max_samples < round(self.window * self.sample_rate):
            raise ModelRefusedError(
                f"{self.name}: refused. Its extractor crops at {extractor.nb_max_samples} samples, "
                f"at random, but windows hold {round(self.window * self.sample_rate)}."
            )
        audio = self.config.audio_config
        audio.projection_dim = self.config.projection_dim
        return self._load_native(transformers.ClapAudioModelWithProjection, audio)

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Stages, pooled and projected vectors, (n_windows, dim)."""
        output = network.audio_model(input_features=batch, output_hidden_states=True)
        stages = {
            f"stage_{i}": state.flatten(2).mean(2) for i, state in enumerate(output.hidden_states)
        }
        embeds = network.audio_projection(output.pooler_output)
        return {**stages, "pooled": output.pooler_output, "audio_embeds": embeds}


def embed_text(texts: Sequence[str], model: str = "clap-htsat-unfused") -> np.ndarray:
    """Embed sentences in the space that CLAP shares between text and audio.

    Parameters
    ----------
    texts : sequence of str
        For instance ``"music that makes me want to dance"``.
    model : str
        A CLAP of the catalogue.

    Returns
    -------
    ndarray of float32, shape (n_texts, 512)
        Compare them with the layer ``audio_embeds`` by cosine similarity.

    Raises
    ------
    ValueError
        If there are no sentences, or the model is no CLAP.
    ModelUnavailableError, ModelRefusedError
        As in :func:`groove_utils.embed.load_model`. The weights are held to the file; there is no
        probe, which is a sound.
    """
    if isinstance(texts, str):
        raise ValueError(f"embed_text: expected a list of sentences, got the string {texts!r}.")
    texts = list(texts)
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"embed_text: expected non-empty sentences, got {texts!r}.")
    network, tokenizer = _text_tower(model)
    with torch.inference_mode():
        tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return network(**tokens).text_embeds.float().numpy()


_KEPT_TEXT_TOWERS = 2  # the one that was used longest ago goes first
_TEXT_TOWERS: OrderedDict[tuple, tuple] = OrderedDict()
_TEXT_LOCK = threading.Lock()


def _text_tower(model: str) -> tuple[nn.Module, Any]:
    """A CLAP's text tower and its tokenizer, kept for the next call while its files are the same.

    Raises
    ------
    ValueError, ModelUnavailableError, ModelRefusedError
    """
    known = [name for name, card in catalogued_models().items() if card.text_files]
    if model not in known:
        raise ValueError(f"embed_text: {model!r} embeds no text. Known are {', '.join(known)}.")
    adapter = CLAP(model)
    folder = adapter.folder
    absent = [file for file in model_card(model).text_files if not (folder / file).is_file()]
    # one file may stand for vocabulary and merges
    if absent and not (folder / "tokenizer.json").is_file():
        raise ModelUnavailableError(
            f"{model}: {folder} lacks {', '.join(absent)}, without which no text can be "
            f"embedded. Run `python -m groove_utils.embed fetch {model}`, or copy them there."
        )
    status = [file.stat() for file in sorted(folder.iterdir()) if file.is_file()]
    key = model, str(folder), tuple((s.st_size, s.st_mtime_ns) for s in status)
    with _TEXT_LOCK:
        if key not in _TEXT_TOWERS:
            with torch.inference_mode(False):
                _TEXT_TOWERS[key] = _load_text_tower(adapter)
        _TEXT_TOWERS.move_to_end(key)
        while len(_TEXT_TOWERS) > _KEPT_TEXT_TOWERS:
            _TEXT_TOWERS.popitem(last=False)
        return _TEXT_TOWERS[key]


def _load_text_tower(adapter: CLAP) -> tuple[nn.Module, Any]:
    import transformers

    if not isinstance(getattr(adapter.config, "text_config", None), transformers.PretrainedConfig):
        raise ModelRefusedError(f"{adapter.name}: {adapter.folder} describes no text tower.")
    adapter.ignored = r"(audio_model\.|audio_projection\.|logit_scale|.*position_ids)"
    config = adapter.config.text_config
    config.projection_dim = adapter.config.projection_dim
    network = adapter._load_native(transformers.ClapTextModelWithProjection, config)
    with offline(adapter.name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            adapter.folder, local_files_only=True
        )
    return network, tokenizer
