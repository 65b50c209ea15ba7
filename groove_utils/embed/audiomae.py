"""AudioMAE (Huang et al., 2022), in the packaging of hance-ai: runs its authors' own code.

That code is downloaded with the weights and is not part of any library that this project pins. It
runs only where a reader allows it by name, ``GROOVE_REMOTE_CODE=audiomae``. Chapter 05 lists it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import soundfile
import torch

from groove_utils.embed.gate import check_weights
from groove_utils.embed.hub import read_tensors, weight_files
from groove_utils.embed.transformers_models import HubModel

__all__ = ["AudioMAE"]


class AudioMAE(HubModel):
    """Adapter: windows of 10 s at 16 kHz; time-mean of the eight frequency rows, 6144."""

    concurrent = False  # nobody has promised it of that code

    def files(self) -> list[Path]:
        """The files that the numbers depend on, the code among them."""
        return [*sorted(self.folder.glob("*.py")), *weight_files(self.folder)]

    def load(self) -> torch.nn.Module:
        """The model in evaluation mode, held to its weights file."""
        import transformers

        network = transformers.AutoModel.from_pretrained(
            self.folder, trust_remote_code=True, local_files_only=True
        )
        check_weights(self.name, network, read_tensors(self.folder))
        return network.eval()

    def forward(self, network, batch, n_valid) -> dict[str, torch.Tensor]:
        """Vectors, (n_windows, 6144).

        The code takes a file and gives (768, 8 frequencies, 64 times), of which those after the
        signal's end are left out.
        """
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "window.wav"
            for window, n in zip(batch.cpu().numpy(), n_valid.tolist()):
                soundfile.write(path, window[:n], self.sample_rate, subtype="FLOAT")
                maps = torch.as_tensor(network(str(path))).float()
                n_times = max(1, round(maps.shape[2] * n / len(window)))
                rows.append(maps[:, :, :n_times].mean(2).flatten())
        return {"bands": torch.stack(rows)}
