"""CLAP (Wu et al., 2023): a joint embedding of audio and text."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from groove_utils.embed.adapters import EmbedError, ModelUnavailableError
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.models.huggingface.hub_model import PreparedHubModel
from groove_utils.embed.weights import offline

__all__ = ["CLAP", "embed_text"]


class CLAP(PreparedHubModel):
    """Adapter for the audio tower of CLAP, a hierarchical transformer.

    The layers are the stages of the transformer, averaged over time and frequency (``stage_0``, …),
    the output of the transformer (``pooled``), and the projection of this output into the joint
    space of audio and text (``audio_embeds``). As in training, a short last window is repeated as
    many times as fit into ten seconds and then padded with zeros. The model would crop longer
    windows at random, but no window is longer than ten seconds.
    """

    extractor_class, input_name = "ClapFeatureExtractor", "input_features"
    ignored = r"(text_model\.|text_projection\.|logit_scale|.*position_ids|.*position_index)"
    model_types = ("clap",)

    @cached_property
    def layers(self) -> dict[str, int]:
        """Number of dimensions of each layer."""
        audio = self.config.audio_config
        steps = [*range(len(audio.depths)), len(audio.depths) - 1]
        sizes = [audio.patch_embeds_hidden_size * 2**step for step in steps]
        stages = {f"stage_{i}": size for i, size in enumerate(sizes)}
        return {**stages, "pooled": sizes[-1], "audio_embeds": self.config.projection_dim}

    def load(self) -> nn.Module:
        """Return the audio tower in evaluation mode.

        Raises
        ------
        ModelRefusedError
            If windows would be cropped at random, or the files belong to another model.
        """
        import transformers

        self.check_preprocessing("truncation", self.extractor.truncation, "rand_trunc")
        length = self.extractor.nb_max_samples
        # a maximum longer than a window has no effect
        expected = max(length, round(self.window * self.sample_rate))
        self.check_preprocessing("nb_max_samples", length, expected)
        audio = self.config.audio_config
        if audio.enable_fusion:
            path = self.folder / "config.json"
            reason = f"{path} describes a CLAP model with feature fusion, which uses random crops"
            raise self.refusal(reason, path=path, column="enable_fusion", value=True)
        audio.projection_dim = self.config.projection_dim
        return self.load_native(transformers.ClapAudioModelWithProjection, audio)

    def forward(self, network: nn.Module, batch, n_valid) -> dict[str, torch.Tensor]:
        """Compute the outputs of all layers, each of shape (n_windows, dim)."""
        output = network.audio_model(input_features=batch, output_hidden_states=True)
        stages = [state.flatten(2).mean(2) for state in output.hidden_states]
        embeds = network.audio_projection(output.pooler_output)
        layers = {f"stage_{i}": stage for i, stage in enumerate(stages)}
        return {**layers, "pooled": output.pooler_output, "audio_embeds": embeds}


def embed_text(texts: Sequence[str], model: str = "clap-htsat-unfused") -> np.ndarray:
    """Embed sentences in CLAP's joint space of text and audio.

    Parameters
    ----------
    texts : sequence of str
        Sentences or phrases, such as ``"music that makes me want to dance"``.
    model : str
        Name of a CLAP model in the catalogue.

    Returns
    -------
    ndarray of float32, shape (n_texts, 512)
        One vector per sentence. Use cosine similarity to compare these vectors with those of the
        layer ``audio_embeds``.

    Raises
    ------
    EmbedError
        If there are no sentences, a sentence is empty, or the model cannot embed text.
    ModelUnavailableError
        If some of the model's files are missing.
    ModelRefusedError
        If the loaded weights differ from the weights file.
    """
    if (
        isinstance(texts, str)
        or not texts
        or not all(isinstance(t, str) and t.strip() for t in texts)
    ):
        raise EmbedError(
            f"embed_text: got {texts!r}; expected a list of non-empty sentences.",
            kind="not_sentences",
            column="texts",
            value=texts,
        )
    network, tokenizer = _text_tower(model)
    with torch.inference_mode():
        tokens = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        return network(**tokens).text_embeds.float().numpy()


def _text_tower(model: str) -> tuple:
    """Return the text tower and the tokenizer of a CLAP model."""
    models = [name for name, card in catalogued_models().items() if card.text_files]
    if model not in models:
        raise EmbedError(
            f"embed_text: {model!r} cannot embed text. Choose one of {', '.join(models)}.",
            kind="no_text",
            column="model",
            value=model,
        )
    adapter = CLAP(model)
    folder = adapter.folder
    missing = [file for file in adapter.card.text_files if not (folder / file).is_file()]
    if missing and not (folder / "tokenizer.json").is_file():  # it contains vocabulary and merges
        raise ModelUnavailableError(
            f"{model}: {folder} lacks {', '.join(missing)}, required to embed text. Run "
            f"`python -m groove_utils.embed fetch {model}`, or copy the missing files there.",
            kind="missing_files",
            path=folder / missing[0],
            value=missing,
        )
    status = [file.stat() for file in sorted(folder.iterdir()) if file.is_file()]
    return _load_text_tower(model, folder, tuple((s.st_size, s.st_mtime_ns) for s in status))


@functools.lru_cache(maxsize=2)
def _load_text_tower(model: str, folder: Path, status: tuple) -> tuple:
    """Load a text tower and its tokenizer, cached for each `status` (file sizes and times)."""
    import transformers

    adapter = CLAP(model)
    adapter.ignored = r"(audio_model\.|audio_projection\.|logit_scale|.*position_ids)"
    config = adapter.config.text_config
    config.projection_dim = adapter.config.projection_dim
    with torch.inference_mode(False), offline(model):
        network = adapter.load_native(transformers.ClapTextModelWithProjection, config)
        return network, transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
