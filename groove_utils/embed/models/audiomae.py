"""AudioMAE (Huang et al., 2022), as published with its code by hance-ai on the Hugging Face hub.

The code is not part of any library. It is downloaded with the weights and run only with the user's
permission, which is given by setting ``GROOVE_REMOTE_CODE=audiomae``. This module builds the
network itself and copies and checks each weight, because we found that the library ``transformers``
can leave weights and buffers of such networks uninitialised.
"""

from __future__ import annotations

from pathlib import Path

import torch

from groove_utils.embed.adapters import ModelUnavailableError
from groove_utils.embed.models.huggingface.hub_model import HubModel
from groove_utils.embed.weights import consented, offline, read_json, read_tensors, weight_files

__all__ = ["AudioMAE"]

N_BANDS = 8  # number of rows of patches; each row spans 16 mel bands
N_FFT = 400  # samples per frame of the spectrogram


class AudioMAE(HubModel):
    """Adapter for AudioMAE (``audiomae``): 6144 dimensions per 10-second window at 16 kHz.

    The embedding contains the means over time of 768 values in each of eight frequency bands.
    """

    concurrent = False  # the authors' code may not be thread-safe

    def files(self) -> list[Path]:
        """Return the files on which the embedding depends, including the authors' code."""
        code = sorted(self.folder.glob("*.py"))
        return [self.folder / "config.json", *code, *weight_files(self.folder)]

    def load(self) -> torch.nn.Module:
        """Return the network in evaluation mode.

        Raises
        ------
        ModelUnavailableError
            If the user has not allowed the authors' code, or a package that the code requires is
            missing.
        ModelRefusedError
            If the files belong to another model.
        """
        if self.name not in consented():
            raise ModelUnavailableError(
                f"{self.name}: it runs its authors' code, {self.folder / '*.py'}. If you trust "
                f"this code, run `export GROOVE_REMOTE_CODE={self.name}`.",
                kind="needs_consent",
                value=self.name,
            )
        stored = read_tensors(self.name, self.folder)
        with offline(self.name):
            kind = self._authors_class()
            config = kind.config_class.from_pretrained(self.folder, local_files_only=True)
            return self.load_built(lambda: kind(config), stored)

    def _authors_class(self) -> type:
        """Import the network's class from the authors' code, which is stored with the weights."""
        from transformers.dynamic_module_utils import get_class_from_dynamic_module

        path = self.folder / "config.json"
        reference = str(read_json(self.name, path).get("auto_map", {}).get("AutoModel", ""))
        if not (self.folder / f"{reference.partition('.')[0]}.py").is_file():
            raise self.refusal(
                f"{path} gives {reference!r} as the model's class; expected a class in a file in "
                "the same folder",
                path=path,
                column="auto_map",
                value=reference,
            )
        try:
            return get_class_from_dynamic_module(reference, self.folder, local_files_only=True)
        except (ImportError, OSError, RuntimeError) as error:
            raise self.not_importable("its authors' code", error) from error

    def forward(self, network, batch, n_valid) -> dict[str, torch.Tensor]:
        """Compute the layer ``bands``, shape (n_windows, 6144).

        The encoder returns 768 values for each combination of 64 positions in time and 8 frequency
        bands. Positions after the end of the signal are excluded from the mean over time.
        """
        encoder, rows = network.encoder, []
        for window, n in zip(batch.cpu(), n_valid.tolist()):
            signal = torch.nn.functional.pad(window[:n], (0, max(0, N_FFT - n)))
            mel = encoder.waveform_to_melspec(signal[None])
            tokens = encoder.forward_features(mel[None, None].to(batch.device))[0, 1:]
            maps = tokens.float().unflatten(0, (-1, N_BANDS))  # (times, bands, dim)
            n_times = max(1, round(len(maps) * n / len(window)))
            rows.append(maps[:n_times].mean(0).T.flatten())
        return {"bands": torch.stack(rows)}
