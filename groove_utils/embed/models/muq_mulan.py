"""MuQ-MuLan (Zhu et al., 2025): music and text in one space; needs the package ``muq``.

The stem ablation of Marmoret et al. (2026) rests on this model; chapter 07 uses it where it is.

The package's own ``MuQMuLan.from_pretrained`` fetches two more repositories while it loads,
neither of them pinned, and fills them into networks whose weights it then replaces. Here the audio
tower alone is built, from the package's classes and from configuration files that are on this
machine, and all its weights come from the pinned file. Nothing is fetched, and no code from the
hub runs. (The package, at 0.1.0, does not run with transformers 5 either; the tower here does.)
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.catalogue import model_card
from groove_utils.embed.models.huggingface.hub_model import HubModel
from groove_utils.embed.weights import find_part, offline, read_json, read_tensors, weight_files

__all__ = ["MuQMuLan"]


class MuQMuLan(HubModel):
    """Adapter of the ``muq`` package: windows of 10 s at 24 kHz, 512 dimensions."""

    concurrent = False  # nobody has promised it of that code
    ignored = r"text\."

    def files(self) -> list[Path]:
        """The files that the numbers depend on."""
        return [self.folder / "config.json", self._part(), *weight_files(self.folder)]

    def _part(self) -> Path:
        """The configuration of the audio tower's MuQ, which is in a repository of its own."""
        card = model_card(self.name)
        path = find_part(card, card.parts[0])
        if path is None:
            raise ModelUnavailableError(
                f"{self.name}: config.json of {card.parts[0]} is not on this machine. Run "
                f"`python -m groove_utils.embed fetch {self.name}` where there is a network."
            )
        return path

    def load(self) -> torch.nn.Module:
        """The audio tower in evaluation mode, held to its weights file.

        Raises
        ------
        ModelUnavailableError
            If a file is missing, or the package cannot be imported.
        ModelRefusedError
            If the files are not those of this model.
        """
        folder = self.folder
        config = self._checked(read_json(self.name, folder / "config.json"))
        muq_config = read_json(self.name, self._part())
        stored = read_tensors(self.name, folder)
        stored = {key.removeprefix("mulan."): value for key, value in stored.items()}
        with offline(self.name):
            try:
                import muq
                from muq.muq_mulan.models import audio, mulan
            except (ImportError, OSError, RuntimeError) as error:
                raise self._not_importable("the package muq", error) from error

            known = {field.name for field in dataclasses.fields(muq.MuQConfig)}
            muq_config = muq.MuQConfig(**{k: v for k, v in muq_config.items() if k in known})
            # its conformer is transformers', which has come to ask for this
            muq_config.w2v2_config["_attn_implementation"] = "eager"

            class AudioTower(audio.AudioSpectrogramTransformerPretrained):
                """The package's, its MuQ built from the configuration instead of fetched."""

                def _init_pretrained_model(self, _name):
                    self.model = muq.MuQ(muq_config)

                def _forward_pretrained_model(self, x):
                    # the package asks the conformer for all its hidden states, which it no longer
                    # hands out; the last of them is its output
                    inner = self.model.model
                    mel = inner.normalize(inner.preprocessing(x, features=["melspec_2048"]))
                    return [inner.conformer(inner.conv(mel["melspec_2048"])).last_hidden_state]

            def build() -> torch.nn.Module:
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

            return self._load_built(build, stored)

    def _checked(self, config: dict) -> dict:
        """The configuration, if it is of a model that can be built without code from the hub."""
        part = model_card(self.name).parts[0]
        space = config.get("mulan", {})
        found = {
            "audio_model.name": config.get("audio_model", {}).get("name"),
            "audio_model.use_layer_idx": config.get("audio_model", {}).get("use_layer_idx"),
            "mulan.sr": space.get("sr"),
            "mulan.clip_secs": space.get("clip_secs"),
            "mulan.hierarchical_contrastive_loss": bool(space.get("hierarchical_contrastive_loss")),
        }
        expected = dict(zip(found, (part, -1, self.sample_rate, self.window, False)))
        if found != expected:
            raise ModelRefusedError(
                f"{self.name}: refused. {self.folder / 'config.json'} has {found}, expected "
                f"{expected}. It is of another model or version; fetch the pinned revision with "
                f"`python -m groove_utils.embed fetch {self.name}`."
            )
        return config

    def forward(self, network, batch, n_valid) -> dict[str, torch.Tensor]:
        """Vectors in the shared space, (n_windows, 512).

        Each window is cut at its end, and repeated once where that leaves room, as the package
        does with a clip that is shorter than ten seconds.
        """
        rows = []
        for window, n in zip(batch, n_valid.tolist()):
            clip = window[:n]
            while len(clip) < self.sample_rate // 10:  # too short for the spectrogram
                clip = torch.cat([clip, clip])
            clip = torch.cat([clip, clip[: batch.shape[1] - len(clip)]])
            rows.append(network.get_audio_latents(clip[None]))
        return {"audio_embeds": torch.cat(rows)}
