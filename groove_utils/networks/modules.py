"""Four small spectrogram classifiers, each built around a different kind of layer.

The dense, convolutional and recurrent layers are described by Choi, Fazekas, Cho & Sandler (2017),
arXiv:1709.04396; the fourth classifier uses attention. Each classifier takes spectrograms of shape
(batch, n_bands, n_frames) and returns one logit per class. The classifiers differ in how they share
weights and in what information they discard.
"""

from __future__ import annotations

import torch
from torch import nn

from groove_utils.errors import DetailedError

__all__ = [
    "MODULES",
    "AttentionClassifier",
    "ConvolutionClassifier",
    "DenseClassifier",
    "RecurrentClassifier",
    "build_module",
]


class DenseClassifier(nn.Module):
    """Dense classifier: each hidden unit has a separate weight for every band of every frame.

    Parameters
    ----------
    n_bands, n_frames, n_classes : int
    width : int
        Number of hidden units.
    """

    def __init__(self, n_bands: int, n_frames: int, n_classes: int, width: int = 64):
        super().__init__()
        self.hidden = nn.Linear(n_bands * n_frames, width)
        self.output = nn.Linear(width, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (batch, n_classes)."""
        return self.output(torch.relu(self.hidden(x.flatten(1))))


class ConvolutionClassifier(nn.Module):
    """Convolutional classifier: a linear layer is applied to the maximum response of each kernel.

    Parameters
    ----------
    n_bands, n_frames, n_classes : int
    width : int
        Number of kernels.
    kernel : (int, int)
        Kernel size (receptive field) in bands and frames. If it exceeds the size of the
        spectrogram, it is reduced to that size.
    """

    def __init__(
        self,
        n_bands: int,
        n_frames: int,
        n_classes: int,
        width: int = 64,
        kernel: tuple[int, int] = (9, 3),
    ):
        super().__init__()
        size = min(kernel[0], n_bands), min(kernel[1], n_frames)
        self.kernels = nn.Conv2d(1, width, size)
        self.norm = nn.BatchNorm2d(width)
        self.output = nn.Linear(width, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (batch, n_classes)."""
        maps = torch.relu(self.norm(self.kernels(x[:, None])))
        return self.output(maps.amax(dim=(2, 3)))


class RecurrentClassifier(nn.Module):
    """Recurrent classifier: a linear layer is applied to the state averaged over all frames.

    Parameters
    ----------
    n_bands, n_frames, n_classes : int
        Number of bands, frames and classes. `n_frames` is not used, because a recurrent network
        accepts inputs of any length.
    width : int
        Size of the hidden state.
    cell : {"gru", "lstm", "rnn"}
        Type of recurrent unit.
    both_directions : bool
        Add a second recurrent layer that reads the frames backwards.
    """

    def __init__(
        self,
        n_bands: int,
        n_frames: int,
        n_classes: int,
        width: int = 32,
        cell: str = "gru",
        both_directions: bool = False,
    ):
        super().__init__()
        cells = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
        if cell not in cells:
            raise DetailedError(
                f"cell is {cell!r}; expected one of {', '.join(cells)}.",
                kind="unknown_choice", column="cell", value=cell,
            )  # fmt: skip
        self.recurrence = cells[cell](
            n_bands, width, batch_first=True, bidirectional=both_directions
        )
        self.output = nn.Linear(width * (1 + both_directions), n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (batch, n_classes)."""
        states, _ = self.recurrence(x.transpose(1, 2))
        return self.output(states.mean(dim=1))


class AttentionClassifier(nn.Module):
    """Attention classifier: the last frame attends to all frames, however far away.

    Parameters
    ----------
    n_bands, n_frames, n_classes : int
    width : int
        Dimension of the queries, keys and values.
    n_heads : int
    """

    def __init__(
        self, n_bands: int, n_frames: int, n_classes: int, width: int = 64, n_heads: int = 1
    ):
        super().__init__()
        self.embedding = nn.Linear(n_bands, width)
        self.position = nn.Parameter(0.5 * torch.randn(n_frames, width))
        self.attention = nn.MultiheadAttention(width, n_heads, batch_first=True)
        self.output = nn.Linear(width, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (batch, n_classes)."""
        return self.output(self._attend(x)[0][:, 0])

    def attention_weights(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last frame's attention weights (mean over heads), shape (batch, n_frames)."""
        return self._attend(x)[1][:, 0]

    def _attend(self, x):
        frames = self.embedding(x.transpose(1, 2)) + self.position
        return self.attention(frames[:, -1:], frames, frames)


MODULES = {
    "dense": DenseClassifier,
    "convolution": ConvolutionClassifier,
    "recurrent": RecurrentClassifier,
    "attention": AttentionClassifier,
}
"""Classifier classes by name."""


def build_module(name: str, shape: tuple[int, int], n_classes: int, **options) -> nn.Module:
    """Build one of four small spectrogram classifiers, with random initial weights.

    Parameters
    ----------
    name : {"dense", "convolution", "recurrent", "attention"}
        Name of the classifier.
    shape : (int, int)
        Number of bands and number of frames in each example.
    n_classes : int
        Number of classes.
    **options
        Options passed to the classifier, such as ``width`` or ``kernel``.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    DetailedError
        If `name` is unknown.

    Examples
    --------
    >>> build_module("dense", (48, 10), 4)(torch.zeros(2, 48, 10)).shape
    torch.Size([2, 4])
    """
    if name not in MODULES:
        raise DetailedError(
            f"unknown module {name!r}; expected one of {', '.join(MODULES)}.",
            kind="unknown_choice", column="name", value=name,
        )  # fmt: skip
    return MODULES[name](*shape, n_classes, **options)
