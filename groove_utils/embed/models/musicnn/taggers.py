"""Adapters of the four music taggers.

This module does not import torch, so that cached vectors are found at once; the networks are in
:mod:`groove_utils.embed.models.musicnn.networks`.

References
----------
Pons, J. & Serra, X. (2019). musicnn: pre-trained convolutional neural networks for music audio
tagging. ISMIR late-breaking demo. arXiv:1909.06654.
"""

from __future__ import annotations

from groove_utils.embed.models.musicnn.framing import HOP, N_FRAMES, SAMPLE_RATE
from groove_utils.embed.models.packaged_model import PackagedModel

__all__ = ["Tagger"]

# a window holds exactly the samples of its frames; the first frame is centred on its start
WINDOW = (N_FRAMES + 1) * HOP


class Tagger(PackagedModel):
    """Adapter of one of the four taggers, or of its untrained twin.

    Parameters
    ----------
    name : str
        ``msd-musicnn``, ``mtt-musicnn``, ``msd-vgg`` or ``mtt-vgg``, with ``-untrained`` for the
        twin: the same network with kernels drawn as before training (uniform, Glorot & Bengio
        2010), zero biases and neutral normalisation.
    seed : int
        Seed of the twin's weights.
    """

    sample_rate = SAMPLE_RATE
    window = WINDOW / SAMPLE_RATE
    hop = (N_FRAMES - 1) * HOP / SAMPLE_RATE  # the original's own count of frames in 3 s
    lead = HOP / SAMPLE_RATE
    version = "0.1.0"
    any_length = True

    def __init__(self, name: str, seed: int = 0):
        super().__init__(name, seed)
        data, architecture = name.split("-")[:2]
        self.file = f"{data.upper()}_{architecture}/.data-00000-of-00001"

    def load(self):
        """Return the network, a ``torch.nn.Module`` in evaluation mode.

        Raises
        ------
        ModelUnavailableError, ModelRefusedError
            As :meth:`files`, or if the checkpoint is damaged.
        """
        from groove_utils.embed.models.musicnn import networks

        if self.trained:
            return networks.trained_network(self.name, *self.files())
        return networks.random_network(self.name, self.seed)

    def forward(self, network, batch, n_valid) -> dict:
        """Compute the layers of a batch of windows; `n_valid` counts samples."""
        import torch

        if batch.shape[1] < WINDOW:  # room for the frame that is centred on the end
            batch = torch.nn.functional.pad(batch, (0, HOP))
        # half precision is too coarse for Fourier and Winograd transforms
        with torch.autocast(batch.device.type, enabled=False):
            return network(batch, (n_valid // HOP).clamp(1, N_FRAMES))
