"""Adapter for the four music taggers by Pons & Serra (2019).

This module does not import torch, so that cached vectors can be read without this slow import. The
networks are in :mod:`groove_utils.embed.models.musicnn.networks`.

References
----------
Pons, J. & Serra, X. (2019). musicnn: pre-trained convolutional neural networks for music audio
tagging. ISMIR late-breaking demo. arXiv:1909.06654.
"""

from __future__ import annotations

from groove_utils.embed.models.musicnn.framing import HOP, N_FRAMES, SAMPLE_RATE
from groove_utils.embed.models.packaged_model import PackagedModel

__all__ = ["Tagger"]

# number of samples that the frames of a window span
WINDOW = (N_FRAMES + 1) * HOP


class Tagger(PackagedModel):
    """Adapter for one of the four music taggers, or for its untrained twin.

    Parameters
    ----------
    name : str
        ``msd-musicnn``, ``mtt-musicnn``, ``msd-vgg`` or ``mtt-vgg``, with the suffix ``-untrained``
        for the twin. The twin is the same network in the state in which training would start: its
        kernels are random (uniform, Glorot & Bengio 2010), its biases are zero, and its
        normalisation layers neither scale nor shift.
    seed : int
        Seed for the twin's random weights; ignored by trained models.
    """

    sample_rate = SAMPLE_RATE
    window = WINDOW / SAMPLE_RATE
    hop = (N_FRAMES - 1) * HOP / SAMPLE_RATE  # as in the authors' code, with 186 frames in 3 s
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
        ModelUnavailableError
            If the package ``musicnn`` is not installed.
        ModelRefusedError
            If the checkpoint is damaged.
        """
        from groove_utils.embed.models.musicnn import networks

        if self.trained:
            return networks.trained_network(self.name, *self.files())
        return networks.random_network(self.name, self.seed)

    def forward(self, network, batch, n_valid) -> dict:
        """Compute the layer outputs for a batch of windows.

        Parameters
        ----------
        network : MusiCNN or VGG
            Result of :meth:`load`.
        batch : Tensor of float32, shape (n_windows, n_samples)
            Windows, padded with zeros after the end of the signal.
        n_valid : Tensor of int, shape (n_windows,)
            Number of samples in each window that precede the end of the signal.
        """
        import torch

        if batch.shape[1] < WINDOW:  # the last frame is centred on the end of the signal
            batch = torch.nn.functional.pad(batch, (0, HOP))
        # bfloat16 is too coarse for Fourier and Winograd transforms
        with torch.autocast(batch.device.type, enabled=False):
            return network(batch, (n_valid // HOP).clamp(1, N_FRAMES))
