"""AudioMAE (Huang et al., 2022), in the packaging of hance-ai: runs its authors' own code.

That code is downloaded with the weights and is not part of any library that this project pins. It
is downloaded and run only where a reader allows it by name, ``GROOVE_REMOTE_CODE=audiomae``. Its
network is built here and filled strictly from the weights file: transformers' own loading of such
classes has left weights or buffers as they were.
"""

from __future__ import annotations

from pathlib import Path

import torch

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.models.huggingface.hub_model import HubModel
from groove_utils.embed.weights import consented, offline, read_tensors, weight_files

__all__ = ["AudioMAE"]

_BANDS = 8  # of sixteen mel bands each


class AudioMAE(HubModel):
    """Adapter: windows of 10 s at 16 kHz; time-mean of the eight frequency rows, 6144."""

    concurrent = False  # nobody has promised it of that code

    def files(self) -> list[Path]:
        """The files that the numbers depend on, the code among them."""
        code = sorted(self.folder.glob("*.py"))
        return [self.folder / "config.json", *code, *weight_files(self.folder)]

    def load(self) -> torch.nn.Module:
        """The model in evaluation mode, held to its weights file.

        Raises
        ------
        ModelUnavailableError
            If the reader has not allowed its code, or something that the code needs is missing.
        ModelRefusedError
            If the files are not those of this model.
        """
        if self.name not in consented():
            raise ModelUnavailableError(
                f"{self.name}: it runs its authors' code, {self.folder / '*.py'}. If you trust "
                f"that code, run `export GROOVE_REMOTE_CODE={self.name}`."
            )
        folder = self.folder
        stored = read_tensors(self.name, folder)
        with offline(self.name):
            kind = self._authors_class()
            config = kind.config_class.from_pretrained(folder, local_files_only=True)
            return self._load_built(lambda: kind(config), stored)

    def _authors_class(self) -> type:
        """The network's class, in the code beside the weights."""
        from transformers.dynamic_module_utils import get_class_from_dynamic_module

        reference = str(self._raw_config().get("auto_map", {}).get("AutoModel", ""))
        if not (self.folder / f"{reference.partition('.')[0]}.py").is_file():
            raise ModelRefusedError(
                f"{self.name}: refused. {self.folder / 'config.json'} names {reference!r} as its "
                "model's code, expected a class in a file beside it. Fetch the pinned revision "
                f"with `python -m groove_utils.embed fetch {self.name}`."
            )
        try:
            kind = get_class_from_dynamic_module(reference, self.folder, local_files_only=True)
        except (ImportError, OSError, RuntimeError) as error:
            raise self._not_importable("its authors' code", error) from error
        return kind

    def forward(self, network, batch, n_valid) -> dict[str, torch.Tensor]:
        """Vectors, (n_windows, 6144).

        The encoder gives 768 numbers for each of 64 times × 8 frequencies, of which the times
        after the signal's end are left out.
        """
        encoder, rows = network.encoder, []
        for window, n in zip(batch.cpu(), n_valid.tolist()):
            # fewer samples than one frame of the spectrogram (25 ms) would give none
            signal = torch.nn.functional.pad(window[:n], (0, max(0, 400 - n)))
            mel = encoder.waveform_to_melspec(signal[None])
            tokens = encoder.forward_features(mel[None, None].to(batch.device))[0, 1:]
            maps = tokens.float().unflatten(0, (-1, _BANDS))  # (times, bands, dim)
            n_times = max(1, round(len(maps) * n / len(window)))
            rows.append(maps[:n_times].mean(0).T.flatten())
        return {"bands": torch.stack(rows)}
