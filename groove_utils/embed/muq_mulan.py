"""MuQ-MuLan (Zhu et al., 2025): music and text in one space; the extra ``pip install muq``.

The stem ablation of Marmoret et al. (2026) rests on this model; chapter 07 uses it where it is.
"""

from __future__ import annotations

from pathlib import Path

import torch

from groove_utils.embed.gate import check_weights
from groove_utils.embed.hub import read_tensors, weight_files
from groove_utils.embed.transformers_models import HubModel

__all__ = ["MuQMuLan"]


class MuQMuLan(HubModel):
    """Adapter of the ``muq`` package: windows of 10 s at 24 kHz, 512 dimensions."""

    concurrent = False  # nobody has promised it of that code

    def files(self) -> list[Path]:
        """The files that the numbers depend on."""
        return [self.folder / "config.json", *weight_files(self.folder)]

    def load(self) -> torch.nn.Module:
        """The model in evaluation mode, held to its weights file."""
        import muq

        network = muq.MuQMuLan.from_pretrained(str(self.folder)).eval().float()
        check_weights(self.name, network, read_tensors(self.folder))
        return network

    def forward(self, network, batch, n_valid) -> dict[str, torch.Tensor]:
        """Vectors in the shared space, (n_windows, 512); each window is cut at its end."""
        rows = [network(wavs=window[None, :n]) for window, n in zip(batch, n_valid.tolist())]
        return {"audio_embeds": torch.cat(rows)}
