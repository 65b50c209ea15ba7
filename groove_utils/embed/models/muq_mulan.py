"""MuQ-MuLan (Zhu et al., 2025): music and text in one space; needs the package ``muq``.

The stem ablation of Marmoret et al. (2026) is based on this model.

The package's own ``MuQMuLan.from_pretrained`` fetches two unpinned repositories while it loads,
and at version 0.1.0 does not run with transformers 5. Here the audio tower alone is built from the
package's classes and local configuration files, and all its weights come from the pinned file.
Nothing is fetched, and no code from the hub runs.
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
    """Windows of 10 s at 24 kHz, 512 dimensions."""

    concurrent = False  # unknown for that package
    ignored = r"text\."

    def files(self) -> list[Path]:
        """Return the files that the numbers depend on."""
        return [self.folder / "config.json", self._muq_config(), *weight_files(self.folder)]

    def _muq_config(self) -> Path:
        """Return the configuration of the tower's MuQ, which is in a repository of its own."""
        return find_part(self.card, self.card.parts[0])

    def load(self) -> torch.nn.Module:
        """Return the audio tower in evaluation mode.

        Raises
        ------
        ModelUnavailableError
            If a file is missing, or the package cannot be imported.
        ModelRefusedError
            If the files are of another model.
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
        """Raise an error if building the model would need code from the hub."""
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
        """Compute vectors in the shared space, (n_windows, 512).

        Each window is cut at its end, and repeated once as far as that leaves room, as the package
        does with a clip shorter than ten seconds.
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
    """Build the audio tower from the package's classes."""
    import muq
    from muq.muq_mulan.models import audio, mulan

    known = {field.name for field in dataclasses.fields(muq.MuQConfig)}
    muq_config = muq.MuQConfig(**{k: v for k, v in muq_config.items() if k in known})
    # its conformer is that of transformers, which now requires this setting
    muq_config.w2v2_config["_attn_implementation"] = "eager"

    class AudioTower(audio.AudioSpectrogramTransformerPretrained):
        """The package's tower, with MuQ built from its configuration instead of fetched."""

        def _init_pretrained_model(self, _name):
            self.model = muq.MuQ(muq_config)

        def _forward_pretrained_model(self, x):
            # the package asks the conformer for all hidden states, which it no longer returns; the
            # last of them is its output
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
