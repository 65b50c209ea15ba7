"""The four music taggers as adapters.

Importing this leaves torch alone, so that what is in the cache is found within moments; the
networks are in :mod:`groove_utils.embed.models.musicnn.networks`. Chapters 05 to 07 use them.

References
----------
Pons, J. & Serra, X. (2019). musicnn: pre-trained convolutional neural networks for music audio
tagging. ISMIR late-breaking demo. arXiv:1909.06654.
"""

from __future__ import annotations

from pathlib import Path

from groove_utils.embed.models.musicnn.checkpoints import (
    HOP,
    N_FRAMES,
    N_TAGS,
    SAMPLE_RATE,
    checkpoint_folder,
)

__all__ = ["Tagger"]

MUSICNN_LAYERS = {
    "timbral": 408,
    "temporal": 153,
    "cnn1": 64,
    "cnn2": 64,
    "cnn3": 64,
    "mean_pool": 753,
    "max_pool": 753,
    "penultimate": 200,
    "taggram": N_TAGS,
}
VGG_LAYERS = {**dict.fromkeys(["pool1", "pool2", "pool3", "pool4", "pool5"], 128), "taggram": 50}
# a window holds the samples of its frames and no more; the first frame is centred on its start
WINDOW = (N_FRAMES + 1) * HOP


class Tagger:
    """Adapter of one of the four taggers, or of its untrained twin.

    Parameters
    ----------
    name : str
        ``msd-musicnn``, ``mtt-musicnn``, ``msd-vgg`` or ``mtt-vgg``, with ``-untrained`` for the
        twin: the same network with kernels drawn as its layers are before training (uniform,
        Glorot & Bengio 2010), zero biases and neutral normalisation.
    seed : int
        Of the twin's weights.
    """

    sample_rate = SAMPLE_RATE
    window = WINDOW / SAMPLE_RATE
    hop = (N_FRAMES - 1) * HOP / SAMPLE_RATE  # the original's own count of frames in 3 s
    lead = HOP / SAMPLE_RATE
    version = "0.1.0"
    batch_size = 2  # the feature maps of more do not fit a processor's caches
    concurrent = True
    any_length = True

    def __init__(self, name: str, seed: int = 0):
        self.name, self.seed = name, seed
        self.trained = not name.endswith("-untrained")
        self.layers = dict(MUSICNN_LAYERS if "musicnn" in name else VGG_LAYERS)

    def files(self) -> list[Path]:
        """The checkpoint's files; none for the untrained twin."""
        if not self.trained:
            return []
        folder = checkpoint_folder(self.name)
        return [folder / ".index", folder / ".data-00000-of-00001"]

    def load(self):
        """The network, a ``torch.nn.Module`` in evaluation mode.

        Raises
        ------
        ModelUnavailableError
            If the ``musicnn`` package is not installed.
        CheckpointError
            If its checkpoint is damaged or does not fit the architecture.
        """
        from groove_utils.embed.models.musicnn.networks import load_network  # imports torch

        return load_network(self.name, self.seed)

    def forward(self, network, batch, n_valid) -> dict:
        """Layers of a batch of windows; `n_valid` counts samples."""
        import torch

        if batch.shape[1] < WINDOW:  # room for the frame that is centred on the end
            batch = torch.nn.functional.pad(batch, (0, HOP))
        # half precision would not carry the transforms of their convolutions
        with torch.autocast(batch.device.type, enabled=False):
            return network(batch, (n_valid // HOP).clamp(1, N_FRAMES))
