"""MuQ-MuLan (Zhu et al., 2025): a joint embedding of music and text, run with the package ``muq``.

Marmoret et al. (2026) used this model for their stem ablation.

The package's ``MuQMuLan.from_pretrained`` downloads two repositories at unpinned revisions, and
version 0.1.0 of the package does not run with transformers 5. Here, only the audio tower is built,
from the package's classes and local configuration files, and all its weights come from the pinned
file. Nothing is downloaded, and no code from the hub is run.
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import torch

from groove_utils.embed.models.huggingface.hub_model import HubModel
from groove_utils.embed.weights import find_part, offline, read_json, read_tensors, weight_files

__all__ = ["MuQMuLan"]


class MuQMuLan(HubModel):
    """Adapter for the audio tower of MuQ-MuLan: 512 dimensions per 10-second window at 24 kHz."""

    concurrent = False  # the package may not be thread-safe
    ignored = r"text\."

    def files(self) -> list[Path]:
        """Return the files on which the embedding depends."""
        return [self.folder / "config.json", self._muq_config(), *weight_files(self.folder)]

    def _muq_config(self) -> Path:
        """Return the configuration file of the MuQ network, which has its own repository."""
        return find_part(self.card, self.card.parts[0])

    def load(self) -> torch.nn.Module:
        """Return the audio tower in evaluation mode.

        Raises
        ------
        ModelUnavailableError
            If a file is missing, or the package cannot be imported.
        ModelRefusedError
            If the files belong to another model.
        """
        config = read_json(self.name, self.folder / "config.json")
        self._check_config(config)
        muq_config = read_json(self.name, self._muq_config())
        stored = read_tensors(self.name, self.folder)
        stored = {key.removeprefix("mulan."): value for key, value in stored.items()}
        with offline(self.name):
            try:
                importlib.import_module("muq.muq_mulan.models.mulan")
            except (ImportError, OSError, RuntimeError) as error:
                raise self.not_importable("the package muq", error) from error
            return self.load_built(lambda: _build_tower(config, muq_config), stored)

    def _check_config(self, config: dict) -> None:
        """Raise an error if the configuration belongs to a different model."""
        audio, space = config.get("audio_model", {}), config.get("mulan", {})
        path = self.folder / "config.json"
        hierarchical = bool(space.get("hierarchical_contrastive_loss"))
        for column, value, expected in (
            ("audio_model.name", audio.get("name"), self.card.parts[0]),
            ("audio_model.use_layer_idx", audio.get("use_layer_idx"), -1),
            ("mulan.sr", space.get("sr"), self.sample_rate),
            ("mulan.clip_secs", space.get("clip_secs"), self.window),
            ("mulan.hierarchical_contrastive_loss", hierarchical, False),
        ):
            if value != expected:
                reason = f"{path} has {column} {value!r}, expected {expected!r}"
                raise self.refusal(reason, path=path, column=column, value=value)

    def forward(self, network, batch, n_valid) -> dict[str, torch.Tensor]:
        """Compute vectors in the joint space of music and text, shape (n_windows, 512).

        If the signal ends within a window, the samples before its end are repeated once and cut off
        at the end of the window. The package does the same with clips shorter than ten seconds.
        """
        rows = []
        for window, n in zip(batch, n_valid.tolist()):
            clip = window[:n]
            while len(clip) < self.sample_rate // 10:  # too short for the spectrogram
                clip = torch.cat([clip, clip])
            clip = torch.cat([clip, clip[: batch.shape[1] - len(clip)]])
            rows.append(network.get_audio_latents(clip[None]))
        return {"audio_embeds": torch.cat(rows)}


def _build_tower(config: dict, muq_config: dict) -> torch.nn.Module:
    """Build the audio tower from the classes of the package ``muq``."""
    import muq
    from muq.muq_mulan.models import audio, mulan

    fields = {field.name for field in dataclasses.fields(muq.MuQConfig)}
    muq_config = muq.MuQConfig(**{k: v for k, v in muq_config.items() if k in fields})
    # the conformer of transformers now requires this setting
    muq_config.w2v2_config["_attn_implementation"] = "eager"

    class AudioTower(audio.AudioSpectrogramTransformerPretrained):
        """The package's audio tower, with MuQ built from a local file rather than downloaded."""

        def _init_pretrained_model(self, _name):
            self.model = muq.MuQ(muq_config)

        def _forward_pretrained_model(self, x):
            # the package uses the last hidden state, which equals the conformer's output; new
            # versions of the conformer no longer return hidden states
            inner = self.model.model
            mel = inner.normalize(inner.preprocessing(x, features=["melspec_2048"]))
            return [inner.conformer(inner.conv(mel["melspec_2048"])).last_hidden_state]

    text = torch.nn.Identity()
    text.dim = config["text_transformer"]["dim"]
    tower = AudioTower(
        model_name=config["audio_model"]["name"],
        model_dim=config["audio_model"]["model_dim"],
        use_layer_idx=config["audio_model"]["use_layer_idx"],
        frozen_pretrained=False,
        **config["audio_transformer"],
    )
    return mulan.MuLanModel(tower, text, **config["mulan"])
